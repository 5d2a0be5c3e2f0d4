"""Slow functions in threads, for callers who will not wait for a late answer."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar

from tapetum.realtime.worker import Worker, workers_at_work

A = TypeVar("A")
R = TypeVar("R")

_NICE = 10
"""How far a patient worker gives way, from 0 to 19."""


def patient_worker() -> ThreadPoolExecutor:
    """One thread that works calls off in order, and lets other threads go first (on Linux)."""
    return ThreadPoolExecutor(1, "tapetum-patient", initializer=_give_way)


def _give_way() -> None:
    if sys.platform == "linux":  # where threads, which inherit it, have priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def exit_process(status: int) -> NoReturn:
    """End this process with an exit status, whatever is still at work in the background.

    Python itself would wait for it, see `worker`.
    """
    if workers_at_work():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # nobody reads it any more
                stream.flush()
        os._exit(status)
    sys.exit(status)


class Background(Generic[A, R]):
    """A function that is made, and runs, in a thread of its own: one call at a time.

    A call that is not answered in time is finished all the same, and its answer thrown away;
    until then the function is not `idle`.

    Example:
        slow = Background(lambda: make_enhancer("unet"))
        bright = slow.ask(frame, timeout_s=0.2) if slow.idle else None
    """

    def __init__(self, make: Callable[[], Callable[[A], R]], *, patient: bool = False) -> None:
        """Start the thread.

        Args:
            make: returns the function; called in the thread, because that too may take long.
            patient: let other threads go first (on Linux).
        """
        self._patient = patient
        self._make = make
        self._changed = threading.Condition()
        self._question: A | None = None
        self._answer: R | None = None
        self._error: BaseException | None = None
        self._idle = False
        self._closed = False
        self._thread = Worker(
            self._work, name="tapetum-background", stop=self._close, patience_s=None
        )
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether the function is made, and at work on nothing.

        Raises:
            BaseException: whatever `make` or the function raised.
        """
        with self._changed:
            self._raise_error()
            return self._idle

    @property
    def busy(self) -> bool:
        """Whether the function is being made, or at work."""
        with self._changed:
            return not self._idle and self._thread.is_alive()

    def wait_until_made(self, timeout_s: float) -> bool:
        """Wait so long for the function to be made; whether it is.

        Raises:
            BaseException: whatever `make` raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._error is not None, timeout_s)
            self._raise_error()
            return self._idle

    def ask(self, question: A, timeout_s: float) -> R | None:
        """Call the function, which must be idle.

        Returns:
            Its answer, or None if there was none in time.

        Raises:
            BaseException: whatever the function raised.
        """
        with self._changed:
            self._question, self._answer, self._idle = question, None, False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._idle or self._error is not None, timeout_s)
            self._raise_error()
            return self._answer if self._idle else None

    def close(self, timeout_s: float | None = None) -> None:
        """End the thread when its call has ended; wait `timeout_s` for it at most."""
        self._close()
        self._thread.join(timeout_s)

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            if self._closed:
                return
            if self._patient:
                _give_way()
            function = self._make()
            while (question := self._next_question()) is not None:
                self._answer = function(question)
        except BaseException as error:  # noqa: BLE001 - raised again on the caller's side
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next_question(self) -> A | None:
        with self._changed:
            self._idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._question is not None)
            question, self._question = self._question, None
            return None if self._closed else question

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
