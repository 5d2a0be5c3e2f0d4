"""Applies a bilateral grid to 8-bit RGB images in one pass, row by row.

The same transform as `grid_kernels` does to the frame of `rgb.frame_from_rgb`, full-range BT.709
with 10 bits; but that frame is never stored, and luma is transformed beside the chroma of its
pixel: each pixel blends vectors of all eight coefficients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped] # it has no types
from numba import types
from numba.extending import intrinsic

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.grid_axis import (
    WEIGHT_BITS,
    CellAxis,
    Floats,
    Ints,
    cell_axis,
    level_axis,
)
from tapetum.realtime.cpu.grid_chroma import (
    LANES,
    TABLE,
    blended_coefficients,
    interpolate_cells,
    pointer_to,
    shuffled,
)
from tapetum.realtime.cpu.plane_rows import read_only
from tapetum.realtime.cpu.restored_pixels import (
    CHROMA_STEP,
    UNRESTORED,
    Lift,
    RestoredPixels,
    restore_row,
    room_to_lift,
)
from tapetum.realtime.cpu.rgb import (
    BLUE_FROM_U,
    HALF,
    KB,
    KG,
    KR,
    MIDDLE,
    RED_FROM_V,
    SCALE,
    PixelRows,
    RgbImage,
)

_FROM_U_AND_V = (2, 5, 0, 1, 3, 4, 6, 7)
"""m_uu, m_vv, gain, offset, m_uv, m_vu, c_u, c_v: what multiplies U, V, Y, 1, V, U, 1, 1."""
_FROM_V_AND_U = (5, 2, 0, 1, 4, 3, 7, 6)
"""The same with V before U."""
_TOP = np.float32(255)
_BY_CHROMA = CHROMA_STEP / SCALE
_UNITS = np.array(
    [_BY_CHROMA, _BY_CHROMA, 1 / SCALE, _TOP, _BY_CHROMA, _BY_CHROMA, _TOP, _TOP], np.float32
)
"""What brings the products of these to levels of 8 bits."""
_LOW, _HIGH = -MIDDLE / SCALE, (np.float32(1023) - MIDDLE) / SCALE
_VALUES = 3
"""Floats of a level in `_Levels`."""


class _Ends(NamedTuple):
    """A pixel's first and last channel.

    Attributes:
        first_weight: in luma.
        last_weight: the same of the last.
        first_factor: distance from luma for chroma 1.
        last_factor: the same of the last.
        first_scale: levels of 10 bits of chroma for a distance of one level.
        last_scale: the same of the last.
    """

    first_weight: np.float32
    last_weight: np.float32
    first_factor: np.float32
    last_factor: np.float32
    first_scale: np.float32
    last_scale: np.float32


class _Levels(NamedTuple):
    """What is looked up by a pixel's luma, of 10 bits.

    Attributes:
        entry: (1024,) where the vector of the grid's level below begins among those of a cell.
        values: (1024 * 3,) the luma itself, 1, and the weight of the grid's next level.
    """

    entry: Ints
    values: Floats


class _Row(NamedTuple):
    """Room for one row of pixels.

    Attributes:
        luma: (W,) in levels of 10 bits.
        first: (W,) the first channel's chroma over grey, in `CHROMA_STEP` of a level of 10 bits.
        last: (W,) the last channel's.
        pairs: (2 W,) both as numbers.
        new: (4 W,) what a pixel becomes, in levels of 8 bits: both, then two that luma is made of.
    """

    luma: npt.NDArray[np.uint16]
    first: npt.NDArray[np.int16]
    last: npt.NDArray[np.int16]
    pairs: Floats
    new: Floats


def _levels() -> _Levels:
    axis = level_axis(1024, 0, 1023)
    below = np.repeat(np.arange(LEVELS - 1), np.diff(axis.starts)).astype(np.int32)
    values = np.ones((1024, _VALUES), np.float32)
    values[:, 0], values[:, 2] = np.arange(1024), axis.weight
    return _Levels(read_only(below * LANES), read_only(values.reshape(-1)))


_LEVELS = _levels()


def apply_to_pixels(
    source: PixelRows,
    grid: Floats,
    target: PixelRows,
    restored: RestoredPixels = UNRESTORED,
) -> None:
    """Enhance the pixels of an image into those of another; alpha is copied.

    Args:
        source: the image.
        grid: (8, 8, 16, 16): coefficient, luma level, row, column.
        target: as large, with the same channels.
        restored: what the image is restored to first.
    """
    if source.red_first:
        order, weights, factors = _FROM_V_AND_U, (KR, KB), (RED_FROM_V, BLUE_FROM_U)
    else:
        order, weights, factors = _FROM_U_AND_V, (KB, KR), (BLUE_FROM_U, RED_FROM_V)
    ends = _Ends(*weights, *factors, SCALE / factors[0], SCALE / factors[1])
    cells = np.multiply(grid[order, :].transpose(2, 3, 1, 0), _UNITS, order="C", dtype=np.float32)
    axes = cell_axis(source.height), cell_axis(source.width)
    lift = room_to_lift(source.width)
    _enhance_pixels(source, cells, *axes, _LEVELS, ends, restored, lift, target)


@kernel
def _enhance_pixels(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: PixelRows,
    cells: Floats,
    rows: CellAxis,
    columns: CellAxis,
    levels: _Levels,
    ends: _Ends,
    restored: RestoredPixels,
    lift: Lift,
    target: PixelRows,
) -> None:
    width, channels = source.width, source.channels
    row = _Row(
        np.empty(width, np.uint16),
        np.empty(width, np.int16),
        np.empty(width, np.int16),
        np.empty(2 * width, np.float32),
        np.empty(4 * width, np.float32),
    )
    column_weight = columns.weight * np.float32(1 / (1 << WEIGHT_BITS))
    table = np.zeros(2 * TABLE, np.float32)
    for y in range(source.height):
        given = source.samples[y * source.pitch : y * source.pitch + width * channels]
        made = target.samples[y * target.pitch : y * target.pitch + width * channels]
        if channels == 3:
            _load_three(given, ends, row)
        else:
            _load_four(given, ends, row)
        if restored.luma.size > 0:
            restore_row(restored, y, lift, row.luma, row.first, row.last)
        _pair_chroma(row)
        interpolate_cells(cells, rows.cell[y], rows.weight[y], table)
        _transform(table, columns, column_weight, levels, row)
        if channels == 3:
            _store_three(row, ends, made)
        else:
            _store_four(row, ends, given, made)


# Two of each kind, each with a step that LLVM knows. Unsigned places spare numba's tests for
# negative indices, which would end SIMD.


@part
def _load_three(line: RgbImage, ends: _Ends, row: _Row) -> None:
    """Make luma and chroma of the channels of a row."""
    luma, first, last = row.luma, row.first, row.last
    for x in range(np.uint64(luma.size)):
        place = np.uint64(3) * x
        between = line[place + np.uint64(1)]
        luma[x], first[x], last[x] = _to_yuv(line[place], between, line[place + np.uint64(2)], ends)


@part
def _load_four(line: RgbImage, ends: _Ends, row: _Row) -> None:
    luma, first, last = row.luma, row.first, row.last
    for x in range(np.uint64(luma.size)):
        place = np.uint64(4) * x
        between = line[place + np.uint64(1)]
        luma[x], first[x], last[x] = _to_yuv(line[place], between, line[place + np.uint64(2)], ends)


@part
def _to_yuv(
    first: np.uint8, middle: np.uint8, last: np.uint8, ends: _Ends
) -> tuple[np.uint16, np.int16, np.int16]:
    """Luma and the two of chroma, over grey, of a pixel: whole levels of 10 bits."""
    a, b, c = np.float32(first), np.float32(middle), np.float32(last)
    top, middle_level = np.float32(1023), MIDDLE + HALF
    y = ends.first_weight * a + KG * b + ends.last_weight * c
    p = np.int16(np.int32(min((a - y) * ends.first_scale + middle_level, top)))
    q = np.int16(np.int32(min((c - y) * ends.last_scale + middle_level, top)))
    grey, steps = np.int16(MIDDLE), np.int16(1 / CHROMA_STEP)
    luma = np.uint16(np.int32(y * SCALE + HALF))
    return luma, np.int16(np.int16(p - grey) * steps), np.int16(np.int16(q - grey) * steps)


@part
def _pair_chroma(row: _Row) -> None:
    first, last, pairs = row.first, row.last, row.pairs
    for x in range(np.uint64(first.size)):
        pairs[np.uint64(2) * x] = np.float32(first[x])
        pairs[np.uint64(2) * x + np.uint64(1)] = np.float32(last[x])


@part
def _transform(
    table: Floats, columns: CellAxis, column_weight: Floats, levels: _Levels, row: _Row
) -> None:
    """Transform every pixel of a row to four numbers: two of chroma, and two to be luma's sum."""
    entry, values = levels.entry, levels.values
    for column in range(CELLS):
        # Slices spare the inner loop numba's tests for negative indices.
        start, stop = columns.starts[column], columns.starts[column + 1]
        across, luma = column_weight[start:stop], row.luma[start:stop]
        pairs, out = row.pairs[2 * start :], row.new[4 * start :]
        cells = table[column * LEVELS * LANES :]
        for x in range(luma.size):
            level = np.uint64(luma[x])
            at = np.uint64(_VALUES) * level
            weights = across[x], values[at + np.uint64(2)]
            _blend(cells, entry[level], *weights, pairs, 2 * x, values, np.int64(at), out, 4 * x)


