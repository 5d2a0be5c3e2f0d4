"""Decoded pictures in other formats, or of another size, brought to one that can be enhanced."""

from __future__ import annotations

import av
from av.error import FFmpegError
from av.video.format import VideoFormat
from av.video.reformatter import Interpolation, VideoReformatter

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.av_frame import (
    alpha_plane,
    frame_planes,
    storage_format,
    with_alpha,
    without_alpha,
)
from tapetum.realtime.pixel_format import PIXEL_FORMATS, pixel_format

_BT709, _BT601, _BT2020 = 1, 6, 9
_RGB_MATRIX = 0
_LIMITED, _FULL = 1, 2
_SWS_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_SAME_SHAPE = 2
_SCALING = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)

SCALER_THREADS = 1
"""With more, swscale spoils the first pixels of a row now and then (4 of 20,000 small pictures)."""


def nearest_format(name: str) -> str:
    """The format of `PIXEL_FORMATS` that loses least of a format's depth and chroma.

    Raises:
        MediaError: FFmpeg does not know the format or cannot convert from it.
    """
    if name in PIXEL_FORMATS:
        return name
    try:
        layout = VideoFormat(name, 64, 64)
    except ValueError:
        raise MediaError(f"pixel format {name} is unknown to FFmpeg") from None
    if not layout.components or "hwaccel" in name:
        raise MediaError(f"pixel format {name} cannot be converted; decode it to yuv420p first")
    deepest = max(component.bits for component in layout.components)
    depth = next((depth for depth in (8, 10) if deepest <= depth), 12)
    suffix = "" if depth == 8 else f"{depth}le"
    full = "j" if name.startswith("yuvj") and depth == 8 else ""
    return f"yuv{full}{_chroma(layout)}p{suffix}"


def nearest_with_alpha(name: str) -> str:
    """The same, with a plane of alpha where the format has alpha itself.

    A palette counts as opaque, as those of video codecs are.
    """
    target = nearest_format(name)
    if not has_alpha(name) or VideoFormat(name, 64, 64).has_palette:
        return target
    return with_alpha(target).replace("420p12", "422p12")  # the first does not exist


def _chroma(layout: VideoFormat) -> str:
    if layout.is_rgb or layout.has_palette or layout.is_bayer:
        return "444"
    if len(layout.components) < 3:  # gray, with or without alpha
        return "420"
    wide = layout.chroma_width(64) * 2 > 64
    tall = layout.chroma_height(64) * 2 > 64
    return "444" if wide else ("422" if tall else "420")


def has_alpha(name: str) -> bool:
    """Whether a pixel format carries transparency (a palette may)."""
    return any(component.is_alpha for component in VideoFormat(name, 64, 64).components)


def is_rgb(name: str) -> bool:
    """Whether a pixel format stores red, green and blue (a palette does)."""
    layout = VideoFormat(name, 64, 64)
    return bool(layout.is_rgb or layout.has_palette or layout.is_bayer)


class PictureConverter:
    """Brings pictures to one pixel format and size, with matrix and range always explicit.

    A picture of another shape gets black bars, and is not squeezed; one of another range than the
    first is brought to that. RGB becomes limited.

    Attributes:
        format_name: the target format.
        width: target width in pixels.
        height: target height in pixels.
    """

    def __init__(
        self, format_name: str, width: int, height: int, *, full_range: bool | None = None
    ) -> None:
        """Take the target; the range may be that of a picture that was the first before.

        Args:
            format_name: of the target.
            width: in pixels.
            height: in pixels.
            full_range: whether levels use the full range; None for what the first picture has.
        """
        self.format_name = format_name
        self.width = width
        self.height = height
        self._scaler = VideoReformatter()
        self._range = None if full_range is None else _FULL if full_range else _LIMITED

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Convert one picture; one that fits already is returned as it is.

        Raises:
            MediaError: swscale cannot read the picture's format.
        """
        if self._fits(picture):
            return picture
        name = picture.format.name
        try:
            return self._convert(picture)
        except (FFmpegError, ValueError) as error:
            raise MediaError(
                f"pixel format {name} cannot be converted to {self.format_name}"
            ) from error

    def _fits(self, picture: av.VideoFrame) -> bool:
        name = picture.format.name
        if not is_rgb(name):
            self._range = self._range or _source_range(picture)
            if _source_range(picture) != self._range:
                return False
        return (name, picture.width, picture.height) == (
            self.format_name,
            self.width,
            self.height,
        )

    def _convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        rgb = is_rgb(picture.format.name)
        matrix = _matrix(picture, rgb=rgb)
        source_range = _FULL if rgb else _source_range(picture)
        target_range = _LIMITED if rgb else self._range or source_range
        width, height = self._size_of(picture)
        if not rgb and source_range == _LIMITED:
            picture = _named_limited(picture)
        converted = self._scaler.reformat(
            picture,
            width=width,
            height=height,
            format=self.format_name,
            src_colorspace=_SWS_MATRICES[matrix],
            dst_colorspace=_SWS_MATRICES[matrix],
            interpolation=_SCALING,
            src_color_range=source_range,
            dst_color_range=target_range,
            threads=SCALER_THREADS,
        )
        tagged_rgb = rgb or picture.colorspace == _RGB_MATRIX  # gray PNG and FFV1 say RGB
        converted.colorspace = matrix if tagged_rgb else picture.colorspace
        converted.color_range = target_range
        if (width, height) == (self.width, self.height):
            return converted
        return letterboxed(converted, self.width, self.height)

    def _size_of(self, picture: av.VideoFrame) -> tuple[int, int]:
        """The largest size of a picture's shape; shapes that differ by a pixel or two are one."""
        scale = min(self.width / picture.width, self.height / picture.height)
        width, height = (2 * round(side * scale / 2) for side in (picture.width, picture.height))
        if self.width - width <= _SAME_SHAPE and self.height - height <= _SAME_SHAPE:
            return self.width, self.height
        return max(width, 2), max(height, 2)


