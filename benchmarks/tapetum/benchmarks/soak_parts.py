"""A camera that is too fast, and a camera, a model and a sink that stall: the parts of `soak`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count

import numpy as np

from tapetum.benchmarks.bench.resources import process_status
from tapetum.realtime import Frame, FrameEnhancer

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
        status, ages_ms = process_status(), self._recent_ms or [0.0]
        self._recent_ms = []
        p50, p99 = np.percentile(ages_ms, (50, 99))
        figures = {"p50": float(p50), "p99": float(p99), "max": max(ages_ms)}
        self.points.append(
            Point(
                round(time_s, 2),
                len(ages_ms),
                {name: round(value, 1) for name, value in figures.items()},
                round(int(status["VmRSS"].split()[0]) / 1024, 1),
                int(status["Threads"]),
            )
        )
