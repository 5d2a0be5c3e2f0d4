"""Percentiles in constant memory, against all values sorted."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tapetum.realtime.live.summary import Latencies

PERCENTS = {"p50": 50, "p90": 90, "p95": 95, "p99": 99}


@given(st.lists(st.floats(0, 4000), min_size=1, max_size=300))
def test_percentiles_are_exact_to_a_tenth_of_a_millisecond(values: list[float]) -> None:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    summary = latencies.summary()
    ordered = sorted(values)
    for name, percent in PERCENTS.items():
        exact = ordered[math.ceil(percent / 100 * len(values)) - 1]
        assert abs(summary[name] - exact) <= 0.1 + 0.006  # a bin, and rounding
    assert summary["max"] == round(max(values), 2)


def test_nothing_is_zero_and_a_clock_ahead_counts_as_now() -> None:
    latencies = Latencies()
    assert set(latencies.summary().values()) == {0.0}
    latencies.add(-3)
    assert latencies.max_ms == 0
    assert latencies.recent_ms(95) == 0


def test_frames_older_than_all_bins_count_as_the_oldest() -> None:
    latencies = Latencies()
    for value in (1.0, 9000.0, 12000.0):
        latencies.add(value)
    assert latencies.percentile_ms(50) == 12000.0
    assert latencies.max_ms == 12000.0
