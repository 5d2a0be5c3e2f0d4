"""What was done already: lines about each output, kept in the output folder.

An output is taken for done where the same input, as far as its size and time of change tell, was
made into it with the same options, weights and version, and where the output is as it was left.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
        self._recipe = json.loads(json.dumps(recipe, default=str))
        text = _read(self._path)
        self._known = _parsed(text)
        self._synced_s = float("-inf")
        self._torn = not text.endswith("\n") and bool(text)

    def is_done(self, task: Task) -> bool:
        """Whether a task's output is there, whole, and what this job would make of its input."""
        line = self._made(task)
        return line is not None and line["input"] == _state(task.source)

    def is_replaceable(self, task: Task) -> bool:
        """Whether an output that is there may be replaced without asking.

        It may where it was made of an input that has changed since, as one that was still being
        written, and where a job that was killed had begun it.
        """
        line = self._known.get(self._key(task))
        return line is not None and (line["output"] is None or self._made(task) is not None)

    def begin(self, task: Task) -> None:
        """Note that an output is being made, which was not there, or is replaceable.

        Raises:
            MediaError: the record cannot be written.
        """
        self._append(task, {"input": None, "output": None}, safely=False)

    def forget(self, task: Task) -> None:
        """Note that an output could not be made.

        Raises:
            MediaError: the record cannot be written.
        """
        self._append(task, None, safely=False)

    def add(self, task: Task, source: FileState) -> None:
        """Note an output that is whole.

        Args:
            task: what was done.
            source: the state of the input when it was read.

        Raises:
            MediaError: the record cannot be written.
        """
        states = {"input": asdict(source), "output": asdict(FileState.of(task.output))}
        self._append(task, states, safely=True)

    def _made(self, task: Task) -> dict[str, Any] | None:
        """The line of an output that is as it was left, and was made by the same recipe."""
        line = self._known.get(self._key(task))
        if line is None or line["recipe"] != self._recipe or line["output"] is None:
            return None
        return line if line["output"] == _state(task.output) else None

    def _append(self, task: Task, states: dict[str, Any] | None, *, safely: bool) -> None:
        """Add a line, and have it and those before it on the disk, but not for every photo."""
        key = self._key(task)
        line = None if states is None else {**states, "recipe": self._recipe}
        text = json.dumps({"path": key, "made": line})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" * self._torn + text + "\n")
                file.flush()
                if safely and time.monotonic() - self._synced_s > _SYNC_S:
                    os.fsync(file.fileno())
                    self._synced_s = time.monotonic()
        except OSError as error:
            raise MediaError(f"{self._path} cannot be written: {error.strerror}") from error
        self._torn = False
        _take(self._known, key, line)

    def _key(self, task: Task) -> str:
        """The output's path in the folder; bytes that are no text are escaped by JSON."""
        return str(task.output.relative_to(self._folder))


def _state(path: Path) -> dict[str, int] | None:
    try:
        return asdict(FileState.of(path))
    except OSError:
        return None


def _take(known: dict[str, dict[str, Any]], key: str, line: dict[str, Any] | None) -> None:
    if line is None:
        known.pop(key, None)
    else:
        known[key] = line


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(text: str) -> dict[str, dict[str, Any]]:
    """The last line about each output; one that a power cut has torn counts for nothing."""
    known: dict[str, dict[str, Any]] = {}
    for row in text.splitlines():
        try:
            found = json.loads(row)
            made = found["made"]
            line = None if made is None else {key: made[key] for key in _KEYS}
            _take(known, str(found["path"]), line)
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return known


_KEYS = ("input", "output", "recipe")
