"""The restoring stage over blocks of cells: faint changes that are wide, and texture.

What one cell cannot tell from noise, a block of `WIDE` x `WIDE` cells with its neighbours can: a
faint mean change; a change along the gradients of what was known, by which texture shows that it
moved by a small part of a cell (the step of Lucas and Kanade, "An iterative image registration
technique", 1981); in texture, changes that are larger than noise makes them, for what is finer than
a cell moves too; and second differences that are larger than noise makes them, which are texture,
and must not be smoothed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fetched_ahead import fetch_row
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
FLAT, TEXTURED = 1.2, 1.7
"""Second differences by those of noise: where a block is flat, and where it is all texture."""
UNEVEN = 0.25
"""More of them are noise where a codec left it, here more and there less."""
RIDGE = 8.0
"""Squared gradients, by squared deviations of noise, that a change along them must outweigh."""
SCATTER = 0.86
"""Deviation of what a shift leaves of the changes in a block, by that of noise, from which it is no
shift that explains them, is one by this."""
UNTOLD, MOST_UNTOLD = 0.85, 1.6
"""So much of the deviation of what a shift leaves is taken for noise there, that was measured too
low: of a luma of which there is little, it is known by others. More than so many times what was
measured is texture that moves."""
SINGLE = 1.2
"""Texture is told from noise by so many times the share of it that single levels make, not more
than wholly."""
STIR = 1.7
"""Squared changes in texture, by squared deviations of noise, count for so many deviations of a
mean: for no motion where they are noise's own."""
STIRRED = 8.0
"""Squared gradients, by squared changes, from which a block is texture, and not noise that was
measured too low."""
_SHARE_OF_SQUARES = 2.25
"""Sum of the squared weights of a binomial mean, by that of an even one of sixteen weights."""
_CHANGE, _BENT, _ACROSS, _DOWN, _SQUARE, _STEEP_ACROSS, _STEEP_DOWN = range(7)
_SUMS = 7
"""What is added up of each block."""
_LEAST = 1e-3
"""No divisor is less, nor would be: that it is said spares numba's test for 0."""
_ANY = 32767
"""What differs counts in full."""
_STEP, _LINES = 4, 5
"""Steps stand beside the first four of these in lines of cells."""

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
    measured: Floats,
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
        measured: (256,) the same but for what single levels make of it: these are as fine as they
            are, and texture is told from them however wide what was measured is.
        lean: of `wide_lean`.
        told: of `texture_told`.
        changes: (h / WIDE, w / WIDE) filled: the mean change, or what a shift of texture counts for
            where that is more; fixed-point, with a deviation of `lean` times the noise.
        flatness: the same shape, filled: 0 where a block is all texture, and 1 where it is flat.
    """
    height, width = frame.shape
    rows, columns = changes.shape
    tables, expected = (
        np.empty((3, noise.size), np.float32),
        np.empty((rows, 3, columns), np.float32),
    )
    _lay_out(noise, measured, told, tables)
    means = np.empty((_SUMS, rows + 2, columns + 2), np.float32)
    # Beyond the last cell all stays 0. Two cells are one word: so LLVM adds up their products.
    pairs = np.zeros((_LINES, WIDE // 2 * columns), np.int32)
    lines, sums = pairs.view(np.int16), np.empty((_SUMS, pairs.shape[1]), np.int32)
    most = np.empty(lines.shape[1], np.uint16)
    for row in range(rows):
        first, last = WIDE * row, min(WIDE * (row + 1), height)
        _clear(sums)
        _look_up(frame, (first + last) // 2, tables, expected[row])
        _find_most(expected[row, 0], most)
        for y in range(first, last):
            fetch_row(frame, y + 2)
            fetch_row(known, y + 2)
            _compare_row(frame, known, y, most, lines)
            _add_row(pairs, sums)
        _average_blocks(sums, last - first, width, row + 1, means)
    for plane in range(_SUMS):
        _repeat_edges(means[plane])
    line, blurred = np.empty(columns + 2, np.float32), np.empty((_SUMS, columns), np.float32)
    for row in range(rows):
        for plane in range(_SUMS):
            _blur_row(means[plane], row, line, blurred[plane])
        _judge_row(expected[row], blurred, lean, changes[row], flatness[row])


@part
def _clear(sums: Ints) -> None:
    for plane in range(sums.shape[0]):
        for x in range(sums.shape[1]):
            sums[plane, x] = 0


@part
def _lay_out(noise: Floats, measured: Floats, told: np.float32, tables: Floats) -> None:
    """Fill three rows by luma: the noise, the most taken for it, and how far texture is told."""
    one, least = np.float32(1), np.float32(_LEAST)
    for step in range(noise.size):
        tables[0, step] = noise[step]
        tables[1, step] = np.float32(MOST_UNTOLD) * measured[step]
        share = one - measured[step] / max(noise[step], least)
        tables[2, step] = max(told, min(np.float32(SINGLE) * share, one))


@part
def _look_up(frame: Fixed, y: int, tables: Floats, expected: Floats) -> None:
    """Fill a row from each table, by the cells in the middle of blocks, which lie in row `y`."""
    luma, width = frame[y], frame.shape[1]
    for block in range(expected.shape[1]):
        first = WIDE * block
        middle = np.uint16(luma[(first + min(first + WIDE, width)) // 2])
        for table in range(3):
            expected[table, block] = tables[table, middle >> np.uint16(TABLE_SHIFT)]


@part
def _find_most(deviations: Floats, most: npt.NDArray[np.uint16]) -> None:
    """Fill a line with what second differences of cells count for at most."""
    limit = np.float32(32767)
    for block in range(deviations.size):
        bend = np.uint16(min(np.float32(MOST_BEND) * deviations[block], limit))
        for x in range(WIDE * block, WIDE * (block + 1)):
            most[x] = bend


@part
def _compare_row(
    frame: Fixed, known: Fixed, row: int, most: npt.NDArray[np.uint16], lines: Fixed
) -> None:
    """Fill lines with what differs in a row of cells; edges are repeated."""
    above, below = max(row - 1, 0), min(row + 1, frame.shape[0] - 1)
    # Short loops, of few arrays each: LLVM makes SIMD of those alone.
    _subtract(frame[row], known[row], _ANY, lines[_CHANGE])
    _subtract(frame[row], known[row], MOST_STEP, lines[_STEP])
    _subtract(known[below], known[above], MOST_GRADIENT, lines[_DOWN])
    _subtract_beside(known[row], lines[_ACROSS])
    _bend_row(frame[row], frame[above], frame[below], most, lines[_BENT])


@part
def _subtract(a: Fixed, b: Fixed, most: int, out: Fixed) -> None:
    limit = np.int16(most)
    for x in range(a.size):
        out[x] = min(max(np.int16(a[x] - b[x]), np.int16(-limit)), limit)


@part
def _subtract_beside(line: Fixed, out: Fixed) -> None:
    last, limit = line.size - 1, np.int16(MOST_GRADIENT)
    for x in range(1, last):
        out[x] = min(max(np.int16(line[x + 1] - line[x - 1]), np.int16(-limit)), limit)
    for x in (0, last):
        step = np.int16(line[min(x + 1, last)] - line[max(x - 1, 0)])
        out[x] = min(max(step, np.int16(-limit)), limit)


@part
def _bend_row(
    here: Fixed, above: Fixed, below: Fixed, most: npt.NDArray[np.uint16], out: Fixed
) -> None:
    """The sizes of second differences, across and down."""
    last = here.size - 1
    for x in range(1, last):
        out[x] = _bend(here[x], here[x - 1], here[x + 1], above[x], below[x], most[x])
    for x in (0, last):
        left, right = here[max(x - 1, 0)], here[min(x + 1, last)]
        out[x] = _bend(here[x], left, right, above[x], below[x], most[x])


@part
def _bend(  # noqa: PLR0917 - numba takes no keyword-only arguments
    here: np.int16,
    left: np.int16,
    right: np.int16,
    above: np.int16,
    below: np.int16,
    most: np.uint16,
) -> np.int16:
    """The size of both second differences, in 16 bits: each is below 1 << 16."""
    twice = np.uint16(np.uint16(here) + np.uint16(here))
    beside = np.uint16(np.uint16(left) + np.uint16(right))
    over = np.uint16(np.uint16(above) + np.uint16(below))
    across = np.uint16(max(twice, beside) - min(twice, beside))
    down = np.uint16(max(twice, over) - min(twice, over))
    return np.int16(min(np.uint16(min(across, most) + min(down, most)), most))


@part
def _add_row(pairs: Ints, sums: Ints) -> None:
    """Add what is averaged of a row, by pairs of cells."""
    steps, across, down = pairs[_STEP], pairs[_ACROSS], pairs[_DOWN]
    _add_pairs(pairs[_CHANGE], sums[_CHANGE])
    _add_pairs(pairs[_BENT], sums[_BENT])
    _add_products(steps, steps, sums[_SQUARE])
    _add_products(across, steps, sums[_ACROSS])
    _add_products(down, steps, sums[_DOWN])
    _add_products(across, across, sums[_STEEP_ACROSS])
    _add_products(down, down, sums[_STEEP_DOWN])


@part
def _add_pairs(pairs: Ints, sums: Ints) -> None:
    for x in range(sums.size):
        sums[x] += np.int32(_first(pairs[x]) + _second(pairs[x]))


@part
def _add_products(a: Ints, b: Ints, sums: Ints) -> None:
    for x in range(sums.size):
        both = np.int32(_first(a[x]) * _first(b[x]))
        both = np.int32(both + np.int32(_second(a[x]) * _second(b[x])))
        sums[x] += both


@part
def _first(pair: np.int32) -> np.int32:
    return np.int32(np.int32(pair << np.int32(16)) >> np.int32(16))


@part
def _second(pair: np.int32) -> np.int32:
    return np.int32(pair >> np.int32(16))


@part
def _average_blocks(sums: Ints, height: int, width: int, row: int, means: Floats) -> None:
    """Fill a row of means from the sums of pairs; the first is the second place's."""
    blocks = sums.shape[1] // 2
    rest = width - WIDE * (blocks - 1)
    for plane in range(sums.shape[0]):
        line, out = sums[plane], means[plane, row]
        scale = np.float32(1 / (height * WIDE))
        for block in range(blocks):
            out[block + 1] = np.float32(np.int32(line[2 * block] + line[2 * block + 1])) * scale
        out[blocks] *= np.float32(WIDE / rest)


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
def _judge_row(
    expected: Floats, blurred: Floats, lean: np.float32, changes: Floats, flatness: Floats
) -> None:
    """Weigh a row of blocks' means against the noise."""
    one, zero, least = np.float32(1), np.float32(0), np.float32(_LEAST)
    per_shift, per_texture = np.float32(WIDE * WIDE) * lean, np.float32(1 / (TEXTURED - FLAT))
    change, square, bent = blurred[_CHANGE], blurred[_SQUARE], blurred[_BENT]
    noise, most, told = expected[0], expected[1], expected[2]
    _stir(change, blurred, noise, np.float32(STIR) * lean, told)
    _leave(square, blurred)
    _weigh_steps(blurred[_ACROSS], blurred[_STEEP_ACROSS], noise, changes)
    _weigh_steps(blurred[_DOWN], blurred[_STEEP_DOWN], noise, flatness)
    for x in range(changes.size):
        changes[x] = max(changes[x], flatness[x]) * per_shift * told[x]
    for x in range(changes.size):
        scatter = np.float32(SCATTER) * np.sqrt(square[x]) / max(noise[x], least)
        changes[x] = changes[x] / max(scatter, one)
    for x in range(changes.size):
        changes[x] = max(change[x], changes[x])
    for x in range(changes.size):
        noise_there = max(noise[x], min(np.float32(UNTOLD) * np.sqrt(square[x]), most[x]))
        ratio = bent[x] / max(np.float32(BEND) * noise_there, least)
        flat = np.float32(FLAT) + np.float32(UNEVEN) * (one - told[x])
        flatness[x] = one - min(max((ratio - flat) * per_texture, zero), one)


