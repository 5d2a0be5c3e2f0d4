"""Durations as percentiles: one run on a shared machine says little, a median says more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np


def percentiles_ms(durations_s: Iterable[float]) -> dict[str, float]:
    """Minimum, median and 99th percentile of durations, in milliseconds."""
    durations_ms = np.array(list(durations_s)) * 1000
    figures = {
        "min": durations_ms.min(),
        "p50": np.percentile(durations_ms, 50),
        "p99": np.percentile(durations_ms, 99),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def duration_s(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
