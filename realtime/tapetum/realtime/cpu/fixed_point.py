"""Planes in 16-bit fixed point, all depths alike: a sample's level times 2**(15 - depth)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.plane_rows import EitherSize, chroma_rows, either_size, sample_rows
from tapetum.realtime.frame import Frame

Fixed = npt.NDArray[np.int16]
"""Fixed-point samples, from 0 on."""
FIXED_BITS = 15
"""Bits of a fixed-point sample; those of its level are on top."""
TABLE_SHIFT = 7
"""A fixed-point luma, shifted down by this, is its place in a table of `TABLE_SIZE` entries."""
TABLE_SIZE = 1 << (FIXED_BITS - TABLE_SHIFT)


class Samples(NamedTuple):
    """A plane as it lies in memory: row r, column x is at r * pitch + x * step, shifted up.

    Attributes:
        lines: 1-D samples.
        pitch: samples from row to row.
        step: samples from column to column, 1 or 2.
        width: columns.
        height: rows.
        shift: empty low bits of a sample's word.
        fraction: bits that a level is shifted up by to be fixed-point.
    """

    lines: EitherSize
    pitch: int
    step: int
    width: int
    height: int
    shift: int
    fraction: int


def frame_samples(frame: Frame) -> tuple[Samples, Samples, Samples]:
    """Y, U and V of a frame in main memory.

    Raises:
        DeviceError: a plane is not a NumPy array.
    """
    luma, pitch = sample_rows(frame.planes[0])
    chroma = chroma_rows(frame)
    last = chroma.step, chroma.width, chroma.height
    layout = frame.format.shift, FIXED_BITS - frame.format.depth
    return (
        Samples(either_size(luma), pitch, 1, frame.width, frame.height, *layout),
        Samples(either_size(chroma.u), chroma.u_pitch, *last, *layout),
        Samples(either_size(chroma.v), chroma.v_pitch, *last, *layout),
    )


def fixed_samples(plane: Fixed) -> Samples:
    """A plane, without gaps between rows, that is fixed-point already."""
    height, width = plane.shape
    return Samples(either_size(plane.reshape(-1)), width, 1, width, height, 0, 0)


@kernel
def halve(source: Samples, across: int, down: int, out: Fixed) -> None:
    """Fill `out` with means of a plane's samples: of two across and two down, where these are 1.

    A lone last row or column counts twice.
    """
    rows = np.empty((2, source.width), np.int16)
    for row in range(out.shape[0]):
        first, last = row << down, min((row << down) + down, source.height - 1)
        upper, lower = rows[0], rows[last - first]
        read_row(source, first, upper)
        if last > first:
            read_row(source, last, lower)
        if across == 0:
            for x in range(out.shape[1]):
                total = np.int32(np.int32(upper[x]) + np.int32(lower[x]) + np.int32(1))
                out[row, x] = np.int16(total >> np.int32(1))
        else:
            halve_row(upper, lower, out[row])


@part
def read_row(source: Samples, row: int, out: Fixed) -> None:
    """Read a row of samples as fixed point."""
    start, step = np.uint64(row * source.pitch), np.uint64(source.step)
    if source.lines.words.size > 0:
        _fetch_words(source.lines.words, start, step, out)
        down, up = np.uint16(source.shift), np.uint16(source.fraction)
        if down > 0 or up > 0:
            for x in range(out.size):
                out[x] = np.int16(np.uint16(np.uint16(np.uint16(out[x]) >> down) << up))
    else:
        _fetch_bytes(source.lines.bytes, start, step, np.uint16(source.fraction), out)


# Places are unsigned and in the whole array, which spares numba's tests for negative indices:
# slices would be counted as references, row by row.


@part
def _fetch_words(
    words: npt.NDArray[np.uint16], start: np.uint64, step: np.uint64, out: Fixed
) -> None:
    if step == 1:
        for x in range(np.uint64(out.size)):
            out[x] = np.int16(words[start + x])
    else:
        for x in range(np.uint64(out.size)):
            out[x] = np.int16(words[start + step * x])


@part
def _fetch_bytes(
    samples: npt.NDArray[np.uint8], start: np.uint64, step: np.uint64, up: np.uint16, out: Fixed
) -> None:
    if step == 1:
        for x in range(np.uint64(out.size)):
            out[x] = np.int16(np.uint16(samples[start + x]) << up)
    else:
        for x in range(np.uint64(out.size)):
            out[x] = np.int16(np.uint16(samples[start + step * x]) << up)


@part
def spread_row(cells: Fixed, out: Fixed) -> None:
    """Give each cell's value to the two samples that it stands for."""
    for x in range(out.size // 2):
        out[2 * x] = cells[x]
        out[2 * x + 1] = cells[x]
    if out.size % 2:
        out[out.size - 1] = cells[cells.size - 1]


@part
def halve_row(upper: Fixed, lower: Fixed, out: Fixed) -> None:
    """Fill `out` with means of two rows' pairs; a lone last column counts twice."""
    for x in range(upper.size // 2):
        left = np.int32(np.int32(upper[2 * x]) + np.int32(lower[2 * x]))
        right = np.int32(np.int32(upper[2 * x + 1]) + np.int32(lower[2 * x + 1]))
        out[x] = np.int16(np.int32(left + right + np.int32(2)) >> np.int32(2))
    if upper.size % 2:
        last = np.int32(upper[upper.size - 1]) + np.int32(lower[upper.size - 1])
        out[out.size - 1] = (last + np.int32(1)) >> np.int32(1)
