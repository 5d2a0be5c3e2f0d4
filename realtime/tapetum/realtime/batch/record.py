"""What was done already: lines about each output, kept in the output folder.

An output is taken for done where the same input, as far as its size and time of change tell, was
made into it with the same options, weights and version, and where the output is as it was left.

Names of files alone grow in memory with the number of files: of what they were made with, a hash is
kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from tapetum.realtime.batch.tree import Task
from tapetum.realtime.errors import MediaError

NAME = ".tapetum-done.jsonl"
"""In the output folder; hidden, so that a job does not take it for an input."""
_SYNC_S = 1.0
"""A small photo takes less time than to have a line on the disk for certain."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells a file from another one, or from itself after a change."""

    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """The state of a file.

        Raises:
            OSError: it is not there.
        """
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)

    @classmethod
    def from_json(cls, fields: dict[str, Any] | None) -> Self | None:
        """What `asdict` gave, or None for None.

        Raises:
            TypeError, KeyError: it is something else.
        """
        if fields is None:
            return None
        size_bytes, modified_ns = fields["size_bytes"], fields["modified_ns"]
        if not (isinstance(size_bytes, int) and isinstance(modified_ns, int)):
            raise TypeError("a file's size and time are whole numbers")
        return cls(size_bytes, modified_ns)


class _Line(NamedTuple):
    """What is known of an output.

    Attributes:
        input: of what it was made; None while it is being made.
        output: as it was left; None while it is being made.
        recipe: hash of all else that decided what became of it.
    """

    input: FileState | None
    output: FileState | None
    recipe: str

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            TypeError, KeyError: it is something else.
        """
        made, left = (FileState.from_json(fields[name]) for name in ("input", "output"))
        return cls(made, left, sys.intern(fields["recipe"]))

    def to_json(self) -> dict[str, Any]:
        """As a file keeps it."""
        states = {"input": self.input, "output": self.output}
        found: dict[str, Any] = {
            name: None if state is None else asdict(state) for name, state in states.items()
        }
        return {**found, "recipe": self.recipe}


class Record:
    """What was done in an output folder, by this job and those before.

    Args:
        folder: of the outputs.
        recipe: all that decides what becomes of an input: options, weights, version.

    Raises:
        MediaError: the record cannot be read.
    """

    def __init__(self, folder: Path, recipe: dict[str, Any]) -> None:
        self._folder = folder
        self._path = folder / NAME
        text = json.dumps(recipe, default=str, sort_keys=True)
        self._recipe = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._synced_s = float("-inf")
        self._known: dict[str, _Line] = {}
        self._torn = False
        for row in _rows(self._path):
            self._torn = not row.endswith("\n")
            _take_row(self._known, row)

    def is_done(self, task: Task) -> bool:
        """Whether a task's output is there, whole, and what this job would make of its input."""
        line = self._made(task)
        return line is not None and line.input == _state(task.source)

    def is_replaceable(self, task: Task) -> bool:
        """Whether an output that is there may be replaced without asking.

        It may where it was made of an input that has changed since, as one that was still being
        written, where a job that was killed had begun it, and where a power cut took its content.
        """
        now = _state(task.output)
        if now is not None and not now.size_bytes:  # nobody loses anything
            return True
        line = self._known.get(self._key(task))
        if line is None:
            return False
        if line.output is None or self._made(task) is not None:
            return True
        return now is not None and _is_torn(now, line.output)

    def is_of_other_options(self, task: Task) -> bool:
        """Whether an output that is there was made with other options, weights or version."""
        line = self._known.get(self._key(task))
        if line is None or line.output is None:
            return False
        return line.recipe != self._recipe and line.output == _state(task.output)

    def begin(self, task: Task) -> None:
        """Note that an output is being made, which was not there, or is replaceable.

        Raises:
            MediaError: the record cannot be written.
        """
        self._append(task, _Line(None, None, self._recipe))

    def forget(self, task: Task) -> None:
        """Note that an output could not be made.

        Raises:
            MediaError: the record cannot be written.
        """
        self._append(task, None)

    def add(self, task: Task, source: FileState) -> None:
        """Note an output that is whole.

        Args:
            task: what was done.
            source: the state of the input when it was read.

        Raises:
            MediaError: the record cannot be written.
        """
        self._append(task, _Line(source, FileState.of(task.output), self._recipe))

    def _made(self, task: Task) -> _Line | None:
        """The line of an output that is as it was left, and was made by the same recipe."""
        line = self._known.get(self._key(task))
        if line is None or line.recipe != self._recipe or line.output is None:
            return None
        return line if line.output == _state(task.output) else None

    def _append(self, task: Task, line: _Line | None) -> None:
        """Add a line, and have it and those before it on the disk, but not for every photo."""
        key = self._key(task)
        text = json.dumps({"path": key, "made": None if line is None else line.to_json()})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._torn + text + "\n")
                file.flush()
                if time.monotonic() - self._synced_s > _SYNC_S:
                    os.fsync(file.fileno())
                    self._synced_s = time.monotonic()
        except OSError as error:
            self._torn = True  # a part of the line may be there
            raise MediaError(f"{self._path} cannot be written: {error.strerror}") from error
        self._torn = False
        _take(self._known, key, line)

    def _key(self, task: Task) -> str:
        """The output's path in the folder; bytes that are no text are escaped by JSON."""
        return str(task.output.relative_to(self._folder))


def _state(path: Path) -> FileState | None:
    try:
        return FileState.of(path)
    except OSError:
        return None


def _is_torn(now: FileState, left: FileState) -> bool:
    """Whether an output lost its end in a power cut, which changes no time as a person would."""
    return now.modified_ns == left.modified_ns and now.size_bytes < left.size_bytes


def _take(known: dict[str, _Line], key: str, line: _Line | None) -> None:
    if line is None:
        known.pop(key, None)
    else:
        known[key] = line


def _rows(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error


def _take_row(known: dict[str, _Line], row: str) -> None:
    """Take the newest line about an output; one that a power cut has torn counts for nothing."""
    try:
        found = json.loads(row)
        made = found["made"]
        line = None if made is None else _Line.from_json(made)
        _take(known, str(found["path"]), line)
    except (ValueError, KeyError, TypeError, RecursionError):
        return
