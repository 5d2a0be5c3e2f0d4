"""Multi-stream: several streams at once, each with an enhancer and a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from tapetum.benchmarks.bench.floors import floors
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.sampling import one_repeat, warm_up
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.realtime import Frame

SCENARIO = "multi-stream"


def multi_stream(subjects: Sequence[Subject], given: Input, settings: Settings) -> Iterator[Result]:
    """Measure the latency of a frame while every stream runs as fast as it can."""
    frames = given.frames(settings.seed)
    for subject in subjects:
        yield _measure(subject, frames, given, settings)


def _measure(
    subject: Subject, frames: tuple[Frame, ...], given: Input, settings: Settings
) -> Result:
    streams = [subject.make() for _ in range(settings.streams)]
    warm_ups = [warm_up(each, cycle(frames), settings.effort.warm_up_s) for each in streams]
    meter, repeats_ms = ResourceMeter(), []
    began_s = time.perf_counter()
    with ThreadPoolExecutor(len(streams)) as pool, meter.running():
        for _ in range(settings.effort.repeats):
            started = [
                pool.submit(one_repeat, each, cycle(frames), settings.effort) for each in streams
            ]
            repeats_ms.append([ms for future in started for ms in future.result()])
    count = sum(len(repeat) for repeat in repeats_ms)
    scenario, size = f"{SCENARIO} x{settings.streams}", size_text(frames[0])
    return Result(
        Key(scenario, subject.name, given.name, size, "latency"),
        subject.runs_on,
        repeats_ms,
        resources=meter.read(),
        floors=floors(frames[0], subject.network, streams=settings.streams)
        if subject.changes_pixels
        else (),
        figures={
            "streams": settings.streams,
            "frames_per_s": round(count / (time.perf_counter() - began_s), 2),
        },
        notes=warm_up_notes(*warm_ups),
    )
