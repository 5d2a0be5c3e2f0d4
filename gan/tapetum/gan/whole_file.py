"""Writes a file whole or not at all, for every part of Tapetum that keeps one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, ending: str = ".part") -> Iterator[Path]:
    """A file to write to that takes the place of `path` when the block ends well.

    Where the block or the renaming fails, what was at `path` before stays, alone.

    Args:
        path: the final name, in a folder that exists.
        ending: of the unfinished file's name, `.NAME.part` beside `path`. Those who write
            to one `path` at the same time need endings of their own.

    Raises:
        OSError: the file cannot be renamed.
    """
    unfinished = path.with_name(f".{path.name}{ending}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        with suppress(OSError):  # what went wrong before says more
            unfinished.unlink(missing_ok=True)
