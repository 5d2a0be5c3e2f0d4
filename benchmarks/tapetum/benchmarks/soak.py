"""A long live run under bad conditions: does anything grow?

The camera is twice as fast as frames can be enhanced, and camera, model and sink stall at random.
Age must stay bounded, and memory and threads flat.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import cycle
from statistics import median

from tapetum.benchmarks.bench.frames import synthetic_frames
from tapetum.benchmarks.bench.sampling import timed_calls
from tapetum.benchmarks.soak_parts import STALLS, FastCamera, Point, StallingEnhancer, StallingSink
from tapetum.realtime import Frame, SinkPlace, make_enhancer
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.live_run import LiveRun

FLAT_MB = 5.0
"""Memory that grew by less is taken for flat."""
AGE_LIMIT_MS = 55.0
"""The usual budget and one frame of 720p, for where nothing was measured."""

_POINTS = 60
_SHORTEST_INTERVAL_S = 1.0
_CALLS = 30


def soak(
    *,
    duration_s: float = 600.0,
    size: tuple[int, int] = (1280, 720),
    latency_budget_ms: float = 50.0,
    seed: int = 0,
) -> dict[str, object]:
    """Run for a long time under bad conditions.

    Args:
        duration_s: how long.
        size: width and height of the frames.
        latency_budget_ms: how long a frame may be with us.
        seed: of the frames and the stalls.

    Returns:
        The summary of the run, `age_limit_ms`, which the p99 of `age_ms` shall not pass, what has
        `grown`, and points over time.
    """
    load_before, frames = os.getloadavg()[0], synthetic_frames(*size, seed=seed)
    held_fps = _held_fps(frames)
    sink = StallingSink(max(_SHORTEST_INTERVAL_S, duration_s / _POINTS), seed + 1)
    run = LiveRun(
        FastCamera(frames, 2 * held_fps, seed + 3),
        Ladder(
            ("grid", make_enhancer),
            {"stalling": lambda: StallingEnhancer(make_enhancer("grid"), seed + 2)},
            budget_ms=latency_budget_ms,
        ),
        [SinkPlace("stalling", sink)],
    )
    summary = run.run(duration_s=duration_s)
    return {
        "source": f"{size[0]}x{size[1]}, {2 * held_fps:.0f} fps, half of which can be held",
        "stalls": {name: asdict(stalls) for name, stalls in STALLS.items()},
        "latency_budget_ms": latency_budget_ms,
        "age_limit_ms": round(latency_budget_ms + 1000 / held_fps, 1),
        "load_average": {"before": round(load_before, 2), "after": round(os.getloadavg()[0], 2)},
        **asdict(summary),
        **grown(sink.points),
        "points": [asdict(point) for point in sink.points],
    }


def grown(points: Sequence[Point]) -> dict[str, object]:
    """How much changed from the second quarter of a run, all being warm, to the last.

    Returns:
        `rss_growth_mb`, `age_p99_growth_ms` and `thread_growth`, of medians; nulls where there
        are fewer than 8 points.
    """
    if len(points) < 8:
        return {"rss_growth_mb": None, "age_p99_growth_ms": None, "thread_growth": None}
    quarter = len(points) // 4
    early, late = points[quarter : 2 * quarter], points[-quarter:]
    return {
        "rss_growth_mb": _growth(early, late, lambda point: point.rss_mb),
        "age_p99_growth_ms": _growth(early, late, lambda point: point.age_ms["p99"]),
        "thread_growth": _growth(early, late, lambda point: point.threads),
    }


def _growth(
    early: Sequence[Point], late: Sequence[Point], figure: Callable[[Point], float]
) -> float:
    return round(median(map(figure, late)) - median(map(figure, early)), 1)


def _held_fps(frames: Sequence[Frame]) -> float:
    """How many frames a second the model alone can enhance."""
    durations_ms = timed_calls(make_enhancer("grid"), cycle(frames), seconds=1, samples=_CALLS)
    return 1000 / median(durations_ms)
