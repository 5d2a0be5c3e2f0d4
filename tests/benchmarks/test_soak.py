"""The soak: bad conditions that are real, and what is said about growth."""

from __future__ import annotations

import random
import threading
import time
from itertools import islice

import pytest

from tapetum.benchmarks.experiments.soak import STALLS, FastCamera, Point, Stalls, grown, soak
from tapetum.benchmarks.measure.frames import synthetic_frames

pytestmark = pytest.mark.slow


def points(rss_mb: list[float], threads: list[int]) -> list[Point]:
    ages = {"p50": 1.0, "p99": 4.0, "max": 9.0}
    pairs = zip(rss_mb, threads, strict=True)
    return [Point(index, 30, ages, rss, count) for index, (rss, count) in enumerate(pairs)]


def test_growth_is_from_the_second_quarter_to_the_last() -> None:
    memory = [50.0, 90, 100, 102, 110, 120, 130, 132]
    said = grown(points(memory, [3, 9, 7, 7, 7, 7, 8, 8]))
    assert said == {"rss_growth_mb": 30, "age_p99_growth_ms": 0, "thread_growth": 1}
    assert grown(points(memory[:7], [1] * 7))["rss_growth_mb"] is None


def test_stalls_come_as_often_as_they_say_and_end_with_the_run() -> None:
    rng, ended = random.Random(0), threading.Event()
    always, never = Stalls(1, 0.02, 0.03), Stalls(10**9, 60, 60)
    begin_s = time.monotonic()
    for _ in range(5):
        always.wait(rng, ended)
        never.wait(rng, ended)
    assert time.monotonic() - begin_s >= 0.1
    ended.set()
    Stalls(1, 600, 600).wait(rng, ended)  # or the test would hang


def test_a_camera_does_not_wait_for_its_reader() -> None:
    camera = FastCamera(synthetic_frames(32, 32, count=2), 200, seed=0)
    frames = iter(camera)
    first = next(frames)
    time.sleep(0.5)
    late, *_, last = islice(frames, 20)
    assert first.capture_time_s is not None
    assert late.capture_time_s is not None
    assert late.capture_time_s - first.capture_time_s > 0.4  # those between are lost
    camera.close()
    assert list(frames) == []
    assert (last.pts or 0) > (first.pts or 0)


def test_a_short_soak_tells_what_a_long_one_would() -> None:
    figures = soak(duration_s=3, size=(96, 64))
    assert set(figures["stalls"]) == set(STALLS)  # type: ignore[call-overload]
    assert isinstance(figures["frames"], int)
    assert figures["frames"] > 30
    seen = figures["points"]
    assert isinstance(seen, list)
    assert sum(point["frames"] for point in seen) <= figures["frames"]
    assert all(point["rss_mb"] > 10 and point["threads"] >= 3 for point in seen)
    assert {"age_limit_ms", "age_ms", "rss_growth_mb", "load_average"} <= set(figures)
