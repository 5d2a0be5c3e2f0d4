"""`av.VideoFrame` to `Frame` without a copy, and back with one."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.plane import VideoPlane

from tapetum.realtime.frame import CENTER, LEFT, ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format

SampleType = type[np.uint8] | type[np.uint16]

FULL_RANGE = 2
_JPEG_CODECS = frozenset({"amv", "jpegls", "ljpeg", "mjpeg", "mjpegb", "thp"})
"""Codecs whose chroma lies between the pixels that it covers (JFIF 1.02, page 4)."""


def frame_planes(picture: av.VideoFrame) -> tuple[Plane, ...]:
    """Views of a picture's planes; they keep the picture's memory alive.

    Returns:
        One 2-D uint8 or uint16 array per plane, with the shapes that `Frame` documents.

    Raises:
        MediaError: the pixel format is not one of `PIXEL_FORMATS`, with alpha or without.
    """
    layout = pixel_format(without_alpha(picture.format.name))
    dtype = _sample_type(layout.depth)
    shapes = layout.plane_shapes(picture.width, picture.height)
    return tuple(
        _plane_view(plane, columns, dtype)
        for plane, (_, columns) in zip(picture.planes, shapes, strict=False)
    )


def alpha_plane(picture: av.VideoFrame) -> Plane | None:
    """A view of a picture's (H, W) alpha, None where it has none."""
    if not stores_alpha(picture.format.name):
        return None
    depth = pixel_format(without_alpha(picture.format.name)).depth
    return _plane_view(picture.planes[-1], picture.width, _sample_type(depth))


def _sample_type(depth: int) -> SampleType:
    return np.uint8 if depth == 8 else np.uint16


def stores_alpha(format_name: str) -> bool:
    """Whether a format is one of `PIXEL_FORMATS` with a plane of alpha."""
    return format_name.startswith("yuva")


def with_alpha(format_name: str) -> str:
    """FFmpeg's name of a planar YUV format with a plane of alpha."""
    return format_name.replace("yuv", "yuva", 1)


def without_alpha(format_name: str) -> str:
    """FFmpeg's name of a format without its plane of alpha."""
    return format_name.replace("yuva", "yuv", 1)


def _plane_view(plane: VideoPlane, columns: int, dtype: SampleType) -> Plane:
    rows = plane_rows(plane, dtype)[:, :columns]
    return rows[::-1] if plane.line_size < 0 else rows  # a bottom-up picture


def plane_rows(plane: VideoPlane, dtype: SampleType) -> Plane:
    """A view of all of a plane's memory, padding included: one row a line."""
    # PyAV's planes have the buffer protocol, which their stubs do not say.
    samples = np.frombuffer(cast("memoryview[int]", plane), dtype)
    return cast("Plane", samples.reshape(plane.height, -1))


def from_av(
    picture: av.VideoFrame,
    *,
    pts: int | None,
    time_base: Fraction,
    duration: int = 0,
    codec: str = "",
    captions: bytes | None = None,
) -> Frame:
    """Wrap a decoded picture; the planes are views of the decoder's memory.

    Args:
        picture: a picture in one of `PIXEL_FORMATS`, with alpha or without.
        pts: presentation time in `time_base` units.
        time_base: seconds per unit.
        duration: display time in `time_base` units, 0 where unknown.
        codec: what it was decoded from, for `color_info`.
        captions: inside the video.

    Raises:
        MediaError: the pixel format is not one of `PIXEL_FORMATS`.
    """
    return Frame(
        planes=frame_planes(picture),
        format_name=without_alpha(picture.format.name),
        pts=pts,
        time_base=time_base,
        color=color_info(picture, codec),
        duration=duration,
        alpha=alpha_plane(picture),
        captions=captions,
    )


_UNSPECIFIED, _BT470BG = 2, 5
"""Matrices of ISO/IEC 23091-4; VP8 has the second alone, which libvpx does not say."""

_UNSAID = (0, _UNSPECIFIED)
"""Numbers of that standard that say nothing; 0 is the matrix of RGB, which no YUV picture has."""


