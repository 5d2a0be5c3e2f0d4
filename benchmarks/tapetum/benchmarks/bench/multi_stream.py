"""Multi-stream: several streams at once, each with an enhancer and a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from statistics import fmean, median

from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.sampling import settle, timed_calls, warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.bench.trial import Trial
from tapetum.realtime import Frame

SCENARIO = "multi-stream"


def multi_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Measure the latency of a frame while every stream runs as fast as it can."""
    frames = given.frames(settings.seed)
    for subject in subjects:
        scenario = f"{SCENARIO} x{settings.streams}"
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
        self._warm_ups = [warm_up(each, cycle(frames), limit_s) for each in self._streams()]
        self._repeats_ms: list[list[float]] = []
        self._frames_per_s: list[float] = []
        self._meter = ResourceMeter()

    def _streams(self) -> list[Enhance]:
        return [self.subject.make() for _ in range(self._settings.streams)]

    def repeat(self) -> None:
        """Run all streams at once, and take their samples together."""
        streams = self._streams()
        with ThreadPoolExecutor(len(streams)) as pool:
            list(pool.map(lambda each: settle(each, cycle(self._frames)), streams))
            with self._meter.running():
                by_stream = list(pool.map(self._samples_ms, streams))
        self._repeats_ms.append([ms for samples_ms in by_stream for ms in samples_ms])
        self._frames_per_s.append(sum(1000 / fmean(samples_ms) for samples_ms in by_stream))

    def _samples_ms(self, stream: Enhance) -> list[float]:
        share, frames = self._settings.effort.share(), cycle(self._frames)
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
