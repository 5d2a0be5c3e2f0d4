"""The restoring stage over blocks of cells: faint changes that are wide, and texture.

What one cell cannot tell from noise, a block of `WIDE` x `WIDE` cells with its neighbours can: a
faint mean change; a change along the gradients of what was known, by which texture shows that it
moved by a small part of a cell (the step of Lucas and Kanade, "An iterative image registration
technique", 1981); and second differences that are larger than noise makes them, which are texture,
and must not be smoothed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed

WIDE = 4
"""Cells across and down of a block."""
MOST_STEP = 512
"""Changes along gradients count as so much at most, 4 levels of 8 bits: more is seen anyway."""
MOST_GRADIENT = 2047
"""Differences of the cells on either side of one count as so much at most."""
MOST_BEND = 12.0
"""Second differences, of both directions together, count as so many deviations at most."""
BEND = 3.9
"""The mean of these for white noise of deviation 1."""
FLAT, TEXTURED = 1.5, 2.2
"""Second differences by those of noise: where a block is flat, and where it is all texture."""
RIDGE = 8.0
"""Squared gradients, by squared deviations of noise, that a change along them must outweigh."""
SCATTER = 0.86
"""Deviation of changes in a block, by that of noise, from which it is no shift that explains them,
is one by this."""
UNTOLD = 0.6
"""So much of the deviation of changes in a block is taken for noise there, that was measured too
low: of a luma of which there is little, it is known by others."""
_SHARE_OF_SQUARES = 2.25
"""Sum of the squared weights of a binomial mean, by that of an even one of sixteen weights."""
_CHANGE, _SQUARE, _ACROSS, _DOWN, _STEEP_ACROSS, _STEEP_DOWN, _BENT = range(7)
_SUMS = 7
"""What is added up of each block."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


def texture_told(width: float) -> float:
    """How far texture is told from noise: all of it from a sensor's, nothing from a codec's.

    Args:
        width: of `NoiseLevel`.
    """
    return max(1 - 2 * width, 0.0)


@kernel
def compare_wide(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Fixed,
    known: Fixed,
    noise: Floats,
    lean: np.float32,
    told: np.float32,
    changes: Floats,
    flatness: Floats,
) -> None:
    """Look at all blocks, each with its neighbours by binomial weights.

    Args:
        frame: (h, w) luma of the new frame at half size.
        known: (h, w) what was known before.
        noise: (256,) deviation by luma.
        lean: of `wide_lean`.
        told: of `texture_told`.
        changes: (h / WIDE, w / WIDE) filled: the mean change, or what a shift of texture counts for
            where that is more; fixed-point, with a deviation of `lean` times the noise.
        flatness: the same shape, filled: 0 where a block is all texture, and 1 where it is flat.
    """
    height, width = frame.shape
    rows, columns = changes.shape
    means = np.empty((_SUMS, rows + 2, columns + 2), np.float32)
    sums, most = np.empty((_SUMS, width), np.int32), np.empty(width, np.int32)
    lines = np.empty((3, width), np.int16)
    for row in range(rows):
        first, last = WIDE * row, min(WIDE * (row + 1), height)
        _clear(sums)
        _find_most(frame, (first + last) // 2, noise, most)
        for y in range(first, last):
            _add_row(frame, known, y, lines, most, sums)
        _average_columns(sums, np.float32(last - first), row + 1, means)
    for plane in range(_SUMS):
        _repeat_edges(means[plane])
    line, blurred = np.empty(columns + 2, np.float32), np.empty((_SUMS, columns), np.float32)
    for row in range(rows):
        for plane in range(_SUMS):
            _blur_row(means[plane], row, line, blurred[plane])
        y = (WIDE * row + min(WIDE * (row + 1), height)) // 2
        _judge_row(frame, y, noise, blurred, lean, told, changes[row], flatness[row])


@part
def _clear(sums: Ints) -> None:
    for plane in range(sums.shape[0]):
        for x in range(sums.shape[1]):
            sums[plane, x] = 0


@part
def middle_of_block(x: int, width: int) -> int:
    """The column of the cell by which a block's noise is looked up."""
    first = x // WIDE * WIDE
    return (first + min(first + WIDE, width)) // 2


@part
def _find_most(frame: Fixed, row: int, noise: Floats, most: Ints) -> None:
    """Fill a line with what second differences count for at most."""
    width = most.size
    for x in range(width):
        luma = np.uint16(frame[row, middle_of_block(x, width)])
        most[x] = np.int32(np.float32(MOST_BEND) * noise[luma >> np.uint16(TABLE_SHIFT)])


@part
def _add_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Fixed, known: Fixed, row: int, lines: Fixed, most: Ints, sums: Ints
) -> None:
    """Add what differs in a row of cells, column by column; edges are repeated."""
    above, below = max(row - 1, 0), min(row + 1, frame.shape[0] - 1)
    steps, across, down = lines[0], lines[1], lines[2]
    # Short loops, of few arrays each: LLVM makes SIMD of those alone.
    _subtract(frame[row], known[row], MOST_STEP, steps)
    _subtract(known[below], known[above], MOST_GRADIENT, down)
    _subtract_beside(known[row], across)
    _add_changes(frame[row], known[row], sums[_CHANGE])
    _add_squares(steps, sums[_SQUARE])
    _add_products(across, steps, sums[_ACROSS], sums[_STEEP_ACROSS])
    _add_products(down, steps, sums[_DOWN], sums[_STEEP_DOWN])
    _add_bends(frame[row], frame[above], frame[below], most, sums[_BENT])


