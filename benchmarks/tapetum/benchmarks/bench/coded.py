"""An enhancer between a decoder and an encoder: packet in, packet out, one frame at a time.

Both are set up as for a call: H.264 in which no picture waits for another (x264's `zerolatency`),
a decoder that holds none back. What is decoded is the measured frames, encoded beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from av.codec.context import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.stage_clock import StageClock, nbytes
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
