"""The restoring stage over space: what time could not average is smoothed, from coarse to fine.

Between each two neighbours something flows: all of a small difference, which is noise, and nothing
of one over twice a tolerance, which is an edge. What one sample gains its neighbour loses, so that
the mean of the picture stays. It is done on a pyramid of 2x2 means; what a coarse plane changed is
carried up to the finer one first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed, Samples, read_row, spread_row
from tapetum.realtime.cpu.restoring_time import ONE_FRAME, Evidence, Floats

MOST_TOLERANCE = 1300
"""Of a sample's fixed-point units: sums of twelve differences fit 16 bits."""
LEAST_REMAINS = 0.4
"""Noise is taken to remain by this share at least, however many frames were averaged."""
REMAINS_BITS = 8
"""Bits of this share: all is 1 << REMAINS_BITS."""
WHOLE = 32767
"""A weight that is all."""
_MOST_WAY = 16383
"""A sample is changed by so much at most."""


class Cells(NamedTuple):
    """What is known of each cell of 2x2 pixels when space is smoothed.

    Attributes:
        remains: (h, w) the share of noise that remains, in 1 / (1 << REMAINS_BITS).
        deviation: (h, w) the deviation of luma noise that remains, fixed-point.
        weight: (h, w) the share of what is restored in the result, `WHOLE` for all.
    """

    remains: Fixed
    deviation: Fixed
    weight: Fixed


class FineChroma(NamedTuple):
    """The noise in chroma at full size, of which half size says nothing.

    Attributes:
        weight: (h, w) by how much it is taken out, of cells of 2x2 pixels; `WHOLE` for all.
        tolerance: fixed-point, of U and of V: what differs by less is noise, and by twice as much
            is detail.
    """

    weight: Fixed
    tolerance: tuple[float, float]


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
    both, width = np.empty(noise.size, np.int32), luma.shape[1]
    for level in range(noise.size):
        deviation = np.int32(min(noise[level], np.float32(MOST_TOLERANCE)) + np.float32(0.5))
        both[level] = (deviation << np.int32(16)) | np.int32(weights[level])
    found, shares = np.empty(width, np.int32), np.empty(width, np.float32)
    scale = np.float32(1 << REMAINS_BITS)
    for row in range(luma.shape[0]):
        # A loop of its own, being the part that is not SIMD.
        for x in range(width):
            found[x] = both[np.uint16(luma[row, x]) >> np.uint16(TABLE_SHIFT)]
        _find_remains(evidence[row], shares)
        for x in range(width):
            cells.remains[row, x] = np.int16(shares[x] * scale)
            deviation = np.float32(found[x] >> np.int32(16)) * shares[x]
            cells.deviation[row, x] = np.int16(deviation + np.float32(0.5))
            cells.weight[row, x] = np.int16(found[x])