@part
def _subtract(a: Fixed, b: Fixed, most: int, out: Fixed) -> None:
    limit = np.int16(most)
    for x in range(out.size):
        out[x] = min(max(np.int16(a[x] - b[x]), np.int16(-limit)), limit)


@part
def _subtract_beside(line: Fixed, out: Fixed) -> None:
    width, limit = out.size, np.int16(MOST_GRADIENT)
    for x in range(width - 2):
        out[x + 1] = min(max(np.int16(line[x + 2] - line[x]), np.int16(-limit)), limit)
    for x in (0, width - 1):
        step = np.int16(line[min(x + 1, width - 1)] - line[max(x - 1, 0)])
        out[x] = min(max(step, np.int16(-limit)), limit)


@part
def _add_changes(a: Fixed, b: Fixed, sums: Ints) -> None:
    for x in range(sums.size):
        sums[x] += np.int32(a[x]) - np.int32(b[x])


@part
def _add_squares(steps: Fixed, sums: Ints) -> None:
    for x in range(sums.size):
        sums[x] += np.int32(steps[x]) * np.int32(steps[x])


@part
def _add_products(gradient: Fixed, steps: Fixed, sums: Ints, squares: Ints) -> None:
    for x in range(sums.size):
        sums[x] += np.int32(gradient[x]) * np.int32(steps[x])
        squares[x] += np.int32(gradient[x]) * np.int32(gradient[x])


@part
def _add_bends(here: Fixed, above: Fixed, below: Fixed, most: Ints, sums: Ints) -> None:
    """Add the sizes of second differences, across and down."""
    width = sums.size
    for x in range(1, width - 1):
        twice = np.int32(2) * np.int32(here[x])
        bend = abs(twice - np.int32(here[x - 1]) - np.int32(here[x + 1]))
        bend += abs(twice - np.int32(above[x]) - np.int32(below[x]))
        sums[x] += min(bend, most[x])
    for x in range(0, width, max(width - 1, 1)):
        twice = np.int32(2) * np.int32(here[x])
        left, right = np.int32(here[max(x - 1, 0)]), np.int32(here[min(x + 1, width - 1)])
        bend = abs(twice - left - right) + abs(twice - np.int32(above[x]) - np.int32(below[x]))
        sums[x] += min(bend, most[x])


