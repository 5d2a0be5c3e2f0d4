"""Several streams at once, and one at a camera's pace: where a frame waits for others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

import numpy as np

from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.bench.trial import Settings, Trial
from tapetum.benchmarks.measure.clocks import Stages, StageSamples, joined, nbytes
from tapetum.benchmarks.measure.frames import Input, round_and_round
from tapetum.benchmarks.measure.machine import ResourceMeter
from tapetum.benchmarks.measure.sampling import Pace, settle, timed_calls, warm_up
from tapetum.realtime import Frame, Prefetch

MULTI_STREAM = "multi-stream"


def multi_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Measure the latency of a frame while every stream runs as fast as it can."""
    frames = given.frames(settings.seed)
    for subject in subjects:
        scenario = f"{MULTI_STREAM} x{settings.streams}"
        key = Key(scenario, subject.name, given.name, size_text(frames[0]), "latency")
        yield _MultiStream(key, subject, frames, settings)


class _MultiStream(Trial):
    """One subject in several streams."""

    def __init__(
        self, key: Key, subject: Subject, frames: tuple[Frame, ...], settings: Settings
    ) -> None:
        super().__init__(key, subject)
        self._frames, self._settings = frames, settings
        self._floors = self.floors(frames[0], streams=settings.streams)
        limit_s = settings.effort.warm_up_s
        self._warm_ups = [
            warm_up(each, round_and_round(frames), limit_s) for each in self._streams()
        ]
        self._repeats_ms: list[list[float]] = []
        self._frames_per_s: list[float] = []
        self._meter = ResourceMeter()

    def _streams(self) -> list[Enhance]:
        return [self.subject.make() for _ in range(self._settings.streams)]

    def repeat(self) -> None:
        """Run all streams at once, and take their samples together."""
        streams = self._streams()
        with ThreadPoolExecutor(len(streams)) as pool:
            list(pool.map(lambda each: settle(each, round_and_round(self._frames)), streams))
            with self._meter.running():
                by_stream = list(pool.map(self._samples_ms, streams))
        self._repeats_ms.append([ms for samples_ms in by_stream for ms in samples_ms])
        self._frames_per_s.append(sum(1000 / fmean(samples_ms) for samples_ms in by_stream))

    def _samples_ms(self, stream: Enhance) -> list[float]:
        share, frames = self._settings.effort.share(), round_and_round(self._frames)
        return timed_calls(stream, frames, seconds=share.seconds, samples=share.samples)

    def result(self) -> Result:
        """Latencies, and how many frames all streams did together."""
        streams = self._settings.streams
        return Result(
            self.key,
            self.subject.runs_on,
            self._repeats_ms,
            resources=self._meter.read(),
            floors=self._floors,
            figures={"streams": streams, "frames_per_s": round(median(self._frames_per_s), 2)},
            notes=warm_up_notes(*self._warm_ups),
        )


PACED = "paced"

_SESSIONS = 3
"""Of each repeat: the yardstick can only be read while no camera runs."""


@dataclass
class _Session:
    """Ages of the frames that arrived, the number of those that did not, and their stages."""

    ages_ms: list[float]
    dropped: int
    stages: Stages


def paced(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Measure the age of frames when they are enhanced: from capture to done, waiting included.

    A frame that waits while a newer one comes is dropped, as in `tapetum live`.
    """
    frames = given.frames(settings.seed)
    for subject in subjects:
        scenario = f"{PACED} {settings.rate_fps:g} fps"
        key = Key(scenario, subject.name, given.name, size_text(frames[0]), "age")
        yield _Paced(key, subject, frames, settings)


class _Paced(Trial):
    """One subject behind a camera."""

    def __init__(
        self, key: Key, subject: Subject, frames: tuple[Frame, ...], settings: Settings
    ) -> None:
        super().__init__(key, subject)
        self._frames, self._rate_fps = frames, settings.rate_fps
        self._floors = self.floors(frames[0])
        effort = settings.effort
        self._warm_up = warm_up(subject.make(), round_and_round(frames), effort.warm_up_s)
        count = max(effort.samples, round(effort.seconds * settings.rate_fps))
        self._count = max(-(-count // (effort.repeats * _SESSIONS)), 2)
        self._repeats: list[tuple[_Session, Pace]] = []
        self._meter = ResourceMeter()

    def repeat(self) -> None:
        """Start the camera, and take what it gives; again after a reading of the yardstick."""
        enhance, pace = self.subject.make(), Pace()
        sessions = []
        for _ in range(_SESSIONS):
            pace.read()
            settle(enhance, round_and_round(self._frames))
            with self._meter.running():
                frames = camera(self._frames, self._rate_fps, self._count)
                sessions.append(_session(enhance, frames))
        pace.read()
        self._repeats.append((_joined(sessions), pace))

    def result(self) -> Result:
        """Ages, and how many frames were dropped."""
        sessions = self._sessions
        return Result(
            self.key,
            self.subject.runs_on,
            [session.ages_ms for session in sessions],
            yardsticks_ms=self.readings([pace for _, pace in self._repeats]),
            stages=joined([session.stages for session in sessions]),
            resources=self._meter.read(),
            floors=self._floors,
            figures=self._figures(),
            notes=warm_up_notes(self._warm_up),
        )

    @property
    def _sessions(self) -> list[_Session]:
        return [session for session, _ in self._repeats]

    def _figures(self) -> dict[str, float]:
        ages_ms = np.concatenate([session.ages_ms for session in self._sessions])
        dropped = sum(session.dropped for session in self._sessions)
        late = float(np.mean(ages_ms > 1000 / self._rate_fps))
        return {
            "rate_fps": self._rate_fps,
            "frames": ages_ms.size + dropped,
            "dropped": dropped,
            "older_than_a_frame_percent": round(100 * late, 2),
        }


def camera(frames: Sequence[Frame], rate_fps: float, count: int) -> Iterator[Frame]:
    """Frames at their times, each with the time of its capture.

    A camera does not wait: where the reader is late, the times of the next frames stay as they
    were.
    """
    begin_s = time.monotonic()
    for index, frame in zip(range(count), round_and_round(frames), strict=False):
        due_s = begin_s + index / rate_fps
        time.sleep(max(0.0, due_s - time.monotonic()))
        yield replace(frame, capture_time_s=due_s)


def _joined(sessions: Sequence[_Session]) -> _Session:
    return _Session(
        [age_ms for session in sessions for age_ms in session.ages_ms],
        sum(session.dropped for session in sessions),
        joined([session.stages for session in sessions]),
    )


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
