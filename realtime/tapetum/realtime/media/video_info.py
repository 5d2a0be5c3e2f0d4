"""`VideoInfo`: what a sink must know about the video stream that it writes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.av_frame import color_info, stores_alpha, without_alpha
from tapetum.realtime.media.fields import is_bottom_field_first
from tapetum.realtime.media.hdr import HdrMetadata, hdr_metadata, side_data_bytes
from tapetum.realtime.media.timeline import TimeRange, counted_time_base, stream_time_base

_UNTAGGED = ColorInfo()
_ONE = 1 << 16
_HIGHEST_RATE = 1000
"""A rate above this is a container's unit of time, not a frame rate."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video stream, as its source yields it.

    Attributes:
        width: frame width in pixels, before rotation.
        height: frame height in pixels, before rotation.
        format_name: pixel format of the frames, one of `PIXEL_FORMATS`.
        time_base: seconds per unit of the frames' `pts`.
        color: colour tags of the first frame.
        average_rate: frames a second on average, None where unknown.
        frame_count: frames to expect, an estimate for progress; None where unknown.
        duration_s: seconds to expect, None where unknown.
        sample_aspect_ratio: width of a pixel by its height; None where unknown or square.
        display_matrix: the nine integers of FFmpeg's display matrix (rotation, flips), or None.
        metadata: the stream's metadata, like language and title.
        source_format_name: what the decoder gives; differs from `format_name` when converted.
        codec_name: the decoder, like "h264".
        disposition: FFmpeg's disposition flags.
        hdr: static HDR metadata, or None.
        interlaced: whether the first frame is interlaced.
        bottom_field_first: whether its bottom field is shown first.
        alpha: whether the frames have alpha.
        unkept: what the first frame carries beside its pixels that cannot be written again.
        origin_s: the instant of the input that is the output's 0; None where it is not read.
    """

    width: int
    height: int
    format_name: str
    time_base: Fraction
    color: ColorInfo = _UNTAGGED
    average_rate: Fraction | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    sample_aspect_ratio: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    source_format_name: str = ""
    codec_name: str = ""
    disposition: int = 0
    hdr: HdrMetadata | None = None
    interlaced: bool = False
    bottom_field_first: bool = False
    alpha: bool = False
    unkept: tuple[str, ...] = ()
    origin_s: Fraction | None = None


def video_info(
    container: InputContainer,
    stream: VideoStream,
    *,
    picture: av.VideoFrame,
    raw_picture: av.VideoFrame,
    span: TimeRange,
) -> VideoInfo:
    """Describe a stream.

    Args:
        container: the opened file.
        stream: its video stream.
        picture: the first picture, converted to one of `PIXEL_FORMATS`.
        raw_picture: the same as it was decoded.
        span: the part of the file that is read.
    """
    rate = _rate(stream)
    duration_s = _duration_s(container, stream, span)
    return VideoInfo(
        width=picture.width,
        height=picture.height,
        format_name=without_alpha(picture.format.name),
        time_base=counted_time_base(stream),
        color=color_info(picture, stream.codec_context.name),
        average_rate=rate,
        frame_count=_frame_count(stream, span, rate, duration_s),
        duration_s=duration_s,
        sample_aspect_ratio=_sample_aspect_ratio(stream),
        display_matrix=display_matrix(raw_picture),
        metadata=dict(stream.metadata),
        source_format_name=raw_picture.format.name,
        codec_name=stream.codec_context.name,
        disposition=int(stream.disposition),
        hdr=hdr_metadata(raw_picture),
        interlaced=raw_picture.interlaced_frame,
        bottom_field_first=_bottom_field_first(stream, raw_picture),
        alpha=stores_alpha(picture.format.name),
        unkept=_unkept(raw_picture, stream),
        origin_s=span.origin_s,
    )


def display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine integers of a picture's display matrix; None where it is upright."""
    data = side_data_bytes(picture, Type.DISPLAYMATRIX)
    if data is None:
        return _ROTATIONS.get(picture.rotation % 360)
    matrix = struct.unpack_from("=9i", data)
    upright = matrix[:2] == (_ONE, 0) and matrix[3:5] == (0, _ONE)
    return None if upright else matrix


_ROTATIONS = {
    90: (0, -_ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30),
    180: (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30),
    270: (0, _ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30),
}
"""Display matrices of counter-clockwise turns in degrees, for frames whose side data PyAV cannot
list."""


_BOTTOM_FIELD_FIRST = (3, 4)
"""FFmpeg's numbers of the orders of fields in which the bottom one is shown first."""


def _bottom_field_first(stream: VideoStream, picture: av.VideoFrame) -> bool:
    """Which field is first, by the picture itself where it is in main memory.

    What a parser says of a whole stream is wrong for some H.264 whose bottom field is first.
    """
    if not picture.interlaced_frame:
        return False
    if picture.sw_format is not None:  # it is in a device's memory
        return stream.codec_context.field_order in _BOTTOM_FIELD_FIRST
    return is_bottom_field_first(picture)


_UNKEPT = {
    Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
    Type.DOVI_METADATA: "Dolby Vision metadata",
    Type.SPHERICAL: "the 360 degree projection",
}
_STEREO_MODE = "stereo_mode"
"""Matroska's tag of how two views lie in a picture, which is kept, or missed, as other tags are."""
_FLAT = 0
"""AVStereo3D's number of one view."""


def _unkept(picture: av.VideoFrame, stream: VideoStream) -> tuple[str, ...]:
    kinds = _UNKEPT.items()
    unkept = tuple(name for kind, name in kinds if side_data_bytes(picture, kind) is not None)
    views = side_data_bytes(picture, Type.STEREO3D)
    is_flat = views is None or struct.unpack_from("=i", views)[0] == _FLAT
    if is_flat or _STEREO_MODE in {key.lower() for key in stream.metadata}:
        return unkept
    return (*unkept, "the 3D layout")


def _rate(stream: VideoStream) -> Fraction | None:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= _HIGHEST_RATE:
            return Fraction(rate.numerator, rate.denominator)
    return None


def _sample_aspect_ratio(stream: VideoStream) -> Fraction | None:
    ratio = stream.sample_aspect_ratio
    if not ratio or ratio == 1:
        return None
    return Fraction(ratio.numerator, ratio.denominator)


def _duration_s(container: InputContainer, stream: VideoStream, span: TimeRange) -> float | None:
    """Seconds of the stream that lie in the range."""
    base = stream_time_base(stream)
    if stream.duration:
        begin, length = (stream.start_time or 0) * base, stream.duration * base
    elif container.duration:
        begin = Fraction(container.start_time or 0, av.time_base)
        length = Fraction(container.duration, av.time_base)
    elif span.end_s is not None and span.start_s is not None:
        return float(span.end_s - span.start_s)
    else:
        return None
    first = begin if span.start_s is None else max(begin, span.start_s)
    last = begin + length if span.end_s is None else min(begin + length, span.end_s)
    return float(max(last - first, Fraction(0)))


def _frame_count(
    stream: VideoStream, span: TimeRange, rate: Fraction | None, duration_s: float | None
) -> int | None:
    if stream.frames and span.is_whole:
        return stream.frames
    if rate is None or duration_s is None:
        return None
    return max(round(duration_s * float(rate)), 1)
