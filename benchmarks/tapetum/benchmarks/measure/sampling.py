"""Samples of a steady state: the warm-up, the samples, the machine's pace, the percentiles.

The yardstick is a fixed piece of work: how long it takes says how quick the machine is at this
moment. Neighbours on a shared host, and the clock rate, change that by a third from one second to
the next, and by several percent from one run to another. Taken in turns with what is measured, the
yardstick tells such a change from one of the program, as long as that uses one core. It must never
change: files of `tapetum bench` are compared by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import geometric_mean, median
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.choices import LEAST_REPEATS

Samples = Sequence[float]
"""Durations in milliseconds, in the order in which they were taken."""

_RESAMPLES = 400

LEAST_SAMPLES = {"p50": 1, "p90": 10, "p95": 20, "p99": 100, "p99_9": 1000}
"""Samples that a percentile takes: with fewer, it is one sample's chance."""


@dataclass(frozen=True)
class Distribution:
    """Percentiles in milliseconds over all repeats; None where there are too few samples for it.

    Attributes:
        samples: how many there were; `LEAST_SAMPLES` says what each percentile takes.
        median_ci95: 95 % confidence interval of the median, see `bootstrap_medians`.
    """

    samples: int
    mean: float
    min: float
    p50: float
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    max: float
    median_ci95: tuple[float, float]


def distribution(repeats: Sequence[Samples]) -> Distribution:
    """Describe the samples of all repeats.

    Raises:
        ValueError: there is no sample.
    """
    values = np.concatenate([np.asarray(repeat, float) for repeat in repeats])
    low, high = np.percentile(bootstrap_medians(repeats), (2.5, 97.5))
    shown = {
        name: _rounded(np.percentile(values, float(name[1:].replace("_", "."))))
        for name, least in LEAST_SAMPLES.items()
        if values.size >= least
    }
    return Distribution(
        samples=values.size,
        mean=_rounded(values.mean()),
        min=_rounded(values.min()),
        p50=shown["p50"],
        p90=shown.get("p90"),
        p95=shown.get("p95"),
        p99=shown.get("p99"),
        p99_9=shown.get("p99_9"),
        max=_rounded(values.max()),
        median_ci95=(_rounded(low), _rounded(high)),
    )


def percentile_ms(latency: Mapping[str, Any], name: str) -> float | None:
    """A percentile of a file's distribution; None where it has too few samples for it."""
    value: float | None = latency[name]
    return value if latency["samples"] >= LEAST_SAMPLES[name] else None


