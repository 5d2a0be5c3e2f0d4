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
from tapetum.realtime.cpu.fetched_ahead import fetch_row
from tapetum.realtime.cpu.fixed_point import (
    TABLE_SHIFT,
    Fixed,
    Samples,
    fetch_samples,
    read_row,
    spread_row,
)
from tapetum.realtime.cpu.restoring_time import ONE_FRAME, Evidence, Floats
from tapetum.realtime.cpu.wide_changes import WIDE, spread_blocks

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
_FLOWS = 7
"""Rows of flows, of which `correct` and `finish` keep their scratch first."""
_LINES, _DOUBLE, _SMOOTHED, _WEIGHTS, _OWN = 7, 9, 10, 11, 12
"""Its other rows: two lines of samples, and what is known and made of one."""
_LANES, _WHOLE_LOOP = 32, 128
"""Samples of a 64-byte line of cache, and of one turn of the longest SIMD loops."""


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
def describe_cells(  # noqa: PLR0917 - numba takes no keyword-only arguments
    luma: Fixed, flatness: Floats, evidence: Evidence, noise: Floats, weights: Fixed, cells: Cells
) -> None:
    """Fill `cells`.

    Args:
        luma: (h, w) at half size.
        flatness: (h / WIDE, w / WIDE) of `compare_wide`: the share of the deviation to be smoothed.
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
    flat = np.empty(width, np.float32)
    scale = np.float32(1 << REMAINS_BITS)
    for row in range(luma.shape[0]):
        fetch_row(evidence, row + 1)
        for plane in (luma, cells.remains, cells.deviation, cells.weight):
            fetch_row(plane, row + 1)
        # A loop of its own, being the part that is not SIMD.
        for x in range(width):
            found[x] = both[np.uint16(luma[row, x]) >> np.uint16(TABLE_SHIFT)]
        _find_remains(evidence[row], shares)
        if row % WIDE == 0:
            spread_blocks(flatness, row // WIDE, flat)
        for x in range(width):
            cells.remains[row, x] = np.int16(shares[x] * scale)
            deviation = np.float32(found[x] >> np.int32(16)) * shares[x] * flat[x]
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
    scratch = np.zeros((_FLOWS + 4, _whole_loops(width) + 3 * _LANES), np.int16)
    # Where a line of cache begins: loads and stores across two take twice the time.
    at = _LANES + ((-scratch.ctypes.data >> 1) & (_LANES - 1))
    lifted = np.empty(width // 2 + 3, np.int16)
    _read_line(plane, coarser, 0, np.int16(top), lifted, scratch, at)
    for row in range(height):
        fetch_row(plane, row + 2)
        fetch_row(out, row + 1)
        _read_line(plane, coarser, row + 1, np.int16(top), lifted, scratch, at)
        _double_tolerance(tolerance, row, scratch, at, width)
        _smooth(scratch, at, row, width, row + 1 < height)
        _subtract_row(scratch, at, plane[row], out[row])


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
    scratch = np.zeros((_FLOWS + 6, _whole_loops(width) + 3 * _LANES), np.int16)
    at = _LANES + ((-scratch.ctypes.data >> 1) & (_LANES - 1))
    lifted = np.empty(width // 2 + 3, np.int16)
    rows = -tolerance.rows
    _read_line(estimate, coarser, 0, np.int16(top), lifted, scratch, at)
    for row in range(height):
        fetch_row(estimate, row + 2)
        fetch_samples(source, row + 1)
        fetch_row(out, row + 1)
        _read_line(estimate, coarser, row + 1, np.int16(top), lifted, scratch, at)
        if row % (1 + rows) == 0:
            fetch_row(tolerance.cells, (row >> rows) + 1)
            fetch_row(weight, (row >> rows) + 1)
            _double_tolerance(tolerance, row, scratch, at, width)
            _weigh_row(tolerance, weight, row, scratch, at, width)
        _smooth(scratch, at, row, width, row + 1 < height)
        _mix_row(source, row, np.int16(drop), scratch, at, out)


# Kernels count references to each slice, by two atomic steps; parts do not, and so slice.


@part
def _whole_loops(width: int) -> int:
    """A width and what is missing to whole turns of a loop: its rest would be slow."""
    return -(-width // _WHOLE_LOOP) * _WHOLE_LOOP


@part
def _read_line(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, coarser: Fixed, row: int, top: np.int16, lifted: Fixed, scratch: Fixed, at: int
) -> None:
    """Fill a line of scratch with a row, changed by the coarser plane; its last sample twice."""
    if row < plane.shape[0]:
        width = plane.shape[1]
        line = scratch[_LINES + row % 2][at:]
        _change_line(plane[row], coarser, row, top, lifted, line[:width])
        line[width] = line[width - 1]


@part
def _weigh_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    tolerance: Tolerance, weight: Fixed, row: int, scratch: Fixed, at: int, width: int
) -> None:
    """Fill a line of scratch with the weights of a row's samples."""
    cells, weights = weight[row >> -tolerance.rows], scratch[_WEIGHTS][at : at + width]
    if tolerance.columns < 0:
        spread_row(cells, weights)
    else:
        for x in range(width):
            weights[x] = cells[x]


