"""The pixel format that an encoder is fed: the nearest to the frames' own that it takes."""

from __future__ import annotations

from collections.abc import Callable

import av

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.av_frame import storage_format
from tapetum.realtime.pixel_format import PIXEL_FORMATS, PixelFormat


def encoder_pixel_format(
    name: str, wanted: PixelFormat, width: int, height: int, *, even_size: bool
) -> tuple[str, list[str]]:
    """Choose the format that an encoder is fed: no loss of depth, then none of chroma.

    Args:
        name: FFmpeg's name of the encoder.
        wanted: the format of the frames.
        width: frame width in pixels.
        height: frame height in pixels.
        even_size: whether the encoder only takes sizes that its chroma subsampling divides.

    Returns:
        The format's name, and lines for the user about what changes.

    Raises:
        MediaError: the encoder takes no YUV video.
    """
    offered = {storage_format(f.name) for f in av.Codec(name, "w").video_formats or ()}
    formats = [PIXEL_FORMATS[known] for known in PIXEL_FORMATS if known in offered]
    fitting = [f for f in formats if not even_size or _divides(f, width, height)]
    if not fitting:
        raise MediaError(f"{name} takes no YUV video; choose another codec")
    nearest = min(fitting, key=_distance(wanted))
    odd = even_size and not _divides(wanted, width, height)
    reason = f"{name} cannot subsample {width}x{height}" if odd else f"{name} takes no nearer one"
    return nearest.name, _notices(name, wanted, nearest, reason)


def _divides(layout: PixelFormat, width: int, height: int) -> bool:
    return width % (1 << layout.chroma_x) == 0 and height % (1 << layout.chroma_y) == 0


def _distance(wanted: PixelFormat) -> Callable[[PixelFormat], tuple[int, int, int, int, int]]:
    """Order formats: no depth lost, no chroma lost, then the least that is added."""

    def key(offer: PixelFormat) -> tuple[int, int, int, int, int]:
        chroma = (offer.chroma_x + offer.chroma_y) - (wanted.chroma_x + wanted.chroma_y)
        depth = offer.depth - wanted.depth
        return (
            max(-depth, 0),
            max(chroma, 0),
            max(depth, 0),
            max(-chroma, 0),
            int(offer.semi_planar != wanted.semi_planar),
        )

    return key


def _notices(name: str, wanted: PixelFormat, nearest: PixelFormat, reason: str) -> list[str]:
    notices = []
    if nearest.depth != wanted.depth:
        notices.append(f"{wanted.depth}-bit video is stored as {nearest.depth}-bit by {name}")
    if (nearest.chroma_x, nearest.chroma_y) != (wanted.chroma_x, wanted.chroma_y):
        notices.append(f"{wanted.name} is stored as {nearest.name}: {reason}")
    return notices
