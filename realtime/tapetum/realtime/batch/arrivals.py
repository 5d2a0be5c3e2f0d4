"""Files that arrive in a watched folder: each is taken when nobody writes to it any more."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tapetum.realtime.batch.record import FileState
from tapetum.realtime.batch.tree import Plan, Task


class Arrivals:
    """Tells which files of plan after plan are whole, and says each once until it changes.

    Args:
        settle_s: how long a file must have stayed as it is.
        clock: seconds that never run backward.
        is_held: whether a program has a file open for writing.
        on_held: called once with each file that has stayed for so long, but is.
    """

    def __init__(
        self,
        *,
        settle_s: float,
        clock: Callable[[], float] = time.monotonic,
        is_held: Callable[[Path], bool] | None = None,
        on_held: Callable[[Path], None] | None = None,
    ) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._is_held = is_held or is_open_for_writing
        self._on_held = on_held
        self._seen: dict[Path, tuple[FileState, float]] = {}
        self._told: dict[Path, FileState] = {}
        self._refused: set[Path] = set()
        self._held: set[Path] = set()

    def settled(self, plan: Plan) -> Plan:
        """The part of a plan whose files have settled since they were told last, if ever."""
        now_s = self._clock()
        ready = Plan(self._ready(plan.tasks, now_s), self._ready(plan.others, now_s))
        ready.refused = [(path, why) for path, why in plan.refused if path not in self._refused]
        self._refused = {path for path, _ in plan.refused}
        self._forget_all_but({task.source for task in (*plan.tasks, *plan.others)})
        return ready

    def _ready(self, tasks: Sequence[Task], now_s: float) -> list[Task]:
        return [task for task in tasks if self._is_ready(task.source, now_s)]

    def _forget_all_but(self, paths: set[Path]) -> None:
        """A recorder removes what is old: what is known of it goes too."""
        self._seen = {path: kept for path, kept in self._seen.items() if path in paths}
        self._told = {path: kept for path, kept in self._told.items() if path in paths}
        self._held &= paths

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
        if self._is_held(path):
            if path not in self._held and self._on_held is not None:
                self._on_held(path)
            self._held.add(path)
            return False
        self._seen.pop(path)
        self._held.discard(path)
        self._told[path] = state
        return True


def is_open_for_writing(path: Path) -> bool:
    """Whether any program has a file open for writing, as far as the system tells.

    Linux does, of the user's own files on this machine's disks: it gives no read lease on such a
    one (fcntl(2), F_SETLEASE). Elsewhere the answer is no.
    """
    if sys.platform == "linux":
        import fcntl

        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:  # that it cannot be read is said when its turn comes
            return False
        try:
            # SIGIO, which would tell of who opens it just now, ends a process.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        finally:
            os.close(descriptor)
    return False
