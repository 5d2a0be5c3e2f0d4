"""Marks of processes in names of files: whose it is, and whether that process is gone.

A process number alone does not tell: after a while another process has it. So a mark also says when
the process began, by the system's own count, and on which machine.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

PATTERN = r"(\d+)-(\d+)-([0-9a-f]{6})"
"""A mark as a regular expression: process number, beginning, machine."""


def process_mark() -> str:
    """This process's mark, such as 4711-88203-c0ffee."""
    return _mark_of(os.getpid())  # a forked process has its own


@cache
def _mark_of(number: int) -> str:
    return f"{number}-{_begin(number)}-{_machine()}"


def is_gone(number: int, begin: int, machine: str) -> bool:
    """Whether the process of a mark has ended for certain; of another machine, nobody can say.

    Args:
        number: of the process.
        begin: when it began, as its mark says.
        machine: as its mark says.
    """
    if machine != _machine():
        return False
    try:
        if not _is_there(number):
            return True
        return _begin(number) != begin
    except (OSError, ValueError):  # another user's, of whom nothing is told
        return False


def _is_there(number: int) -> bool:
    if os.name == "nt":  # where to ask by a signal is to kill
        import psutil

        return bool(psutil.pid_exists(number))
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's
        return True
    return True


def _begin(number: int) -> int:
    """When a process began: on Linux in ticks since the machine did, which no set clock moves.

    Raises:
        OSError, ValueError: it cannot be found out.
    """
    status = Path(f"/proc/{number}/stat")
    if status.exists():
        return int(status.read_text(errors="replace").rpartition(")")[2].split()[19])
    import psutil

    try:
        return round(100 * psutil.Process(number).create_time())
    except psutil.Error as error:
        raise OSError(str(error)) from error


@cache
def _machine() -> str:
    import hashlib  # only where something is written

    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]