@part
def _find_remains(evidence: Evidence, shares: Floats) -> None:
    """The share of noise that remains of each cell."""
    one_frame, one, least = np.float32(ONE_FRAME), np.float32(1), np.float32(LEAST_REMAINS)
    for x in range(shares.size):
        frames = max(np.float32(evidence[x]), one_frame) / one_frame
        # The root is never below 1; that it is said spares numba's test.
        shares[x] = max(one / max(np.sqrt(frames), one), least)


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
    lines, lifted = np.empty((2, width), np.int16), np.empty(width // 2 + 3, np.int16)
    double, smoothed = np.empty(width, np.int16), np.empty(width, np.int16)
    flows = np.zeros((7, width + 1), np.int16)
    for below_row in range(height + 1):
        row = below_row - 1
        line, below = lines[1 - below_row % 2], lines[below_row % 2]
        if below_row < height:
            _change_line(plane[below_row], coarser, below_row, np.int16(top), lifted, below)
        if row < 0:
            continue
        _double_tolerance(tolerance, row, double)
        _smooth(line, below, double, row, below_row < height, flows, smoothed)
        new, old = out[row], plane[row]
        for x in range(width):
            new[x] = np.int16(smoothed[x] - old[x])


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
    lines, lifted = np.empty((2, width), np.int16), np.empty(width // 2 + 3, np.int16)
    double, weights = np.empty(width, np.int16), np.empty(width, np.int16)
    own, smoothed = np.empty(width, np.int16), np.empty(width, np.int16)
    flows = np.zeros((7, width + 1), np.int16)
    columns, rows = -tolerance.columns, -tolerance.rows
    for below_row in range(height + 1):
        row = below_row - 1
        line, below = lines[1 - below_row % 2], lines[below_row % 2]
        if below_row < height:
            _change_line(estimate[below_row], coarser, below_row, np.int16(top), lifted, below)
        if row < 0:
            continue
        if row % (1 + rows) == 0:
            _double_tolerance(tolerance, row, double)
            if columns == 1:
                spread_row(weight[row >> rows], weights)
            else:
                weights = weight[row >> rows]
        _smooth(line, below, double, row, below_row < height, flows, smoothed)
        read_row(source, row, own)
        _mix(own, weights, smoothed, np.int16(drop), out[row])


@part
def _smooth(  # noqa: PLR0917 - numba takes no keyword-only arguments
    line: Fixed, below: Fixed, double: Fixed, row: int, more: bool, flows: Fixed, out: Fixed
) -> None:
    """Let flow what flows between a row and its neighbours.

    Args:
        line: (W,) the row.
        below: (W,) the next.
        double: (W,) twice the tolerance of the row's samples.
        row: which.
        more: whether there is a next row.
        flows: (7, W + 1) within the row; and down, down and right, down and left from this row
            and from the one above. What leaves the plane is 0.
        out: (W,) the row smoothed.
    """
    width, now, then = out.size, 1 + row % 2, 2 - row % 2
    across = flows[0]
    down, right, left = flows[now], flows[now + 2], flows[now + 4]
    down_above, right_above, left_above = flows[then], flows[then + 2], flows[then + 4]
    _flow(line, line[1:], double, across[1:width])
    if more:
        _flow(line, below, double, down[:width])
        _flow(line, below[1:], double, right[1:width])
        _flow(line[1:], below, double, left[1:width])
    else:
        for x in range(width + 1):
            down[x] = right[x] = left[x] = np.int16(0)
    for x in range(width):
        sides = np.int16(across[x + 1] - across[x])
        sides = np.int16(sides + np.int16(down[x] - down_above[x]))
        corners = np.int16(right[x + 1] - right_above[x])
        corners = np.int16(corners + np.int16(left[x] - left_above[x + 1]))
        total = np.int16(np.int16(sides + sides) + np.int16(corners + np.int16(8)))
        out[x] = np.int16(line[x] + np.int16(total >> np.int16(4)))


@part
def _mix(
    own: Fixed, weights: Fixed, smoothed: Fixed, drop: np.int16, out: npt.NDArray[np.uint16]
) -> None:
    """Mix a row with the frame's own samples, and round it to levels."""
    half = np.int16(np.int16(1 << drop) >> np.int16(1))
    most = np.int16(_MOST_WAY)
    for x in range(out.size):
        way = min(max(np.int16(smoothed[x] - own[x]), np.int16(-most)), most)
        # The upper half of a product is one instruction.
        product = np.int32(np.int32(np.int16(way * np.int16(2))) * np.int32(weights[x]))
        mixed = np.int16(own[x] + np.int16(product >> np.int32(16)))
        out[x] = np.uint16(np.uint16(mixed + half) >> np.uint16(drop))


@part
def _double_tolerance(tolerance: Tolerance, row: int, double: Fixed) -> None:
    """Twice the tolerance of a row's samples, for `_flow`."""
    factor, most = np.float32(2) * tolerance.factor, np.float32(2 * MOST_TOLERANCE)
    if tolerance.rows < 0:
        cells = tolerance.cells[row >> 1]
    else:
        cells = tolerance.cells[min(row << tolerance.rows, tolerance.cells.shape[0] - 1)]
    if tolerance.columns < 0:
        spread_row(cells, double)
        for x in range(double.size):
            double[x] = np.int16(min(np.float32(double[x]) * factor, most))
    elif tolerance.columns == 0:
        for x in range(double.size):
            double[x] = np.int16(min(np.float32(cells[x]) * factor, most))
    else:
        step = np.uint64(1 << tolerance.columns)
        for x in range(double.size):
            cell = cells[np.uint64(x) * step]
            double[x] = np.int16(min(np.float32(cell) * factor, most))


@part
def _change_line(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, coarser: Fixed, row: int, top: np.int16, lifted: Fixed, line: Fixed
) -> None:
    """Fill a line with a plane's row, and a coarser plane's change, enlarged bilinearly."""
    width, (rows, columns) = line.size, coarser.shape
    if rows == 0:
        for x in range(width):
            line[x] = plane[x]
        return
    near = row >> 1
    far = min(max(near + (1 if row % 2 else -1), 0), rows - 1)
    three, two = np.int16(3), np.int16(2)
    for x in range(columns):
        total = np.int16(np.int16(three * coarser[near, x]) + coarser[far, x])
        lifted[x + 1] = np.int16(np.int16(total + two) >> two)
    lifted[0], lifted[columns + 1] = lifted[1], lifted[columns]
    for x in range(width // 2):
        here = np.int16(np.int16(three * lifted[x + 1]) + two)
        left = np.int16(np.int16(here + lifted[x]) >> two)
        right = np.int16(np.int16(here + lifted[x + 2]) >> two)
        line[2 * x] = left
        line[2 * x + 1] = right
    if width % 2:
        here = np.int16(np.int16(three * lifted[columns]) + two)
        line[width - 1] = np.int16(np.int16(here + lifted[columns - 1]) >> two)
    for x in range(width):
        own = plane[x]
        change = min(max(line[x], np.int16(-own)), np.int16(top - own))
        line[x] = np.int16(own + change)


@part
def _flow(first: Fixed, second: Fixed, double: Fixed, out: Fixed) -> None:
    """What samples of `first` gain of those of `second`.

    The redescending difference, min(|d|, max(2 t - |d|, 0)) with the sign of d: d, between limits.
    """
    for x in range(out.size):
        way = np.int16(second[x] - first[x])
        most = max(np.int16(double[x] - np.int16(abs(way))), np.int16(0))
        out[x] = min(max(way, np.int16(-most)), most)