def bootstrap_medians(repeats: Sequence[Samples], *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Medians of resampled measurements.

    Both levels at which a benchmark varies are drawn anew, with replacement: repeats (Kalibera,
    Jones, "Rigorous benchmarking in reasonable time", 2013), and in each of them blocks of
    consecutive samples, because a slow sample has slow neighbours (Kuensch, "The jackknife and
    the bootstrap for general stationary observations", 1989).
    """
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(repeat, float) for repeat in repeats if len(repeat)]
    if not arrays:
        raise ValueError("a distribution needs at least one sample")
    drawn = rng.integers(0, len(arrays), (_RESAMPLES, len(arrays)))
    return np.array(
        [np.median(np.concatenate([_blocks(arrays[i], rng) for i in row])) for row in drawn]
    )


def _blocks(values: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    length = max(1, round(values.size ** (1 / 3)))
    starts = rng.integers(0, values.size - length + 1, -(-values.size // length))
    places = starts[:, np.newaxis] + np.arange(length)
    return np.asarray(values[places.ravel()[: values.size]])


def noise_percent(repeats: Sequence[Samples]) -> float:
    """How far the medians of the repeats lie apart, in percent of the smallest."""
    medians = [float(np.median(repeat)) for repeat in repeats if len(repeat)]
    return round(100 * (max(medians) - min(medians)) / min(medians), 2) if min(medians) else 0.0


def _rounded(value: float) -> float:
    return round(float(value), 5)


Floats = npt.NDArray[np.float32]

_READINGS = 3
"""One reading is the median of so many: a single one may be interrupted."""


class Pace:
    """The readings of the yardstick that belong to one repeat."""

    def __init__(self) -> None:
        self._readings_ms: list[float] = []

    def read(self) -> None:
        """Take a reading."""
        self._readings_ms.append(yardstick_ms())

    def add(self, readings_ms: Sequence[float]) -> None:
        """Take note of readings in another process."""
        self._readings_ms += readings_ms

    @property
    def ms(self) -> float:
        """The median of the readings."""
        return median(self._readings_ms)


def yardstick_ms() -> float:
    """Milliseconds that the work takes now, on one thread: some 0.2 ms at a time.

    It is the geometric mean of an interpreter's loop, a sort, and arithmetic on pictures:
    branches, memory that fits the cache of a core, and vector arithmetic. Together they follow
    an enhancer's time more closely than any of them alone.
    """
    work = (_count, _sort, _combine)
    return geometric_mean([median(_ms(each) for _ in range(_READINGS)) for each in work])


def _ms(work: Callable[[], object]) -> float:
    started_ns = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - started_ns) / 1e6


def _count() -> int:
    total = 0
    for number in range(8_000):
        total += number
    return total


def _sort() -> object:
    return np.sort(_numbers())


def _combine() -> object:
    picture, rows, products = _pictures()
    np.add(picture[:-1], picture[1:], out=rows)
    return np.multiply(rows, rows, out=products)


@cache
def _numbers() -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, 1 << 18, 8_000)


@cache
def _pictures() -> tuple[Floats, Floats, Floats]:
    """One to read and two to write: what allocates memory does not take the same time always."""
    picture = np.random.default_rng(0).random((513, 512), np.float32)
    return picture, np.empty_like(picture[1:]), np.empty_like(picture[1:])


def unsteady_percent(results: Iterable[Mapping[str, Any]]) -> float | None:
    """How much longer the work took in the slowest tenth of a run's repeats than in the fastest.

    Under 5 %, the machine had nothing else to do; None is not known.
    """
    readings_ms = [ms for result in results for ms in result.get("yardsticks_ms") or ()]
    if not readings_ms:
        return None
    fast_ms, slow_ms = np.percentile(readings_ms, (10, 90))
    return round(100 * float(slow_ms / fast_ms - 1), 1)


def by_yardstick(repeats_ms: Sequence[Samples], yardsticks_ms: Sequence[float]) -> list[Samples]:
    """Each repeat's samples as multiples of the yardstick's time in that repeat."""
    return [
        [ms / yardstick_ms for ms in repeat]
        for repeat, yardstick_ms in zip(repeats_ms, yardsticks_ms, strict=True)
    ]


T = TypeVar("T")
"""What is measured takes: a frame, or a packet."""

_MAX_SAMPLES = 5_000
"""Where a repeat ends although its time is not over, as with what takes next to no time."""
_BATCH_S = 0.2
_STABLE = 0.05
_SETTLE_S = 0.01
_STEADY_LIMIT_S = 30.0
_SLICE_S = 0.1
"""Between two readings of the yardstick, with as many samples as make the settling cheap."""
_SLICE_SAMPLES = 5


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        seconds: least time, over all repeats.
        samples: least number of samples, over all repeats.
        repeats: how many times a measurement is begun anew, each time after all others have had
            their turn; their variation is the noise.
        warm_up_s: time after which a warm-up that does not become stable is given up.
    """

    seconds: float = 6.0
    samples: int = 100
    repeats: int = 10
    warm_up_s: float = 5.0

    def quick(self) -> Effort:
        """A third of it, in as few repeats as still tell the noise."""
        repeats = min(self.repeats, LEAST_REPEATS)
        return Effort(self.seconds / 3, -(-self.samples // 3), repeats, self.warm_up_s / 3)

    def share(self) -> Effort:
        """What one repeat has of it."""
        samples = -(-self.samples // self.repeats)
        return Effort(self.seconds / self.repeats, samples, 1, self.warm_up_s)


@dataclass(frozen=True)
class WarmUp:
    """Calls that were made before measuring, and whether they had become equally fast."""

    calls: int
    stable: bool


def warm_up(stage: Callable[[T], object], items: Iterator[T], limit_s: float) -> WarmUp:
    """Call `stage` until it is stable, see `warm_up_batches`."""
    return warm_up_batches(
        lambda: timed_calls(stage, items, seconds=_BATCH_S, samples=3), limit_s=limit_s
    )


def steady_samples(
    batch_ms: Callable[[], Samples], least: int, *, limit_s: float = _STEADY_LIMIT_S
) -> tuple[list[float], bool]:
    """Measure batches until they are stable, and then at least so many samples.

    Args:
        batch_ms: measures a batch, in milliseconds.
        least: number of samples.
        limit_s: time after which a warm-up that does not become stable is given up.

    Returns:
        The samples, and whether the warm-up became stable.
    """
    warm, times_ms = warm_up_batches(batch_ms, limit_s=limit_s), list[float]()
    while len(times_ms) < least:
        times_ms += batch_ms()
    return times_ms, warm.stable


def warm_up_batches(batch_ms: Callable[[], Samples], *, limit_s: float) -> WarmUp:
    """Measure batches until the medians of two in a row differ by less than 5 %.

    Args:
        batch_ms: measures a batch, in milliseconds.
        limit_s: time after which a warm-up that does not become stable is given up.
    """
    # Nothing is close to nan: the first batch has nothing to be as fast as.
    began_s, calls, before = time.perf_counter(), 0, float("nan")
    while time.perf_counter() - began_s < limit_s:
        batch = batch_ms()
        calls, now = calls + len(batch), median(batch)
        if abs(now - before) <= _STABLE * before:
            return WarmUp(calls, stable=True)
        before = now
    return WarmUp(calls, stable=False)


def timed_calls(
    stage: Callable[[T], object], items: Iterator[T], *, seconds: float, samples: int
) -> list[float]:
    """Durations of calls in milliseconds: at least so many, for at least so long."""
    durations_ns: list[int] = []
    clock = time.perf_counter_ns
    end_ns = clock() + int(seconds * 1e9)
    for item in items:
        started_ns = clock()
        stage(item)
        ended_ns = clock()
        durations_ns.append(ended_ns - started_ns)
        if (ended_ns >= end_ns and len(durations_ns) >= samples) or (
            len(durations_ns) >= _MAX_SAMPLES
        ):
            break
    return [duration / 1e6 for duration in durations_ns]


def settle(stage: Callable[[T], object], items: Iterator[T]) -> None:
    """Make calls that do not count: caches still hold what ran before."""
    timed_calls(stage, items, seconds=_SETTLE_S, samples=1)


def one_repeat(
    stage: Callable[[T], object], items: Iterator[T], effort: Effort, pace: Pace
) -> list[float]:
    """Durations in milliseconds of one repeat's share of the effort.

    They are taken in slices, with readings of the yardstick between them, after each of which
    some calls do not count.
    """
    share = effort.share()
    durations_ms: list[float] = []
    end_s = time.perf_counter() + share.seconds
    while time.perf_counter() < end_s or len(durations_ms) < share.samples:
        pace.read()
        settle(stage, items)
        durations_ms += timed_calls(stage, items, seconds=_SLICE_S, samples=_SLICE_SAMPLES)
        if len(durations_ms) >= _MAX_SAMPLES:
            break
    pace.read()
    return durations_ms
