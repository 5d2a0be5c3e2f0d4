"""Threads that end before Python does.

When Python ends, it stops the daemon threads that are left as they come back to it. One that comes
back from C++ code (a network, a decoder) then takes the process with it: "terminate called without
an active exception". Threads that are no daemons are waited for without being told to end; but
up to Python 3.12 a thread whose `join` was broken off by a signal's handler passes for ended.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")

PATIENCE_S = 30.0
"""How long the end of Python waits for those that wait for others: a camera, a network, a disk."""
_LOOK_S = 0.002
"""How often it looks whether they have ended."""


class Worker(threading.Thread):
    """A daemon thread that the end of Python tells to end, and waits for."""

    def __init__(
        self,
        work: Callable[[], None],
        *,
        name: str,
        stop: Callable[[], None],
        patience_s: float | None = PATIENCE_S,
    ) -> None:
        """Make a thread, which `start` starts.

        Args:
            work: what it does.
            name: of the thread.
            stop: lets `work` return soon, and does not wait for it; called when Python ends.
            patience_s: how long the end of Python waits for `work` to return; None for work that
                always returns, such as a network's.
        """
        super().__init__(target=work, name=name, daemon=True)
        self._stop_work = stop
        self.patience_s = patience_s

    def start(self) -> None:
        """Start the thread."""
        # The last to be registered is called first: before what the work needs is torn down.
        atexit.unregister(_end_workers)
        atexit.register(_end_workers)
        super().start()

    def stop(self) -> None:
        """Let the work return soon."""
        self._stop_work()


def begun(call: Callable[[], R], *, name: str) -> Future[R]:
    """What a call will return that a worker of that name makes; it always returns."""
    answer: Future[R] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised again to who asks for the answer
            answer.set_exception(error)

    Worker(work, name=name, stop=lambda: None, patience_s=None).start()
    return answer


def workers_at_work() -> bool:
    """Whether a thread is at work that Python would not wait for."""
    return bool(_at_work())


def _at_work() -> list[threading.Thread]:
    """The workers that have not ended, and threads that wrongly pass for ended."""
    main = threading.main_thread()  # it passes for ended as soon as Python begins to end
    return [
        thread
        for thread in threading.enumerate()
        if thread is not main and (isinstance(thread, Worker) or not thread.is_alive())
    ]


def _end_workers() -> None:
    threads = _at_work()
    begin_s = time.monotonic()
    for thread in threads:
        if isinstance(thread, Worker):
            thread.stop()
    for thread in threads:
        limit_s = thread.patience_s if isinstance(thread, Worker) else None
        # `join` would return at once where it was broken off before.
        while thread in threading.enumerate() and (
            limit_s is None or time.monotonic() - begin_s < limit_s
        ):
            time.sleep(_LOOK_S)


atexit.register(_end_workers)
