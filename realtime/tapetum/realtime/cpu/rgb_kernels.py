"""YUV planes to the RGB that `unet` takes, and its result back as a change of the planes.

The result goes back as a difference, so that noise of the conversions, detail beyond the
network's precision and the frame's bit depth stay untouched.

Along an axis on which chroma is subsampled it lies between two pixels, and colours both alike; or
on every second pixel (`Frame.cosited`), and those between get the mean of their neighbours. Each
change goes back with the weights with which the chroma sample colours the pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.plane_rows import ChromaRows, chroma_rows, planes_for, sample_rows
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range

Floats = npt.NDArray[np.float32]


class _Colors(NamedTuple):
    """How samples become numbers: levels, then the matrix; `shift` first."""

    shift: int
    chroma_x: int
    chroma_y: int
    cosited_x: bool
    cosited_y: bool
    black: np.float32
    luma_span: np.float32
    grey: np.float32
    chroma_span: np.float32
    kr: np.float32
    kb: np.float32


class _Limits(NamedTuple):
    luma_low: np.float32
    luma_high: np.float32
    chroma_low: np.float32
    chroma_high: np.float32


def rgb_from_planes(frame: Frame) -> Floats:
    """Convert a frame by its own matrix, range and place of chroma.

    Returns:
        (3, H, W) RGB in [-1, 1]; what lies outside is clipped.

    Raises:
        DeviceError: the frame is not in main memory.
    """
    rgb = np.empty((3, frame.height, frame.width), np.float32)
    _to_rgb(*sample_rows(frame.planes[0]), chroma_rows(frame), _colors(frame), rgb)
    return rgb


def planes_with_change(
    frame: Frame, change: Floats, *, out: tuple[Plane, ...] | None = None
) -> tuple[Plane, ...]:
    """Add a change of RGB to a frame's planes.

    Args:
        frame: in main memory.
        change: (3, H, W), on the scale of RGB in [-1, 1].
        out: as for `planes_for`.

    Returns:
        `out`, by default new planes, clipped to the legal range widened to a sample's own old
        value. Chroma changes by the weighted mean over the pixels that a sample colours.

    Raises:
        DeviceError: the frame is not in main memory.
    """
    levels = sample_range(frame)
    planes = planes_for(frame, out)
    new_u = planes[1].reshape(-1)
    new_v = new_u[1:] if frame.format.semi_planar else planes[2].reshape(-1)
    limits = _Limits(*(np.float32(x) for x in (*levels.luma_limits, *levels.chroma_limits)))
    luma, pitch = sample_rows(frame.planes[0])
    colors = _colors(frame)
    _add_to_luma(luma, pitch, change, colors, limits, planes[0])
    _add_to_chroma(chroma_rows(frame), change, colors, limits, new_u, new_v)
    return planes


def _colors(frame: Frame) -> _Colors:
    levels, layout = sample_range(frame), frame.format
    numbers = (levels.black, levels.luma_span, levels.grey, levels.chroma_span)
    floats = (np.float32(number) for number in (*numbers, *frame.luma_weights))
    return _Colors(layout.shift, layout.chroma_x, layout.chroma_y, *frame.cosited, *floats)


@kernel
def _to_rgb(luma: Plane, pitch: int, chroma: ChromaRows, colors: _Colors, rgb: Floats) -> None:
    height, width = rgb.shape[1], rgb.shape[2]
    one, two = np.float32(1), np.float32(2)
    u, v = np.empty(width, np.float32), np.empty(width, np.float32)
    below = np.empty(width, np.float32)
    for row in range(height):
        _color_row(chroma.u, chroma.u_pitch, row, chroma, colors, u, below)
        _color_row(chroma.v, chroma.v_pitch, row, chroma, colors, v, below)
        line = luma[row * pitch : row * pitch + width]
        for x in range(width):
            level = np.float32(line[x] >> colors.shift)
            y = (level - colors.black) / colors.luma_span
            red = y + two * (one - colors.kr) * v[x]
            blue = y + two * (one - colors.kb) * u[x]
            green = (y - colors.kr * red - colors.kb * blue) / (one - colors.kr - colors.kb)
            rgb[0, row, x] = min(max(two * red - one, -one), one)
            rgb[1, row, x] = min(max(two * green - one, -one), one)
            rgb[2, row, x] = min(max(two * blue - one, -one), one)


@part
def _color_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: Plane,
    pitch: int,
    row: int,
    chroma: ChromaRows,
    colors: _Colors,
    values: Floats,
    below: Floats,
) -> None:
    """Chroma in [-0.5, 0.5] for each pixel of a row; `below` is room for another row."""
    first = row >> colors.chroma_y
    _spread_chroma(samples[first * pitch :], chroma, colors, values)
    second = min(first + 1, chroma.height - 1)
    if colors.cosited_y and row & 1 and second > first:
        _spread_chroma(samples[second * pitch :], chroma, colors, below)
        for x in range(values.size):
            values[x] = (values[x] + below[x]) * np.float32(0.5)


@part
def _spread_chroma(samples: Plane, chroma: ChromaRows, colors: _Colors, values: Floats) -> None:
    """A row of chroma in [-0.5, 0.5], one value for each pixel."""
    for x in range(values.size):
        left = x >> colors.chroma_x
        right = min(left + 1, chroma.width - 1) if colors.cosited_x and x & 1 else left
        levels = (samples[left * chroma.step] >> colors.shift) + (
            samples[right * chroma.step] >> colors.shift
        )
        values[x] = (np.float32(levels) * np.float32(0.5) - colors.grey) / colors.chroma_span


@kernel
def _add_to_luma(  # noqa: PLR0917 - numba takes no keyword-only arguments
    luma: Plane, pitch: int, change: Floats, colors: _Colors, limits: _Limits, out: Plane
) -> None:
    # RGB in [-1, 1] is twice as wide as Y in [0, 1].
    scale = colors.luma_span * np.float32(0.5)
    kr, kb = colors.kr, colors.kb
    kg = np.float32(1) - kr - kb
    for row in range(out.shape[0]):
        line, new = luma[row * pitch : row * pitch + out.shape[1]], out[row]
        red, green, blue = change[0, row], change[1, row], change[2, row]
        for x in range(new.size):
            old = np.float32(line[x] >> colors.shift)
            value = old + (kr * red[x] + kg * green[x] + kb * blue[x]) * scale
            value = max(min(value, max(old, limits.luma_high)), min(old, limits.luma_low))
            new[x] = np.int32(value + np.float32(0.5)) << colors.shift


@kernel
def _add_to_chroma(  # noqa: PLR0917 - numba takes no keyword-only arguments
    chroma: ChromaRows,
    change: Floats,
    colors: _Colors,
    limits: _Limits,
    new_u: Plane,
    new_v: Plane,
) -> None:
    height, width = change.shape[1], change.shape[2]
    one, two = np.float32(1), np.float32(2)
    scale = colors.chroma_span * np.float32(0.5)
    for row in range(chroma.height):
        top, bottom = _colored(row, colors.chroma_y, colors.cosited_y, height)
        for column in range(chroma.width):
            left, right = _colored(column, colors.chroma_x, colors.cosited_x, width)
            red, green, blue = np.float32(0), np.float32(0), np.float32(0)
            total = np.float32(0)
            for i in range(top, bottom):
                down = _weight(i, colors.cosited_y)
                for j in range(left, right):
                    weight = down * _weight(j, colors.cosited_x)
                    red += weight * change[0, i, j]
                    green += weight * change[1, i, j]
                    blue += weight * change[2, i, j]
                    total += weight
            y = colors.kr * red + (one - colors.kr - colors.kb) * green + colors.kb * blue
            mean = scale / total
            from_u = row * chroma.u_pitch + column * chroma.step
            from_v = row * chroma.v_pitch + column * chroma.step
            place = (row * chroma.width + column) * chroma.step
            du = (blue - y) / (two * (one - colors.kb)) * mean
            dv = (red - y) / (two * (one - colors.kr)) * mean
            new_u[place] = _added(chroma.u[from_u], du, colors.shift, limits)
            new_v[place] = _added(chroma.v[from_v], dv, colors.shift, limits)


@part
def _colored(sample: int, subsampling: int, cosited: bool, size: int) -> tuple[int, int]:
    """First pixel that a chroma sample colours along an axis, and the one after the last."""
    first = sample << subsampling
    return max(first - 1, 0) if cosited else first, min(first + (1 << subsampling), size)


@part
def _weight(pixel: int, cosited: bool) -> np.float32:
    """How much of a pixel's colour comes from one sample that colours it."""
    return np.float32(0.5) if cosited and pixel & 1 else np.float32(1)


@part
def _added(sample: np.integer[Any], change: np.float32, shift: int, limits: _Limits) -> np.int32:
    old = np.float32(sample >> shift)
    value = old + change
    value = max(min(value, max(old, limits.chroma_high)), min(old, limits.chroma_low))
    return np.int32(value + np.float32(0.5)) << shift
