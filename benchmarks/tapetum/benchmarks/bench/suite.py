"""Runs what a plan says, result by result, and keeps what there is if it is stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench.checkout import commit_of
from tapetum.benchmarks.bench.checks import check_output
from tapetum.benchmarks.bench.cold_start import cold_start
from tapetum.benchmarks.bench.floors import bytes_per_s
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.multi_stream import multi_stream
from tapetum.benchmarks.bench.offline import offline
from tapetum.benchmarks.bench.paced import paced
from tapetum.benchmarks.bench.resources import load_average
from tapetum.benchmarks.bench.result import SCHEMA_VERSION, Result
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.single_stream import single_stream
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.machine import machine

Run = dict[str, Any]
"""A whole run as `schema.json` describes it."""


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        scenarios: names, of `SCENARIOS`.
        subjects: what enhances; all of them meet the same frames, in turns.
        inputs: what is enhanced.
        settings: how.
        command: as it was typed, for the file.
    """

    scenarios: tuple[str, ...]
    subjects: tuple[Subject, ...]
    inputs: tuple[Input, ...]
    settings: Settings = field(default_factory=Settings)
    command: str = ""


Scenario = Callable[[Sequence[Subject], Input, Settings], Iterator[Result]]

SCENARIOS: dict[str, Scenario] = {
    "single-stream": single_stream,
    "multi-stream": multi_stream,
    "paced": paced,
    "offline": offline,
    "cold-start": cold_start,
}
"""Every scenario, in the order in which they run."""


def run_suite(plan: Plan, *, keep: Callable[[Run], None] = lambda _: None) -> Run:
    """Measure all of a plan.

    Args:
        plan: what to measure.
        keep: given the run at the start and after each result, so that nothing is lost;
            `complete` says whether it is all there.

    Raises:
        TapetumError: a measurement cannot be made. `keep` got what there was before.
    """
    run, began_s = _new_run(plan), time.perf_counter()
    keep(run)  # what cannot be written is found now, and not when all is measured
    try:
        for result in _results(plan):
            run["results"].append(result.as_json())
            keep(run)
        run["complete"] = True
    except BaseException as error:
        run["stopped_by"] = str(error) or type(error).__name__
        raise
    finally:
        run["wall_s"] = round(time.perf_counter() - began_s, 1)
        run["load_average"]["after"] = load_average()
        keep(run)
    return run


def _results(plan: Plan) -> Iterator[Result]:
    for given in plan.inputs:
        frames = given.frames(plan.settings.seed)
        checks = {each.name: check_output(each, frames) for each in plan.subjects}
        notes = {each.name: each.notes for each in plan.subjects}
        for name in plan.scenarios:
            for result in SCENARIOS[name](plan.subjects, given, plan.settings):
                of = result.key.subject
                told = tuple(dict.fromkeys((*notes[of], *result.notes)))  # each once
                yield replace(result, checks=checks[of], notes=told)


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
