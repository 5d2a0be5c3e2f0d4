"""How long a live frame is with us, from the source's hand-over to a memory sink."""

from __future__ import annotations

import dataclasses
import os

from tapetum.realtime import MemorySink, SinkPlace, enhance_live
from tapetum.realtime.frame import Frame

SIZES = {"720p30": "1280x720", "1080p30": "1920x1080"}
TARGETS_MS = {"720p30": {"p50": 6.0, "p99": 15.0}, "1080p30": {"p50": 12.0, "p99": 25.0}}
"""What an unloaded machine with two cores shall reach, with no frame dropped."""


class LastFrameSink(MemorySink):
    """Keeps the last frame only, so that a long run takes no more memory than a short one."""

    def write(self, frame: Frame) -> None:
        """Keep one frame instead of the one before."""
        self.frames[:] = [frame]


def live_latency(
    size: str, *, model: str = "grid", duration_s: float = 20.0, latency_budget_ms: float = 50.0
) -> dict[str, object]:
    """Added latency, age, drops and modes of a 30 fps test pattern; the load before and after.

    The first frames pass through while the model loads, and count as all others do: `modes`
    says how many they were.
    """
    source = f"lavfi:testsrc2=s={size}:r=30"
    load_before = os.getloadavg()[0]
    summary = enhance_live(
        source,
        [SinkPlace("memory", LastFrameSink())],
        model=model,
        duration_s=duration_s,
        latency_budget_ms=latency_budget_ms,
    )
    return {
        "source": source,
        "model": model,
        "latency_budget_ms": latency_budget_ms,
        "load_average": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
        **dataclasses.asdict(summary),
    }
