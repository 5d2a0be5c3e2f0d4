"""The restoring stage over space: what time could not average is smoothed, from coarse to fine.

Each sample moves towards its eight neighbours by a redescending difference: all of a small one,
which is noise, and nothing of one over twice a tolerance, which is an edge. It is done on a pyramid
of 2x2 means; what a coarse plane changed is carried up to the finer one first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed, Samples, read_row, spread_row
from tapetum.realtime.cpu.restoring_time import MOST_FRAMES, ONE_FRAME, Evidence, Floats

MOST_TOLERANCE = 1300
"""Of a sample's fixed-point units: sums of twelve differences fit 16 bits."""
LEAST_REMAINS = 0.4
"""Noise is taken to remain by this share at least, however many frames were averaged."""
REMAINS_BITS = 8
WEIGHT_BITS = 7
"""Bits of these shares: all is 1 << BITS."""


class Cells(NamedTuple):
    """What is known of each cell of 2x2 pixels when space is smoothed.

    Attributes:
        remains: (h, w) the share of noise that remains, in 1 / (1 << REMAINS_BITS).
        deviation: (h, w) the deviation of luma noise that remains, fixed-point.
        weight: (h, w) the share of what is restored in the result, 1 << WEIGHT_BITS for all.
    """

    remains: Fixed
    deviation: Fixed
    weight: Fixed


class Tolerance(NamedTuple):
    """How far samples of a plane may be changed: a factor times what is known of their cells.

    Attributes:
        cells: (h, w) `Cells.remains` or `Cells.deviation`.
        factor: to fixed-point units of the plane.
        rows: log2 of cells to a row of samples; -1 where a cell is two rows high.
        columns: the same for columns.
    """

    cells: Fixed
    factor: np.float32
    rows: int
    columns: int


@kernel
def describe_cells(
    luma: Fixed, evidence: Evidence, noise: Floats, weights: Fixed, cells: Cells
) -> None:
    """Fill `cells`.

    Args:
        luma: (h, w) at half size.
        evidence: (h, w).
        noise: (256,) deviation of noise in one frame by luma, fixed-point.
        weights: (256,) `Cells.weight` by luma.
        cells: filled.
    """
    remains = np.empty(MOST_FRAMES * ONE_FRAME + 1, np.float32)
    for count in range(remains.size):
        frames = np.float32(max(count, ONE_FRAME)) / np.float32(ONE_FRAME)
        remains[count] = max(np.float32(1) / np.sqrt(frames), np.float32(LEAST_REMAINS))
    scale, most = np.float32(1 << REMAINS_BITS), np.float32(MOST_TOLERANCE)
    for row in range(luma.shape[0]):
        for x in range(luma.shape[1]):
            level, share = luma[row, x] >> TABLE_SHIFT, remains[evidence[row, x]]
            cells.remains[row, x] = np.int16(share * scale)
            cells.deviation[row, x] = np.int16(min(noise[level] * share, most))
            cells.weight[row, x] = weights[level]


