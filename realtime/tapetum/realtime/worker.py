"""Threads that end before Python does.

When Python ends, it stops the daemon threads that are left as they come back to it. One that comes
back from C++ code (a network, a decoder) then takes the process with it: "terminate called without
an active exception". Threads that are no daemons are waited for without being told to end.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable

PATIENCE_S = 30.0
"""How long the end of Python waits for those that wait for others: a camera, a network, a disk."""


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
        _ALIVE.add(self)
        # The last to be registered is called first: before what the work needs is torn down.
        atexit.unregister(_end_workers)
        atexit.register(_end_workers)
        super().start()

    def stop(self) -> None:
        """Let the work return soon."""
        self._stop_work()


_ALIVE: weakref.WeakSet[Worker] = weakref.WeakSet()


def workers_at_work() -> bool:
    """Whether any worker has not ended."""
    return any(isinstance(thread, Worker) for thread in threading.enumerate())


def _end_workers() -> None:
    workers = [worker for worker in list(_ALIVE) if worker.is_alive()]
    for worker in workers:
        worker.stop()
    begin_s = time.monotonic()
    for worker in workers:
        limit_s = worker.patience_s
        waited_s = time.monotonic() - begin_s
        worker.join(None if limit_s is None else max(0.0, limit_s - waited_s))
