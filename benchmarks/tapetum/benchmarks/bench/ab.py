"""Two versions of Tapetum measured against each other in one session.

What differs between two sessions on one machine is often more than what a change of code makes:
neighbours, the clock rate, where memory lies. So both versions run here in turns. In each round
three processes are started, two of the old version and one of the new, and asked in random order
for short batches, a few times around. The unit is the process: its median counts as one
observation, however many frames it had (Kalibera, Jones, "Rigorous benchmarking in reasonable
time", 2013).

If the versions are equally fast, which of a round's three processes is the new one is mere chance.
How many of all such choices would show as large a difference is the p value: a permutation test
within blocks, which assumes nothing about how the noise is spread. Over several figures the
p values are corrected as Holm has it ("A simple sequentially rejective multiple test procedure",
1979), so that one false alarm in all of them is as rare as the level says. The two processes of the
old version show what this machine lets one see: the A/A floor.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, fmean, median, stdev
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average, machine
from tapetum.gan.scratch_folder import scratch_folder

LEAST_ROUNDS = 5
"""With fewer, no p value of several figures can be under the level."""
LEVEL = 0.05
"""How often a difference is seen in any of the figures where there is none."""

PARTS = ("gan", "realtime", "trt_build", "benchmarks")
"""The folders of a checkout that are imported from."""
_WORKER = Path(__file__).with_name("ab_worker.py")
_PROCESSES = ("old", "old again", "new")
_BATCHES = 5
_EXACT_ROUNDS = 11
"""Up to so many all choices are counted, beyond them so many are drawn:"""
_DRAWN = 200_000

Verdict = Literal["slower", "faster", "none seen"]


@dataclass(frozen=True)
class Side:
    """A version: a Python, and what it finds first.

    Attributes:
        place: what the user named.
        python: the interpreter.
        checkout: the folder whose code it runs; None for what is installed.
    """

    place: Path
    python: Path
    checkout: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes."""
        # Bytecode is kept, as it is for users: what is compiled once a machine does not count.
        others = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        variables = {key: value for key, value in os.environ.items() if key not in others}
        if self.checkout is not None:
            variables["PYTHONPATH"] = os.pathsep.join(str(self.checkout / part) for part in PARTS)
        return variables


def side(place: Path) -> Side:
    """What a person means by a version.

    Args:
        place: a checkout, which runs with its own `.venv` or else with this Python; a virtual
            environment; or a Python.

    Raises:
        BenchmarkError: it is none of these.
    """
    place = place.absolute()
    if (place / "realtime" / "tapetum").is_dir():
        place = (
            place.resolve()
        )  # "../before", or a link: what is imported is inside it all the same
        return Side(place, _python_in(place / ".venv") or Path(sys.executable), place)
    python = place if place.is_file() and os.access(place, os.X_OK) else _python_in(place)
    if python is None:
        raise BenchmarkError(
            f"{place} is no version of Tapetum; name a checkout, a virtual environment or a Python"
        )
    return Side(place, python, None)


def _python_in(environment: Path) -> Path | None:
    names = (environment / "bin" / "python", environment / "Scripts" / "python.exe")
    return next((name for name in names if name.is_file()), None)


@dataclass(frozen=True)
class Figure:
    """Something that is measured.

    Attributes:
        name: for the table.
        question: for the worker; None for what it tells unasked.
    """

    name: str
    question: Mapping[str, Any] | None = None


IMPORT = Figure("import")
FIRST_FRAME = Figure("first frame")


def figures(model: str, sizes: Sequence[tuple[int, int]], clip: Path | None) -> list[Figure]:
    """What is measured of a model: starting, frames of these sizes, and a file."""
    frames = [
        Figure(f"{model} {width}x{height}", {"width": width, "height": height})
        for width, height in sizes
    ]
    file = [] if clip is None else [Figure(f"file {clip.name}", {"clip": str(clip.absolute())})]
    return [IMPORT, FIRST_FRAME, *frames, *file]


