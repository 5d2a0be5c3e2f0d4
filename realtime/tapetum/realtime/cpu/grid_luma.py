"""Applies a bilateral grid to a luma plane, by lookup.

At the centre of a cell the enhanced luma is a fixed function of luma, so each cell gets a table
with one entry a level. Gain and offset are bilinear between cells, hence so is the enhanced
luma: a row of pixels interpolates the tables of two rows of cells, and a pixel the entries of
two columns, which lie packed in one 32-bit word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.grid_axis import (
    WEIGHT_BITS,
    CellAxis,
    Floats,
    Ints,
    LevelAxis,
    cell_axis,
    level_axis,
)
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.hdr_light import luma_tables
from tapetum.realtime.cpu.plane_rows import (
    EitherSize,
    either_size,
    either_size_to_fill,
    sample_rows,
)
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.sample_range import SampleRange, sample_range

Tables = npt.NDArray[np.int16]
Levels = npt.NDArray[np.uint16]
Index = int | np.unsignedinteger[Any]

_REACH = 1 << 14
"""How far a table entry may be from mid-grey: the difference of two must fit 16 bits. Curves
are cut off there, at [-3.5, 4.5] of the legal range, with 12 bits at [-1.5, 2.5]."""


class _Layout(NamedTuple):
    """How the samples lie: those that are read have `finer` more bits than those written."""

    shift: int
    new_shift: int
    finer: int
    fraction_bits: int
    low: int
    high: int


def apply_to_luma(  # noqa: PLR0917 - as the kernels
    seen: Frame,
    grid: Floats,
    frame: Frame,
    enhanced: Plane,
    rows: CellAxis,
    tables: GridTables,
) -> None:
    """Enhance the luma that is seen into `enhanced`, a plane of `frame`'s own format.

    Args:
        seen: the frame, or the same picture with as many bits or more.
        grid: (8, 8, 16, 16).
        frame: whose format and legal range `enhanced` has.
        enhanced: without gaps between rows.
        rows: where its rows lie.
        tables: keeps those of the grid.
    """
    samples, pitch = sample_rows(seen.planes[0])
    depth, finer = seen.format.depth, seen.format.depth - frame.format.depth
    levels = sample_range(frame).with_fraction(finer)
    fraction_bits = max(12 - depth, 1)
    kind = depth, levels, seen.color
    made = tables("luma", grid, kind, lambda: _tables(grid, *kind, fraction_bits))
    shifts = seen.format.shift, frame.format.shift, finer
    layout = _Layout(*shifts, fraction_bits, *sample_range(frame).luma_limits)
    read, written = either_size(samples), either_size_to_fill(enhanced.reshape(-1))
    _enhance_luma(read, pitch, made, rows, cell_axis(frame.width), layout, written)


def _tables(
    grid: Floats, depth: int, levels: SampleRange, color: ColorInfo, fraction_bits: int
) -> Tables:
    """(row, column, luma level) what each level becomes at the centre of each cell."""
    tables = np.empty((CELLS, CELLS, 1 << depth), np.int16)
    axis = level_axis(1 << depth, levels.black, levels.luma_span)
    scale, origin = levels.luma_span << fraction_bits, levels.black << fraction_bits
    if color.is_hdr:
        new = luma_tables(grid, axis.luma, color.transfer)
        tables[:] = np.rint(new * np.float32(scale) + np.float32(origin))
    else:
        _expand_tables(grid[:2], axis, np.float32(scale), np.float32(origin), fraction_bits, tables)
    return tables


@kernel
def _expand_tables(  # noqa: PLR0917 - numba takes no keyword-only arguments
    grid: Floats,
    axis: LevelAxis,
    scale: np.float32,
    origin: np.float32,
    fraction_bits: int,
    tables: Tables,
) -> None:
    """Fill (row, column, luma level) with enhanced luma, Y * scale + origin."""
    middle = (tables.shape[2] >> 1) << fraction_bits
    low, high = np.float32(middle - _REACH), np.float32(middle + _REACH - 1)
    for row in range(CELLS):
        for column in range(CELLS):
            table = tables[row, column]
            for level in range(LEVELS - 1):
                gain, offset = grid[0, level, row, column], grid[1, level, row, column]
                more_gain = grid[0, level + 1, row, column] - gain
                more_offset = grid[1, level + 1, row, column] - offset
                for value in range(axis.starts[level], axis.starts[level + 1]):
                    weight = axis.weight[value]
                    y = (gain + weight * more_gain) * axis.luma[value]
                    y += offset + weight * more_offset
                    entry = np.floor(y * scale + origin + np.float32(0.5))
                    table[value] = np.int16(min(max(entry, low), high))


@kernel
def _enhance_luma(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: EitherSize,
    pitch: int,
    tables: Tables,
    rows: CellAxis,
    columns: CellAxis,
    layout: _Layout,
    enhanced: EitherSize,
) -> None:
    height, width = rows.cell.size, columns.cell.size
    count, entries_of_all = tables.shape[2], tables.reshape(-1)
    packed = np.empty(count, np.int32)
    levels, entries = np.empty(width, np.uint16), np.empty(width, np.int32)
    for row in range(height):
        _read_levels(samples, row * pitch, layout.shift, count, levels)
        cell, weight = rows.cell[row], np.int32(rows.weight[row])
        below_cell = min(cell + 1, CELLS - 1)
        for column in range(CELLS):
            start, stop = np.uint64(columns.starts[column]), np.uint64(columns.starts[column + 1])
            if start < stop:
                used = _range(levels, start, stop)
                next_column = min(column + 1, CELLS - 1)
                left = (cell * CELLS + column) * count, (below_cell * CELLS + column) * count
                right = (
                    (cell * CELLS + next_column) * count,
                    (below_cell * CELLS + next_column) * count,
                )
                _pack_entries(entries_of_all, left, right, weight, used, packed)
                _look_up(levels, packed, start, stop, entries)
        _blend_entries(levels, entries, columns.weight, layout)
        _store_levels(levels, enhanced, row * width)


# The parts below count in unsigned integers, which spares numba's tests for negative indices, and
# take places in whole arrays: slices would be counted as references, row by row.


@part
def _read_levels(samples: EitherSize, start: int, shift: int, count: int, levels: Levels) -> None:
    """Shift a row of words down; a word above the format's top level counts as the top."""
    top, down, first = np.uint16(count - 1), np.uint16(shift), np.uint64(start)
    if samples.words.size > 0:
        for x in range(np.uint64(levels.size)):
            levels[x] = min(np.uint16(samples.words[first + x] >> down), top)
    else:
        for x in range(np.uint64(levels.size)):
            levels[x] = samples.bytes[first + x]


