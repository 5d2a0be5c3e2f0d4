"""Planes seen from a little beside: by parts of a sample, with a cubic spline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fetched_ahead import fetch_row
from tapetum.realtime.cpu.fixed_point import FIXED_BITS, Fixed

_TAP_BITS = 14
"""Bits of an interpolation's taps: 1 is 1 << _TAP_BITS."""


def shift_plane(plane: Fixed, shift: npt.NDArray[np.float64], out: Fixed) -> None:
    """Fill `out` with a plane as it is some rows and columns on; edges are repeated.

    Args:
        plane: fixed-point.
        shift: (2,) rows and columns.
        out: like `plane`.
    """
    whole = np.floor(shift)
    down, across = (spline_taps(float(part)) for part in shift - whole)
    interpolate(plane, int(whole[0]), int(whole[1]), down, across, out)


def spline_taps(part: float) -> Fixed:
    """(4,) weights of neighbours of a place that lies part of the way from the second to the third.

    Those of the spline of Catmull and Rom (1974), which keeps more detail than means of two do: an
    estimate goes through it once for each frame.
    """
    t = part
    spline = (
        -t * (1 - t) ** 2 / 2,
        1 - t * t * (5 - 3 * t) / 2,
        t * (1 + t * (4 - 3 * t)) / 2,
        -t * t * (1 - t) / 2,
    )
    taps = [round(weight * (1 << _TAP_BITS)) for weight in spline]
    taps[1 if t < 0.5 else 2] += (1 << _TAP_BITS) - sum(taps)
    return np.array(taps, np.int16)


@kernel
def interpolate(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, rows: int, columns: int, down: Fixed, across: Fixed, out: Fixed
) -> None:
    """Fill `out` with a plane's samples some whole rows and columns on, and parts by taps."""
    width = plane.shape[1]
    seen, line = np.empty(width, np.int16), np.empty(width + 3, np.int16)
    for row in range(plane.shape[0]):
        fetch_row(plane, row + rows + 3)
        fetch_row(out, row + 1)
        _interpolate_row(plane, row + rows - 1, columns - 1, down, across, seen, line, out, row)


@part
def _interpolate_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed,
    first: int,
    columns: int,
    down: Fixed,
    across: Fixed,
    seen: Fixed,
    line: Fixed,
    out: Fixed,
    row: int,
) -> None:
    """Fill a row with what lies between four rows, and between four columns from some on."""
    last, one = plane.shape[0] - 1, np.int16(1 << _TAP_BITS)
    if down[1] == one:  # whole rows: what they would be weighed to
        _move(plane[min(max(first + 1, 0), last)], columns, line)
    else:
        _weigh(
            plane[min(max(first, 0), last)],
            plane[min(max(first + 1, 0), last)],
            plane[min(max(first + 2, 0), last)],
            plane[min(max(first + 3, 0), last)],
            down,
            seen,
        )
        _move(seen, columns, line)
    if across[1] == one:
        _copy(line[1:], out[row])
    else:
        _weigh(line, line[1:], line[2:], line[3:], across, out[row])


@part
def _copy(line: Fixed, out: Fixed) -> None:
    for x in range(out.size):
        out[x] = line[x]


@part
def _move(samples: Fixed, columns: int, line: Fixed) -> None:
    """Fill a line with samples some columns on; those at the edges are repeated."""
    width = samples.size
    start = min(max(-columns, 0), line.size)
    stop = max(min(width - columns, line.size), start)
    inner, there = line[start:stop], samples[start + columns :]
    for x in range(start):
        line[x] = samples[0]
    for x in range(inner.size):
        inner[x] = there[x]
    for x in range(stop, line.size):
        line[x] = samples[width - 1]


@part
def _weigh(  # noqa: PLR0917 - numba takes no keyword-only arguments
    a: Fixed, b: Fixed, c: Fixed, d: Fixed, taps: Fixed, out: Fixed
) -> None:
    """Means of four rows' samples, weighed."""
    of_a, of_b, of_c, of_d = taps[0], taps[1], taps[2], taps[3]
    half, bits = np.int32(1 << (_TAP_BITS - 1)), np.int32(_TAP_BITS)
    least, most = np.int32(0), np.int32((1 << FIXED_BITS) - 1)
    for x in range(out.size):
        outer = np.int32(_product(a[x], of_a) + _product(d[x], of_d))
        inner = np.int32(_product(b[x], of_b) + _product(c[x], of_c))
        total = np.int32(np.int32(outer + inner) + half)
        out[x] = np.int16(min(max(np.int32(total >> bits), least), most))


@part
def _product(sample: np.int16, tap: np.int16) -> np.int32:
    return np.int32(np.int32(sample) * np.int32(tap))


@kernel
def shift_evidence(
    evidence: npt.NDArray[np.uint8], rows: int, columns: int, out: npt.NDArray[np.uint8]
) -> None:
    """Fill `out` with evidence some rows and columns on; 0 where nothing was known.

    That is beyond the edges, and up to two cells within them, which an interpolation takes from
    beyond.
    """
    height, width = evidence.shape
    start, stop = min(max(2 - columns, 0), width), max(min(width - 2 - columns, width), 0)
    for row in range(height):
        here, there = out[row], row + rows
        for x in range(width):
            here[x] = np.uint8(0)
        if start < stop and 2 <= there < height - 2:
            inner, known = here[start:stop], evidence[there][start + columns :]
            for x in range(inner.size):
                inner[x] = known[x]
