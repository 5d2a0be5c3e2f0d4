"""Offline: a whole file through decoder, enhancer and encoder, against a plain transcode.

The transcode is of the enhanced file, by the same encoder with the same settings: what a file
job would take if enhancing were free. On a GPU, decoder and encoder are those that
`tapetum enhance` chooses there, to which no transcode on the CPU is a limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import av

from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.bench.trial import Settings, Trial
from tapetum.benchmarks.measure.clocks import StageClock, Stages, joined, nbytes
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input, clip_frames, write_clip
from tapetum.benchmarks.measure.machine import ResourceMeter
from tapetum.realtime import EncoderSettings, FileSink, FileSource, Frame, FrameSink, run
from tapetum.realtime.protocols import FrameSource

SCENARIO = "offline"

_PIXELS = 3e7
"""Synthetic clips have so many pixels in all, within bounds: a few seconds of work each."""


def offline(
    subjects: Sequence[Subject], given: Input, settings: Settings, folder: Path
) -> Iterator[Trial]:
    """Measure the time a frame takes when only throughput counts, one sample for each file.

    Raises:
        MediaError: the clip cannot be read.
        BenchmarkError: the clip is too short, or frames were lost.
    """
    clip = _clip(given, settings, folder)
    with FileSource(clip) as source:
        size = f"{source.info.width}x{source.info.height}"
        rate = source.info.average_rate
    for subject in subjects:
        key = Key(SCENARIO, subject.name, given.name, size, "time per frame")
        yield _Offline(key, subject, clip, folder, float(rate) if rate else None)


def _clip(given: Input, settings: Settings, folder: Path) -> Path:
    if given.clip is not None and given.size is None:
        clip_frames(given.clip)  # refuses what is too short
        return given.clip
    frames = given.frames(settings.seed)
    width, height = frames[0].width, frames[0].height
    count = round(_PIXELS / (width * height))
    target = folder / f"input-{width}x{height}.mp4"
    some = islice(cycle(frames), min(max(count, 16), 96))
    write_clip(some, target, EncoderSettings("libx264", 16, PRESET))
    return target


@dataclass
class _FileTimes:
    """One file: its frames, the time they took, and what each stage took of each frame."""

    frames: int = 0
    wall_s: float = 0.0
    transcode_s: float = 0.0
    stages: Stages = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class _Offline(Trial):
    """One subject and a file; one that does not count warms it."""

    most_repeats = 4

    def __init__(
        self, key: Key, subject: Subject, clip: Path, folder: Path, clip_fps: float | None
    ) -> None:
        super().__init__(key, subject)
        self._clip, self._folder = clip, folder
        self._played = {} if clip_fps is None else {"clip_fps": round(clip_fps, 3)}
        self._files: list[_FileTimes] = []
        self._meter = ResourceMeter()
        self._enhance_file(ResourceMeter())

    def repeat(self) -> None:
        """Enhance the file, and transcode what comes out."""
        done = self._enhance_file(self._meter)
        began_s = time.perf_counter()
        again = transcode(self._enhanced, self._folder / "again.mp4", CRF, PRESET)
        done.transcode_s = time.perf_counter() - began_s
        if again != done.frames:
            raise BenchmarkError(
                f"{self.subject.name} wrote {done.frames} frames; {again} are there"
            )
        self._files.append(done)

    @property
    def _enhanced(self) -> Path:
        return self._folder / "enhanced.mp4"

    def _enhance_file(self, meter: ResourceMeter) -> _FileTimes:
        """Run the pipeline that `enhance_file` runs, with a clock around each stage."""
        job = open_file_job(self.subject, self._clip, self._enhanced)
        done = _FileTimes(notices=job.notices)
        decoding, encoding = _ClockedSource(job.source), _ClockedSink(job.sink)
        stage = _ClockedStage(job.enhance)
        began_s = time.perf_counter()
        with meter.running():
            done.frames = run(decoding, stage, encoding, on_frame=stage.handed_on)
        done.wall_s = time.perf_counter() - began_s
        done.stages = decoding.clock.stages | stage.clock.stages | encoding.clock.stages
        return done

    def result(self) -> Result:
        """Time per frame of each file, and the transcode as its limit."""
        subject, files = self.subject, self._files
        return Result(
            self.key,
            subject.runs_on,
            [[1000 * done.wall_s / done.frames] for done in files],
            stages=joined([done.stages for done in files]),
            resources=self._meter.read(),
            floors=() if subject.on_gpu else [_transcode_floor(files)],
            figures=_figures(files) | self._played | ({} if subject.on_gpu else _ratios(files)),
            notes=files[-1].notices,
        )


def _transcode_floor(files: Sequence[_FileTimes]) -> Floor:
    fps = statistics.median(done.frames / done.transcode_s for done in files)
    return Floor("plain transcode of the output, a frame", 1, round(fps, 3), round(1000 / fps, 5))


def _figures(files: Sequence[_FileTimes]) -> dict[str, float]:
    fps = [done.frames / done.wall_s for done in files]
    return {"frames": files[0].frames, "frames_per_s": round(statistics.median(fps), 2)}


def _ratios(files: Sequence[_FileTimes]) -> dict[str, float]:
    ratios = [done.wall_s / done.transcode_s for done in files]
    return {
        "ratio_to_transcode": round(statistics.median(ratios), 3),
        "ratio_to_transcode_min": round(min(ratios), 3),
        "ratio_to_transcode_max": round(max(ratios), 3),
    }


def _own_clock(*, overlaps: bool) -> StageClock:
    """Each stage has a thread of its own here: what the others do must not count."""
    return StageClock(time.thread_time_ns, overlaps=overlaps)


class _ClockedSource:
    """A source that notes what each frame took to come out."""

    def __init__(self, source: FrameSource) -> None:
        self.clock = _own_clock(overlaps=True)
        self._source = source

    def __iter__(self) -> Iterator[Frame]:
        self.clock.start()
        for frame in self._source:
            self.clock.end("decode", nbytes(*frame.planes))
            yield frame
            self.clock.start()

    def close(self) -> None:
        self._source.close()


class _ClockedStage:
    """A stage that notes what each call took, and how long it waited for its neighbours."""

    def __init__(self, enhance: Enhance) -> None:
        self.clock = _own_clock(overlaps=False)
        self._enhance = enhance
        self.clock.start()

    def __call__(self, frame: Frame) -> Frame:
        self.clock.wait_ended("wait for the decoder")
        enhanced = self._enhance(frame)
        self.clock.end("enhance", nbytes(*frame.planes, *enhanced.planes))
        return enhanced

    def handed_on(self, _frame: Frame) -> None:
        """The frame is in the queue of the encoder."""
        self.clock.wait_ended("wait for the encoder")


class _ClockedSink:
    """A sink that notes what each frame took to go in."""

    def __init__(self, sink: FrameSink) -> None:
        self.clock = _own_clock(overlaps=True)
        self._sink = sink

    def write(self, frame: Frame) -> None:
        self.clock.start()
        self._sink.write(frame)
        self.clock.end("encode", nbytes(*frame.planes))

    def close(self) -> None:
        self._sink.close()

    def discard(self) -> None:
        self._sink.discard()


CRF, PRESET = 20, "veryfast"
"""Of libx264, by which everything on the CPU is encoded."""
LONGEST_S = 10.0
"""Of a longer clip, the beginning."""


class FileJob(NamedTuple):
    """The parts of the pipeline.

    Attributes:
        source: decodes.
        enhance: what happens to each frame, where the source leaves it.
        sink: encodes.
        notices: lines for the reader about what decodes and encodes where.
    """

    source: FrameSource
    enhance: Enhance
    sink: FrameSink
    notices: tuple[str, ...] = ()


def open_file_job(subject: Subject, clip: Path, target: Path) -> FileJob:
    """Open a clip and an output that is written anew.

    Raises:
        MediaError: the clip cannot be read.
        DeviceError: the GPU cannot be used.
    """
    if subject.open_video is not None:
        return _as_enhance_does(subject, clip, target)
    source = FileSource(clip, duration_s=LONGEST_S)
    encoder = EncoderSettings("libx264", CRF, PRESET)
    sink = FileSink(target, info=source.info, encoder=encoder, overwrite=True)
    return FileJob(source, subject.make(), sink)


def _as_enhance_does(subject: Subject, clip: Path, target: Path) -> FileJob:
    """With the decoder and the encoder that the device has."""
    assert subject.open_video is not None
    video = subject.open_video(clip, LONGEST_S)
    output = video.open_output(target, video.info, encoder=EncoderSettings(), overwrite=True)
    enhance = video.load_enhancer(subject.model)
    return FileJob(video.frames, enhance, output.frames, (*video.notices, *output.notices))


def transcode(source: Path, target: Path, crf: int, preset: str) -> int:
    """Transcode the video of a file with libx264 in one plain loop; returns the frame count."""
    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = reader.streams.video[0]
        video.thread_type = "AUTO"
        output = writer.add_stream("libx264", rate=video.average_rate)
        output.width, output.height = video.width, video.height
        output.pix_fmt = video.pix_fmt
        output.options = {"crf": str(crf), "preset": preset}
        output.codec_context.time_base = video.time_base or Fraction(1, 1000)
        for frame in reader.decode(video):
            frame.pict_type = 0
            writer.mux(output.encode(frame))
            frames += 1
        writer.mux(output.encode())
    return frames
