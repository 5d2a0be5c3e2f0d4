"""Applies a bilateral grid to 8-bit RGB images in one pass, row by row.

The same transform as `grid_kernels` does to the frame of `rgb.frame_from_rgb`, full-range BT.709
with 10 bits; but that frame is never stored, and luma is transformed beside the chroma of its
pixel: each pixel blends vectors of all eight coefficients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped] # it has no types
from numba import types
from numba.extending import intrinsic

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.grid_axis import WEIGHT_BITS, CellAxis, Floats, Ints, cell_axis
from tapetum.realtime.cpu.grid_chroma import (
    ENTRY,
    LANES,
    blended_coefficients,
    interpolate_cells,
    pointer_to,
    shuffled,
    spread,
)
from tapetum.realtime.cpu.restored_pixels import (
    UNRESTORED,
    Lift,
    RestoredPixels,
    restore_row,
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
    load_four,
    load_three,
)

_FROM_U_AND_V = (2, 4, 3, 5, 6, 7, 0, 1)
"""m_uu, m_vu, m_uv, m_vv, c_u, c_v, gain, offset: what multiplies U, U, V, V, 1, 1, Y, 1."""
_FROM_V_AND_U = (5, 3, 4, 2, 7, 6, 0, 1)
"""The same with V before U."""
_ADDED = [4, 5, 7]
"""Those that are added, in levels."""
_TOP = np.float32(255)
_LOW, _HIGH = -MIDDLE / SCALE, (np.float32(1023) - MIDDLE) / SCALE


class _Ends(NamedTuple):
    """A pixel's first and last channel: weights in luma, and distances from it for chroma 1."""

    first_weight: np.float32
    last_weight: np.float32
    first_factor: np.float32
    last_factor: np.float32


class _Row(NamedTuple):
    """Room for one row: the channels, which become luma and chroma; and where they lie."""

    first: Floats
    middle: Floats
    last: Floats
    entry: Ints
    level_weight: Floats
    new: Floats


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
        order, ends = _FROM_V_AND_U, _Ends(KR, KB, RED_FROM_V, BLUE_FROM_U)
    else:
        order, ends = _FROM_U_AND_V, _Ends(KB, KR, BLUE_FROM_U, RED_FROM_V)
    cells = np.ascontiguousarray(grid[order, :].transpose(2, 3, 1, 0), np.float32)
    cells[..., _ADDED] *= _TOP
    axes = cell_axis(source.height), cell_axis(source.width)
    _enhance_pixels(source, cells, *axes, ends, restored, target)


@kernel
def _enhance_pixels(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: PixelRows,
    cells: Floats,
    rows: CellAxis,
    columns: CellAxis,
    ends: _Ends,
    restored: RestoredPixels,
    target: PixelRows,
) -> None:
    width, channels = source.width, source.channels
    row = _Row(
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.int32),
        np.empty(width, np.float32),
        np.empty(4 * width, np.float32),
    )
    half = (width + 1) // 2
    lift = Lift(
        np.empty((2, half + 2), np.float32),
        np.empty(half, np.float32),
        np.empty(width, np.float32),
        np.empty((2, width), np.float32),
        np.empty((2, width), np.float32),
    )
    column_weight = columns.weight * np.float32(1 / (1 << WEIGHT_BITS))
    table = np.empty(CELLS * LEVELS * ENTRY, np.float32)
    between = np.empty(CELLS * LEVELS * LANES, np.float32)
    for y in range(source.height):
        given = source.samples[y * source.pitch : y * source.pitch + width * channels]
        made = target.samples[y * target.pitch : y * target.pitch + width * channels]
        if channels == 3:
            load_three(given, row.first, row.middle, row.last)
        else:
            load_four(given, row.first, row.middle, row.last)
        _to_yuv(row, ends)
        if restored.luma.size > 0:
            restore_row(restored, y, lift, row.middle, row.first, row.last)
        _locate(row)
        interpolate_cells(cells, rows.cell[y], rows.weight[y], between, table)
        _transform(table, columns, column_weight, row)
        _to_channels(row, ends)
        if channels == 3:
            _store_three(row, made)
        else:
            _store_four(row, given, made)


@part
def _to_yuv(row: _Row, ends: _Ends) -> None:
    """Make the channels luma and the two of chroma, over grey, in whole levels of 10 bits."""
    first, middle, last = row.first, row.middle, row.last
    top_level = np.float32(1023)
    to_first, to_last = SCALE / ends.first_factor, SCALE / ends.last_factor
    for x in range(first.size):
        y = ends.first_weight * first[x] + KG * middle[x] + ends.last_weight * last[x]
        p = (first[x] - y) * to_first + MIDDLE + HALF
        q = (last[x] - y) * to_last + MIDDLE + HALF
        first[x] = np.float32(np.int32(min(p, top_level))) - MIDDLE
        last[x] = np.float32(np.int32(min(q, top_level))) - MIDDLE
        middle[x] = np.float32(np.int32(y * SCALE + HALF))


