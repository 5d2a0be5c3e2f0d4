"""Takes samples: warm-up until the time a call takes is stable, then repeats of many calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from tapetum.benchmarks.bench.choices import LEAST_REPEATS
from tapetum.benchmarks.bench.yardstick import Pace

T = TypeVar("T")
"""What is measured takes: a frame, or a packet."""

_MAX_SAMPLES = 5_000
"""Where a repeat ends although its time is not over, as with what takes next to no time."""
_BATCH_S = 0.2
_STABLE = 0.05
_SETTLE_S = 0.01
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
    """Call `stage` until the medians of two batches in a row differ by less than 5 %."""
    # Nothing is close to nan: the first batch has nothing to be as fast as.
    began_s, calls, before = time.perf_counter(), 0, float("nan")
    while time.perf_counter() - began_s < limit_s:
        batch = timed_calls(stage, items, seconds=_BATCH_S, samples=3)
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
