"""Strips of pixels to frames that an enhancer takes, and its result back onto the pixels.

A frame between is full-range BT.709 YUV 4:4:4 with 12 bits, whatever the pixels' own colours
are: an enhancer makes them brighter in their own space. What comes back
is a change of the pixels, not the frame itself: pixels that were not changed stay bit for bit,
and 16-bit pixels keep their fine steps, stretched as much as their luma.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.photos.picture import Pixels

_DEPTH = 12
"""Bits of a frame's samples: with 10, what rounding leaves of 8-bit pixels would be seen as noise
where these are brightened."""
_COLOR = ColorInfo(matrix=1, range=2, primaries=1, transfer=13)
_MS = Fraction(1, 1000)

_KR, _KB = np.float32(0.2126), np.float32(0.0722)
_KG = np.float32(1) - _KR - _KB
_RED_FROM_V = np.float32(2) * (np.float32(1) - _KR)
_BLUE_FROM_U = np.float32(2) * (np.float32(1) - _KB)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_MOST_STRETCH = np.float32(16)


def frame_from_pixels(pixels: Pixels, *, time_ms: float = 0.0, duration_ms: float = 0.0) -> Frame:
    """Convert (H, W, C) pixels, grey or RGB with or without alpha, to a frame of their colours."""
    planes = tuple(np.empty(pixels.shape[:2], np.uint16) for _ in range(3))
    green, blue = (1, 2) if pixels.shape[2] > 2 else (0, 0)
    _to_yuv(pixels, green, blue, *_scale(pixels), *planes)
    return Frame(
        planes,
        f"yuv444p{_DEPTH}le",
        pts=round(time_ms),
        time_base=_MS,
        color=_COLOR,
        duration=round(duration_ms),
    )


def changed_pixels(pixels: Pixels, before: Frame, after: Frame) -> Pixels:
    """Do to pixels what an enhancer did to their frame.

    Args:
        pixels: what `before` was made of.
        before: from `frame_from_pixels`.
        after: `before`, enhanced; a whole number of times as wide where pictures stand side by
            side.

    Returns:
        New pixels of the same kind, as wide as `after`; alpha is repeated.
    """
    changed = np.empty((after.height, after.width, pixels.shape[2]), pixels.dtype)
    scale, top = _scale(pixels)
    old_y, old_u, old_v = before.planes
    for left in range(0, after.width, before.width):
        place = slice(left, left + before.width)
        y, u, v = (plane[:, place] for plane in after.planes)
        _change(pixels, old_y, old_u, old_v, y, u, v, scale, top, changed[:, place])
    return changed


def _scale(pixels: Pixels) -> tuple[np.float32, np.float32]:
    """Levels of a frame's sample for one of a pixel's, and the highest of a frame's."""
    top = (1 << _DEPTH) - 1
    return np.float32(top / np.iinfo(pixels.dtype).max), np.float32(top)


@kernel
def _to_yuv(  # noqa: PLR0917 - numba takes no keyword-only arguments
    pixels: Pixels,
    green_index: int,
    blue_index: int,
    scale: np.float32,
    top: np.float32,
    y_plane: Plane,
    u_plane: Plane,
    v_plane: Plane,
) -> None:
    middle = np.float32((np.int32(top) + 1) >> 1)
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            red = np.float32(pixels[row, column, 0]) * scale
            green = np.float32(pixels[row, column, green_index]) * scale
            blue = np.float32(pixels[row, column, blue_index]) * scale
            y = _KR * red + _KG * green + _KB * blue
            y_plane[row, column] = np.uint16(y + _HALF)
            u = (blue - y) / _BLUE_FROM_U + middle + _HALF
            v = (red - y) / _RED_FROM_V + middle + _HALF
            u_plane[row, column] = np.uint16(min(max(u, _ZERO), top))
            v_plane[row, column] = np.uint16(min(max(v, _ZERO), top))


@kernel
def _change(  # noqa: PLR0917 - numba takes no keyword-only arguments
    pixels: Pixels,
    old_y: Plane,
    old_u: Plane,
    old_v: Plane,
    new_y: Plane,
    new_u: Plane,
    new_v: Plane,
    scale: np.float32,
    top: np.float32,
    changed: Pixels,
) -> None:
    bands = pixels.shape[2]
    middle = np.float32((np.int32(top) + 1) >> 1)
    for row in range(pixels.shape[0]):
        for column in range(pixels.shape[1]):
            y_before, y_after = np.float32(old_y[row, column]), np.float32(new_y[row, column])
            stretch = _ONE
            if y_before > _ZERO:
                stretch = min(y_after / y_before, _MOST_STRETCH)
            if bands < 3:
                rest = np.float32(pixels[row, column, 0]) * scale - y_before
                changed[row, column, 0] = _sample(y_after + stretch * rest, scale, top)
            else:
                u = np.float32(old_u[row, column]) - middle
                v = np.float32(old_v[row, column]) - middle
                red, green, blue = _rgb(y_before, u, v)
                u = np.float32(new_u[row, column]) - middle
                v = np.float32(new_v[row, column]) - middle
                new_red, new_green, new_blue = _rgb(y_after, u, v)
                rest = np.float32(pixels[row, column, 0]) * scale - red
                changed[row, column, 0] = _sample(new_red + stretch * rest, scale, top)
                rest = np.float32(pixels[row, column, 1]) * scale - green
                changed[row, column, 1] = _sample(new_green + stretch * rest, scale, top)
                rest = np.float32(pixels[row, column, 2]) * scale - blue
                changed[row, column, 2] = _sample(new_blue + stretch * rest, scale, top)
            if bands in (2, 4):
                changed[row, column, bands - 1] = pixels[row, column, bands - 1]


@part
def _rgb(y: np.float32, u: np.float32, v: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    red, blue = y + _RED_FROM_V * v, y + _BLUE_FROM_U * u
    return red, (y - _KR * red - _KB * blue) / _KG, blue


@part
def _sample(level: np.float32, scale: np.float32, top: np.float32) -> np.int32:
    return np.int32(min(max(level, _ZERO), top) / scale + _HALF)
