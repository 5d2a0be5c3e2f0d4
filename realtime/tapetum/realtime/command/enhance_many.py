"""`tapetum enhance` of many files: the command line of `enhance_files`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

import typer

from tapetum.realtime.command.options import DAMAGED_INPUT, FAILED
from tapetum.realtime.command.progress_bar import ProgressBar, format_time
from tapetum.realtime.counted import counted
from tapetum.realtime.errors import MediaError

if TYPE_CHECKING:
    from rich.console import Console

    from tapetum.realtime.batch.file_maker import FileOptions
    from tapetum.realtime.batch.ledger import Outcome
    from tapetum.realtime.batch.parallel import CrewProgress
    from tapetum.realtime.batch.tree import Naming, Plan, Selection, Task
    from tapetum.realtime.command.program_output import JsonWriter
    from tapetum.realtime.progress import EnhanceResult, Started

_SETTLE_S = 10.0
_POLL_S = 2.0
_LOOKS = 20
"""So many times what looking for files took passes at least before the next look."""
_TELL_S = 2.0
"""Between two lines about the progress of workers."""


@dataclass(frozen=True, slots=True)
class ManyOptions:
    """What only a job of many files is told; see the options of `tapetum enhance`."""

    from_file: Path | None = None
    suffix: str = ""
    extensions: Sequence[str] = ()
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    newer_than_s: float | None = None
    copy_others: bool = False
    dry_run: bool = False
    watch: bool = False
    workers: int | Literal["auto"] | None = None
    cluster: str | None = None
    streams_per_gpu: int = 1

    @property
    def is_given(self) -> bool:
        """Whether any of them says that there are many files."""
        return self != ManyOptions()


def enhance_many(
    inputs: Sequence[str],
    output: Path,
    many: ManyOptions,
    *,
    alone: bool,
    overwrite: bool,
    write_json: JsonWriter | None,
    console: Console,
    quiet: bool,
    **options: Unpack[FileOptions],
) -> None:
    """Enhance many files; ends with the exit status of `tapetum enhance`.

    Args:
        inputs: as they were given.
        output: the folder for the outputs.
        many: what is told of many files.
        alone: whether there is one input, and `output` is its output.
        overwrite: whether files that are there are replaced.
        write_json: what a program reads what happens by.
        console: where a person reads it.
        quiet: whether a person reads of failures alone.
        **options: for every file, as for `enhance_file`.

    Raises:
        TapetumError: nothing can be done at all.
        typer.Exit: a file failed, or was damaged.
    """
    from tapetum.realtime.batch.enhance_files import Watch, open_job
    from tapetum.realtime.batch.tree import Naming, Plan, Selection, Task, check_is_path, make_plan

    selection = Selection(many.include, many.exclude, many.newer_than_s)
    naming = Naming(many.suffix, many.extensions)
    wanted = [*inputs, *_listed(many.from_file)]
    if alone:
        check_is_path(inputs[0])
        plan = Plan([Task(Path(inputs[0]), output)])
    else:
        plan = make_plan(wanted, output, selection=selection, naming=naming, may_be_none=many.watch)
    if many.dry_run:
        _tell_plan(plan, console=console, write_json=write_json, **options)
        return
    report = _Report(plan, console, quiet=quiet, write_json=write_json)
    with ProgressBar(console, visible=not quiet) as bar:
        report.bar = bar
        watch = Watch(report.begin, report.start, bar, bar.build, report.crew, report.note)
        folder = None if alone else output
        job = open_job(
            folder,
            overwrite=overwrite,
            workers=many.workers,
            cluster=many.cluster,
            streams_per_gpu=many.streams_per_gpu,
            watch=watch,
            **options,
        )
        with closing(job):
            plans: Iterable[Plan] = [plan]
            if many.watch:
                report.say(f"watching for files, for {output}; Ctrl-C ends it")
                plans = _arriving(wanted, output, selection, naming, on_held=report.held)
            for part in plans:
                for outcome in job.outcomes(part, copy_others=many.copy_others):
                    report.tell(outcome)
    report.finish()


def _listed(file: Path | None) -> list[str]:
    """The lines of a list; bytes that are no text stay as they are.

    Raises:
        MediaError: it cannot be read.
    """
    if file is None:
        return []
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise MediaError(f"list {file} cannot be read: {error.strerror}") from error
    lines = data.decode("utf-8", "surrogateescape").split("\n")  # names may hold all else
    return [line.removesuffix("\r") for line in lines if line.strip()]


def _arriving(
    inputs: Sequence[str],
    output: Path,
    selection: Selection,
    naming: Naming,
    *,
    on_held: Callable[[Path], None],
) -> Iterator[Plan]:
    """Plans for files as they arrive, and again when they change; it never ends.

    A file is taken when it has not changed for ten seconds, and no program has it open for writing.
    """
    from tapetum.realtime.batch.arrivals import Arrivals
    from tapetum.realtime.batch.tree import make_plan

    arrivals = Arrivals(settle_s=_SETTLE_S, on_held=on_held)
    while True:
        begin_s = time.monotonic()
        plan = make_plan(inputs, output, selection=selection, naming=naming, may_be_none=True)
        settled = arrivals.settled(plan)
        looking_s = time.monotonic() - begin_s
        if settled.tasks or settled.others or settled.refused:
            yield settled
        time.sleep(max(_POLL_S, _LOOKS * looking_s))


def _tell_plan(
    plan: Plan, *, console: Console, write_json: JsonWriter | None, **options: Unpack[FileOptions]
) -> None:
    """Say what would be done, how long it would take and how large it would be."""
    from tapetum.realtime.batch.estimate import Estimator

    estimate = Estimator(**options)
    total_s, total_bytes, unknown = 0.0, 0, 0
    for source, why in plan.refused:
        console.print(f"would fail: {source}: {why}", markup=False)
    for task in plan.tasks:
        guess = estimate(task)
        if guess is None:
            unknown += 1
            text = "cannot be read"
        else:
            total_s += guess.seconds
            total_bytes += guess.size_bytes
            text = f"about {format_time(guess.seconds)}, {guess.size_bytes / 1e6:.1f} MB"
        if write_json is not None:
            known = None if guess is None else guess._asdict()
            write_json(_places(task.source, task.output) | {"estimate": known})
        else:
            console.print(f"{task.source} -> {task.output}: {text}", markup=False)
    readable = len(plan.tasks) - unknown
    files = counted(len(plan.tasks) + len(plan.refused), "file")
    others = counted(len(plan.others), "other")
    console.print(
        f"would enhance {readable} of {files} in about {format_time(total_s)},"
        f" {total_bytes / 1e6:.1f} MB; {others}",
        markup=False,
    )


class _Report:
    """What a person, or a program, reads of a job."""

    def __init__(
        self, plan: Plan, console: Console, *, quiet: bool, write_json: JsonWriter | None
    ) -> None:
        self.bar: ProgressBar | None = None
        self._console = console
        self._quiet = quiet
        self._write_json = write_json
        self._total = len(plan.tasks)
        self._others = len(plan.others)
        self._sizes = {str(task.source): _size(task.source) for task in plan.tasks}
        self._left = sum(self._sizes.values())
        self._worked_bytes = 0
        self._worked_s = 0.0
        self._number = 0
        self._described = False
        self._counts: Counter[str] = Counter()
        self._crew_told_s = self._begin_s = time.monotonic()
        self._file_s = self._begin_s

    def begin(self, task: Task) -> None:
        """A file begins."""
        self._file_s = time.monotonic()
        self._number = min(self._number + 1, self._total)
        if self.bar is not None:
            place = f"{sum(self._counts.values()) + 1} of {max(self._total, self._number)}"
            self.bar.begin(f"{place}{self._time_left()}, {task.source.name}:")

    def start(self, started: Started) -> None:
        """A file is loaded."""
        if not self._described:
            self._described = True
            self.say(started.description)

    def crew(self, progress: CrewProgress) -> None:
        """How far all workers are."""
        if self.bar is not None:
            self.bar.crew(progress)
        now_s = time.monotonic()
        if self._write_json is not None and now_s - self._crew_told_s >= _TELL_S:
            self._crew_told_s = now_s
            self._write_json({"event": "progress"} | _crew_json(progress))

    def note(self, line: str) -> None:
        """Something was lost, and is done again."""
        self.say(f"note: {line}")
        if self._write_json is not None:
            self._write_json({"event": "note", "note": line})

    def held(self, path: Path) -> None:
        """A file that arrived stays where it is for now."""
        self.note(f"{path} waits: a program has it open for writing")

    def tell(self, outcome: Outcome) -> None:
        """A file ended."""
        self._counts[outcome.state] += 1
        size = self._sizes.pop(str(outcome.source), 0)
        self._left -= size
        if outcome.result is not None:
            self._worked_bytes += size
            self._worked_s += time.monotonic() - self._file_s
        if self._write_json is not None:
            self._write_json({"event": "file"} | _as_json(outcome))
        if outcome.state == "failed":
            self._console.print(f"failed: {outcome.source}: {outcome.reason}", markup=False)
        elif outcome.state == "damaged":
            self._console.print(
                f"damaged: {outcome.source}; what it holds is in {outcome.output}", markup=False
            )
        elif outcome.state != "skipped":
            self.say(_line(outcome))
        for notice in () if outcome.result is None else outcome.result.notices:
            self.say(f"note: {outcome.source.name}: {notice}")

    def say(self, line: str) -> None:
        """Say something that --quiet leaves out."""
        if not self._quiet:
            self._console.print(line, markup=False)

    def finish(self) -> None:
        """Say what became of all, and end with a status.

        Raises:
            typer.Exit: a file failed, or was damaged.
        """
        counts, took_s = self._counts, time.monotonic() - self._begin_s
        if self._write_json is not None:
            summary = {"event": "summary", **counts, "elapsed_s": round(took_s, 2)}
            self._write_json(summary)
        words = {
            "done": "enhanced",
            "damaged": "enhanced from damaged files",
            "skipped": "done before",
            "copied": "copied",
            "failed": "failed",
        }
        parts = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
        left = self._others if not counts["copied"] else 0
        if left:
            parts.append(f"{left} neither video nor photo, left alone")
        self.say(f"{', '.join(parts) or 'no videos or photos'} in {format_time(took_s)}")
        if counts["failed"]:
            raise typer.Exit(FAILED)
        if counts["damaged"]:
            raise typer.Exit(DAMAGED_INPUT)

    def _time_left(self) -> str:
        if not self._worked_bytes:
            return ""
        left_s = self._left * self._worked_s / self._worked_bytes
        return f", {format_time(left_s)} left in all"


def _line(outcome: Outcome) -> str:
    result = outcome.result
    if result is None:
        return f"copied: {outcome.output}"
    pace = "" if result.media_s == 0 else f", {result.speed:.2f}x real time"
    return f"{outcome.output}: {result.size_bytes / 1e6:.2f} MB in {result.elapsed_s:.1f} s{pace}"


def _as_json(outcome: Outcome) -> dict[str, object]:
    found: dict[str, object] = _places(outcome.source, outcome.output)
    found["state"] = outcome.state
    if outcome.reason:
        found["reason"] = outcome.reason
    return found | (_figures(outcome.result) if outcome.result is not None else {})


def _figures(result: EnhanceResult) -> dict[str, object]:
    return {
        "frames": result.frames,
        "elapsed_s": round(result.elapsed_s, 3),
        "size_bytes": result.size_bytes,
        "notices": list(result.notices),
    }


def _crew_json(progress: CrewProgress) -> dict[str, object]:
    left_s = progress.left_s
    return {
        "files": progress.files,
        "total_files": progress.total_files,
        "current": list(progress.current),
        "frames": progress.frames,
        "fps": round(progress.fps, 2),
        "workers": [{"place": place, "fps": round(fps, 2)} for place, fps in progress.paces],
        "left_s": None if left_s is None else round(left_s, 1),
    }


def _places(source: Path, output: Path | None) -> dict[str, object]:
    return {"input": str(source), "output": None if output is None else str(output)}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
