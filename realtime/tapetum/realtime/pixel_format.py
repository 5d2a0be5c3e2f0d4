"""The pixel formats that are enhanced as they are; anything else is converted by the source."""

from __future__ import annotations

from typing import NamedTuple

from tapetum.realtime.errors import MediaError


class PixelFormat(NamedTuple):
    """Layout of a planar or semi-planar YUV format.

    Attributes:
        name: FFmpeg's name.
        depth: bits per sample.
        shift: left shift of a sample in its 16-bit word (6 for P010, whose data are on top).
        chroma_x: log2 of the horizontal chroma subsampling.
        chroma_y: log2 of the vertical chroma subsampling.
        semi_planar: whether U and V are interleaved in one plane.
        full_range: whether the format itself says full range (FFmpeg's yuvj formats).
    """

    name: str
    depth: int = 8
    shift: int = 0
    chroma_x: int = 1
    chroma_y: int = 1
    semi_planar: bool = False
    full_range: bool = False

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each plane of a width x height frame, in samples."""
        chroma_w = -(-width >> self.chroma_x)
        chroma_h = -(-height >> self.chroma_y)
        if self.semi_planar:
            return ((height, width), (chroma_h, 2 * chroma_w))
        return ((height, width), (chroma_h, chroma_w), (chroma_h, chroma_w))


def _planar(infix: str, chroma_x: int, chroma_y: int) -> list[PixelFormat]:
    deep = [
        PixelFormat(f"yuv{infix}p{depth}le", depth, 0, chroma_x, chroma_y) for depth in (10, 12)
    ]
    plain = PixelFormat(f"yuv{infix}p", 8, 0, chroma_x, chroma_y)
    jpeg = PixelFormat(f"yuvj{infix}p", 8, 0, chroma_x, chroma_y, full_range=True)
    return [plain, jpeg, *deep]


PIXEL_FORMATS: dict[str, PixelFormat] = {
    layout.name: layout
    for layout in (
        *_planar("420", 1, 1),
        *_planar("422", 1, 0),
        *_planar("444", 0, 0),
        PixelFormat("nv12", semi_planar=True),
        PixelFormat("p010le", depth=10, shift=6, semi_planar=True),
    )
}
"""Formats whose planes are enhanced without conversion, by FFmpeg's name."""

DEVICE_FORMATS: dict[str, PixelFormat] = {
    layout.name: layout
    for chroma, names in {
        (1, 1): ("nv12", "p010le", "p012le"),
        (1, 0): ("nv16", "p210le", "p212le"),
        (0, 0): ("nv24", "p410le", "p412le"),
    }.items()
    for layout in (
        PixelFormat(name, depth, 0 if depth == 8 else 16 - depth, *chroma, semi_planar=True)
        for name, depth in zip(names, (8, 10, 12), strict=True)
    )
}
"""Formats of frames in a GPU's memory: as each of `PIXEL_FORMATS`, with U and V interleaved."""


_FORMATS = PIXEL_FORMATS | DEVICE_FORMATS


def pixel_format(name: str) -> PixelFormat:
    """Look a format up.

    Raises:
        MediaError: `name` is neither in `PIXEL_FORMATS` nor in `DEVICE_FORMATS`.
    """
    try:
        return _FORMATS[name]
    except KeyError:
        known = ", ".join(sorted(PIXEL_FORMATS))
        raise MediaError(f"pixel format {name} cannot be enhanced; use one of {known}") from None
