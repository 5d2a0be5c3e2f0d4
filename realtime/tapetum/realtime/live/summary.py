"""What a live run is doing, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field


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
    """

    fps: float
    age_p50_ms: float
    age_p95_ms: float
    dropped: int
    mode: str
    runs_on: str
    held: bool

    def __str__(self) -> str:
        held = "  source lost, picture held" if self.held else ""
        ages = f"age {self.age_p50_ms:.0f}/{self.age_p95_ms:.0f} ms"
        return f"{self.fps:.1f} fps  {ages}  {self.dropped} dropped  {self.mode}{held}"


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """What a live run did.

    Attributes:
        frames: frames that the first sink got.
        dropped: frames of the source that it did not get, because newer ones came.
        fps: frames per second that it got, on average.
        duration_s: how long it ran.
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
