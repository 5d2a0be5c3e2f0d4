"""Slow functions in threads, for callers who will not wait for a late answer."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from tapetum.realtime.worker import Worker, workers_at_work

A = TypeVar("A")
R = TypeVar("R")

_NICE = 10
"""How far a patient worker gives way, from 0 to 19."""


_MARK = 1
"""How far a worker's thread, and those that it starts, always give way: they are known by it."""
_THREADS = Path("/proc/self/task")


class PatientWorker:
    """Works calls off in order, and lets other threads go first while that is asked for (on Linux).

    Not always: on a machine that is full of other programs' work, who gives way gets nothing.

    Example:
        worker = PatientWorker()
        future = worker.submit(enhance)
        with worker.giving_way():
            show_live_pictures()
    """

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._calls = ThreadPoolExecutor(1, "tapetum-patient")
        self._reasons = 0

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """Have a call made when those before it are over, in a thread of its own."""
        return self._calls.submit(self._in_new_thread, call)

    def shutdown(self) -> None:
        """Wait for the call that is made, and make none of those that wait."""
        self._calls.shutdown(cancel_futures=True)

    @contextmanager
    def giving_way(self) -> Iterator[None]:
        """Let other threads go first meanwhile; a call that is at work then does so to its end."""
        self._reasons += 1
        for thread in _marked_threads():
            _give_way(_NICE - _MARK, thread)
        try:
            yield
        finally:
            self._reasons -= 1

    def _in_new_thread(self, call: Callable[[], R]) -> R:
        """A thread that gave way once cannot go back to what it was: each call gets a new one."""
        with ThreadPoolExecutor(1, "tapetum-patient-call", initializer=self._begin) as pool:
            return pool.submit(call).result()

    def _begin(self) -> None:
        _give_way(_NICE if self._reasons else _MARK)


def _give_way(more: int, thread: int = 0) -> None:
    """Let others go first by so much more; 0 is the thread that calls it."""
    if sys.platform == "linux":  # where threads, which inherit it, have priorities of their own
        with suppress(OSError):  # a thread that has ended
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, before + more)


def _marked_threads() -> list[int]:
    """The threads of calls at work, and those that these started: decoders', encoders'."""
    marked: list[int] = []
    if sys.platform == "linux":
        niceness = os.getpriority(os.PRIO_PROCESS, os.getpid()) + _MARK
        for thread in (int(entry.name) for entry in _THREADS.iterdir()):
            with suppress(OSError):  # it has ended
                if os.getpriority(os.PRIO_PROCESS, thread) == niceness:
                    marked.append(thread)
    return marked


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
                _give_way(_NICE)
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
