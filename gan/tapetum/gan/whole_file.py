"""Writes a file whole or not at all, for every part of Tapetum that keeps one.

A file grows beside its final place, as `.NAME.part-MARK.SUFFIX`, and takes that place in one step.
What a killed process left behind is removed by the next one that writes a file into that folder;
the mark says whose it is (`process_mark`).
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tapetum.gan.process_mark import PATTERN, is_gone, process_mark

_LONGEST_NAME_BYTES = 255
"""What Linux's file systems take."""

_UNFINISHED = re.compile(rb"\..*\.part-" + PATTERN.encode() + rb"(?:-\d+)?(?:\.[^.]*)?", re.DOTALL)

_LOOKS = 50
"""So many times what looking for leftovers took passes before a folder is looked at again: in one
of 100,000 files that takes longer than a photo."""

_looked: tuple[Path, float] | None = None
"""The folder that was looked at last, and when it may be again."""

_growing: set[Path] = set()
"""Files that threads of this process are writing."""
_growing_lock = threading.Lock()


class WholeFile:
    """A file on its way to its final name.

    Where the name is a symbolic link, the file that it points to is written.

    Args:
        path: the final name, in a folder that exists.
        replace: whether a file that is there when this one is whole is replaced.

    Attributes:
        path: the final name.
        temporary: the name to write to.

    """

    def __init__(self, path: Path, *, replace: bool = True) -> None:
        self.path = path
        self._target = Path(os.path.realpath(path))
        self._replace = replace
        _remove_leftovers(self._target.parent)
        self.temporary = _begin(self._target)

    def commit(self, *, durably: bool = False) -> None:
        """Give the whole file its final name; the mode of a file that is replaced is kept.

        What was written is removed where that fails.

        Args:
            durably: whether it is on the disk, and so outlives a power cut, when this returns.

        Raises:
            FileExistsError: another one took the name meanwhile, and is not to be replaced.
            OSError: the file cannot be renamed, or not be brought to the disk.
        """
        try:
            self._commit(durably=durably)
        except BaseException:
            self.discard()
            raise
        self._end()
        if durably:
            sync_folder(self._target.parent)

    def _commit(self, *, durably: bool) -> None:
        if durably:
            _sync(self.temporary, os.O_RDWR)  # Windows syncs nothing that is only read
        if self._replace:
            with suppress(FileNotFoundError, PermissionError):  # new, or modes are not kept here
                self.temporary.chmod(stat.S_IMODE(self._target.stat().st_mode))
            self.temporary.replace(self._target)
        else:
            _move_to_free_name(self.temporary, self._target)

    def discard(self) -> None:
        """Remove what was written; after `commit`, or a second time, this does nothing."""
        if self.temporary in _growing:
            with suppress(OSError):  # what went wrong before says more
                self.temporary.unlink(missing_ok=True)
            self._end()

    def _end(self) -> None:
        with _growing_lock:
            _growing.discard(self.temporary)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    with suppress(OSError):  # Windows and some network file systems have no such thing
        _sync(folder, os.O_RDONLY)


def _sync(path: Path, access: int) -> None:
    descriptor = os.open(path, access)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, error: Callable[[str], Exception] | None = None) -> Iterator[Path]:
    """A file to write to that takes the place of `path` when the block ends well.

    Where the block or the renaming fails, what was at `path` before stays, alone.

    Args:
        path: the final name, in a folder that exists.
        error: the exception to raise where the file cannot be written, made of one line.

    Raises:
        OSError: the file cannot be written, and there is no `error`.
    """
    with _raised_as(error, path):
        file = WholeFile(path)
        try:
            yield file.temporary
            file.commit()
        finally:
            file.discard()


def write_whole(
    path: Path, content: bytes | str, *, error: Callable[[str], Exception] | None = None
) -> None:
    """Write a file, text as UTF-8; what was there before stays if that fails.

    A pipe or a device is written to: a file in its place would destroy it.

    Args:
        path: the file.
        content: all of it.
        error: as for `whole_file`.

    Raises:
        OSError: it cannot be written, and there is no `error`.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        with _raised_as(error, path):
            path.write_bytes(data)
        return
    with whole_file(path, error=error) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def _raised_as(error: Callable[[str], Exception] | None, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        if error is None:
            raise
        raise error(f"{path} cannot be written: {failure.strerror}") from failure


def _begin(target: Path) -> Path:
    """A name beside `target` that no other thread of this process writes to."""
    with _growing_lock:
        number = 1
        while (name := _unfinished_name(target, number)) in _growing:
            number += 1
        _growing.add(name)
    return name


def _unfinished_name(target: Path, number: int) -> Path:
    """`.NAME.part-MARK.SUFFIX`; NAME is cut where the whole would be too long."""
    again = "" if number == 1 else f"-{number}"
    ending = os.fsencode(f".part-{process_mark()}{again}{target.suffix}")
    begin = os.fsencode(f".{target.stem}")[: _LONGEST_NAME_BYTES - len(ending)]
    return target.with_name(os.fsdecode(begin + ending))


def _remove_leftovers(folder: Path) -> None:
    """Remove unfinished files, of whatever name, whose process is gone; see `_LOOKS`."""
    global _looked  # noqa: PLW0603 - it is of the process
    begin_s = time.monotonic()
    if _looked is not None and _looked[0] == folder and begin_s < _looked[1]:
        return
    for name in _names_in(folder):
        match = _UNFINISHED.fullmatch(name)
        if match and is_gone(int(match[1]), int(match[2]), match[3].decode()):
            with suppress(OSError):  # another's, or already removed
                (folder / os.fsdecode(name)).unlink()
    end_s = time.monotonic()
    _looked = folder, end_s + _LOOKS * (end_s - begin_s)


def _names_in(folder: Path) -> list[bytes]:
    """The hidden ones, among which leftovers are."""
    # Whoever may not read it may still write to it.
    with suppress(OSError), os.scandir(os.fsencode(folder)) as entries:
        return [entry.name for entry in entries if entry.name.startswith(b".")]
    return []


def _move_to_free_name(file: Path, target: Path) -> None:
    """Rename a file, unless the name is taken, by whomever and however late.

    Raises:
        FileExistsError: it is.
        OSError: it cannot be renamed.
    """
    try:
        target.hardlink_to(file)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as FAT
        target.touch(exist_ok=False)
        try:
            file.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        file.unlink()
