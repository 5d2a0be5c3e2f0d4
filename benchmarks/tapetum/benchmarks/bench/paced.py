"""Paced: a camera gives a frame every so often, the newest wins, and age is what counts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from tapetum.benchmarks.bench.floors import floors
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.sampling import warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.stage_clock import Stages, StageSamples, joined, nbytes
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import Frame, Prefetch

SCENARIO = "paced"


@dataclass
class _Session:
    """Ages of the frames that arrived, the number of those that did not, and their stages."""

    ages_ms: list[float]
    dropped: int
    stages: Stages


def paced(subjects: Sequence[Subject], given: Input, settings: Settings) -> Iterator[Result]:
    """Measure the age of frames when they are enhanced: from capture to done, waiting included.

    A frame that waits while a newer one comes is dropped, as in `tapetum live`.
    """
    frames = given.frames(settings.seed)
    for subject in subjects:
        yield _measure(subject, frames, given, settings)


def _measure(
    subject: Subject, frames: tuple[Frame, ...], given: Input, settings: Settings
) -> Result:
    enhance, effort, meter = subject.make(), settings.effort, ResourceMeter()
    warm = warm_up(enhance, cycle(frames), effort.warm_up_s)
    count = max(effort.samples, round(effort.seconds * settings.rate_fps)) // effort.repeats
    with meter.running():
        sessions = [
            _session(enhance, camera(frames, settings.rate_fps, max(count, 2)))
            for _ in range(effort.repeats)
        ]
    ages_ms = np.concatenate([session.ages_ms for session in sessions])
    dropped = sum(session.dropped for session in sessions)
    interval_ms = 1000 / settings.rate_fps
    return Result(
        Key(
            f"{SCENARIO} {settings.rate_fps:g} fps",
            subject.name,
            given.name,
            size_text(frames[0]),
            "age",
        ),
        subject.runs_on,
        [session.ages_ms for session in sessions],
        stages=joined([session.stages for session in sessions]),
        resources=meter.read(),
        floors=floors(frames[0], subject.network) if subject.changes_pixels else (),
        figures={
            "rate_fps": settings.rate_fps,
            "frames": ages_ms.size + dropped,
            "dropped": dropped,
            "older_than_a_frame_percent": round(100 * float(np.mean(ages_ms > interval_ms)), 2),
        },
        notes=warm_up_notes(warm),
    )


def camera(frames: Sequence[Frame], rate_fps: float, count: int) -> Iterator[Frame]:
    """Frames at their times, each with the time of its capture.

    A camera does not wait: where the reader is late, the times of the next frames stay as they
    were.
    """
    begin_s = time.monotonic()
    for index, frame in zip(range(count), cycle(frames), strict=False):
        due_s = begin_s + index / rate_fps
        time.sleep(max(0.0, due_s - time.monotonic()))
        yield replace(frame, pts=index, capture_time_s=due_s)


def _session(enhance: Enhance, frames: Iterator[Frame]) -> _Session:
    ages_ms, stages = [], {"queue wait": StageSamples(), "enhance": StageSamples()}
    with Prefetch(frames, depth=1, policy="drop_oldest") as newest:
        for frame in newest:
            assert frame.capture_time_s is not None
            began_s, began_cpu_s = time.monotonic(), time.process_time()
            enhanced = enhance(frame)
            ended_s, ended_cpu_s = time.monotonic(), time.process_time()
            ages_ms.append((ended_s - frame.capture_time_s) * 1000)
            stages["queue wait"].durations_ms.append((began_s - frame.capture_time_s) * 1000)
            stages["enhance"].durations_ms.append((ended_s - began_s) * 1000)
            stages["enhance"].cpu_ms.append((ended_cpu_s - began_cpu_s) * 1000)
            stages["enhance"].moved_bytes.append(nbytes(*frame.planes, *enhanced.planes))
        return _Session(ages_ms, newest.dropped, stages)
