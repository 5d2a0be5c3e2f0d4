"""Takes back the priority that an encoder gives itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def kept_thread_policies() -> Iterator[None]:
    """Let threads that are there keep their scheduling policy, and new ones have the caller's.

    Run by root, SVT-AV1 makes its threads and the one that opens it real-time threads of the
    highest priority, for which everything else on the machine waits.
    """
    if sys.platform != "linux":
        yield
        return
    own, before = os.sched_getscheduler(0), _policies()
    try:
        yield
    finally:
        _take_back(before, own)


def _take_back(before: dict[int, int], own: int) -> None:
    for thread, policy in _policies().items():
        wanted = before.get(thread, own)
        if policy != wanted:
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(thread, wanted, os.sched_param(0))


def _policies() -> dict[int, int]:
    """The scheduling policy of every thread of this process, by the thread's number."""
    policies = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            policies[int(task.name)] = os.sched_getscheduler(int(task.name))
    return policies