@part
def _subtract_row(scratch: Fixed, at: int, old: Fixed, out: Fixed) -> None:
    smoothed = scratch[_SMOOTHED][at:]
    for x in range(out.size):
        out[x] = np.int16(smoothed[x] - old[x])


@part
def _mix_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: Samples, row: int, drop: np.int16, scratch: Fixed, at: int, out: npt.NDArray[np.uint16]
) -> None:
    width = out.shape[1]
    own = scratch[_OWN][at : at + width]
    read_row(source, row, own)
    _mix(own, scratch[_WEIGHTS][at:], scratch[_SMOOTHED][at:], drop, out[row])


@part
def _smooth(scratch: Fixed, at: int, row: int, width: int, more: bool) -> None:
    """Let flow what flows between a row and its neighbours.

    Args:
        scratch: rows from `at` on. Flows to the right within the row; and down, down and right,
            down and left from this row and from the one above: what leaves the plane is 0. Two
            rows of samples, the last of each repeated once. Twice the tolerance of the row's
            samples, 0 beyond them. The row smoothed, which is filled.
        at: the first sample's place.
        row: which.
        width: samples of the row.
        more: whether there is a next row.
    """
    flows, end = scratch, at + _whole_loops(width)
    line, below = scratch[_LINES + row % 2][at:], scratch[_LINES + (row + 1) % 2][at:]
    double, out = scratch[_DOUBLE][at:end], scratch[_SMOOTHED][at:end]
    now, then = 1 + row % 2, 2 - row % 2
    across = flows[0]
    down, right, left = flows[now], flows[now + 2], flows[now + 4]
    down_above, right_above, left_above = flows[then], flows[then + 2], flows[then + 4]
    _flow(line, line[1:], double, across[at:end])
    if more:
        _flow(line, below, double, down[at:end])
        _flow(line, below[1:], double, right[at:end])
        _flow(line[1:], below, double, left[at:end])
        right[at + width - 1] = left[at + width - 1] = np.int16(0)
    else:
        for x in range(at, end):
            down[x] = right[x] = left[x] = np.int16(0)
    to_right, from_left = across[at:], across[at - 1 :]
    down, down_above = down[at:], down_above[at:]
    right, right_above = right[at:], right_above[at - 1 :]
    left, left_above = left[at - 1 :], left_above[at:]
    for x in range(out.size):
        sides = np.int16(to_right[x] - from_left[x])
        sides = np.int16(sides + np.int16(down[x] - down_above[x]))
        corners = np.int16(right[x] - right_above[x])
        corners = np.int16(corners + np.int16(left[x] - left_above[x]))
        total = np.int16(np.int16(sides + sides) + np.int16(corners + np.int16(8)))
        out[x] = np.int16(line[x] + np.int16(total >> np.int16(4)))


@part
def _mix(
    own: Fixed, weights: Fixed, smoothed: Fixed, drop: np.int16, out: npt.NDArray[np.uint16]
) -> None:
    """Mix a row with the frame's own samples, and round it to levels."""
    half = np.int16(np.int16(1 << drop) >> np.int16(1))
    most = np.int16(_MOST_WAY)
    # Known to be below 16, or LLVM would shift in 64 bits, as numba does.
    bits = np.uint16(drop & np.int16(15))
    for x in range(out.size):
        way = min(max(np.int16(smoothed[x] - own[x]), np.int16(-most)), most)
        product = np.int32(np.int32(np.int16(way * np.int16(2))) * np.int32(weights[x]))
        mixed = np.int16(own[x] + np.int16(product >> np.int32(16)))
        out[x] = np.uint16(mixed + half) >> bits


@part
def _double_tolerance(tolerance: Tolerance, row: int, scratch: Fixed, at: int, width: int) -> None:
    """Fill a line of scratch with twice the tolerance of a row's samples, for `_flow`."""
    factor, most = np.float32(2) * tolerance.factor, np.float32(2 * MOST_TOLERANCE)
    double = scratch[_DOUBLE][at : at + width]
    if tolerance.rows < 0:
        cells = tolerance.cells[row >> 1]
    else:
        cells = tolerance.cells[min(row << tolerance.rows, tolerance.cells.shape[0] - 1)]
    if tolerance.columns < 0:
        spread_row(cells, double)
    elif tolerance.columns == 0:
        for x in range(double.size):
            double[x] = cells[x]
    elif tolerance.columns == 1:
        _take_every_second(cells, double)
    else:
        step = np.uint64(1 << tolerance.columns)
        for x in range(double.size):
            double[x] = cells[np.uint64(x) * step]
    for x in range(double.size):
        double[x] = np.int16(min(np.float32(double[x]) * factor, most))


@part
def _take_every_second(cells: Fixed, out: Fixed) -> None:
    for x in range(cells.size // 2):
        out[x] = cells[2 * x]
    if cells.size % 2:
        out[out.size - 1] = cells[cells.size - 1]


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
        size, twice = np.uint16(abs(way)), np.uint16(double[x])
        most = np.int16(np.uint16(max(twice, size) - size))  # one instruction
        out[x] = min(max(way, np.int16(-most)), most)
