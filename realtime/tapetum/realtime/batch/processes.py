"""`ProcessCrew`: workers in processes on this machine."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from tapetum.gan.machine import limit_threads, memory_mb, usable_cores
from tapetum.gan.stop_signals import HANG_UPS
from tapetum.realtime.batch.crew import Answered, Event, Lost, Pulse, Ready
from tapetum.realtime.batch.file_maker import FileOptions
from tapetum.realtime.batch.worker import BatchWorker, Work
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.worker import Worker

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

_PULSE_S = 0.5
_END_S = 5.0
"""How long a worker may take to clean up when it is told to end."""
_MOST_FALSE_STARTS = 3
_WORKER_MB = 700
"""Memory that a worker wants for 1080p."""


def automatic_workers() -> int:
    """Workers that suit this machine: one for each core, as far as its memory goes."""
    free_mb, _ = memory_mb()
    return max(1, min(usable_cores(), free_mb // _WORKER_MB))


@dataclass(slots=True)
class _Hand:
    process: SpawnProcess
    connection: Connection
    is_ready: bool = False


class ProcessCrew:
    """Workers in processes of their own; one that ends is followed by another.

    Args:
        count: of workers.
        options: for every file, as for `enhance_file`.
    """

    def __init__(self, count: int, options: FileOptions) -> None:
        self._options = options
        self._numbers = itertools.count()
        self._hands: dict[int, _Hand] = {}
        self._reasons: dict[int, str] = {}
        self._false_starts = 0
        try:
            for _ in range(count):
                self._begin()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Workers that there are."""
        return len(self._hands)

    @property
    def processes(self) -> dict[int, int]:
        """The number of each worker's process."""
        return {worker: hand.process.pid or 0 for worker, hand in self._hands.items()}

    def give(self, worker: int, work: Work) -> None:
        """Give work to a worker that has none; one that has ended meanwhile is heard of later."""
        with contextlib.suppress(OSError):
            self._hands[worker].connection.send(work)

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened; waits for something to happen at most so long.

        Raises:
            TapetumError: workers end before they begin.
        """
        workers = {hand.connection: worker for worker, hand in self._hands.items()}
        ready = wait([*workers], timeout_s)
        return [
            self._heard(workers[connection])
            for connection in ready
            if isinstance(connection, Connection)
        ]

    def replace(self, worker: int, reason: str) -> None:
        """Kill a worker; `Lost` is heard of it, and another one begins."""
        self._reasons[worker] = reason
        self._hands[worker].process.kill()

    def close(self) -> None:
        """End all workers; they clean up, if they do so soon."""
        hands = [*self._hands.values()]
        self._hands = {}
        for hand in hands:
            hand.connection.close()
            hand.process.terminate()
        for hand in hands:
            hand.process.join(_END_S)
            hand.process.kill()
            hand.process.join()
            hand.process.close()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=_work, args=(there, self._options), daemon=True, name="tapetum-worker"
        )
        with _deaf_to_ctrl_c():
            process.start()
        there.close()
        self._hands[next(self._numbers)] = _Hand(process, here)

    def _heard(self, worker: int) -> Event:
        hand = self._hands[worker]
        try:
            kind, *what = hand.connection.recv()
        except (EOFError, OSError):
            return self._lost(worker)
        if kind == "pulse":
            return Pulse(worker, *what)
        if kind == "refused":
            raise TapetumError(what[0])
        if kind == "ready":
            hand.is_ready = True
            self._false_starts = 0
            return Ready(worker, f"process {hand.process.pid}")
        return Answered(worker, what[0])

    def _lost(self, worker: int) -> Lost:
        hand = self._hands.pop(worker)
        hand.connection.close()
        hand.process.join()
        status = hand.process.exitcode or 0
        hand.process.close()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        reason = self._reasons.pop(worker, f"it ended {how}")
        if not hand.is_ready:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise TapetumError(
                    f"worker processes end before they begin ({reason}); a script that uses"
                    ' workers needs `if __name__ == "__main__":` around what it does'
                )
        self._begin()
        return Lost(worker, reason)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Have a process that begins here never hear Ctrl-C: it is ended by this one."""
    if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *HANG_UPS})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        yield


# In the worker's process -----------------------------------------------------------------------


def _work(connection: Connection, options: FileOptions) -> None:
    """Do work until there is none, or who gives it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    telling = threading.Lock()

    def tell(*what: object) -> None:
        with telling:
            connection.send(what)

    limit_threads(1)
    try:
        worker = BatchWorker(options)
    except (TapetumError, ValueError) as error:
        tell("refused", str(error))
        return
    ended = threading.Event()
    pulse = Worker(lambda: _pulse(worker, tell, ended), name="tapetum-pulse", stop=ended.set)
    pulse.start()
    try:
        tell("ready")
        while True:
            tell("answer", worker.do(connection.recv()))
    except (EOFError, OSError):  # who gives the work is gone
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ended.set()
        worker.close()


def _pulse(worker: BatchWorker, tell: Callable[..., None], ended: threading.Event) -> None:
    """Tell again and again how far the work is; end all where nobody hears it."""
    while not ended.wait(_PULSE_S):
        try:
            tell("pulse", worker.frames, worker.moves)
        except OSError:
            os._exit(1)


def _end(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(1)
