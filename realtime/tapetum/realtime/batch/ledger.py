"""`Ledger`: what is to become of each file of a job, and what became of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tapetum.gan.model import find_model
from tapetum.gan.whole_file import whole_file
from tapetum.realtime.batch.file_maker import FileOptions
from tapetum.realtime.batch.record import FileState, Record
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.errors import MediaError, TapetumError
from tapetum.realtime.media.output_path import check_output

if TYPE_CHECKING:
    from tapetum.realtime.progress import EnhanceResult

State = Literal["done", "damaged", "skipped", "copied", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        source: the input.
        output: its output; None where it was refused before it had one.
        state: `done`; `damaged`, done from an input that was; `skipped`, done by an earlier job;
            `copied`, of a file that is neither video nor photo; `failed`.
        reason: why it failed, in one line.
        result: of what was done now.
    """

    source: Path
    output: Path | None
    state: State
    reason: str = ""
    result: EnhanceResult | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A file that is to be made.

    Attributes:
        task: what.
        overwrite: whether its output may be replaced.
        before: the state of the input.
    """

    task: Task
    overwrite: bool
    before: FileState


class Ledger:
    """Says which files are to be made, and keeps what was made.

    Args:
        folder: of the outputs, which is made, and has a record of them; None for a file by itself,
            of which there is no record.
        overwrite: whether files that are there are replaced, those that are done already too.
        options: for every file, as for `enhance_file`.

    Raises:
        MediaError: the folder cannot be made, or its record not be read.
        ModelError: there is no such model.
    """

    def __init__(self, folder: Path | None, *, overwrite: bool, options: FileOptions) -> None:
        self._overwrite = overwrite
        self._record: Record | None = None
        if folder is not None:
            _make_folder(folder)
            self._record = Record(folder, _recipe(options))

    def begin(self, task: Task) -> Begun | Outcome:
        """Look at a file: it is to be made, or there is its outcome already."""
        record = self._record
        if record is not None and not self._overwrite and record.is_done(task):
            return Outcome(task.source, task.output, "skipped")
        try:
            before = _state(task.source)
            replaceable = self._overwrite
            if record is not None:
                _make_folder(task.output.parent)
                replaceable = self._overwrite or record.is_replaceable(task)
                _check_options(record, task, overwrite=replaceable)
            check_output(task.output, overwrite=replaceable, inputs=[task.source])
            if record is not None:
                record.begin(task)
        except TapetumError as error:
            return failed(task, str(error))
        return Begun(task, replaceable, before)

    def finish(self, begun: Begun, result: EnhanceResult) -> Outcome:
        """Take a file that was made; it is removed where its input has changed meanwhile."""
        task = begun.task
        try:
            _check_unchanged(task, begun.before)
            if self._record is not None:
                self._record.add(task, begun.before)
        except TapetumError as error:
            return self.give_up(begun, str(error))
        state: State = "done" if result.intact else "damaged"
        return Outcome(task.source, task.output, state, result=result)

    def give_up(self, begun: Begun, reason: str) -> Outcome:
        """Note that a file cannot be made."""
        try:
            self.forget(begun)
        except TapetumError as error:
            reason = f"{reason}; {error}"
        return failed(begun.task, reason)

    def forget(self, begun: Begun) -> None:
        """Note that a file is not made after all.

        Raises:
            MediaError: the record cannot be written.
        """
        if self._record is not None:
            self._record.forget(begun.task)

    def copy(self, task: Task) -> Outcome:
        """Copy a file that is neither video nor photo."""
        try:
            if task.output.exists() and not self._overwrite:
                if _state(task.source) == _state(task.output):
                    return Outcome(task.source, task.output, "skipped")
                check_output(task.output, overwrite=False)
            _make_folder(task.output.parent)
            with whole_file(task.output) as unfinished:
                shutil.copy2(task.source, unfinished)
        except (OSError, TapetumError) as error:
            return failed(task, f"cannot copy {task.source}: {error}")
        return Outcome(task.source, task.output, "copied")


def failed(task: Task, reason: str) -> Outcome:
    """A file that could not be made."""
    return Outcome(task.source, task.output, "failed", reason)


def _state(source: Path) -> FileState:
    """What tells whether a file is changed.

    Raises:
        MediaError: it is not there.
    """
    try:
        return FileState.of(source)
    except OSError as error:
        raise MediaError(f"cannot open {source}: {error.strerror}") from error


def _check_unchanged(task: Task, before: FileState) -> None:
    """Remove an output that was made of an input while it was being written.

    Raises:
        MediaError: it was.
    """
    if _state(task.source) == before:
        return
    task.output.unlink()
    raise MediaError(f"{task.source} changed while it was read; try again when it is whole")


def _check_options(record: Record, task: Task, *, overwrite: bool) -> None:
    """Say why an output of a job before stays.

    Raises:
        MediaError: it was made with other options.
    """
    if not overwrite and record.is_of_other_options(task):
        raise MediaError(
            f"output {task.output} was made with other options, weights or another version; pass"
            " --overwrite to replace it"
        )


def _recipe(options: FileOptions) -> dict[str, object]:
    """All that decides what becomes of an input."""
    model = find_model(options.get("model", "grid"))
    return {**options, "model": model.sha256, "tapetum": version("tapetum")}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"output folder {folder} cannot be made: {error.strerror}") from error