class _Run:
    """A process of one version, and what it has measured."""

    def __init__(self, version: Side, process: subprocess.Popen[str], began_s: float) -> None:
        self.medians_ms: dict[str, list[float]] = {}
        self._version, self._process = version, process
        imported = self._answer()["file"]
        self._note(IMPORT, began_s)
        if version.checkout is not None and not Path(imported).is_relative_to(version.checkout):
            raise BenchmarkError(f"{version.place} was asked for, and {imported} was imported")
        self._answer()
        self._note(FIRST_FRAME, began_s)

    def measure(self, figure: Figure) -> None:
        """Take one batch."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(figure.question) + "\n")
        self._process.stdin.flush()
        self.medians_ms.setdefault(figure.name, []).append(median(self._answer()))

    def _note(self, figure: Figure, began_s: float) -> None:
        self.medians_ms[figure.name] = [1000 * (time.perf_counter() - began_s)]

    def _answer(self) -> Any:  # noqa: ANN401 - JSON
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        said = self._process.stderr.read().strip().splitlines() or ["it ended without a word"]
        raise BenchmarkError(f"{self._version.place} cannot be measured: {said[-1]}")


@contextmanager
def _run(version: Side, model: str, folder: Path) -> Iterator[_Run]:
    began_s = time.perf_counter()
    with subprocess.Popen(
        [version.python, "-P", _WORKER, model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=version.environment,
    ) as process:
        try:
            yield _Run(version, process, began_s)
        finally:
            process.communicate()  # closes its input, at which it ends


Observations = dict[str, list[tuple[float, float, float]]]
"""Of each figure, of each round: milliseconds of old, old again, and new."""


def observe(
    old: Side,
    new: Side,
    wanted: Sequence[Figure],
    *,
    model: str,
    rounds: int,
    tell: Callable[[str], None] = lambda _line: None,
) -> Observations:
    """Measure in rounds.

    Raises:
        BenchmarkError: a version cannot be measured.
    """
    chance = random.Random(0)
    seen: Observations = {figure.name: [] for figure in wanted}
    with scratch_folder("bench") as folder:
        for version in (old, new):  # what is compiled once a machine does not count
            tell(f"warm: {version.place}")
            with _run(version, model, folder) as run:
                _measure([run], wanted, 1, chance)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            versions = {"old": old, "old again": old, "new": new}
            runs = _round(versions, wanted, model, folder, chance)
            for name, rows in seen.items():
                one, two, three = (median(runs[each].medians_ms[name]) for each in _PROCESSES)
                rows.append((one, two, three))
    return seen


def _round(
    versions: Mapping[str, Side],
    wanted: Sequence[Figure],
    model: str,
    folder: Path,
    chance: random.Random,
) -> dict[str, _Run]:
    with ExitStack() as opened:
        runs = {
            name: opened.enter_context(_run(versions[name], model, folder))
            for name in chance.sample(_PROCESSES, 3)
        }
        _measure([*runs.values()], wanted, _BATCHES, chance)
    return runs


def _measure(
    runs: Sequence[_Run], wanted: Sequence[Figure], batches: int, chance: random.Random
) -> None:
    for figure in wanted:
        if figure.question is None:
            continue
        for _ in range(1 if "clip" in figure.question else batches):
            for run in chance.sample(runs, len(runs)):
                run.measure(figure)


@dataclass(frozen=True)
class Difference:
    """What two versions differ by in one figure.

    Attributes:
        figure: its name.
        old_ms: median over the rounds.
        new_ms: the same of the new version.
        percent: geometric mean of new / old over the rounds, less 100 %; positive is slower.
        percent_ci95: its 95 % confidence interval, by Student's t on logarithms.
        p: how often chance alone shows as much.
        corrected_p: the same, corrected for the number of figures.
        old_percent: the old version against itself, as `percent`.
        floor_percent: half the width of the 95 % interval of that: what cannot be seen here.
    """

    figure: str
    old_ms: float
    new_ms: float
    percent: float
    percent_ci95: tuple[float, float]
    p: float
    corrected_p: float
    old_percent: float
    floor_percent: float

    @property
    def verdict(self) -> Verdict:
        """Slower or faster only where chance is an unlikely reason."""
        if self.corrected_p >= LEVEL:
            return "none seen"
        return "slower" if self.percent > 0 else "faster"

    def fails(self, limit_percent: float) -> bool:
        """Whether it is significantly slower, and by more than a limit."""
        return self.verdict == "slower" and self.percent > limit_percent

    def hides(self, limit_percent: float) -> bool:
        """Whether noise leaves open that it is slower by more than a limit."""
        return self.verdict != "slower" and self.percent_ci95[1] > limit_percent


def differences(seen: Observations) -> list[Difference]:
    """Compare the versions in each figure.

    Raises:
        ValueError: there are fewer than `LEAST_ROUNDS` rounds.
    """
    logs = {name: np.log(np.asarray(rounds, float)) for name, rounds in seen.items()}
    if any(len(values) < LEAST_ROUNDS for values in logs.values()):
        raise ValueError(f"a comparison takes at least {LEAST_ROUNDS} rounds")
    chances = {name: permutation_p(values) for name, values in logs.items()}
    corrected = _holm(chances)
    return [
        _difference(name, values, chances[name], corrected[name]) for name, values in logs.items()
    ]


def _difference(
    name: str, logs: npt.NDArray[np.float64], p: float, corrected_p: float
) -> Difference:
    old_ms, new_ms = (float(np.exp(np.median(logs[:, part]))) for part in (slice(2), 2))
    mean, half = _interval(logs[:, 2] - logs[:, :2].mean(1))
    old_mean, old_half = _interval(logs[:, 1] - logs[:, 0])
    return Difference(
        name,
        round(old_ms, 4),
        round(new_ms, 4),
        _percent(mean),
        (_percent(mean - half), _percent(mean + half)),
        p,
        corrected_p,
        _percent(old_mean),
        _percent(old_half),
    )


def permutation_p(logs: npt.NDArray[np.float64]) -> float:
    """How many choices of a new process in each round differ as much from the others, or more.

    Args:
        logs: (rounds, 3), logarithms of what was measured; the last column is the new version.

    Returns:
        From 1 / 3^rounds to 1; of many rounds, an estimate from choices that are drawn.
    """
    ways = logs - logs.mean(1, keepdims=True)
    seen = abs(ways[:, 2].sum())
    if len(ways) <= _EXACT_ROUNDS:
        sums = np.zeros(1)
        for row in ways:
            sums = np.add.outer(sums, row).ravel()
    else:
        places = np.random.default_rng(0).integers(0, 3, (_DRAWN, len(ways)))
        sums = np.append(ways[np.arange(len(ways)), places].sum(1), ways[:, 2].sum())
    return float(np.mean(np.abs(sums) >= seen - 1e-12))


def _holm(chances: Mapping[str, float]) -> dict[str, float]:
    corrected, least = {}, 0.0
    for rank, name in enumerate(sorted(chances, key=lambda name: chances[name])):
        least = max(least, min(1.0, (len(chances) - rank) * chances[name]))
        corrected[name] = least
    return corrected


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % confidence interval."""
    each = [float(value) for value in values]
    return fmean(each), students_t(len(each) - 1) * stdev(each) / math.sqrt(len(each))


def students_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to 0.2 % from 4 degrees of freedom.

    Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.5.
    """
    x = NormalDist().inv_cdf(0.975)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92_160,
    )
    return float(x + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def _percent(log: float) -> float:
    return round(100 * math.expm1(log), 2)


def as_json(
    old: Side, new: Side, seen: Observations, found: Sequence[Difference]
) -> dict[str, Any]:
    """All that was measured and found, for a file."""
    return {
        "old": str(old.place),
        "new": str(new.place),
        "machine": machine(),
        "load_average": load_average(),
        "processes": _PROCESSES,
        "milliseconds": seen,
        "differences": [asdict(each) | {"verdict": each.verdict} for each in found],
    }