@part
def _average_columns(sums: Ints, count: np.float32, row: int, means: Floats) -> None:
    """Fill a row of means from the sums of its columns; the first is the second place's."""
    width, four = sums.shape[1], np.uint64(WIDE)
    whole, part_of = width // WIDE, width % WIDE
    scale = np.float32(1) / (count * np.float32(WIDE))
    for plane in range(sums.shape[0]):
        line, out = sums[plane], means[plane, row]
        for place in range(np.uint64(whole)):
            left = np.int32(line[four * place] + line[four * place + np.uint64(1)])
            right = np.int32(line[four * place + np.uint64(2)] + line[four * place + np.uint64(3)])
            out[place + np.uint64(1)] = np.float32(np.int32(left + right)) * scale
        if part_of:
            total = np.int32(0)
            for x in range(width - part_of, width):
                total += line[x]
            out[whole + 1] = np.float32(total) / (count * np.float32(part_of))


@part
def _repeat_edges(plane: Floats) -> None:
    """Fill the outermost rows and columns from those beside them.

    One by one: slices that are assigned take long to compile, for the messages of their errors.
    """
    rows, columns = plane.shape
    for x in range(1, columns - 1):
        plane[0, x], plane[rows - 1, x] = plane[1, x], plane[rows - 2, x]
    for y in range(rows):
        plane[y, 0], plane[y, columns - 1] = plane[y, 1], plane[y, columns - 2]


@part
def _blur_row(means: Floats, row: int, line: Floats, out: Floats) -> None:
    """Binomial means of a row of blocks; `row` is that above it between its repeated edges."""
    above, here, below = means[row], means[row + 1], means[row + 2]
    two, sixteenth = np.float32(2), np.float32(1 / 16)
    for x in range(line.size):
        line[x] = above[x] + two * here[x] + below[x]
    for x in range(out.size):
        out[x] = (line[x] + two * line[x + 1] + line[x + 2]) * sixteenth


@part
def _judge_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Fixed,
    y: int,
    noise: Floats,
    blurred: Floats,
    lean: np.float32,
    told: np.float32,
    changes: Floats,
    flatness: Floats,
) -> None:
    """Weigh a row of blocks' means against the noise."""
    width, one, zero = frame.shape[1], np.float32(1), np.float32(0)
    squares, ridge = np.float32(_SHARE_OF_SQUARES), np.float32(RIDGE)
    per_texture = told / np.float32(TEXTURED - FLAT)
    for x in range(changes.size):
        luma = np.uint16(frame[y, middle_of_block(WIDE * x, width)])
        deviation = noise[luma >> np.uint16(TABLE_SHIFT)]
        floor = ridge * deviation * deviation
        across = abs(blurred[_ACROSS, x]) / np.sqrt(squares * blurred[_STEEP_ACROSS, x] + floor)
        down = abs(blurred[_DOWN, x]) / np.sqrt(squares * blurred[_STEEP_DOWN, x] + floor)
        size = np.sqrt(blurred[_SQUARE, x])
        scatter = np.float32(SCATTER) * size / deviation
        shift = np.float32(WIDE * WIDE) * max(across, down) / max(scatter, one)
        changes[x] = max(abs(blurred[_CHANGE, x]), shift * lean * told)
        noise_there = max(deviation, np.float32(UNTOLD) * size)
        bent = blurred[_BENT, x] / (np.float32(BEND) * noise_there)
        texture = (bent - np.float32(FLAT)) * per_texture
        flatness[x] = one - min(max(texture, zero), told)


@part
def spread_blocks(blocks: Floats, row: int, cells: Floats) -> None:
    """Give each value of a row of blocks to its `WIDE` cells across."""
    values = blocks[row]
    for x in range(cells.size // WIDE):
        for cell in range(WIDE):
            cells[x * WIDE + cell] = values[x]
    for x in range(cells.size // WIDE * WIDE, cells.size):
        cells[x] = values[values.size - 1]