def color_info(picture: av.VideoFrame, codec: str = "") -> ColorInfo:
    """The picture's colour: its tags, and what its format and its codec say without one.

    FFmpeg's yuvj formats say "full range" by their name, unless H.264 that began so says otherwise
    later. Where chroma lies, PyAV does not tell; it
    goes by the codec, whatever decodes it: JPEG's lies in the middle, that of others where
    `Frame.cosited` has it, also in the yuvj formats to which full-range H.264 is decoded.

    Args:
        picture: decoded, in any memory.
        codec: FFmpeg's name of what it was decoded from, "" where unknown.
    """
    named_full = picture.format.name.startswith("yuvj")
    location = CENTER if codec in _JPEG_CODECS else LEFT if codec and named_full else 0
    matrix = picture.colorspace
    if codec == "vp8" and matrix == _UNSPECIFIED:
        matrix = _BT470BG
    return ColorInfo(
        matrix=matrix,
        range=color_range(picture),
        primaries=picture.color_primaries,
        transfer=picture.color_trc,
        chroma_location=location,
    )


_WITHOUT_RANGE = frozenset({"mpeg1video", "mpeg2video", "prores", "vp8"})
"""Codecs that have no word for full range: their decoders call every picture limited."""


def add_color(picture: av.VideoFrame, color: ColorInfo, codec: str) -> None:
    """Tag a picture with the matrix, primaries, transfer and range that it does not say itself.

    HEVC's decoder calls a picture limited that says nothing of its colours.

    Args:
        picture: decoded, in any memory.
        color: what its container says.
        codec: FFmpeg's name of what it was decoded from.
    """
    is_said = picture.colorspace != _UNSPECIFIED or picture.format.is_rgb
    range_is_guessed = codec in _WITHOUT_RANGE or (codec == "hevc" and not is_said)
    if range_is_guessed and color.range == FULL_RANGE:
        picture.color_range = FULL_RANGE
    if not is_said and color.matrix not in _UNSAID:
        picture.colorspace = color.matrix
    if picture.color_primaries in _UNSAID and color.primaries not in _UNSAID:
        picture.color_primaries = color.primaries
    if picture.color_trc in _UNSAID and color.transfer not in _UNSAID:
        picture.color_trc = color.transfer


def color_range(picture: av.VideoFrame) -> int:
    """The picture's range alone, as `color_info` has it."""
    named_full = picture.format.name.startswith("yuvj")
    return picture.color_range or (FULL_RANGE if named_full else 0)


def storage_format(format_name: str) -> str:
    """The format under which samples are encoded: yuvj becomes yuv, tagged full range."""
    return format_name.replace("yuvj", "yuv", 1)


def to_av(frame: Frame, *, into: av.VideoFrame | None = None) -> av.VideoFrame:
    """Copy a frame into a picture that an encoder can take, with its time and colour tags.

    Args:
        frame: the frame; a yuvj format becomes yuv, tagged full range. One with alpha is planar.
        into: a picture of the same format and size to write over, which saves an allocation.
            FFmpeg gives it new memory first if an encoder still reads the old.
    """
    name = storage_format(frame.format_name)
    if frame.alpha is not None:
        name = with_alpha(name)
    picture = into or av.VideoFrame(frame.width, frame.height, name)
    picture.make_writable()
    for target, plane in zip(frame_planes(picture), frame.planes, strict=True):
        np.copyto(target, plane)
    if frame.alpha is not None:
        np.copyto(cast("Plane", alpha_plane(picture)), frame.alpha)
    tag_picture(picture, frame)
    return picture


def tag_picture(picture: av.VideoFrame, frame: Frame) -> None:
    """Give a picture the time and the colour tags of a frame."""
    picture.pts = frame.pts
    picture.time_base = frame.time_base
    picture.duration = frame.duration
    set_color(picture, frame.color, full_range=frame.full_range)


def set_color(picture: av.VideoFrame, color: ColorInfo, *, full_range: bool) -> None:
    """Tag a picture."""
    picture.colorspace = color.matrix
    picture.color_range = FULL_RANGE if full_range else color.range
    picture.color_primaries = color.primaries
    picture.color_trc = color.transfer
