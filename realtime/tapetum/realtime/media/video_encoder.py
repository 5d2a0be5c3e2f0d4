"""`VideoEncoder`: the one way from frames to packets, for files, recordings and streams alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

import av
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.gan.machine import thread_limit
from tapetum.realtime.errors import EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import FULL_RANGE, stores_alpha, to_av, without_alpha
from tapetum.realtime.media.captions import carries_captions, lost_captions, with_captions
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.decode_time import DecodeTimes
from tapetum.realtime.media.encoder import HEVC_ENCODERS, Encoder
from tapetum.realtime.media.fields import FieldTagger, with_chroma_of_fields
from tapetum.realtime.media.frame_conversion import PictureConverter
from tapetum.realtime.media.thread_priority import without_real_time_threads
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pixel_format import pixel_format

_DEFAULT_RATE = Fraction(25)

_TOP_FIRST, _BOTTOM_FIRST = 2, 3
"""FFmpeg's numbers of orders of fields."""

_TRIAL_SIDE = 256
"""Pixels of the side of the pictures, at most, for which an encoder shows that it can be opened."""

_VPX = ("libvpx", "libvpx-vp9")
"""Encoders that store alpha beside each picture."""

_SVT_VARIABLE = "SVT_LOG"
_SVT_ERRORS_ONLY = "1"


class Pictures(Protocol):
    """Makes of each frame a picture with its time and colour tags."""

    @property
    def hwaccel(self) -> HWAccel | None:
        """The device whose memory the pictures are in; None for main memory."""

    @property
    def opens_late(self) -> bool:
        """Whether the encoder opens with the first picture, and takes its memory as its own.

        Else PyAV reserves 32 pictures on the device that nothing uses.
        """

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """A picture that stays as it is until the encoder has read it."""


def not_kept(frame: Frame, encoder: Encoder) -> list[str]:
    """Lines for the user about what a frame carries that an encoder cannot keep.

    An alpha that is opaque everywhere, as decoders of GIF always give one, is nothing.
    """
    lines = lost_captions(frame, encoder.name)
    opaque = (1 << frame.format.depth) - 1
    if encoder.alpha_notice and frame.alpha is not None and frame.alpha.min() < opaque:
        lines.append(encoder.alpha_notice)
    return lines


class MemoryPictures:
    """Copies frames in main memory, and converts them where the encoder takes another format."""

    hwaccel = None
    opens_late = False

    def __init__(self, encoder: Encoder, info: VideoInfo) -> None:
        self._alpha = stores_alpha(encoder.pixel_format)
        self._reuse = encoder.reads_at_once
        self._convert = PictureConverter(encoder.pixel_format, info.width, info.height)
        self._picture: av.VideoFrame | None = None
        self._tag_fields: FieldTagger | None = None
        given, fed = (
            pixel_format(info.format_name),
            pixel_format(without_alpha(encoder.pixel_format)),
        )
        lacks_lines = given.chroma_y > fed.chroma_y and not given.semi_planar
        self._chroma_of_fields = encoder.fields and lacks_lines
        if encoder.fields:
            self._tag_fields = FieldTagger(bottom_first=info.bottom_field_first)

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """Copy one frame; the copy is written over by the next where the encoder has read it."""
        if frame.alpha is not None and not self._alpha:
            frame = replace(frame, alpha=None)
        if self._chroma_of_fields:
            frame = with_chroma_of_fields(frame)
        picture = to_av(frame, into=self._picture)
        if self._reuse:
            self._picture = picture
        picture = self._convert(picture)
        return picture if self._tag_fields is None else self._tag_fields(picture)


