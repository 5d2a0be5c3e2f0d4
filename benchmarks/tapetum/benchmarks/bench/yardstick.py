"""A fixed piece of work: how long it takes says how quick the machine is at this moment.

Neighbours on a shared host, and the clock rate, change that by a third from one second to the
next, and by several percent from one run to another. Taken in turns with what is measured, the
yardstick tells such a change from one of the program, as long as that uses one core. It must
never change: files of `tapetum bench` are compared by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.bench.distribution import Samples

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
