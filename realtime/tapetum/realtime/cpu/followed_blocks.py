"""Blocks that are followed from frame to frame: what differs in them is noise.

A block is looked for around where it is guessed to come from, to half a cell. In what it differs by
then there is noise, less what texture adds that moved by a part of a cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed
from tapetum.realtime.cpu.noise_histogram import (
    BINS,
    UNIT,
    VALUES,
    Bins,
    Counts,
    Deviations,
    second_difference,
)

BLOCK = 8
"""Rows and columns of cells of a block that is followed."""
NOWHERE = 1 << 30
"""What a block differs by from what lies outside."""
_STEPS = 12
"""A block is followed this many cells from where it is guessed to be, at most."""
_DRIFT = 0.35
"""Share of a block's changes that a shift explains from which it does not rest."""
_TEXTURE_SHARE = 0.4
"""Of second differences, that differs from the frame before where a picture moves."""

Ints = npt.NDArray[np.int32]
_Whole = int | np.signedinteger[Any]


@kernel
def follow_blocks(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed,
    last: Fixed,
    bins: Bins,
    shift: Ints,
    phase: int,
    every: int,
    found: Ints,
    counts: Counts,
    widths: Deviations,
) -> int:
    """Follow blocks, and count what differs; those that a codec skipped, or repeated, say nothing.

    A block is looked for by its even rows and measured by its odd ones: the place where it differs
    least by chance would show less noise than there is.

    Args:
        plane: the new frame.
        last: the one before.
        bins: by luma.
        shift: (2,) where blocks are guessed to come from.
        phase: the first block.
        every: so many blocks there are to each that is followed.
        found: filled with where they came from.
        counts: (2 BINS, values) added to: those of blocks that rest, then of those that moved.
        widths: (2, 2) added to, for blocks that rest and for those that moved: `_width`, and 1.

    Returns:
        How many of `found` were filled.
    """
    height, width = plane.shape
    columns = width // BLOCK
    blocks = height // BLOCK * columns
    # As numbers of one type: numba compiles a part anew for another, and for a literal.
    top, odd = np.int32(VALUES - 1), np.int64(1)
    many = 0
    for block in range(phase, blocks, every):
        row, column = block // columns * BLOCK, block % columns * BLOCK
        y, x, rests = _origin(plane, last, row, column, shift)
        rests = rests and bool(_drift(plane, last, row, column) < _DRIFT)
        total = block_difference(plane, last, row, column, y, x, odd)
        if total > 0:
            least = np.float32(total)
            level = np.int64(bins[plane[row + BLOCK // 2, column + BLOCK // 2] >> TABLE_SHIFT])
            if not rests:
                least = _between(plane, last, row, column, y, x, total)
                least = _less_texture(least, _texture(plane, row, column))
                level += BINS
            counts[level, min(np.int32(least) // np.int32(BLOCK * BLOCK // 2 * UNIT), top)] += 1
            kind = 0 if rests else 1
            widths[kind, 0] += _width(plane, last, row, column, y, x)
            widths[kind, 1] += 1
        if many < found.shape[0]:
            found[many, 0], found[many, 1] = y, x
            many += 1
    return many


@part
def _origin(
    plane: Fixed, last: Fixed, row: int, column: int, shift: Ints
) -> tuple[_Whole, _Whole, bool]:
    """Where a block comes from, in cells; and whether it may as well rest."""
    y, x, even = np.int64(0), np.int64(0), np.int64(0)
    at_rest = best = block_difference(plane, last, row, column, y, x, even)
    down, right = np.int64(shift[0]), np.int64(shift[1])
    guessed = block_difference(plane, last, row, column, down, right, even)
    if guessed < best:
        best, y, x = guessed, down, right
    for _ in range(_STEPS):
        to_y, to_x = y, x
        for way in range(4):
            step = 1 if way % 2 else -1
            near_y, near_x = (y + step, x) if way < 2 else (y, x + step)
            other = block_difference(plane, last, row, column, near_y, near_x, even)
            if other < best:
                best, to_y, to_x = other, near_y, near_x
        if to_y == y and to_x == x:
            break
        y, x = to_y, to_x
    if at_rest * 7 <= best * 8:
        return np.int64(0), np.int64(0), True
    return y, x, False


@part
def block_difference(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed,
    last: Fixed,
    row: _Whole,
    column: _Whole,
    y: _Whole,
    x: _Whole,
    first: _Whole,
) -> _Whole:
    """Sum of what every second row of a block differs by from one of the frame before."""
    if row + y < 0 or column + x < 0:
        return NOWHERE
    if row + y + BLOCK > plane.shape[0] or column + x + BLOCK > plane.shape[1]:
        return NOWHERE
    total = np.int32(0)
    for near in range(first, BLOCK, 2):
        here, there = np.uint64(row + near), np.uint64(row + y + near)
        start, past = np.uint64(column), np.uint64(column + x)
        for cell in range(np.uint64(BLOCK)):
            change = np.int32(plane[here, start + cell]) - np.int32(last[there, past + cell])
            total += abs(change)
    return np.int64(total)


@part
def _width(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, last: Fixed, row: _Whole, column: _Whole, y: _Whole, x: _Whole
) -> np.float32:
    """What the 2x2 means of a block differ by, by what its cells do."""
    of_cells, of_means = np.int32(1), np.int32(0)
    for near in range(0, BLOCK, 2):
        for beside in range(0, BLOCK, 2):
            total = np.int32(0)
            for cell in range(4):
                down, across = row + near + cell // 2, column + beside + cell % 2
                change = np.int32(plane[down, across]) - np.int32(last[down + y, across + x])
                of_cells += abs(change)
                total += change
            of_means += abs(total)
    ratio: np.float32 = np.float32(of_means) / np.float32(of_cells)
    return ratio


@part
def _between(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, last: Fixed, row: int, column: int, y: _Whole, x: _Whole, total: _Whole
) -> np.float32:
    """What a block differs by at the best of the places half a cell around, chosen by even rows.

    The mean of two or four cells has less noise than one: what it differs by is made up for that.
    """
    least, chosen = (
        np.float32(block_difference(plane, last, row, column, y, x, np.int64(0))),
        np.float32(total),
    )
    for way in range(9):
        down, across = way // 3 - 1, way % 3 - 1
        top, left = row + y + min(down, 0), column + x + min(across, 0)
        inside = top >= 0 and left >= 0 and top + BLOCK < last.shape[0]
        if way == 4 or not inside or left + BLOCK >= last.shape[1]:
            continue
        # The mean of two cells has half the noise of one, that of four a quarter.
        more = np.float32(1.1547 if down == 0 or across == 0 else 1.2649)
        even, odd = _difference_of_means(plane, last, row, column, top, left, (down, across))
        if even * more < least:
            least, chosen = even * more, odd * more
    return chosen


@part
def _difference_of_means(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed,
    last: Fixed,
    row: int,
    column: int,
    top: _Whole,
    left: _Whole,
    way: tuple[int, int],
) -> tuple[np.float32, np.float32]:
    """What even and odd rows of a block differ by from means of two or four cells."""
    even, odd = np.int32(0), np.int32(0)
    for near in range(BLOCK):
        line = plane[row + near, column : column + BLOCK]
        upper = last[top + near, left : left + BLOCK + 1]
        lower = last[top + near + abs(way[0]), left : left + BLOCK + 1]
        sums = np.int32(0)
        for cell in range(BLOCK):
            other = cell + abs(way[1])
            mean = np.int32(upper[cell]) + np.int32(upper[other])
            mean += np.int32(lower[cell]) + np.int32(lower[other])
            sums += abs(np.int32(line[cell]) - ((mean + np.int32(2)) >> np.int32(2)))
        if near % 2:
            odd += sums
        else:
            even += sums
    return np.float32(even), np.float32(odd)


@part
def _drift(plane: Fixed, last: Fixed, row: int, column: int) -> np.float32:
    """Share of what changed in a block that a small shift of it explains."""
    across, down, both = np.float32(1), np.float32(1), np.float32(0)
    with_across, with_down, changes = np.float32(0), np.float32(0), np.float32(1)
    height, width = plane.shape
    for y in range(max(row, 1), min(row + BLOCK, height - 1)):
        for x in range(max(column, 1), min(column + BLOCK, width - 1)):
            change = np.float32(np.int32(plane[y, x]) - np.int32(last[y, x]))
            to_right = np.float32(np.int32(last[y, x + 1]) - np.int32(last[y, x - 1]))
            to_right += np.float32(np.int32(plane[y, x + 1]) - np.int32(plane[y, x - 1]))
            to_below = np.float32(np.int32(last[y + 1, x]) - np.int32(last[y - 1, x]))
            to_below += np.float32(np.int32(plane[y + 1, x]) - np.int32(plane[y - 1, x]))
            across += to_right * to_right
            down += to_below * to_below
            both += to_right * to_below
            with_across += to_right * change
            with_down += to_below * change
            changes += change * change
    whole = max(across * down - both * both, np.float32(1))
    explained = with_across * with_across * down + with_down * with_down * across
    explained -= np.float32(2) * with_across * with_down * both
    share: np.float32 = explained / (whole * changes)
    return share


@part
def _texture(plane: Fixed, row: int, column: int) -> np.float32:
    """Sum of a block's second differences, scaled to that of differences for white noise."""
    total = np.int32(0)
    height, width = plane.shape
    for y in range(max(row, 1), min(row + BLOCK, height - 1)):
        above, here, below = plane[y - 1], plane[y], plane[y + 1]
        for x in range(max(column, 1), min(column + BLOCK, width - 1)):
            total += second_difference(here[x - 1], here[x], here[x + 1])
            total += second_difference(above[x], here[x], below[x])
    return np.float32(total) * np.float32(0.25 / 3**0.5)


@part
def _less_texture(least: np.float32, texture: np.float32) -> np.float32:
    """What a block differs by, without what texture adds where it moved by a part of a cell."""
    share = np.float32(_TEXTURE_SHARE * _TEXTURE_SHARE)
    rest = max(least * least - share * texture * texture, np.float32(0))
    root: np.float32 = np.sqrt(rest / (np.float32(1) - share))
    return root