class VideoEncoder:
    """An encoder at work on one video stream of an output: frames in, packets out.

    Args:
        output: the opened output; the stream is added to it.
        container: what it is.
        encoder: what `choose_encoder` has decided.
        info: the frames to come.
        pictures: makes pictures of frames that are not in main memory, for an encoder that
            reads them where they are.
        keyframe_distance: frames from one key frame to the next; None is the encoder's own.

    Attributes:
        stream: of the output, for metadata and the like; set them before `open`.
        is_open: whether the output's header can be written.

    Raises:
        EncoderError: the device that the encoder needs is not there.
    """

    def __init__(
        self,
        output: OutputContainer,
        container: Container,
        encoder: Encoder,
        info: VideoInfo,
        *,
        pictures: Pictures | None = None,
        keyframe_distance: int | None = None,
    ) -> None:
        rate = info.average_rate or _DEFAULT_RATE
        self._container = container
        self._encoder = encoder
        self._info = info
        self._pictures = pictures or MemoryPictures(encoder, info)
        self._durations: dict[int, int] = {}
        self._captions: dict[int, bytes] = {}
        self._end = 0
        self._decode_times = DecodeTimes(info.time_base, rate)
        self.stream = self._add(output, rate)
        self.is_open = False
        context = self.stream.codec_context
        _set_picture_format(context, info, encoder)
        if self._pictures.opens_late and self._pictures.hwaccel is not None:
            context.sw_format, context.pix_fmt = encoder.pixel_format, "cuda"
        if keyframe_distance is not None:
            context.gop_size = keyframe_distance
        if container.is_mov and encoder.name in HEVC_ENCODERS:
            context.codec_tag = "hvc1"
        if stores_alpha(encoder.pixel_format) and encoder.name in _VPX:
            self.stream.metadata["alpha_mode"] = "1"  # or Matroska's muxer does not say so
        self.stream.time_base = info.time_base

    def open(self) -> None:
        """Open the encoder, or see that it can be where it opens with the first picture.

        Raises:
            EncoderError: it refuses such frames, or its hardware is not there.
        """
        late = self._pictures.opens_late
        try:
            with _quiet(self._encoder.name), without_real_time_threads():
                (self._trial() if late else self.stream.codec_context).open()
        except (FFmpegError, ValueError) as error:
            raise self.refusal() from error
        self.is_open = not late

    def _trial(self) -> VideoCodecContext:
        """An encoder like this one for small pictures; it goes when nobody holds it."""
        info, encoder = self._info, self._encoder
        context = av.CodecContext.create(encoder.name, "w", hwaccel=self._pictures.hwaccel)
        assert isinstance(context, VideoCodecContext)
        width, height = (min(side, _TRIAL_SIDE) for side in (info.width, info.height))
        _set_picture_format(context, replace(info, width=width, height=height), encoder)
        context.framerate = info.average_rate or _DEFAULT_RATE
        context.options = dict(encoder.options)
        return context

    def refusal(self) -> EncoderError:
        """What to say where encoder and container do not take such frames."""
        encoder, size = self._encoder, f"{self._info.width}x{self._info.height}"
        needs = "" if encoder.needs is None else f" (it needs {encoder.needs})"
        place = f" in {self._container.suffix}" if self._container.suffix else ""
        return EncoderError(
            f"{encoder.name} refuses {size} {encoder.pixel_format}{place}{needs};"
            " choose another codec"
        )

    def encode(self, frame: Frame) -> list[Packet[Stream]]:
        """Encode one frame, which has a time after the one before it.

        Raises:
            EncoderError: it opens with the first picture, and refuses it.
            FFmpegError: the encoder failed.
        """
        picture = self._pictures(frame)
        pts = frame.pts or 0
        self._decode_times.expect(pts)
        self._durations[pts] = frame.duration
        if frame.captions and carries_captions(self._encoder.name):
            self._captions[pts] = frame.captions
        try:
            packets = self.stream.encode(picture)
        except (FFmpegError, ValueError) as error:
            if self.is_open:
                raise
            raise self.refusal() from error
        self.is_open = True
        return self._timed(packets)

    def finish(self) -> list[Packet[Stream]]:
        """What the encoder still holds.

        Raises:
            FFmpegError: the encoder failed.
        """
        packets = self._timed(self.stream.encode(None))
        if packets and self._container.is_mov:
            # MP4 tells a track's length by the times of decoding; the last one makes up for theirs.
            packets[-1].duration = max(1, self._decode_times.left_of(packets[-1], self._end))
        return packets

    def _timed(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        for packet in packets:
            self._decode_times.set(packet)
            duration = self._durations.pop(packet.pts or 0, 0)
            if duration:
                packet.duration = duration
                self._end = max(self._end, (packet.pts or 0) + duration)
        return [self._captioned(packet) for packet in packets]

    def _captioned(self, packet: Packet[Stream]) -> Packet[Stream]:
        captions = self._captions.pop(packet.pts or 0, None)
        return packet if captions is None else with_captions(packet, captions, self._encoder.name)

    def _add(self, output: OutputContainer, rate: Fraction) -> VideoStream:
        encoder = self._encoder
        try:
            stream = output.add_stream(
                encoder.name, rate=rate, options=encoder.options, hwaccel=self._pictures.hwaccel
            )
        except FFmpegError as error:  # the device of `hwaccel` cannot be opened
            needs = encoder.needs or "its device"
            raise EncoderError(f"{encoder.name} cannot be opened: it needs {needs}") from error
        if not isinstance(stream, VideoStream):
            raise MediaError(f"codec {encoder.name} encodes no video")
        return stream


def _set_picture_format(context: VideoCodecContext, info: VideoInfo, encoder: Encoder) -> None:
    context.width, context.height = info.width, info.height
    context.pix_fmt = encoder.pixel_format
    context.time_base = info.time_base
    if not encoder.live:
        context.thread_type = "AUTO"  # PyAV's default, slices, costs x264 quality and speed
    context.thread_count = thread_limit() or context.thread_count
    if encoder.fields:
        context.field_order = _BOTTOM_FIRST if info.bottom_field_first else _TOP_FIRST
    context.sample_aspect_ratio = info.sample_aspect_ratio or Fraction(1)
    context.colorspace = info.color.matrix
    context.color_primaries = info.color.primaries
    context.color_trc = info.color.transfer
    full = info.color.range == 0 and pixel_format(info.format_name).full_range
    context.color_range = FULL_RANGE if full else info.color.range


@contextmanager
def _quiet(encoder: str) -> Iterator[None]:
    """Silence SVT-AV1, which reads its log level from the environment when it is opened.

    A level that the user has set stays.
    """
    if encoder != "libsvtav1" or _SVT_VARIABLE in os.environ:
        yield
        return
    os.environ[_SVT_VARIABLE] = _SVT_ERRORS_ONLY
    try:
        yield
    finally:
        del os.environ[_SVT_VARIABLE]