@part
def _stir(change: Floats, blurred: Floats, noise: Floats, factor: np.float32, told: Floats) -> None:
    """Make mean changes sizes, and where texture is, of what its changes count for at least."""
    across, down, square = blurred[_STEEP_ACROSS], blurred[_STEEP_DOWN], blurred[_SQUARE]
    per_steep, least = np.float32(1 / STIRRED), np.float32(_LEAST)
    for x in range(change.size):
        stirred = min(square[x], (across[x] + down[x]) * per_steep) * factor
        change[x] = max(abs(change[x]), stirred * told[x] / max(noise[x], least))


@part
def _leave(square: Floats, blurred: Floats) -> None:
    """Lessen squared changes by what a shift across or down, whichever explains more, explains."""
    across, steep_across = blurred[_ACROSS], blurred[_STEEP_ACROSS]
    down, steep_down = blurred[_DOWN], blurred[_STEEP_DOWN]
    zero, least = np.float32(0), np.float32(_LEAST)
    for x in range(square.size):
        explained = across[x] * across[x] / max(steep_across[x], least)
        explained = max(explained, down[x] * down[x] / max(steep_down[x], least))
        square[x] = max(square[x] - explained, zero)


@part
def _weigh_steps(steps: Floats, steep: Floats, deviations: Floats, out: Floats) -> None:
    """Mean steps along gradients, by the length that these have, and the noise at least."""
    squares, ridge = np.float32(_SHARE_OF_SQUARES), np.float32(RIDGE)
    for x in range(out.size):
        length = np.sqrt(squares * steep[x] + ridge * deviations[x] * deviations[x])
        out[x] = abs(steps[x]) / max(length, np.float32(_LEAST))


@part
def spread_blocks(blocks: Floats, row: int, cells: Floats) -> None:
    """Give each value of a row of blocks to its `WIDE` cells across."""
    values = blocks[row]
    for x in range(cells.size // WIDE):
        for cell in range(WIDE):
            cells[x * WIDE + cell] = values[x]
    for x in range(cells.size // WIDE * WIDE, cells.size):
        cells[x] = values[values.size - 1]