@part
def _locate(row: _Row) -> None:
    """Find where each pixel's luma lies among the levels, and scale it and chroma to 8 bits."""
    first, middle, last = row.first, row.middle, row.last
    entry, level_weight = row.entry, row.level_weight
    one, top_level = np.float32(1), np.float32(1023)
    for x in range(first.size):
        place = np.sqrt(min(middle[x] / top_level, one)) * np.float32(LEVELS) - HALF
        place = min(max(place, np.float32(0)), np.float32(LEVELS - 1))
        below = min(np.int32(place), np.int32(LEVELS - 2))
        entry[x] = below * np.int32(ENTRY)
        level_weight[x] = place - np.float32(below)
        first[x] /= SCALE
        middle[x] /= SCALE
        last[x] /= SCALE


@part
def _transform(table: Floats, columns: CellAxis, column_weight: Floats, row: _Row) -> None:
    """Transform every pixel of a row to four numbers: two of chroma, luma, and no meaning."""
    for column in range(CELLS):
        # Slices spare the inner loop numba's tests for negative indices.
        here = slice(columns.starts[column], columns.starts[column + 1])
        across, up, places = column_weight[here], row.level_weight[here], row.entry[here]
        first, middle, last = row.first[here], row.middle[here], row.last[here]
        levels = table[column * LEVELS * ENTRY : (column + 1) * LEVELS * ENTRY]
        out = row.new[4 * columns.starts[column] :]
        for x in range(places.size):
            start, place = np.int64(places[x]), np.int64(4 * x)
            _blend(levels, start, across[x], up[x], first[x], last[x], middle[x], out, place)


@part
def _to_channels(row: _Row, ends: _Ends) -> None:
    """Clip the transformed pixels, and make channels of them."""
    first, middle, last, new = row.first, row.middle, row.last, row.new
    for x in range(np.uint64(first.size)):
        place = np.uint64(4) * x
        p = min(max(new[place], _LOW), _HIGH)
        q = min(max(new[place + np.uint64(1)], _LOW), _HIGH)
        y = min(max(new[place + np.uint64(2)], np.float32(0)), _TOP)
        one_end = y + ends.first_factor * p
        other_end = y + ends.last_factor * q
        between = (y - ends.first_weight * one_end - ends.last_weight * other_end) / KG
        first[x] = min(max(one_end, np.float32(0)), _TOP) + HALF
        middle[x] = min(max(between, np.float32(0)), _TOP) + HALF
        last[x] = min(max(other_end, np.float32(0)), _TOP) + HALF


@part
def _store_three(row: _Row, line: RgbImage) -> None:
    first, middle, last = row.first, row.middle, row.last
    for x in range(np.uint64(first.size)):
        place = np.uint64(3) * x
        line[place] = np.uint8(np.int32(first[x]))
        line[place + np.uint64(1)] = np.uint8(np.int32(middle[x]))
        line[place + np.uint64(2)] = np.uint8(np.int32(last[x]))


@part
def _store_four(row: _Row, given: RgbImage, line: RgbImage) -> None:
    first, middle, last = row.first, row.middle, row.last
    for x in range(np.uint64(first.size)):
        place = np.uint64(4) * x
        line[place] = np.uint8(np.int32(first[x]))
        line[place + np.uint64(1)] = np.uint8(np.int32(middle[x]))
        line[place + np.uint64(2)] = np.uint8(np.int32(last[x]))
        line[place + np.uint64(3)] = given[place + np.uint64(3)]


def _blend_vectors(  # noqa: PLR0917 - numba takes no keyword-only arguments
    typing_context: Any,  # noqa: ANN401, ARG001 - numba has no types
    table: Any,  # noqa: ANN401
    start: Any,  # noqa: ANN401
    column_weight: Any,  # noqa: ANN401
    level_weight: Any,  # noqa: ANN401
    p: Any,  # noqa: ANN401
    q: Any,  # noqa: ANN401
    y: Any,  # noqa: ANN401
    out: Any,  # noqa: ANN401
    place: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Blend the vectors at `start`, and transform (p, q, y) by the result.

    (p', q', y', 0) goes to out[place : place + 4].
    """
    signature = types.void(table, start, column_weight, level_weight, p, q, y, out, place)
    return signature, _emit_blend


def _emit_blend(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
    table, start, column_weight, level_weight, p, q, y, out, place = args
    fast = {"flags": ("fast",)}
    vector = ir.VectorType(ir.FloatType(), LANES)
    source = pointer_to(context, builder, (signature.args[0], table, start), vector)
    blended = blended_coefficients(builder, source, column_weight, level_weight)
    ones, zeros = (ir.Constant(vector, [number] * LANES) for number in (1.0, 0.0))
    chroma = shuffled(builder, spread(builder, p), spread(builder, q), [0, 0, 8, 8, 0, 0, 8, 8])
    others = shuffled(builder, ones, spread(builder, y), [0, 0, 8, 0, 0, 0, 8, 0])
    given = shuffled(builder, chroma, others, [0, 1, 2, 3, 8, 9, 10, 11])
    products = builder.fmul(blended, given, **fast)
    by_p, by_q, added = (
        shuffled(builder, products, zeros, lanes)
        for lanes in ([0, 1, 6, 8], [2, 3, 7, 8], [4, 5, 8, 8])
    )
    four = builder.fadd(builder.fadd(by_p, by_q, **fast), added, **fast)
    target = (signature.args[7], out, place)
    four_floats = ir.VectorType(ir.FloatType(), 4)
    builder.store(four, pointer_to(context, builder, target, four_floats)).align = 4
    return context.get_dummy_value()


_blend: Any = intrinsic(_blend_vectors)
