"""Where an output goes: early checks, a temporary name while it grows, the final name when whole.

Nothing ever lies half-written under the name that the user gave.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors

_LONGEST_NAME_BYTES = 255
"""What Linux's file systems take."""


def check_output(path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that cannot or must not be written.

    Args:
        path: the final name.
        overwrite: whether an existing file may be replaced.
        inputs: files that the output must not replace.

    Raises:
        MediaError: the folder is missing or read-only, the output is a folder, exists already
            and `overwrite` is false, or is one of the inputs (also by a link).
    """
    with media_errors("cannot write", path):  # a name may be too long to be looked up
        folder = path.parent
        if path.is_dir():
            raise MediaError(f"output {path} is a folder; give a file name")
        if not folder.is_dir():
            raise MediaError(f"output folder {folder} does not exist; make it first")
        _check_not_input(path, inputs)
        if path.exists() and not overwrite:
            raise MediaError(f"output {path} exists; pass --overwrite to replace it")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise MediaError(f"output folder {folder} is read-only")


def _check_not_input(path: Path, inputs: Iterable[Path]) -> None:
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise MediaError(f"output {path} is the input itself; choose another name")


class OutputFile:
    """A file that is written under a temporary name in its own folder, then renamed.

    Attributes:
        path: the final name.
        temporary: `.NAME.part-PID.SUFFIX` beside it, the name to write to; NAME is cut where
            the whole would be too long.
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()
    ) -> None:
        self.path = Path(path)
        check_output(self.path, overwrite=overwrite, inputs=inputs)
        self.temporary = self.path.with_name(_temporary_name(self.path))

    def commit(self) -> None:
        """Give the whole file its final name.

        Raises:
            MediaError: the rename failed.
        """
        with media_errors("cannot write", self.path):
            self.temporary.replace(self.path)

    def discard(self) -> None:
        """Remove the temporary file; doing so twice does no harm."""
        self.temporary.unlink(missing_ok=True)


def _temporary_name(path: Path) -> str:
    ending = os.fsencode(f".part-{os.getpid()}{path.suffix}")
    begin = os.fsencode(f".{path.stem}")[: _LONGEST_NAME_BYTES - len(ending)]
    return os.fsdecode(begin + ending)
