"""What a live run is doing, and what it did; how old its frames are when a sink takes them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

_BIN_MS = 0.1
_BINS = 50_000
"""Up to 5 s; older frames count as the oldest of the run."""
_RECENT = 90
"""Frames of the percentiles that are shown while it runs: about 3 s."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}


class Latencies:
    """Collects durations: percentiles over a whole run in constant memory, exact to 0.1 ms."""

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


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The state of a running stream.

    Attributes:
        fps: frames per second that the first sink got, over the last moments.
        age_p50_ms: median age of recent frames at the first sink, from their capture.
        age_p95_ms: 95th percentile of the same.
        dropped: frames of the source that the first sink never got, so far.
        mode: what enhances the frames now.
        runs_on: what of it runs where, like "grid on CPU, OpenVINO f32".
        held: whether the source is silent and the last picture held.
        note: why the picture is not the best that was asked for, or nothing.
        well_lit: whether it stays as it is because it is well lit.
    """

    fps: float
    age_p50_ms: float
    age_p95_ms: float
    dropped: int
    mode: str
    runs_on: str
    held: bool
    note: str = ""
    well_lit: bool = False

    def __str__(self) -> str:
        if self.held:
            return "source lost, its last picture is shown"
        state = f"live, {self.age_p50_ms:.0f} ms late, {self.fps:.0f} fps"
        notes = [
            *filter(None, [self.note]),
            *(["well lit, left as it is"] if self.well_lit else []),
        ]
        return "; ".join([state, *notes])

    @property
    def warning(self) -> bool:
        """Whether the note is about this machine, and not about the first moments or a wish."""
        return bool(self.note) and self.mode not in {"start", "passthrough"}

    @property
    def caption(self) -> str:
        """The state and what runs, for a window."""
        plain = not (self.held or self.note or self.well_lit)
        return f"{self}; {self.mode} runs" if plain else str(self)

    @property
    def figures(self) -> str:
        """All figures, in the terms of the documentation."""
        ages = f"age {self.age_p50_ms:.0f}/{self.age_p95_ms:.0f} ms"
        return f"{self.fps:.1f} fps  {ages}  {self.dropped} dropped  {self.mode}"


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What a live run did.

    Attributes:
        frames: frames that the first sink got.
        dropped: frames of the source that it did not get, because newer ones came.
        fps: frames per second that it got, on average.
        duration_s: how long it ran, from the first frame.
        latency_ms: p50, p90, p95, p99 and max of the time that we added: from the source's
            hand-over to the first sink's taking.
        age_ms: the same from capture.
        modes: frames that each mode made.
        sinks: frames and dropped frames of each sink.
        held: pictures that were repeated while the source was silent.
        failed: sinks that failed while others went on, and why.
    """

    frames: int
    dropped: int
    fps: float
    duration_s: float
    latency_ms: dict[str, float]
    age_ms: dict[str, float]
    modes: dict[str, int]
    sinks: dict[str, dict[str, int]]
    held: int
    failed: dict[str, str] = field(default_factory=dict)
