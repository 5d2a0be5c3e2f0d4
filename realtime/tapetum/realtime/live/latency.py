"""How old frames are when a sink takes them: percentiles over a whole run in constant memory."""

from __future__ import annotations

from collections import deque

import numpy as np

_BIN_MS = 0.1
_BINS = 50_000
"""Up to 5 s; older frames count as the oldest of the run."""
_RECENT = 90
"""Frames of the percentiles that are shown while it runs: about 3 s."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}


class Latencies:
    """Collects durations; exact to 0.1 ms."""

    def __init__(self) -> None:
        self.count = 0
        self.max_ms = 0.0
        self._bins = np.zeros(_BINS + 1, np.int64)
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def add(self, latency_ms: float) -> None:
        """Take one duration; a negative one, of a clock that is a little ahead, counts as 0."""
        latency_ms = max(0.0, latency_ms)
        self.count += 1
        self.max_ms = max(self.max_ms, latency_ms)
        self._bins[min(int(latency_ms / _BIN_MS), _BINS)] += 1
        self._recent.append(latency_ms)

    def percentile_ms(self, percent: float) -> float:
        """The nearest-rank percentile of the whole run in ms; 0 where nothing was added."""
        if self.count == 0:
            return 0.0
        rank = max(1, int(np.ceil(percent / 100 * self.count)))
        index = int(np.searchsorted(np.cumsum(self._bins), rank))
        return self.max_ms if index >= _BINS else min((index + 1) * _BIN_MS, self.max_ms)

    def recent_ms(self, percent: float) -> float:
        """The percentile of about the last three seconds in ms."""
        recent = list(self._recent)
        return float(np.percentile(recent, percent)) if recent else 0.0

    def summary(self) -> dict[str, float]:
        """p50, p90, p95, p99 and max, in ms."""
        figures = {name: self.percentile_ms(percent) for name, percent in PERCENTILES.items()}
        return {name: round(value, 2) for name, value in (figures | {"max": self.max_ms}).items()}
