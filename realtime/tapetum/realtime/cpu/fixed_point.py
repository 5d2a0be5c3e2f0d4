"""Planes in 16-bit fixed point, all depths alike: a sample's level times 2**(15 - depth)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fetched_ahead import fetch_row, fetch_span
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
        shift: empty low bits of a sample's word, whose level is on top then; else 0.
        fraction: bits that a level is shifted up by to be fixed-point.
        scale: what a word is multiplied by to be fixed-point, where its level is not on top. Numba
            shifts in 64 bits, and so it multiplies by what it knows to be a power of 2.
    """

    lines: EitherSize
    pitch: int
    step: int
    width: int
    height: int
    shift: int
    fraction: int
    scale: int


def frame_samples(frame: Frame) -> tuple[Samples, Samples, Samples]:
    """Y, U and V of a frame in main memory.

    Raises:
        DeviceError: a plane is not a NumPy array.
    """
    luma, pitch = sample_rows(frame.planes[0])
    chroma = chroma_rows(frame)
    last = chroma.step, chroma.width, chroma.height
    shift, fraction = frame.format.shift, FIXED_BITS - frame.format.depth
    layout = shift, fraction, 1 if shift else 1 << fraction
    return (
        Samples(either_size(luma), pitch, 1, frame.width, frame.height, *layout),
        Samples(either_size(chroma.u), chroma.u_pitch, *last, *layout),
        Samples(either_size(chroma.v), chroma.v_pitch, *last, *layout),
    )


def fixed_samples(plane: Fixed) -> Samples:
    """A plane, without gaps between rows, that is fixed-point already."""
    height, width = plane.shape
    return Samples(either_size(plane.reshape(-1)), width, 1, width, height, 0, 0, 1)


@kernel
def halve(source: Samples, across: int, down: int, out: Fixed) -> None:
    """Fill `out` with means of a plane's samples: of two across and two down, where these are 1.

    A lone last row or column counts twice.
    """
    rows = np.empty((2, source.width), np.int16)
    for row in range(out.shape[0]):
        for line in range((row + 1) << down, (row + 2) << down):
            fetch_samples(source, line)
        fetch_row(out, row + 1)
        _halve_cells(source, row, across, down, rows, out)


@kernel
def halve_plane(plane: Fixed, out: Fixed) -> None:
    """The same of a plane without gaps between rows that is fixed-point already, both ways."""
    for row in range(out.shape[0]):
        fetch_row(plane, 2 * row + 2)
        fetch_row(plane, 2 * row + 3)
        fetch_row(out, row + 1)
        halve_rows(plane, row, out)


@part
def _halve_cells(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: Samples, row: int, across: int, down: int, rows: Fixed, halves: Fixed
) -> None:
    """Fill a row of `halves`. A kernel itself would count references to each slice."""
    first, last = row << down, min((row << down) + down, source.height - 1)
    out = halves[row]
    if across + down == 2 and source.step == 1 and source.lines.words.size == 0:
        start, end = first * source.pitch, last * source.pitch
        _halve_bytes(source.lines.bytes[start:], source.lines.bytes[end:], source, out)
        return
    if across + down == 0:
        read_row(source, first, out)
        return
    upper, lower = rows[0], rows[last - first]
    read_row(source, first, upper)
    if last > first:
        read_row(source, last, lower)
    if across == 0:
        for x in range(out.size):
            total = np.uint16(np.uint16(upper[x]) + np.uint16(lower[x]))
            out[x] = np.int16(np.uint16(total + np.uint16(1)) >> np.uint16(1))
    else:
        halve_row(upper, lower, out)


@part
def fetch_samples(source: Samples, row: int) -> None:
    """Begin to fetch a row of samples; nothing where there is none."""
    if row < source.height:
        start = np.uint64(row * source.pitch)
        end = start + np.uint64(source.width * source.step)
        if source.lines.words.size == 0:
            fetch_span(source.lines.bytes, start, end)
        else:
            fetch_span(source.lines.words, start, end)


