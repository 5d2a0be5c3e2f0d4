"""Blocks that are followed from frame to frame: what differs in them is noise.

A block is looked for around where it is guessed to come from, to half a cell: where the last ones
and the one before it came from, or most of the picture. In what it differs by then there is noise,
less what texture adds that moved by a part of a cell; a block that is full of it says nothing,
where others do. What differs in a small part of a block alone is a thing that moves through it.
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
_EVERY_LINE = 4
"""Lines to each of those of which sums say by how much most of a picture moved."""
_SUM_SHIFT = 4
"""Bits that these sums lose: what they differ by, added up, fits 32 bits."""
_TEXTURE_SHARE = 0.4
"""Of second differences, that differs from the frame before where a picture moves, at most."""
_TEXTURED = 1.5
"""Second differences of a moved block by what it differs by, from which texture may be most of it:
it says nothing of noise then, where others do."""
_EXPLAINED = 0.8
"""Second differences of a moved block, to what it differs by, are more than this where a picture
may explain it that turned, or grew."""
_PART, _FULL = 0.25, 0.6
"""The square of the mean size of a block's changes by the mean of their squares, which is 1 for
white noise: up to which a thing makes them that moves through a part of it, rain or snow, and from
which noise does, a codec's too, that is in most of it."""
_SMOOTH = 0.45
"""Second differences of a moved block by what it differs by, up to which it differs by something
smoother than any noise, a codec's too: it was not found in the frame before, and says nothing."""
_SOME, _MOST = 1.5, 3.0
"""Textured blocks to each other one that moved, up to which none of them counts, and from which all
do: of a picture without noise, the others were not found."""

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
) -> tuple[int, int]:
    """Follow blocks, and count what differs; those that a codec skipped, or repeated, say nothing.

    One that moved and is the very same has no noise. One that rests counts for as much as it is
    full of what differs.

    A block is looked for by its even rows and measured by its odd ones: the place where it differs
    least by chance would show less noise than there is.

    Args:
        plane: the new frame.
        last: the one before.
        bins: by luma.
        shift: (2,) where blocks came from before, which is one of the guesses.
        phase: the first block.
        every: so many blocks there are to each that is followed.
        found: (n, 2), as many as blocks are followed, or more; filled with where they came from.
        counts: (2 BINS, values) added to: those of blocks that rest, then of those that moved.
        widths: (2, 4) added to, for blocks that rest and for those that moved: `_width` by
            `_fullness`, that, 1, and 1 for those of which texture does not explain what differs.

    Returns:
        How many of `found` were filled; and how many blocks of the new frame were not found in the
        one before.
    """
    height, width = plane.shape
    columns = width // BLOCK
    blocks = height // BLOCK * columns
    # As numbers of one type: numba compiles a part anew for another, and for a literal.
    top, odd = np.int32(VALUES - 1), np.int64(1)
    textured, many, telling, lost = np.zeros((BINS, VALUES), np.float32), 0, 0, 0
    guesses = np.zeros((3, 2), np.int64)
    guesses[0, 0], guesses[0, 1] = shift[0], shift[1]
    lines = np.zeros((2, height + width), np.int32)
    guesses[1, 0], guesses[1, 1] = _shift_of_lines(plane, last, lines)
    for block in range(phase, blocks, every):
        row, column = block // columns * BLOCK, block % columns * BLOCK
        y, x, rests = _origin(plane, last, row, column, guesses)
        guesses[2, 0], guesses[2, 1] = y, x
        rests = rests and bool(_drift(plane, last, row, column) < _DRIFT)
        total = block_difference(plane, last, row, column, y, x, odd)
        found[many, 0], found[many, 1] = y, x
        many += 1
        if rests and total == 0:
            continue
        full, share, into = _fullness(plane, last, row, column, y, x), np.float32(1), counts
        level = np.int64(bins[plane[row + BLOCK // 2, column + BLOCK // 2] >> TABLE_SHIFT])
        if rests:
            # Of what differs by a thing that goes through, less counts.
            least, share = full * np.float32(_without_light(plane, last, row, column)), full
        else:
            least = _between(plane, last, row, column, y, x, total)
            texture = _texture(plane, row, column)
            if texture < np.float32(_SMOOTH) * least:
                lost += 1
                continue
            if texture * np.float32(_EXPLAINED) < least:
                widths[1, 3] += 1
            tells = texture < np.float32(_TEXTURED) * least
            least = _less_texture(least, texture)
            if tells:
                telling += 1
                level += BINS
            else:
                into = textured
        value = np.int32(least) // np.int32(BLOCK * BLOCK // 2 * UNIT)
        into[level, min(value, top)] += share
        if total > 0:
            kind = 0 if rests else 1
            widths[kind, 0] += full * _width(plane, last, row, column, y, x)
            widths[kind, 1] += full
            widths[kind, 2] += 1
    _add_textured(textured, telling, counts)
    return many, lost


@part
def _add_textured(textured: Counts, telling: int, counts: Counts) -> None:
    """Add what textured blocks that moved differ by, by how many more than others they are."""
    total = np.float32(0)
    for one in range(BINS):
        for value in range(VALUES):
            total += textured[one, value]
    others, none, one_each = np.float32(max(telling, 1)), np.float32(0), np.float32(1)
    share = (total / others - np.float32(_SOME)) / np.float32(_MOST - _SOME)
    share = min(max(share, none), one_each)
    for one in range(BINS):
        for value in range(VALUES):
            counts[BINS + one, value] += share * textured[one, value]


@part
def _shift_of_lines(plane: Fixed, last: Fixed, sums: Ints) -> tuple[int, int]:
    """Rows and columns by which most of a picture moved, as the sums of its lines show it.

    Args:
        plane: the new frame.
        last: the one before.
        sums: (2, rows + columns) of 0, filled.
    """
    height, width = plane.shape
    for frame in range(2):
        picture, rows, columns = plane if frame == 0 else last, sums[frame], sums[frame, height:]
        for y in range(0, height, _EVERY_LINE):
            for x in range(width):
                columns[x] += np.int32(picture[y, x])
        for y in range(height):
            total = np.int32(0)
            for x in range(0, width, _EVERY_LINE):
                total += np.int32(picture[y, x])
            rows[y] = total
    for place in range(height + width):
        sums[0, place] >>= np.int32(_SUM_SHIFT)
        sums[1, place] >>= np.int32(_SUM_SHIFT)
    down = _shift_of_sums(sums[0, :height], sums[1, :height])
    return down, _shift_of_sums(sums[0, height:], sums[1, height:])


@part
def _shift_of_sums(here: Ints, there: Ints) -> int:
    """By how much a line of sums comes from farther on in another, up to a quarter of it."""
    best, found, reach = np.float32(np.inf), 0, here.size // 4
    for at in range(2 * reach + 1):
        # Nearest shifts come first: 0, 1, -1, 2, ...
        shift = (at + 1) // 2 if at % 2 else -(at // 2)
        many = here.size - abs(shift)
        near, far = here[max(-shift, 0) :][:many], there[max(shift, 0) :][:many]
        total = np.int32(0)
        for place in range(many):
            total += abs(near[place] - far[place])
        mean = np.float32(total) / np.float32(many)
        if mean < best:
            best, found = mean, shift
    return found


@part
def _origin(
    plane: Fixed, last: Fixed, row: int, column: int, guesses: npt.NDArray[np.int64]
) -> tuple[_Whole, _Whole, bool]:
    """Where a block comes from, in cells; and whether it may as well rest."""
    y, x, even = np.int64(0), np.int64(0), np.int64(0)
    at_rest = best = block_difference(plane, last, row, column, y, x, even)
    for guess in range(guesses.shape[0]):
        down, right = guesses[guess, 0], guesses[guess, 1]
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
def _without_light(plane: Fixed, last: Fixed, row: _Whole, column: _Whole) -> np.int64:
    """Sum of what the odd rows of a block at rest differ by, each from its mean where it is lit.

    A row is, where its mean change is most of what it differs by.
    """
    sizes = np.int32(0)
    for near in range(1, BLOCK, 2):
        total, size, unlit = np.int32(0), np.int32(0), np.int32(0)
        for beside in range(BLOCK):
            down, across = row + near, column + beside
            change = np.int32(plane[down, across]) - np.int32(last[down, across])
            total += change
            size += abs(change)
        for beside in range(BLOCK):
            down, across = row + near, column + beside
            change = np.int32(plane[down, across]) - np.int32(last[down, across])
            unlit += abs(change - total // np.int32(BLOCK))
        sizes += min(unlit, size) if np.int32(4) * abs(total) > np.int32(3) * size else size
    return np.int64(sizes)


@part
def _fullness(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, last: Fixed, row: _Whole, column: _Whole, y: _Whole, x: _Whole
) -> np.float32:
    """From 0 to 1, how much what a block differs by is noise: it is in all of it."""
    sizes, squares = np.float32(0), np.float32(1)
    for near in range(BLOCK):
        for beside in range(BLOCK):
            down, across = row + near, column + beside
            change = np.int32(plane[down, across]) - np.int32(last[down + y, across + x])
            size = np.float32(abs(change))
            sizes += size
            squares += size * size
    # The square of the mean size of white noise is 2 / pi of its mean square.
    ratio = sizes * sizes / (squares * np.float32(BLOCK * BLOCK * 2 / np.pi))
    share = (ratio - np.float32(_PART)) / np.float32(_FULL - _PART)
    return min(max(share, np.float32(0)), np.float32(1))


@part
def _width(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, last: Fixed, row: _Whole, column: _Whole, y: _Whole, x: _Whole
) -> np.float32:
    """What changes of 2x2 means of a block differ by from those beside, by what its cells' do.

    A light that changes a row alike, as a lamp does in the lines of a camera, is in neither.
    """
    of_cells, of_means = np.int32(1), np.int32(0)
    for near in range(0, BLOCK, 2):
        for beside in range(0, BLOCK - 2, 2):
            total = np.int32(0)
            for cell in range(4):
                down, across = row + near + cell // 2, column + beside + cell % 2
                change = np.int32(plane[down, across]) - np.int32(last[down + y, across + x])
                change -= np.int32(plane[down, across + 2])
                change += np.int32(last[down + y, across + x + 2])
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
