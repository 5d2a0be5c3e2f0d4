"""Runs what a plan says, round by round, shows it, and keeps what there is if it is stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tapetum.benchmarks.bench.checks import Check, check_output
from tapetum.benchmarks.bench.cold_start import cold_start
from tapetum.benchmarks.bench.floors import bytes_per_s
from tapetum.benchmarks.bench.offline import offline
from tapetum.benchmarks.bench.result import SCHEMA_VERSION, size_text, write_csv
from tapetum.benchmarks.bench.single_stream import single_stream
from tapetum.benchmarks.bench.streams import multi_stream, paced
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.bench.tables import (
    notes,
    quality_tables,
    result_tables,
    stage_tables,
    usage_table,
)
from tapetum.benchmarks.bench.trial import Scenario, Settings, Trial, turns
from tapetum.benchmarks.measure.files import write_json
from tapetum.benchmarks.measure.frames import Input
from tapetum.benchmarks.measure.machine import commit_of, load_average, machine
from tapetum.gan.scratch_folder import scratch_folder

Run = dict[str, Any]
"""A whole run as `schema.json` describes it."""

_KEEP_S = 30.0
"""How often what was measured so far is handed on."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        scenarios: names, of `SCENARIOS`.
        subjects: what enhances; all of them meet the same frames.
        inputs: what is enhanced.
        settings: how.
        command: as it was typed, for the file.
    """

    scenarios: tuple[str, ...]
    subjects: tuple[Subject, ...]
    inputs: tuple[Input, ...]
    settings: Settings = field(default_factory=Settings)
    command: str = ""


SCENARIOS: dict[str, Scenario] = {
    "single-stream": single_stream,
    "multi-stream": multi_stream,
    "paced": paced,
    "offline": offline,
    "cold-start": cold_start,
}
"""Every scenario, in the order in which they have their turns."""


def run_suite(
    plan: Plan,
    *,
    keep: Callable[[Run], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Run:
    """Measure all of a plan.

    Args:
        plan: what to measure.
        keep: given the run at the start, from time to time, and at the end, so that nothing is
            lost; `complete` says whether it is all there.
        tell: given a line when something else begins.

    Raises:
        TapetumError: a measurement cannot be made. `keep` got what there was before.
    """
    suite, began_s = _Suite(plan, keep), time.perf_counter()
    keep(suite.run)  # what cannot be written is found now, and not when all is measured
    try:
        with scratch_folder("bench") as folder:
            suite.set_up(folder, tell)
            suite.measure(tell)
        suite.run["complete"] = True
    except BaseException as error:
        suite.run["stopped_by"] = str(error) or type(error).__name__
        raise
    finally:
        suite.run["wall_s"] = round(time.perf_counter() - began_s, 1)
        suite.run["load_average"]["after"] = load_average()
        suite.keep()
    return suite.run


@dataclass
class _Checked:
    """A trial, and what was found of its subject before.

    Attributes:
        repeated: whether there is a result yet.
    """

    trial: Trial
    checks: Sequence[Check]
    notes: Sequence[str]
    repeated: bool = False

    def as_json(self) -> dict[str, Any]:
        """The result so far."""
        result = self.trial.result()
        notes = tuple(dict.fromkeys((*self.notes, *result.notes)))  # each once
        return replace(result, checks=self.checks, notes=notes).as_json()


class _Suite:
    """A run, and the trials that it consists of."""

    def __init__(self, plan: Plan, keep: Callable[[Run], None]) -> None:
        self.run = _new_run(plan)
        self._plan, self._keep, self._kept_s = plan, keep, -math.inf
        self._checked: dict[Trial, _Checked] = {}

    def set_up(self, folder: Path, tell: Callable[[str], None]) -> None:
        """Check what every subject gives, and warm up all trials."""
        for given in self._plan.inputs:
            frames = given.frames(self._plan.settings.seed)
            tell(f"checking what comes out, {given.name} {size_text(frames[0])}")
            checks = {each.name: check_output(each, frames) for each in self._plan.subjects}
            notes = {each.name: each.notes for each in self._plan.subjects}
            for name in self._plan.scenarios:
                for trial in SCENARIOS[name](
                    self._plan.subjects, given, self._plan.settings, folder
                ):
                    tell(f"warm: {trial.key}")
                    of = trial.key.subject
                    self._checked[trial] = _Checked(trial, checks[of], notes[of])

    def measure(self, tell: Callable[[str], None]) -> None:
        """Measure all trials in rounds."""
        rounds = self._plan.settings.effort.repeats
        for turn in turns(tuple(self._checked), rounds):
            tell(f"round {turn.round + 1} of {rounds}{_left(turn.left_s)}: {turn.trial.key}")
            turn.trial.repeat()
            self._checked[turn.trial].repeated = True
            if time.monotonic() - self._kept_s > _KEEP_S:
                self.keep()

    def keep(self) -> None:
        """Hand on what there is so far."""
        self.run["results"] = [each.as_json() for each in self._checked.values() if each.repeated]
        self._keep(self.run)
        self._kept_s = time.monotonic()


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", about {timedelta(seconds=round(seconds))} left"


def _new_run(plan: Plan) -> Run:
    return {
        "schema_version": SCHEMA_VERSION,
        "complete": False,
        "stopped_by": None,
        "command": plan.command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": None,
        "commit": commit_of(Path(__file__)),
        "seed": plan.settings.seed,
        "machine": machine() | {"memory_bytes_per_s": round(bytes_per_s())},
        "load_average": {"before": load_average(), "after": None},
        "results": [],
    }


def run_and_show(plan: Plan, *, json_file: Path | None, csv_file: Path | None) -> None:
    """Measure all of a plan, write the files as it goes on, and print the tables.

    What was measured before an error, or before the user stopped it, is written and printed too.

    Raises:
        TapetumError: a measurement cannot be made, or a file cannot be written.
    """
    latest: list[Run] = []
    errors = Console(stderr=True)

    def keep(run: Run) -> None:
        latest[:] = [run]
        _write(run, json_file, csv_file)

    try:
        with errors.status("setting up") if errors.is_terminal else nullcontext() as status:
            show = (lambda line: status.update(Text(line))) if status else (lambda _: None)
            run_suite(plan, keep=keep, tell=show)
    finally:
        for run in latest:
            _print(run)


def _write(run: Run, json_file: Path | None, csv_file: Path | None) -> None:
    if json_file is not None:
        write_json(run, json_file)
    if csv_file is not None:
        write_csv(run, csv_file)


def _print(run: Run) -> None:
    results = run["results"]
    if not results:
        return
    console = Console(highlight=False, markup=False, emoji=False)  # a clip may be "[night].mp4"
    tables = (*result_tables(results), usage_table(results), *stage_tables(results))
    for table in (*tables, *quality_tables(results)):
        if table.row_count:
            console.print(table)
    for line in notes(run):
        console.print(line)
