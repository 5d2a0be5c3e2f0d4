"""The folder of a server's files, which goes when the server ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "tapetum-serve-"
_LOCK = "lock"
"""A file that a running server holds: the system lets go of it even for one that is killed."""


@contextmanager
def server_folder() -> Iterator[Path]:
    """A new folder that nobody else may read, and that the block's end removes.

    What servers of this user left behind when they were killed is removed first. A file that is
    still in work at the end is no error.
    """
    _remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / "new-lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            Path(file.name).rename(folder / _LOCK)  # no other server sees it before it is held
            yield folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is held, or gone, or has no lock yet
            if folder.lstat().st_uid == os.getuid():
                _remove_unheld(folder)


def _remove_unheld(folder: Path) -> None:
    with (folder / _LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
