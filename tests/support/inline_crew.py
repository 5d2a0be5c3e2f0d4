"""A crew whose workers are objects of this process, and fail when they are told to."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence

from tapetum.realtime.batch.crew import Answered, Event, Lost, Pulse, Ready
from tapetum.realtime.batch.file_maker import FileOptions
from tapetum.realtime.batch.worker import Answer, BatchWorker, Work

Fault = Callable[[int, Work], Answer | str | None]
"""Of the number of a piece of work and the work: an answer in its place, why the worker is lost
over it, "hangs", or None to have it done."""


class InlineCrew:
    """Workers that take turns; each does what it has when events are asked for."""

    def __init__(self, count: int, options: FileOptions, fault: Fault = lambda *_: None) -> None:
        self._options = options
        self._fault = fault
        self._names = itertools.count()
        self._workers: dict[int, BatchWorker] = {}
        self._work: dict[int, Work] = {}
        self._events: deque[Event] = deque()
        self.done: list[tuple[int, Work]] = []
        for _ in range(count):
            self._begin()

    @property
    def size(self) -> int:
        return len(self._workers)

    def give(self, worker: int, work: Work) -> None:
        assert worker not in self._work
        self._work[worker] = work
        self.done.append((worker, work))

    def events(self, timeout_s: float) -> Sequence[Event]:
        del timeout_s
        if self._events:
            return [self._events.popleft()]
        for worker, work in [*self._work.items()]:
            fault = self._fault(len(self.done), work)
            if fault == "hangs":
                self._events.append(Pulse(worker, 0, 0))
                continue
            del self._work[worker]
            if isinstance(fault, str):
                self._lose(worker, fault)
            else:
                answer = self._workers[worker].do(work) if fault is None else fault
                self._events.append(Answered(worker, answer))
        return []

    def replace(self, worker: int, reason: str) -> None:
        if self._work.pop(worker, None) is not None:
            self._lose(worker, reason)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()

    def _begin(self) -> None:
        name = next(self._names)
        self._workers[name] = BatchWorker(self._options)
        self._events.append(Ready(name, f"place {name}"))

    def _lose(self, worker: int, reason: str) -> None:
        self._workers.pop(worker).close()
        self._events.append(Lost(worker, reason))
        self._begin()
