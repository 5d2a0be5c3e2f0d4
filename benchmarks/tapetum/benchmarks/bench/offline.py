"""Offline: a whole file through decoder, enhancer and encoder, against a plain transcode.

The transcode is of the enhanced file, by the same encoder with the same settings: what a file
job would take if enhancing were free.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.frames import clip_frames
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.plain_transcode import transcode
from tapetum.realtime import EncoderSettings, FileSink, FileSource, Frame, FrameSink, run
from tapetum.realtime.media.av_frame import to_av

SCENARIO = "offline"

_CRF, _PRESET = 20, "veryfast"
_PIXELS = 5e7
"""Synthetic clips have so many pixels in all, within bounds: a few seconds of work each."""
_LONGEST_S = 10.0
"""Of a longer clip, the beginning."""


def offline(subjects: Sequence[Subject], given: Input, settings: Settings) -> Iterator[Result]:
    """Measure the time a frame takes when only throughput counts, one sample for each round.

    Raises:
        MediaError: the clip cannot be read.
        BenchmarkError: the clip is too short, or frames were lost.
    """
    with TemporaryDirectory(prefix="tapetum-bench-") as folder:
        clip = _clip(given, settings, Path(folder))
        for subject in subjects:
            yield _measure(subject, clip, Path(folder), given, settings)


def _clip(given: Input, settings: Settings, folder: Path) -> Path:
    if given.clip is not None and given.size is None:
        clip_frames(given.clip)  # refuses what is too short
        return given.clip
    frames = given.frames(settings.seed)
    count = round(_PIXELS / (frames[0].width * frames[0].height))
    target = folder / "input.mp4"
    write_clip(list(islice(cycle(frames), min(max(count, 24), 96))), target)
    return target


def write_clip(frames: Sequence[Frame], target: Path, *, rate: int = 30) -> None:
    """Encode frames as H.264 of high quality."""
    with av.open(str(target), "w") as writer:
        video = writer.add_stream("libx264", rate, options={"crf": "16", "preset": _PRESET})
        video.width, video.height = frames[0].width, frames[0].height
        video.pix_fmt = frames[0].format_name
        for index, frame in enumerate(frames):
            picture = to_av(frame)
            picture.pts, picture.time_base = index, Fraction(1, rate)
            writer.mux(video.encode(picture))
        writer.mux(video.encode())


@dataclass
class _Round:
    """One file: its frames, the time they took, and the time of each stage for each frame."""

    frames: int = 0
    wall_s: float = 0.0
    transcode_s: float = 0.0
    stages_ms: dict[str, list[float]] = field(
        default_factory=lambda: {"decode": [], "queue wait": [], "enhance": [], "encode": []}
    )


def _measure(
    subject: Subject, clip: Path, folder: Path, given: Input, settings: Settings
) -> Result:
    meter, rounds = ResourceMeter(), []
    _enhance_file(subject, clip, folder / "warm.mp4", ResourceMeter())
    for _ in range(settings.effort.repeats):
        enhanced = folder / "enhanced.mp4"
        done = _enhance_file(subject, clip, enhanced, meter)
        began_s = time.perf_counter()
        again = transcode(enhanced, folder / "again.mp4", _CRF, _PRESET)
        done.transcode_s = time.perf_counter() - began_s
        if again != done.frames:
            raise BenchmarkError(f"{subject.name} wrote {done.frames} frames; {again} are there")
        rounds.append(done)
    with FileSource(clip) as source:
        size = f"{source.info.width}x{source.info.height}"
    return Result(
        Key(SCENARIO, subject.name, given.name, size, "time per frame"),
        subject.runs_on,
        [[1000 * done.wall_s / done.frames] for done in rounds],
        stages_ms={
            name: [ms for done in rounds for ms in done.stages_ms[name]]
            for name in rounds[0].stages_ms
        },
        resources=meter.read(),
        floors=[_transcode_floor(rounds)],
        figures=_figures(rounds),
        notes=["decode, enhance and encode overlap in threads: their sum may exceed the whole"],
    )


def _transcode_floor(rounds: Sequence[_Round]) -> Floor:
    fps = statistics.median(done.frames / done.transcode_s for done in rounds)
    return Floor("plain transcode of the output, a frame", 1, round(fps, 3), round(1000 / fps, 5))


def _figures(rounds: Sequence[_Round]) -> dict[str, float]:
    ratios = [done.wall_s / done.transcode_s for done in rounds]
    fps = [done.frames / done.wall_s for done in rounds]
    return {
        "frames": rounds[0].frames,
        "frames_per_s": round(statistics.median(fps), 2),
        "ratio_to_transcode": round(statistics.median(ratios), 3),
        "ratio_to_transcode_min": round(min(ratios), 3),
        "ratio_to_transcode_max": round(max(ratios), 3),
    }


def _enhance_file(subject: Subject, clip: Path, target: Path, meter: ResourceMeter) -> _Round:
    """Run the pipeline that `enhance_file` runs, with a clock around each stage."""
    done, enhance = _Round(), subject.make()
    source = FileSource(clip, duration_s=_LONGEST_S)
    encoder = EncoderSettings("libx264", _CRF, _PRESET)
    sink = FileSink(target, info=source.info, encoder=encoder, overwrite=True)
    began_s = time.perf_counter()
    with meter.running():
        done.frames = run(
            _ClockedSource(source, done.stages_ms["decode"]),
            _ClockedStage(enhance, done.stages_ms["enhance"], done.stages_ms["queue wait"]),
            _ClockedSink(sink, done.stages_ms["encode"]),
        )
    done.wall_s = time.perf_counter() - began_s
    return done


class _ClockedSource:
    """A source that notes how long each frame took to come out."""

    def __init__(self, source: FileSource, durations_ms: list[float]) -> None:
        self._source = source
        self._durations_ms = durations_ms

    def __iter__(self) -> Iterator[Frame]:
        began_s = time.perf_counter()
        for frame in self._source:
            self._durations_ms.append((time.perf_counter() - began_s) * 1000)
            yield frame
            began_s = time.perf_counter()

    def close(self) -> None:
        self._source.close()


class _ClockedStage:
    """A stage that notes how long each call took, and how long the pipeline was away between."""

    def __init__(self, enhance: Enhance, durations_ms: list[float], waits_ms: list[float]) -> None:
        self._enhance = enhance
        self._durations_ms, self._waits_ms = durations_ms, waits_ms
        self._last_s = time.perf_counter()

    def __call__(self, frame: Frame) -> Frame:
        began_s = time.perf_counter()
        self._waits_ms.append((began_s - self._last_s) * 1000)
        enhanced = self._enhance(frame)
        self._last_s = time.perf_counter()
        self._durations_ms.append((self._last_s - began_s) * 1000)
        return enhanced


class _ClockedSink:
    """A sink that notes how long each frame took to go in."""

    def __init__(self, sink: FrameSink, durations_ms: list[float]) -> None:
        self._sink = sink
        self._durations_ms = durations_ms

    def write(self, frame: Frame) -> None:
        began_s = time.perf_counter()
        self._sink.write(frame)
        self._durations_ms.append((time.perf_counter() - began_s) * 1000)

    def close(self) -> None:
        self._sink.close()

    def discard(self) -> None:
        self._sink.discard()
