"""Single-stream: one frame after another, as soon as the last one is done.

The name and the meaning are MLPerf Inference's (Reddi et al., 2020). With codecs it is packet in,
packet out: H.264 in which no picture waits for another (x264's `zerolatency`), and a decoder that
holds none back. What is decoded is the measured frames, encoded beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, TypeAlias

from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from tapetum.benchmarks.bench.quality import found_truth, quality
from tapetum.benchmarks.bench.result import Key, Result, size_text, warm_up_notes
from tapetum.benchmarks.bench.stages import Staged, StagedWhole
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.bench.trial import Settings, Trial
from tapetum.benchmarks.measure.choices import SINGLE_STREAM
from tapetum.benchmarks.measure.clocks import StageClock, Stages, joined, nbytes
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input, round_and_round
from tapetum.benchmarks.measure.machine import ResourceMeter
from tapetum.benchmarks.measure.sampling import (
    Pace,
    T,
    WarmUp,
    one_repeat,
    settle,
    timed_calls,
    warm_up,
)
from tapetum.realtime import Frame
from tapetum.realtime.media.av_frame import from_av, to_av

CodedPacket: TypeAlias = "Packet[Any]"

_OPTIONS = {"crf": "20", "preset": "veryfast", "tune": "zerolatency"}
_TIME_BASE = Fraction(1, 30)


class Coded:
    """Decodes a packet, enhances the frame and encodes it.

    Attributes:
        clock: what decoding and encoding took, when there is one.
    """

    def __init__(
        self,
        enhance: Callable[[Frame], Frame],
        clock: StageClock | None = None,
    ) -> None:
        """Open the decoder; the encoder is opened for the first frame that is enhanced.

        Args:
            enhance: what happens between them.
            clock: the clock of a staged enhancer, to which the codecs' stages are added.
        """
        self._enhance = enhance
        self._clock = clock or StageClock()
        self._decoder = _decoder()
        self._encoder: VideoCodecContext | None = None
        self._count = 0

    def __call__(self, packet: CodedPacket) -> int:
        """Take one packet through; returns the bytes of the packets that came out.

        Raises:
            BenchmarkError: the packet gave no frame, or the frame no packet.
        """
        self._clock.start()
        frame = self._decoded(packet)
        self._clock.end("decode", packet.size + nbytes(*frame.planes))
        enhanced = self._enhance(frame)
        self._clock.start()
        size = self._encoded(enhanced)
        self._clock.end("encode", nbytes(*enhanced.planes) + size)
        return size

    def _decoded(self, packet: CodedPacket) -> Frame:
        pictures = self._decoder.decode(packet)
        if len(pictures) != 1:
            raise BenchmarkError(f"a packet gave {len(pictures)} frames at once, not one")
        self._count += 1
        return from_av(pictures[0], pts=self._count, time_base=_TIME_BASE, duration=1)

    def _encoded(self, frame: Frame) -> int:
        if self._encoder is None:
            self._encoder = _encoder(frame)
        picture = to_av(frame)
        picture.pts, picture.time_base = self._count, _TIME_BASE
        size = sum(packet.size for packet in self._encoder.encode(picture))
        if not size:
            raise BenchmarkError("the encoder held a frame back")
        return size


def coded(frames: Sequence[Frame]) -> tuple[CodedPacket, ...]:
    """The frames as packets, of which the first can be decoded without the others."""
    encoder = _encoder(frames[0])
    packets = []
    for index, frame in enumerate(frames):
        picture = to_av(frame)
        picture.pts, picture.time_base = index, _TIME_BASE
        packets += encoder.encode(picture)
    return tuple(packets)


def _encoder(frame: Frame) -> VideoCodecContext:
    context = VideoCodecContext.create("libx264", "w")
    context.width, context.height = frame.width, frame.height
    context.pix_fmt = frame.format_name
    context.time_base, context.framerate = _TIME_BASE, 1 / _TIME_BASE
    context.options = dict(_OPTIONS)
    try:
        context.open()
    except (FFmpegError, ValueError) as error:
        picture = f"{frame.width}x{frame.height} {frame.format_name}"
        raise BenchmarkError(
            f"libx264 does not encode {picture} frames; leave out --with-codec, or choose a --size"
        ) from error
    return context


def _decoder() -> VideoCodecContext:
    context = VideoCodecContext.create("h264", "r")
    context.flags |= Flags.low_delay
    context.thread_type = "SLICE"  # threads over frames would hold frames back
    return context


WITH_CODEC = f"{SINGLE_STREAM} with codec"


def single_stream(
    subjects: Sequence[Subject], given: Input, settings: Settings, _folder: Path
) -> Iterator[Trial]:
    """Measure the latency of each subject on the same frames.

    With `settings.with_codec`, from packet to packet instead of from frame to frame. There are
    stages for Tapetum's own models, and where codecs are measured.
    """
    for folder in settings.truths:
        found_truth(folder)  # refused before anything is measured
    frames = given.frames(settings.seed)
    key = Key(SINGLE_STREAM, "", given.name, size_text(frames[0]), "latency")
    if settings.with_codec:
        key, packets = replace(key, scenario=WITH_CODEC), _Items(frames[0], coded(frames), Coded)
        yield from (_SingleStream(key, subject, packets, settings) for subject in subjects)
    else:
        bare = _Items(frames[0], frames, lambda enhance, _: enhance)
        yield from (_SingleStream(key, subject, bare, settings) for subject in subjects)


@dataclass(frozen=True)
class _Items(Generic[T]):
    """What comes in, frames or packets, and what takes it through an enhancer.

    Attributes:
        frame: the first frame.
        items: round and round.
        around: makes an enhancer, with the clock of its stages, into what takes an item.
    """

    frame: Frame
    items: Sequence[T]
    around: Callable[[Enhance, StageClock | None], Callable[[T], object]]


class _SingleStream(Trial, Generic[T]):
    """One subject: as a whole, and in calls of their own in its stages."""

    def __init__(self, key: Key, subject: Subject, given: _Items[T], settings: Settings) -> None:
        super().__init__(replace(key, subject=subject.name), subject)
        self._given, self._effort = given, settings.effort
        self._with_codec = settings.with_codec
        self._quality = [quality(subject, folder) for folder in settings.truths]
        self._floors = self.floors(given.frame)
        self._warm_up = self._warmed(subject.make())
        if (staged := self._staged()) is not None:
            self._warmed(staged, staged.clock)
        self._repeats: list[tuple[list[float], Pace]] = []
        self._stages: list[Stages] = []
        self._meter = ResourceMeter()

    def _warmed(self, enhance: Enhance, clock: StageClock | None = None) -> WarmUp:
        call = self._given.around(enhance, clock)
        return warm_up(call, round_and_round(self._given.items), self._effort.warm_up_s)

    def _staged(self) -> Staged | None:
        if self.subject.staged is not None:
            return self.subject.staged()
        return StagedWhole(self.subject.make()) if self._with_codec else None

    def repeat(self) -> None:
        """Take one repeat's samples, and then for half as long those of the stages."""
        items = round_and_round(self._given.items)
        call = self._given.around(self.subject.make(), None)
        pace = Pace()
        settle(call, items)  # the first call of an enhancer is not like the others
        with self._meter.running():
            samples_ms = one_repeat(call, items, self._effort, pace)
        self._repeats.append((samples_ms, pace))
        if (staged := self._staged()) is not None:
            self._stages.append(self._stages_of(staged))

    def _stages_of(self, staged: Staged) -> Stages:
        items, call = round_and_round(self._given.items), self._given.around(staged, staged.clock)
        settle(call, items)
        staged.clock.stages.clear()
        share = self._effort.share()
        timed_calls(call, items, seconds=share.seconds / 2, samples=share.samples)
        return staged.clock.stages

    def result(self) -> Result:
        """Latencies, and what each stage took of them."""
        return Result(
            self.key,
            self.subject.runs_on,
            [samples_ms for samples_ms, _ in self._repeats],
            yardsticks_ms=self.readings([pace for _, pace in self._repeats]),
            stages=joined(self._stages),
            resources=self._meter.read(),
            floors=self._floors,
            figures={"warm_up_calls": self._warm_up.calls},
            quality=self._quality,
            notes=warm_up_notes(self._warm_up),
        )
