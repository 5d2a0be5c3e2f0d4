"""Files that arrive in a watched folder: each is taken when nobody has written to it for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tapetum.realtime.batch.record import FileState
from tapetum.realtime.batch.tree import Plan


class Arrivals:
    """Tells which files of plan after plan are whole, and says each once until it changes.

    Args:
        settle_s: how long a file must have stayed as it is.
        clock: seconds that never run backward.
    """

    def __init__(self, *, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._seen: dict[Path, tuple[FileState, float]] = {}
        self._told: dict[Path, FileState] = {}

    def settled(self, plan: Plan) -> Plan:
        """The part of a plan whose files have settled since they were told last, if ever."""
        now_s = self._clock()
        return Plan(
            [task for task in plan.tasks if self._is_ready(task.source, now_s)],
            [task for task in plan.others if self._is_ready(task.source, now_s)],
        )

    def _is_ready(self, path: Path, now_s: float) -> bool:
        try:
            state = FileState.of(path)
        except OSError:  # gone again
            return False
        if self._told.get(path) == state or not state.size_bytes:
            return False
        before, since_s = self._seen.get(path, (None, now_s))
        if before != state:
            self._seen[path] = state, now_s
            return False
        if now_s - since_s < self._settle_s:
            return False
        self._told[path] = state
        return True