@part
def read_row(source: Samples, row: int, out: Fixed) -> None:
    """Read a row of samples as fixed point."""
    start, step = np.uint64(row * source.pitch), np.uint64(source.step)
    scale = np.uint16(source.scale)
    if source.lines.words.size == 0:
        _fetch_bytes(source.lines.bytes, start, step, scale, out)
        return
    _fetch_words(source.lines.words, start, step, scale, out)
    if source.shift > 0:
        # A level on top of 16 bits is fixed-point in 15.
        keep = np.uint16((1 << 16) - (1 << source.shift))
        for x in range(out.size):
            out[x] = np.int16(np.uint16(np.uint16(out[x]) & keep) >> np.uint16(1))


# Places count from a row's own start, and their step is known: only so LLVM makes SIMD of them.


@part
def _fetch_words(
    words: npt.NDArray[np.uint16], start: np.uint64, step: np.uint64, scale: np.uint16, out: Fixed
) -> None:
    row = words[start:]
    if step == 1:
        for x in range(out.size):
            out[x] = np.int16(row[x] * scale)
    else:
        for x in range(out.size):
            out[x] = np.int16(row[2 * x] * scale)


@part
def _fetch_bytes(
    samples: npt.NDArray[np.uint8], start: np.uint64, step: np.uint64, scale: np.uint16, out: Fixed
) -> None:
    row = samples[start:]
    if step == 1:
        for x in range(out.size):
            out[x] = np.int16(np.uint16(row[x]) * scale)
    else:
        for x in range(out.size):
            out[x] = np.int16(np.uint16(row[2 * x]) * scale)


@part
def spread_row(cells: Fixed, out: Fixed) -> None:
    """Give each cell's value to the two samples that it stands for."""
    for x in range(out.size // 2):
        out[2 * x] = cells[x]
        out[2 * x + 1] = cells[x]
    if out.size % 2:
        out[out.size - 1] = cells[cells.size - 1]


@part
def _halve_bytes(
    upper: npt.NDArray[np.uint8], lower: npt.NDArray[np.uint8], source: Samples, out: Fixed
) -> None:
    """The same of two rows of bytes, whose sums are fixed-point by a multiplication."""
    even = source.width // 2 * 2
    above, below = upper[:even].view(np.uint16), lower[:even].view(np.uint16)
    low, bits, scale = np.uint16(0xFF), np.uint16(8), np.uint16(source.scale >> 2)
    for x in range(above.size):
        total = np.uint16(np.uint16(above[x] & low) + np.uint16(above[x] >> bits))
        total = np.uint16(total + np.uint16(below[x] & low))
        total = np.uint16(total + np.uint16(below[x] >> bits))
        out[x] = np.int16(total * scale)
    if source.width > even:
        last = np.uint16(np.uint16(upper[even]) + np.uint16(lower[even]))
        out[out.size - 1] = np.int16(np.uint16(last + last) * scale)


@part
def halve_rows(plane: Fixed, row: int, halves: Fixed) -> None:
    """Fill a row of `halves` with means of two rows of a plane."""
    halve_row(plane[2 * row], plane[min(2 * row + 1, plane.shape[0] - 1)], halves[row])


@part
def halve_row(upper: Fixed, lower: Fixed, out: Fixed) -> None:
    """Fill `out` with means of two rows' pairs; a lone last column counts twice."""
    even = upper.size // 2 * 2
    # Two samples are one word: so LLVM need not sort them. Their sums fit 16 bits each.
    above, below = upper[:even].view(np.uint32), lower[:even].view(np.uint32)
    for x in range(above.size):
        pair = np.uint32(above[x] + below[x])
        total = np.uint32((pair & np.uint32(0xFFFF)) + np.uint32(pair >> np.uint32(16)))
        out[x] = np.int16(np.uint32(total + np.uint32(2)) >> np.uint32(2))
    if upper.size > even:
        last = np.int32(upper[even]) + np.int32(lower[even])
        out[out.size - 1] = (last + np.int32(1)) >> np.int32(1)
