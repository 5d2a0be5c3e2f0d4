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
from tempfile import TemporaryDirectory

import av

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.file_job import CRF, PRESET, open_file_job
from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.frames import clip_frames
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.resources import ResourceMeter
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.stage_clock import StageClock, Stages, joined, nbytes
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.plain_transcode import transcode
from tapetum.realtime import FileSource, Frame, FrameSink, run
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.protocols import FrameSource

SCENARIO = "offline"

_PIXELS = 5e7
"""Synthetic clips have so many pixels in all, within bounds: a few seconds of work each."""


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
        video = writer.add_stream("libx264", rate, options={"crf": "16", "preset": PRESET})
        video.width, video.height = frames[0].width, frames[0].height
        video.pix_fmt = frames[0].format_name
        for index, frame in enumerate(frames):
            picture = to_av(frame)
            picture.pts, picture.time_base = index, Fraction(1, rate)
            writer.mux(video.encode(picture))
        writer.mux(video.encode())


@dataclass
class _Round:
    """One file: its frames, the time they took, and what each stage took of each frame."""

    frames: int = 0
    wall_s: float = 0.0
    transcode_s: float = 0.0
    stages: Stages = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def _measure(
    subject: Subject, clip: Path, folder: Path, given: Input, settings: Settings
) -> Result:
    meter, rounds = ResourceMeter(), []
    _enhance_file(subject, clip, folder / "warm.mp4", ResourceMeter())
    for _ in range(settings.effort.repeats):
        enhanced = folder / "enhanced.mp4"
        done = _enhance_file(subject, clip, enhanced, meter)
        began_s = time.perf_counter()
        again = transcode(enhanced, folder / "again.mp4", CRF, PRESET)
        done.transcode_s = time.perf_counter() - began_s
        if again != done.frames:
            raise BenchmarkError(f"{subject.name} wrote {done.frames} frames; {again} are there")
        rounds.append(done)
    with FileSource(clip) as source:
        size = f"{source.info.width}x{source.info.height}"
    on_cpu = subject.open_video is None
    return Result(
        Key(SCENARIO, subject.name, given.name, size, "time per frame"),
        subject.runs_on,
        [[1000 * done.wall_s / done.frames] for done in rounds],
        stages=joined([done.stages for done in rounds]),
        resources=meter.read(),
        floors=[_transcode_floor(rounds)] if on_cpu else (),
        figures=_figures(rounds) | (_ratios(rounds) if on_cpu else {}),
        notes=rounds[-1].notices,
    )


def _transcode_floor(rounds: Sequence[_Round]) -> Floor:
    fps = statistics.median(done.frames / done.transcode_s for done in rounds)
    return Floor("plain transcode of the output, a frame", 1, round(fps, 3), round(1000 / fps, 5))


def _figures(rounds: Sequence[_Round]) -> dict[str, float]:
    fps = [done.frames / done.wall_s for done in rounds]
    return {"frames": rounds[0].frames, "frames_per_s": round(statistics.median(fps), 2)}


def _ratios(rounds: Sequence[_Round]) -> dict[str, float]:
    ratios = [done.wall_s / done.transcode_s for done in rounds]
    return {
        "ratio_to_transcode": round(statistics.median(ratios), 3),
        "ratio_to_transcode_min": round(min(ratios), 3),
        "ratio_to_transcode_max": round(max(ratios), 3),
    }


def _enhance_file(subject: Subject, clip: Path, target: Path, meter: ResourceMeter) -> _Round:
    """Run the pipeline that `enhance_file` runs, with a clock around each stage."""
    job = open_file_job(subject, clip, target)
    done = _Round(notices=job.notices)
    decoding, encoding = _ClockedSource(job.source), _ClockedSink(job.sink)
    stage = _ClockedStage(job.enhance)
    began_s = time.perf_counter()
    with meter.running():
        done.frames = run(decoding, stage, encoding, on_frame=stage.handed_on)
    done.wall_s = time.perf_counter() - began_s
    done.stages = decoding.clock.stages | stage.clock.stages | encoding.clock.stages
    return done


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
