"""Where an output goes: early checks, a temporary name while it grows, the final name when whole.

Nothing ever lies half-written under the name that the user gave.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from tapetum.gan.whole_file import WholeFile
from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import media_errors

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""Of an address, like "http:"; a drive's is one letter."""


def check_output(path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that cannot or must not be written.

    Args:
        path: the final name; the file that a symbolic link points to is meant.
        overwrite: whether an existing file may be replaced.
        inputs: files that the output must not replace.

    Raises:
        MediaError: the folder is missing or read-only, the output is a folder, a pipe or a
            device, exists already and `overwrite` is false, or is one of the inputs (also by a
            link).
    """
    with media_errors("cannot write", path):  # a name may be too long to be looked up
        folder = (Path(os.path.realpath(path)) if path.is_symlink() else path).parent
        if path.is_dir():
            raise MediaError(f"output {path} is a folder; give a file name")
        if not folder.is_dir():
            _refuse_address(path)
            raise MediaError(f"output folder {folder} does not exist; make it first")
        _check_not_input(path, inputs)
        if path.exists():
            _check_replaceable(path, overwrite=overwrite)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise MediaError(f"output folder {folder} is read-only")


def _refuse_address(path: Path) -> None:
    """Refuse what is an address, whose slashes a path has made one."""
    scheme, *rest = path.parts
    if rest and _SCHEME.fullmatch(scheme):
        raise MediaError(f"output {scheme}//{'/'.join(rest)} is an address; outputs are files")


def _check_replaceable(path: Path, *, overwrite: bool) -> None:
    if not path.is_file():
        raise MediaError(f"output {path} is a pipe or a device, not a file; choose another name")
    if not overwrite:
        raise _exists(path)


def _check_not_input(path: Path, inputs: Iterable[Path]) -> None:
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise MediaError(f"output {path} is the input itself; choose another name")


def _exists(path: Path) -> MediaError:
    return MediaError(f"output {path} exists; pass --overwrite to replace it")


class OutputFile:
    """A file that is written under a temporary name in its own folder, then renamed.

    Attributes:
        path: the final name.
        temporary: the name to write to; see `WholeFile`.
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()
    ) -> None:
        self.path = Path(path)
        check_output(self.path, overwrite=overwrite, inputs=inputs)
        with media_errors("cannot write", self.path):  # as where the folder we are in is gone
            self._file = WholeFile(self.path, replace=overwrite)
        self.temporary = self._file.temporary

    def commit(self, *, durably: bool = False) -> None:
        """Give the whole file its final name.

        Args:
            durably: whether it outlives a power cut when this returns.

        Raises:
            MediaError: the rename failed, or another job took the name meanwhile.
        """
        with media_errors("cannot write", self.path):
            try:
                self._file.commit(durably=durably)
            except FileExistsError:
                raise _exists(self.path) from None

    def discard(self) -> None:
        """Remove the temporary file; doing so twice does no harm."""
        self._file.discard()
