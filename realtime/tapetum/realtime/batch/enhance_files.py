"""`enhance_files`: many videos and photos, one after the other; one that is bad ends nothing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from tapetum.gan.model import find_model
from tapetum.gan.whole_file import whole_file
from tapetum.realtime.aim import Aim
from tapetum.realtime.batch.record import FileState, Record
from tapetum.realtime.batch.tree import Naming, Plan, Selection, Task, make_plan
from tapetum.realtime.choices import LAYOUTS, Denoise, Device, Layout
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.enhancer import check_device, checked_strength, is_cuda, make_enhancer
from tapetum.realtime.errors import MediaError, TapetumError
from tapetum.realtime.media.output_path import check_output
from tapetum.realtime.photos.formats import is_photo_name

if TYPE_CHECKING:
    from tapetum.realtime.progress import Building, EnhanceResult, Progress, Started
    from tapetum.realtime.protocols import FrameEnhancer

_log = logging.getLogger(__name__)

State = Literal["done", "damaged", "skipped", "copied", "failed"]


class FileOptions(TypedDict, total=False):
    """What `enhance_file` may be told for every file alike; see there."""

    model: str | Path
    strength: float
    device: Device
    when_dark: bool
    brightness: float | None
    denoise: Denoise
    deinterlace: bool
    compare: Layout | None
    codec: str | None
    crf: int | None
    preset: str | None


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
class Watch:
    """What is told while a file is at work; the callbacks of `enhance_file`.

    Attributes:
        on_file: called with each task before it begins.
        on_start: when its file is loaded.
        on_progress: after each frame.
        on_build: while an engine is built.
    """

    on_file: Callable[[Task], None] | None = None
    on_start: Callable[[Started], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    on_build: Callable[[Building], None] | None = None


def enhance_files(
    inputs: Iterable[str | Path],
    output: str | Path,
    *,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
    naming: Naming = Naming(),  # noqa: B008 - it is frozen
    copy_others: bool = False,
    overwrite: bool = False,
    watch: Watch = Watch(),
    **options: Unpack[FileOptions],
) -> Iterator[Outcome]:
    """Enhance all videos and photos of folders into another folder.

    What an earlier job made of the same input, with the same options, weights and version, is not
    made again. Each output appears when it is whole; stop at any time, and start again.

    Args:
        inputs: folders of any depth, files, and patterns such as "night/**/*.mp4".
        output: the folder for the outputs, which is made; see `make_plan`.
        selection: which files of folders are taken.
        naming: of the outputs.
        copy_others: whether files that are neither videos nor photos are copied.
        overwrite: whether files that are there are replaced, those that are done already too.
        watch: what is told meanwhile.
        **options: for every file, as for `enhance_file`.

    Returns:
        An iterator that does the work, and yields what became of each file.

    Raises:
        MediaError: the inputs are not to be had, or hold the output folder, or it cannot be
            written.
        ModelError: there is no such model.
        ValueError: an option is out of its range.
    """
    folder = Path(output)
    plan = make_plan(inputs, folder, selection=selection, naming=naming)
    job = Job(folder, overwrite=overwrite, watch=watch, **options)
    return job.outcomes(plan, copy_others=copy_others)


class Job:
    """Enhances files with one loaded model, and keeps a record in the output folder.

    Args:
        folder: for the outputs; it is made.
        overwrite: whether files that are there are replaced, those that are done already too.
        watch: what is told meanwhile.
        **options: for every file, as for `enhance_file`.

    Raises:
        MediaError: the folder cannot be made, or its record not be read.
        ModelError: there is no such model.
        ValueError: an option is out of its range.
    """

    def __init__(
        self,
        folder: Path,
        *,
        overwrite: bool = False,
        watch: Watch = Watch(),
        **options: Unpack[FileOptions],
    ) -> None:
        _check(options)
        _make_folder(folder)
        self._options = options
        self._overwrite = overwrite
        self._watch = watch
        self._record = Record(folder, _recipe(options))
        self._enhancer: FrameEnhancer | None = None
        if not is_cuda(options.get("device", "auto")):
            model, strength = options.get("model", "grid"), options.get("strength", 1.0)
            aim = Aim(options.get("when_dark", True), options.get("brightness"))
            denoise = options.get("denoise", "auto")
            self._enhancer = make_enhancer(model, strength=strength, aim=aim, denoise=denoise)

    def outcomes(self, plan: Plan, *, copy_others: bool = False) -> Iterator[Outcome]:
        """Do the files of a plan, and tell what became of each."""
        for source, why in plan.refused:
            yield Outcome(source, None, "failed", why)
        for task in plan.tasks:
            yield self._outcome(task)
        if copy_others:
            for task in plan.others:
                yield self._copied(task)

    def _outcome(self, task: Task) -> Outcome:
        if not self._overwrite and self._record.is_done(task):
            return Outcome(task.source, task.output, "skipped")
        if self._watch.on_file is not None:
            self._watch.on_file(task)
        try:
            result = self._made(task)
        except TapetumError as error:
            return Outcome(task.source, task.output, "failed", str(error))
        except Exception as error:  # noqa: BLE001 - a bug that one file shows must not cost the others
            _log.exception("this is a bug in Tapetum, shown by %s", task.source)
            return Outcome(task.source, task.output, "failed", f"a bug in Tapetum: {error!r}")
        return Outcome(
            task.source, task.output, "done" if result.intact else "damaged", result=result
        )

    def _made(self, task: Task) -> EnhanceResult:
        """Make one output, and keep a record of it."""
        _make_folder(task.output.parent)
        before = _state(task.source)
        replaceable = self._overwrite or self._record.is_replaceable(task)
        check_output(task.output, overwrite=replaceable, inputs=[task.source])
        self._record.begin(task)
        try:
            result = self._enhanced(task, overwrite=replaceable)
            _check_unchanged(task, before)
        except BaseException:
            self._record.forget(task)
            raise
        self._record.add(task, before)
        return result

    def _enhanced(self, task: Task, *, overwrite: bool) -> EnhanceResult:
        watch, options = self._watch, self._options
        if is_photo_name(task.output):
            options = for_photos(options)
        if self._enhancer is not None:
            self._enhancer.reset()
        return enhance_file(
            task.source,
            task.output,
            overwrite=overwrite,
            enhancer=self._enhancer,
            on_start=watch.on_start,
            on_progress=watch.on_progress,
            on_build=watch.on_build,
            **options,
        )

    def _copied(self, task: Task) -> Outcome:
        if task.output.exists() and not self._overwrite:
            return Outcome(task.source, task.output, "skipped")
        try:
            _make_folder(task.output.parent)
            with whole_file(task.output) as unfinished:
                shutil.copy2(task.source, unfinished)
        except (OSError, TapetumError) as error:
            return Outcome(
                task.source, task.output, "failed", f"cannot copy {task.source}: {error}"
            )
        return Outcome(task.source, task.output, "copied")


def for_photos(options: FileOptions) -> FileOptions:
    """The options that photos take."""
    kept = options.copy()
    kept.pop("deinterlace", None)
    kept.pop("codec", None)
    kept.pop("crf", None)
    kept.pop("preset", None)
    return kept


def _check(options: FileOptions) -> None:
    """Refuse what would fail for every file.

    Raises:
        ValueError: an option is out of its range.
    """
    checked_strength(options.get("strength", 1.0))
    check_device(options.get("device", "auto"))
    compare = options.get("compare")
    if compare is not None and compare not in LAYOUTS:
        raise ValueError(f"compare is one of {', '.join(LAYOUTS)}; got {compare!r}")


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


def _recipe(options: FileOptions) -> dict[str, object]:
    """All that decides what becomes of an input."""
    model = find_model(options.get("model", "grid"))
    return {**options, "model": model.sha256, "tapetum": version("tapetum")}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"output folder {folder} cannot be made: {error.strerror}") from error