@part
def _store_three(row: _Row, ends: _Ends, line: RgbImage) -> None:
    """Make channels of the transformed pixels."""
    new = row.new
    for x in range(np.uint64(row.luma.size)):
        place, at = np.uint64(3) * x, np.uint64(4) * x
        y = new[at + np.uint64(2)] + new[at + np.uint64(3)]
        first, between, last = _to_channels(y, new[at], new[at + np.uint64(1)], ends)
        line[place] = first
        line[place + np.uint64(1)] = between
        line[place + np.uint64(2)] = last


@part
def _store_four(row: _Row, ends: _Ends, given: RgbImage, line: RgbImage) -> None:
    new = row.new
    for x in range(np.uint64(row.luma.size)):
        place = np.uint64(4) * x
        y = new[place + np.uint64(2)] + new[place + np.uint64(3)]
        first, between, last = _to_channels(y, new[place], new[place + np.uint64(1)], ends)
        line[place] = first
        line[place + np.uint64(1)] = between
        line[place + np.uint64(2)] = last
        line[place + np.uint64(3)] = given[place + np.uint64(3)]


@part
def _to_channels(
    y: np.float32, p: np.float32, q: np.float32, ends: _Ends
) -> tuple[np.uint8, np.uint8, np.uint8]:
    """Clip a transformed pixel, and make channels of it."""
    y = min(max(y, np.float32(0)), _TOP)
    first = y + ends.first_factor * min(max(p, _LOW), _HIGH)
    last = y + ends.last_factor * min(max(q, _LOW), _HIGH)
    between = (y - ends.first_weight * first - ends.last_weight * last) / KG
    return _rounded(first), _rounded(between), _rounded(last)