@part
def _range(levels: Levels, start: Index, stop: Index) -> tuple[Index, Index]:
    """The lowest and highest of some levels: few entries of a table are used in one place."""
    lowest, highest = levels[start], levels[start]
    for x in range(start, stop):
        lowest, highest = min(lowest, levels[x]), max(highest, levels[x])
    return lowest, highest


@part
def _pack_entries(  # noqa: PLR0917 - numba takes no keyword-only arguments
    tables: Tables,
    left: tuple[int, int],
    right: tuple[int, int],
    weight: np.int32,
    used: tuple[Index, Index],
    packed: Ints,
) -> None:
    """Pack entries between two rows of cells (high half) with the way to the next column's.

    `left` and `right` are where the tables of this column and of the next begin, above and below.
    """
    half = np.int32(1 << (WEIGHT_BITS - 1))
    here_above, here_below = np.uint64(left[0]), np.uint64(left[1])
    there_above, there_below = np.uint64(right[0]), np.uint64(right[1])
    for level in range(np.uint64(used[0]), np.uint64(used[1]) + np.uint64(1)):
        here, there = np.int32(tables[here_above + level]), np.int32(tables[there_above + level])
        way_here = np.int32(tables[here_below + level]) - here
        way_there = np.int32(tables[there_below + level]) - there
        here += (way_here * weight + half) >> np.int32(WEIGHT_BITS)
        there += (way_there * weight + half) >> np.int32(WEIGHT_BITS)
        packed[level] = (here << np.int32(16)) | ((there - here) & np.int32(0xFFFF))


@part
def _look_up(levels: Levels, packed: Ints, start: Index, stop: Index, entries: Ints) -> None:
    """Fetch each pixel's entry: a loop of its own, being the part that is not SIMD."""
    for x in range(start, stop):
        entries[x] = packed[levels[x]]


@part
def _blend_entries(levels: Levels, entries: Ints, weights: Ints, layout: _Layout) -> None:
    """Blend between columns, round and clip, in the place of what was there."""
    shift, low, high = np.int32(layout.new_shift), np.int32(layout.low), np.int32(layout.high)
    finer = np.int32(layout.finer)
    down = np.int32(WEIGHT_BITS + layout.fraction_bits) + finer
    half = np.int32(1) << (down - np.int32(1))
    for x in range(levels.size):
        old, entry = np.int32(levels[x]) >> finer, entries[x]
        here = (entry >> np.int32(16)) << np.int32(WEIGHT_BITS)
        new = (here + np.int32(np.int16(entry)) * weights[x] + half) >> down
        levels[x] = max(min(new, max(old, high)), min(old, low)) << shift


@part
def _store_levels(levels: Levels, out: EitherSize, start: int) -> None:
    first = np.uint64(start)
    if out.words.size > 0:
        for x in range(np.uint64(levels.size)):
            out.words[first + x] = levels[x]
    else:
        for x in range(np.uint64(levels.size)):
            out.bytes[first + x] = levels[x]
