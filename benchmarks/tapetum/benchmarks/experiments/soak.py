"""A long live run under bad conditions: does anything grow?

The camera is twice as fast as frames can be enhanced, and camera, model and sink stall at random.
Age must stay bounded, and memory and threads flat.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import count
from statistics import median

import numpy as np

from tapetum.benchmarks.measure.frames import round_and_round, synthetic_frames
from tapetum.benchmarks.measure.machine import load_average, resident_mb, thread_count
from tapetum.benchmarks.measure.sampling import timed_calls
from tapetum.realtime import Frame, FrameEnhancer, SinkPlace, make_enhancer
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.live_run import LiveRun

_TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True)
class Stalls:
    """How often something stops, and for how long.

    Attributes:
        every: calls from one stall to the next, on average.
        shortest_s: the least that a stall takes.
        longest_s: the most.
    """

    every: int
    shortest_s: float
    longest_s: float

    def wait(self, rng: random.Random, stop: threading.Event) -> None:
        """Stall, or more likely do not."""
        if rng.random() < 1 / self.every:
            stop.wait(rng.uniform(self.shortest_s, self.longest_s))


STALLS = {
    "camera": Stalls(4000, 0.1, 1.5),
    "model": Stalls(20_000, 0.05, 0.5),
    "sink": Stalls(500, 0.1, 1.0),
}
"""Camera and sink stall several times a minute. The model does so every two minutes or so, because
one that stalls for four budgets is left for a cheaper mode, and for longer each time."""


@dataclass(frozen=True)
class Point:
    """What was seen in one interval of the run.

    Attributes:
        time_s: its end, since the start.
        frames: frames that the sink got.
        age_ms: p50, p99 and max of their age from capture when the sink got them.
        rss_mb: resident memory of the process at the end.
        threads: threads of the process at the end.
    """

    time_s: float
    frames: int
    age_ms: dict[str, float]
    rss_mb: float
    threads: int


class FastCamera:
    """A `FrameSource` that gives frames at a rate, whoever takes them, until it is closed."""

    def __init__(self, frames: Sequence[Frame], rate_fps: float, seed: int) -> None:
        self._frames, self._rate_fps = frames, rate_fps
        self._rng = random.Random(seed)
        self._closing = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        due_s = time.monotonic()
        for index in count():
            STALLS["camera"].wait(self._rng, self._closing)
            due_s = max(due_s + 1 / self._rate_fps, time.monotonic() - 1 / self._rate_fps)
            self._closing.wait(max(0.0, due_s - time.monotonic()))
            if self._closing.is_set():
                return
            now_s = time.monotonic()
            yield replace(
                self._frames[index % len(self._frames)],
                pts=round(now_s / _TIME_BASE),
                time_base=_TIME_BASE,
                capture_time_s=due_s,
                arrival_time_s=now_s,
            )

    def close(self) -> None:
        """End the iteration."""
        self._closing.set()


class StallingEnhancer:
    """A `FrameEnhancer` that stalls now and then."""

    def __init__(self, enhancer: FrameEnhancer, seed: int) -> None:
        self._enhancer = enhancer
        self._rng, self._never = random.Random(seed), threading.Event()

    @property
    def strength(self) -> float:
        """Of the enhancer."""
        return self._enhancer.strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._enhancer.strength = strength

    @property
    def description(self) -> str:
        """Of the enhancer."""
        return self._enhancer.description

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        STALLS["model"].wait(self._rng, self._never)
        return self._enhancer(frame)

    def reset(self) -> None:
        """Forget the past."""
        self._enhancer.reset()


class StallingSink:
    """A `FrameSink` that stalls now and then, and notes how old frames are.

    Attributes:
        points: what was seen so far, interval by interval.
    """

    def __init__(self, interval_s: float, seed: int) -> None:
        self.points: list[Point] = []
        self._rng, self._closed = random.Random(seed), threading.Event()
        self._interval_s = interval_s
        self._begin_s = time.monotonic()
        self._recent_ms: list[float] = []

    def write(self, frame: Frame) -> None:
        """Note one frame's age; held pictures have none."""
        now_s = time.monotonic()
        if frame.arrival_time_s is not None and frame.capture_time_s is not None:
            self._recent_ms.append(1000 * (now_s - frame.capture_time_s))
        if now_s - self._begin_s >= (len(self.points) + 1) * self._interval_s:
            self._note(now_s - self._begin_s)
        STALLS["sink"].wait(self._rng, self._closed)

    def close(self) -> None:
        """End a stall."""
        self._closed.set()

    def discard(self) -> None:
        """End a stall."""
        self._closed.set()

    def _note(self, time_s: float) -> None:
        ages_ms = self._recent_ms or [0.0]
        self._recent_ms = []
        p50, p99 = np.percentile(ages_ms, (50, 99))
        figures = {"p50": float(p50), "p99": float(p99), "max": max(ages_ms)}
        self.points.append(
            Point(
                round(time_s, 2),
                len(ages_ms),
                {name: round(value, 1) for name, value in figures.items()},
                resident_mb(),
                thread_count(),
            )
        )


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
    load_before, frames = load_average()[0], synthetic_frames(*size, seed=seed)
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
        "load_average": {"before": round(load_before, 2), "after": round(load_average()[0], 2)},
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
    durations_ms = timed_calls(
        make_enhancer("grid"), round_and_round(frames), seconds=1, samples=_CALLS
    )
    return 1000 / median(durations_ms)
