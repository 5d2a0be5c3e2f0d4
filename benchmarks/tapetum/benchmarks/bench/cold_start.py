"""Cold start: from the start of a process to its first enhanced frame, part by part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.inputs import SYNTHETIC, Input
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.stage_clock import StageSamples
from tapetum.benchmarks.bench.subjects import Subject

SCENARIO = "cold-start"

Parts = dict[str, float]
"""Milliseconds of each part of a start."""


def cold_start(subjects: Sequence[Subject], given: Input, settings: Settings) -> Iterator[Result]:
    """Start a process for each repeat; the files it reads are warm after one that does not count.

    Only Tapetum's own models are started, as a user starts them: the others have nothing to load,
    and a precision is chosen here alone. Opening compiled kernels counts as the first frame.
    """
    width, height = given.size or _size(given, settings)
    for subject in subjects:
        if subject.network is not None and subject.network.precision == "auto":
            yield _measure(subject, width, height, settings)


def _size(given: Input, settings: Settings) -> tuple[int, int]:
    frame = given.frames(settings.seed)[0]
    return frame.width, frame.height


def _measure(subject: Subject, width: int, height: int, settings: Settings) -> Result:
    one_start(subject.model, width, height)
    starts = [one_start(subject.model, width, height) for _ in range(settings.effort.repeats)]
    figures: dict[str, float] = {}
    notes = []
    if settings.first_run:
        first_ms = _first_run_ms(subject.model, width, height)
        figures["first_run_on_a_machine_ms"] = first_ms
        notes.append(f"the first start on a machine compiles kernels: {first_ms / 1000:.1f} s")
    return Result(
        Key(SCENARIO, subject.name, SYNTHETIC, f"{width}x{height}", "start to first frame"),
        subject.runs_on,
        [[sum(parts.values())] for parts in starts],
        stages={name: StageSamples([parts[name] for parts in starts]) for name in starts[0]},
        floors=[_process_alone([parts["process start"] for parts in starts])],
        figures=figures,
        notes=notes,
    )


def _process_alone(starts_ms: Sequence[float]) -> Floor:
    ms = median(starts_ms)
    return Floor("starting Python alone", 1, round(1000 / ms, 3), round(ms, 5))


def _first_run_ms(model: str, width: int, height: int) -> float:
    """The same with an empty cache of compiled kernels."""
    with TemporaryDirectory(prefix="tapetum-bench-") as folder:
        return round(sum(one_start(model, width, height, NUMBA_CACHE_DIR=folder).values()), 1)


def one_start(model: str, width: int, height: int, **variables: str) -> Parts:
    """Start one process, with environment variables, and ask it what took how long.

    Raises:
        BenchmarkError: it failed.
    """
    child = str(Path(__file__).with_name("first_frame.py"))
    # The clock counts from the start of the machine, so it is the same in both processes.
    arguments = [model, str(width), str(height), str(time.monotonic_ns())]
    answer = subprocess.run(
        [sys.executable, "-P", child, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | variables,
    )
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()[-1:]
        raise BenchmarkError(f"a process that starts {model} failed: {' '.join(reason)}")
    parts: Parts = json.loads(answer.stdout)
    return parts