def _named_limited(picture: av.VideoFrame) -> av.VideoFrame:
    """A limited picture in a format that does not say "full" by its name, as swscale believes."""
    name = storage_format(picture.format.name)
    if name == picture.format.name:
        return picture
    named = av.VideoFrame(picture.width, picture.height, name)
    for target, plane in zip(frame_planes(named), frame_planes(picture), strict=True):
        target[:] = plane
    named.pts, named.time_base = picture.pts, picture.time_base
    named.colorspace, named.color_range = picture.colorspace, picture.color_range
    named.color_primaries, named.color_trc = picture.color_primaries, picture.color_trc
    return named


def letterboxed(picture: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """A picture in the middle of a larger black one, with its colour tags."""
    whole = av.VideoFrame(width, height, picture.format.name)
    layout = pixel_format(without_alpha(picture.format.name))
    full = _source_range(picture) == _FULL
    black = 0 if full else 16 << (layout.depth - 8)
    levels = (black, *(1 << (layout.depth - 1) for _ in frame_planes(picture)[1:]))
    left, top = ((width - picture.width) // 4) * 2, ((height - picture.height) // 4) * 2
    begins = layout.plane_shapes(left, top)
    planes = zip(frame_planes(whole), frame_planes(picture), begins, levels, strict=True)
    for target, plane, (row, column), level in planes:
        target[:] = level << layout.shift
        target[row : row + plane.shape[0], column : column + plane.shape[1]] = plane
    alpha, opacity = alpha_plane(whole), alpha_plane(picture)
    if alpha is not None and opacity is not None:
        alpha[:] = (1 << layout.depth) - 1
        alpha[top : top + opacity.shape[0], left : left + opacity.shape[1]] = opacity
    whole.colorspace, whole.color_range = picture.colorspace, picture.color_range
    whole.color_primaries, whole.color_trc = picture.color_primaries, picture.color_trc
    return whole


def _matrix(picture: av.VideoFrame, *, rgb: bool) -> int:
    """The matrix of a YUV picture, or the one to give an RGB picture."""
    if rgb and picture.color_primaries == _BT2020:
        return _BT2020
    if not rgb and picture.colorspace in _SWS_MATRICES:
        return picture.colorspace
    return _default_matrix(picture.width, picture.height)


def _default_matrix(width: int, height: int) -> int:
    """BT.709 from 720p up, BT.601 below, as players guess for untagged video."""
    return _BT709 if width >= 1280 or height > 576 else _BT601


def sws_matrix(matrix: int, width: int, height: int) -> int:
    """The number that swscale has for a frame's matrix; an untagged frame's goes by its size."""
    known = matrix if matrix in _SWS_MATRICES else _default_matrix(width, height)
    return _SWS_MATRICES[known]


def _source_range(picture: av.VideoFrame) -> int:
    """The range of a YUV or gray picture; untagged gray is full, as swscale has it."""
    if picture.color_range in (_LIMITED, _FULL):  # also of yuvj, if it turned limited on the way
        return picture.color_range
    name = picture.format.name
    return _FULL if name.startswith(("yuvj", "gray", "ya", "mono")) else _LIMITED
