"""Cold start: from the start of a process to its first enhanced frame, part by part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.bench.trial import Settings, Trial
from tapetum.benchmarks.measure.clocks import StageSamples
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import SYNTHETIC, Input
from tapetum.benchmarks.measure.machine import Resources
from tapetum.benchmarks.measure.sampling import Pace
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime.choices import Denoise, Device

SCENARIO = "cold-start"


@dataclass(frozen=True)
class Start:
    """One start of a process.

    Attributes:
        parts: wall-clock time and CPU time of each part, in milliseconds.
        rss_mb: resident memory after the first frame.
        threads: of the process then.
        yardsticks_ms: readings of the yardstick in between.
    """

    parts: dict[str, tuple[float, float]]
    rss_mb: float
    threads: int
    yardsticks_ms: list[float]

    @property
    def wall_ms(self) -> float:
        """From the start to the first frame."""
        return sum(wall_ms for wall_ms, _ in self.parts.values())

    @property
    def cpu_ms(self) -> float:
        """CPU time that went into it."""
        return sum(cpu_ms for _, cpu_ms in self.parts.values())


def cold_start(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Start a process for each repeat; the files it reads are warm after one that does not count.

    Only Tapetum's own models are started, as a user starts them: the others have nothing to load,
    and a precision is chosen here alone. Opening compiled kernels counts as the first frame, but
    those of a GPU are compiled as the model is loaded.
    """
    size = given.size or _size(given, settings)
    for subject in subjects:
        if subject.model and (subject.network is None or subject.network.precision == "auto"):
            yield _ColdStart(subject, size, first_run=settings.first_run)


def _size(given: Input, settings: Settings) -> tuple[int, int]:
    frame = given.frames(settings.seed)[0]
    return frame.width, frame.height


class _ColdStart(Trial):
    """Processes that enhance one frame with one model."""

    def __init__(self, subject: Subject, size: tuple[int, int], *, first_run: bool) -> None:
        shown = f"{size[0]}x{size[1]}"
        super().__init__(
            Key(SCENARIO, subject.name, SYNTHETIC, shown, "start to first frame"), subject
        )
        self._start = partial(one_start, subject.model, *size, subject.device, subject.denoise)
        self._start()
        self._first_run_ms = _first_run_ms(self._start) if first_run else None
        self._repeats: list[tuple[Start, Pace]] = []

    def repeat(self) -> None:
        """Start one process, which reads the yardstick too."""
        pace = Pace()
        pace.read()
        start = self._start()
        pace.add(start.yardsticks_ms)
        pace.read()
        self._repeats.append((start, pace))

    def result(self) -> Result:
        """How long the starts took, part by part."""
        starts, first_ms = [start for start, _ in self._repeats], self._first_run_ms
        figures, notes = {}, []
        if first_ms is not None:
            figures["first_run_on_a_machine_ms"] = first_ms
            notes.append(f"the first start on a machine, caches empty: {first_ms / 1000:.1f} s")
        return Result(
            self.key,
            self.subject.runs_on,
            [[start.wall_ms] for start in starts],
            yardsticks_ms=self.readings([pace for _, pace in self._repeats]),
            stages={name: _stage(name, starts) for name in starts[0].parts},
            resources=_resources(starts),
            floors=[_process_alone([start.parts["process start"][0] for start in starts])],
            figures=figures,
            notes=notes,
        )


def _stage(name: str, starts: Sequence[Start]) -> StageSamples:
    walls_ms, cpus_ms = zip(*(start.parts[name] for start in starts), strict=True)
    return StageSamples(list(walls_ms), list(cpus_ms))


def _resources(starts: Sequence[Start]) -> Resources:
    cpu_ms, wall_ms = sum(each.cpu_ms for each in starts), sum(each.wall_ms for each in starts)
    return Resources(round(100 * cpu_ms / wall_ms, 1), starts[-1].rss_mb, starts[-1].threads)


def _process_alone(starts_ms: Sequence[float]) -> Floor:
    ms = median(starts_ms)
    return Floor("starting Python alone", 1, round(1000 / ms, 3), round(ms, 5))


def _first_run_ms(start: Callable[..., Start]) -> float:
    """The same with empty caches of compiled kernels and of a GPU's engines."""
    with scratch_folder("bench") as folder:
        return round(start(NUMBA_CACHE_DIR=str(folder), TAPETUM_CACHE=str(folder)).wall_ms, 1)


def one_start(
    model: str,
    width: int,
    height: int,
    device: Device = "auto",
    denoise: Denoise = "off",
    **variables: str,
) -> Start:
    """Start one process, with environment variables, and ask it what took how long.

    Raises:
        BenchmarkError: it failed.
    """
    child = str(Path(__file__).with_name("first_frame.py"))
    # The clock counts from the start of the machine, so it is the same in both processes.
    arguments = [model, device, str(denoise), str(width), str(height), str(time.monotonic_ns())]
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
    return Start(**json.loads(answer.stdout))