@part
def _rounded(level: np.float32) -> np.uint8:
    return np.uint8(np.int32(min(max(level, np.float32(0)), _TOP) + HALF))


def _blend_vectors(  # noqa: PLR0917 - numba takes no keyword-only arguments
    typing_context: Any,  # noqa: ANN401, ARG001 - numba has no types
    table: Any,  # noqa: ANN401
    start: Any,  # noqa: ANN401
    column_weight: Any,  # noqa: ANN401
    level_weight: Any,  # noqa: ANN401
    pairs: Any,  # noqa: ANN401
    pair: Any,  # noqa: ANN401
    values: Any,  # noqa: ANN401
    value: Any,  # noqa: ANN401
    out: Any,  # noqa: ANN401
    place: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Blend the vectors at `start`, and transform a pixel by the result.

    The pixel is (p, q) at pairs[pair : pair + 2] and (y, 1) at values[value : value + 2]; (p', q',
    gain * y, offset) goes to out[place : place + 4].
    """
    given = table, start, column_weight, level_weight, pairs, pair, values, value, out, place
    return types.void(*given), _emit_blend


def _emit_blend(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
    fast = {"flags": ("fast",)}

    def place(array: int, index: int, lanes: int) -> Any:  # noqa: ANN401
        element = signature.args[array], args[array], args[index]
        return pointer_to(context, builder, element, ir.VectorType(ir.FloatType(), lanes))

    def load(pointer: Any) -> Any:  # noqa: ANN401
        loaded = builder.load(pointer)
        loaded.align = 4
        return loaded

    blended = blended_coefficients(builder, place(0, 1, LANES), args[2], args[3])
    chroma, luma = load(place(4, 5, 2)), load(place(6, 7, 2))
    none = ir.Constant(chroma.type, [0.0, 0.0])
    by_own = shuffled(builder, blended, blended, [0, 1, 2, 3])
    by_other = shuffled(builder, blended, blended, [4, 5, 6, 7])
    own = shuffled(builder, chroma, luma, [0, 1, 2, 3])
    other = shuffled(builder, chroma, none, [1, 0, 2, 3])
    zeros = ir.Constant(own.type, [0.0] * 4)
    added = shuffled(builder, by_other, zeros, [2, 3, 4, 4])
    products = (builder.fmul(*pair, **fast) for pair in ((by_own, own), (by_other, other)))
    total = builder.fadd(builder.fadd(*products, **fast), added, **fast)
    builder.store(total, place(8, 9, 4)).align = 4
    return context.get_dummy_value()


_blend: Any = intrinsic(_blend_vectors)
