"""A folder for a while, which goes when the process that made it has ended, however it ended."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "tapetum-"
_LOCK = "lock"
"""A file that a running process holds: the system lets go of it even for one that is killed."""
_FILES = "files"
"""Made when the lock is held: a folder without it is that of a process that just starts."""


@contextmanager
def scratch_folder(kind: str) -> Iterator[Path]:
    """A new folder that nobody else may read, and that the block's end removes.

    What processes of this user left behind when they were killed is removed first, of any kind. A
    file that is still in work at the end is no error.

    Args:
        kind: what it is for: a word in its name.
    """
    _remove_abandoned()
    with tempfile.TemporaryDirectory(
        prefix=f"{_PREFIX}{kind}-", ignore_cleanup_errors=True
    ) as name:
        home = Path(name)
        with FileLock(home / _LOCK):
            files = home / _FILES
            files.mkdir(mode=0o700)
            yield files


def _remove_abandoned() -> None:
    for home in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, Timeout):  # it is held, or gone
            if _is_mine(home) and (home / _FILES).is_dir():
                with FileLock(home / _LOCK, timeout=0):
                    shutil.rmtree(home / _FILES, ignore_errors=True)
                shutil.rmtree(home, ignore_errors=True)  # Windows removes no file that is open


def _is_mine(folder: Path) -> bool:
    """Whether this user made it; on Windows the folder around it is each user's own."""
    return not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
