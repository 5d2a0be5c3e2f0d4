"""`enhance_files`: many videos and photos in one job; one that is bad ends nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Unpack

from tapetum.realtime.batch.crew import Crew
from tapetum.realtime.batch.file_maker import FileMaker, FileOptions, check_options
from tapetum.realtime.batch.ledger import Ledger, Outcome
from tapetum.realtime.batch.parallel import CrewProgress, ParallelJob
from tapetum.realtime.batch.processes import ProcessCrew, automatic_workers
from tapetum.realtime.batch.tree import Naming, Plan, Selection, Task, make_plan
from tapetum.realtime.enhancer import check_device_is_there
from tapetum.realtime.errors import TapetumError

if TYPE_CHECKING:
    from tapetum.realtime.progress import Building, Progress, Started

__all__ = ["FileOptions", "Job", "Outcome", "Watch", "Workers", "enhance_files", "open_job"]

_log = logging.getLogger(__name__)

Workers = int | Literal["auto"] | None
"""Processes on this machine; `auto` is one for each core, None is this process alone."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is told while files are at work; in this process the callbacks of `enhance_file`.

    Attributes:
        on_file: called with each task before it begins.
        on_start: when its file is loaded.
        on_progress: after each frame.
        on_build: while an engine is built.
        on_crew: of workers, some times a second.
        on_note: with a line about a worker that was lost, or a segment that was done again.
    """

    on_file: Callable[[Task], None] | None = None
    on_start: Callable[[Started], None] | None = None
    on_progress: Callable[[Progress], None] | None = None
    on_build: Callable[[Building], None] | None = None
    on_crew: Callable[[CrewProgress], None] | None = None
    on_note: Callable[[str], None] | None = None


def enhance_files(
    inputs: Iterable[str | Path],
    output: str | Path,
    *,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
    naming: Naming = Naming(),  # noqa: B008 - it is frozen
    copy_others: bool = False,
    overwrite: bool = False,
    workers: Workers = None,
    cluster: str | None = None,
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
        workers: processes that share the work, of one thread each; `auto` is one for each core;
            None does one file after the other here.
        cluster: address of a Ray cluster that does the work, or "auto"; see docs/batch.md.
        watch: what is told meanwhile.
        **options: for every file, as for `enhance_file`.

    Returns:
        An iterator that does the work, and yields what became of each file; with workers in the
        order in which they are ready.

    Raises:
        MediaError: the inputs are not to be had, or hold the output folder, or it cannot be
            written.
        ModelError: there is no such model.
        DeviceError: the GPU or what it needs is missing.
        ValueError: an option is out of its range.
    """
    folder = Path(output)
    plan = make_plan(inputs, folder, selection=selection, naming=naming)
    job = open_job(
        folder, overwrite=overwrite, workers=workers, cluster=cluster, watch=watch, **options
    )
    return _outcomes(job, plan, copy_others=copy_others)


def _outcomes(job: Job, plan: Plan, *, copy_others: bool) -> Iterator[Outcome]:
    with closing(job):
        yield from job.outcomes(plan, copy_others=copy_others)


class Job(Protocol):
    """A job of many files."""

    def outcomes(self, plan: Plan, *, copy_others: bool = False) -> Iterator[Outcome]:
        """Do the files of a plan, and tell what became of each."""

    def close(self) -> None:
        """End it; what is finished stays."""


def open_job(
    folder: Path | None,
    *,
    overwrite: bool = False,
    workers: Workers = None,
    cluster: str | None = None,
    streams_per_gpu: int = 1,
    watch: Watch = Watch(),
    **options: Unpack[FileOptions],
) -> Job:
    """Open a job; see `enhance_files`.

    Args:
        folder: for the outputs, which is made and gets a record; None for a file by itself.
        overwrite: whether files that are there are replaced, those that are done already too.
        workers: processes that share the work.
        cluster: address of a Ray cluster that does the work, or "auto".
        streams_per_gpu: workers of a cluster that share a GPU, where the device is one.
        watch: what is told meanwhile.
        **options: for every file, as for `enhance_file`.

    Raises:
        MediaError: the folder cannot be made, or its record not be read.
        ModelError: there is no such model.
        DeviceError: the GPU or what it needs is missing here, where no cluster does the work.
        ValueError: an option is out of its range.
    """
    check_options(options)
    ledger = Ledger(folder, overwrite=overwrite, options=options)
    if workers is not None and cluster is not None:
        raise ValueError("workers are processes here, and a cluster has its own; give one of them")
    if cluster is not None:
        from tapetum.realtime.batch.cluster import ClusterCrew

        return _shared(
            ledger,
            ClusterCrew(cluster, options, folder=folder, streams_per_gpu=streams_per_gpu),
            watch,
        )
    check_device_is_there(options.get("device", "auto"))  # once, and not for every file
    if workers is None:
        return _LoneJob(ledger, watch, options)
    if workers != "auto" and workers < 1:
        raise ValueError(f"workers are 1 or more, or auto; got {workers}")
    count = automatic_workers() if workers == "auto" else workers
    return _shared(ledger, ProcessCrew(count, options), watch)


def _shared(ledger: Ledger, crew: Crew, watch: Watch) -> Job:
    return ParallelJob(
        ledger, crew, on_file=watch.on_file, on_crew=watch.on_crew, on_note=watch.on_note
    )


class _LoneJob:
    """Does one file after the other in this process."""

    def __init__(self, ledger: Ledger, watch: Watch, options: FileOptions) -> None:
        self._ledger = ledger
        self._on_file = watch.on_file
        self._maker = FileMaker(
            options,
            on_start=watch.on_start,
            on_progress=watch.on_progress,
            on_build=watch.on_build,
        )

    def outcomes(self, plan: Plan, *, copy_others: bool = False) -> Iterator[Outcome]:
        """Do the files of a plan, and tell what became of each."""
        for source, why in plan.refused:
            yield Outcome(source, None, "failed", why)
        for task in plan.tasks:
            yield self._outcome(task)
        if copy_others:
            for task in plan.others:
                yield self._ledger.copy(task)

    def close(self) -> None:
        """Nothing is open between two files."""

    def _outcome(self, task: Task) -> Outcome:
        begun = self._ledger.begin(task)
        if isinstance(begun, Outcome):
            return begun
        if self._on_file is not None:
            self._on_file(task)
        try:
            result = self._maker.make(task, overwrite=begun.overwrite)
        except TapetumError as error:
            return self._ledger.give_up(begun, str(error))
        except Exception as error:  # noqa: BLE001 - a bug that one file shows must not cost the others
            _log.exception("this is a bug in Tapetum, shown by %s", task.source)
            return self._ledger.give_up(begun, f"a bug in Tapetum: {error!r}")
        except BaseException:
            self._ledger.forget(begun)
            raise
        return self._ledger.finish(begun, result)