@kernel
def correct(plane: Fixed, coarser: Fixed, tolerance: Tolerance, top: int, out: Fixed) -> None:
    """Fill `out` with how a plane is to be changed.

    Args:
        plane: fixed-point.
        coarser: how the plane of half its size is changed; empty for the coarsest.
        tolerance: of its samples.
        top: highest sample.
        out: like `plane`.
    """
    height, width = plane.shape
    lines, lifted = np.empty((3, width + 2), np.int16), np.empty(width // 2 + 3, np.int16)
    double = np.empty(width, np.int16)
    for row in range(-1, height):
        if row + 1 < height:
            line = lines[(row + 1) % 3]
            line[1 : width + 1] = plane[row + 1]
            _change_line(coarser, row + 1, np.int32(top), lifted, line)
        if row >= 0:
            _double_tolerance(tolerance, row, double)
            _smooth(lines, row, height, double, out[row])
            for x in range(width):
                out[row, x] = np.int16(out[row, x] - plane[row, x])


@kernel
def finish(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: Samples,
    estimate: Fixed,
    coarser: Fixed,
    tolerance: Tolerance,
    weight: Fixed,
    top: int,
    drop: int,
    out: npt.NDArray[np.uint16],
) -> None:
    """Fill `out` with a plane restored, mixed with the frame's own samples.

    Args:
        source: the frame's plane.
        estimate: the same, averaged over time.
        coarser: how the plane of half the size is changed.
        tolerance: of its samples, by cell.
        weight: of `Cells`.
        top: highest fixed-point sample.
        drop: bits of a fixed-point sample that `out` lacks.
        out: levels with some fraction.
    """
    height, width = estimate.shape
    lines, lifted = np.empty((3, width + 2), np.int16), np.empty(width // 2 + 3, np.int16)
    double, weights = np.empty(width, np.int16), np.empty(width, np.int16)
    own, smoothed = np.empty(width, np.int16), np.empty(width, np.int16)
    half, whole = np.int32((1 << drop) >> 1), 1 << WEIGHT_BITS
    across, down = -tolerance.columns, -tolerance.rows
    for row in range(-1, height):
        if row + 1 < height:
            line = lines[(row + 1) % 3]
            line[1 : width + 1] = estimate[row + 1]
            _change_line(coarser, row + 1, np.int32(top), lifted, line)
        if row < 0:
            continue
        _double_tolerance(tolerance, row, double)
        _smooth(lines, row, height, double, smoothed)
        shares = weight[row >> down]
        if shares.min() < whole:
            read_row(source, row, own)
            if across == 1:
                spread_row(shares, weights)
            else:
                weights[:] = shares
            _mix(own, weights, smoothed, np.int32(drop), out[row])
        else:
            for x in range(width):
                level = np.int32(np.int32(smoothed[x]) + half)
                out[row, x] = np.uint16(level >> np.int32(drop))


@part
def _mix(
    own: Fixed, weights: Fixed, smoothed: Fixed, drop: np.int32, out: npt.NDArray[np.uint16]
) -> None:
    """Mix a row with the frame's own samples, and round it to levels."""
    half = np.int32(np.int32(np.int32(1) << drop) >> np.int32(1))
    for x in range(out.size):
        way = np.int32(np.int32(smoothed[x]) - np.int32(own[x]))
        taken = np.int32(np.int32(way * np.int32(weights[x])) >> np.int32(WEIGHT_BITS))
        mixed = np.int32(np.int32(own[x]) + np.int32(taken + half))
        out[x] = np.uint16(np.int32(mixed >> drop))


@part
def _double_tolerance(tolerance: Tolerance, row: int, double: Fixed) -> None:
    """Twice the tolerance of a row's samples, for `_smooth`."""
    factor, most = np.float32(2) * tolerance.factor, np.float32(2 * MOST_TOLERANCE)
    if tolerance.rows < 0:
        cells = tolerance.cells[row >> 1]
    else:
        cells = tolerance.cells[min(row << tolerance.rows, tolerance.cells.shape[0] - 1)]
    if tolerance.columns < 0:
        spread_row(cells, double)
        for x in range(double.size):
            double[x] = np.int16(min(np.float32(double[x]) * factor, most))
    else:
        step = np.uint64(1 << tolerance.columns)
        for x in range(double.size):
            cell = cells[np.uint64(x) * step]
            double[x] = np.int16(min(np.float32(cell) * factor, most))


@part
def _change_line(coarser: Fixed, row: int, top: np.int32, lifted: Fixed, line: Fixed) -> None:
    """Add a coarser plane's change, enlarged bilinearly, to a line; repeat the line's ends."""
    width, (rows, columns) = line.size - 2, coarser.shape
    if rows:
        near = row >> 1
        far = min(max(near + (1 if row % 2 else -1), 0), rows - 1)
        three, two = np.int32(3), np.int32(2)
        for x in range(columns):
            total = np.int32(three * np.int32(coarser[near, x]) + np.int32(coarser[far, x]))
            lifted[x + 1] = np.int16(np.int32(total + two) >> two)
        lifted[0], lifted[columns + 1] = lifted[1], lifted[columns]
        for x in range(width // 2):
            here = np.int32(three * np.int32(lifted[x + 1]) + two)
            left = np.int32(np.int32(here + np.int32(lifted[x])) >> two)
            right = np.int32(np.int32(here + np.int32(lifted[x + 2])) >> two)
            left = np.int32(left + np.int32(line[2 * x + 1]))
            right = np.int32(right + np.int32(line[2 * x + 2]))
            line[2 * x + 1] = np.int16(min(max(left, np.int32(0)), top))
            line[2 * x + 2] = np.int16(min(max(right, np.int32(0)), top))
        if width % 2:
            here = three * np.int32(lifted[columns]) + two
            last = np.int32(line[width]) + ((here + np.int32(lifted[columns - 1])) >> two)
            line[width] = np.int16(min(max(last, np.int32(0)), top))
    line[0], line[width + 1] = line[1], line[width]


@part
def _smooth(lines: Fixed, row: int, height: int, double: Fixed, out: Fixed) -> None:
    """Move a row towards its neighbours.

    Args:
        lines: (3, W + 2) the rows around, row r at r % 3; each with one more sample on either side.
        row: which.
        height: rows in all; those beyond the edge are like the edge.
        double: twice the tolerance.
        out: the new row.
    """
    here = lines[row % 3]
    above = lines[(row + 2) % 3] if row > 0 else here
    below = lines[(row + 1) % 3] if row + 1 < height else here
    for x in range(out.size):
        own, limit = here[x + 1], double[x]
        corners = np.int16(
            np.int16(_pull(above[x], own, limit) + _pull(above[x + 2], own, limit))
            + np.int16(_pull(below[x], own, limit) + _pull(below[x + 2], own, limit))
        )
        sides = np.int16(
            np.int16(_pull(above[x + 1], own, limit) + _pull(below[x + 1], own, limit))
            + np.int16(_pull(here[x], own, limit) + _pull(here[x + 2], own, limit))
        )
        total = np.int16(corners + np.int16(sides * np.int16(2)))
        out[x] = np.int16(own + np.int16(np.int16(total + np.int16(8)) >> np.int16(4)))


@part
def _pull(neighbor: np.int16, own: np.int16, double: np.int16) -> np.int16:
    """The redescending difference, min(|d|, max(2 t - |d|, 0)) with the sign of d."""
    way = np.int16(neighbor - own)
    size = np.int16(abs(way))
    kept = min(size, max(np.int16(double - size), np.int16(0)))
    return np.int16(-kept) if way < 0 else kept
