"""The restoring stage in changing light: what was known is made as bright as the new frame.

An automatic exposure, a fade and a lamp that flickers change all of a picture by one curve of luma.
It is measured between what was known and what is seen, as medians over cells of 16x16 pixels, and
laid over what was known before the two are compared: so it is no motion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import FIXED_BITS, TABLE_SHIFT, TABLE_SIZE, Fixed, spread_row

SIDE = 8
"""Rows and columns of cells of which means are compared."""
_BINS = 16
"""Luma bins, uniform in the square root of luma."""
_FEWEST = 8
"""Means that a bin needs to be believed."""
_MOST_MEANS = 2000
"""Means that are compared, about, in one frame."""
_MOST_SPANS = 1.0
_DIVIDED, _AGREED = 0.62, 0.82
"""Share of means that change one way, up to which light has not changed, and from which it has."""
GAIN_BITS = 12
"""Bits of a gain: 1 is 1 << GAIN_BITS."""
_GREY = 1 << (FIXED_BITS - 1)

Floats = npt.NDArray[np.float64]


class Light(NamedTuple):
    """How much brighter a picture became, by luma, at fixed-point steps of 2**TABLE_SHIFT.

    Attributes:
        more: (257,) fixed-point units to be added.
        gain: (257,) of contrast and colour, in 1 / (1 << GAIN_BITS).
    """

    more: Fixed
    gain: Fixed


def new_light(frame: Fixed, known: Fixed, black: float) -> Light | None:
    """How the light changed; None where it did not.

    Args:
        frame: (h, w) luma of the new frame at half size, fixed-point.
        known: (h, w) what was known.
        black: the level of black, fixed-point.
    """
    every, count = samples_every(frame.shape)
    if count < _FEWEST:
        return None
    means = np.empty((2, count), np.float32)
    sample_means(frame, known, every, means)
    share = _agreement(means[0] - means[1])
    if share == 0:
        return None
    old, change = means[1].astype(np.float64), (means[0] - means[1]).astype(np.float64)
    place = np.sqrt(np.clip(old - black, 0, None) / (1 << FIXED_BITS)) * _BINS
    bins = np.minimum(place.astype(int), _BINS - 1)
    at, by = [black], [0.0]
    for one in range(_BINS):
        here = bins == one
        if here.sum() >= _FEWEST:
            at.append(float(np.median(old[here])))
            by.append(float(np.median(change[here])) * min(_agreement(change[here]), share))
    levels = np.arange(TABLE_SIZE + 1, dtype=np.float64) * (1 << TABLE_SHIFT)
    ends = max(at[-1] - black, 1.0)
    more = np.interp(levels, at, by)
    above = levels > at[-1]
    more[above] = np.minimum((levels[above] - black) / ends * by[-1], np.abs(by[-1]) * 2)
    more = np.clip(more, black - levels, None) * (levels >= black)
    gain = np.clip(1 + more / np.maximum(levels - black, 1 << TABLE_SHIFT), 0.25, 4)
    return Light(np.rint(more).astype(np.int16), np.rint(gain * (1 << GAIN_BITS)).astype(np.int16))


def samples_every(shape: tuple[int, int]) -> tuple[int, int]:
    """Of how many SIDE x SIDE cells down and across one is compared, and how many that are.

    Args:
        shape: rows and columns of luma at half size.
    """
    rows, columns = (side // SIDE for side in shape)
    every = max(round((rows * columns / _MOST_MEANS) ** 0.5), 1)
    return every, -(-rows // every) * -(-columns // every)


def _agreement(change: npt.NDArray[np.floating[Any]]) -> float:
    """How sure it is that changes are one of light, from 0 to 1: by how many go one way."""
    up, down = np.count_nonzero(change > 0), np.count_nonzero(change < 0)
    share = max(up, down) / change.size
    return min(max((share - _DIVIDED) / (_AGREED - _DIVIDED), 0.0), 1.0)


@kernel
def sample_means(frame: Fixed, known: Fixed, every: int, means: npt.NDArray[np.float32]) -> None:
    """Fill `means` with those of SIDE x SIDE cells of both planes, of every so many of these."""
    count = 0
    width = frame.shape[1] // SIDE * SIDE
    seen, past = np.empty(width, np.int32), np.empty(width, np.int32)
    for row in range(0, frame.shape[0] // SIDE, every):
        _sum_rows(frame, row * SIDE, seen)
        _sum_rows(known, row * SIDE, past)
        for column in range(0, width, every * SIDE):
            here, before = np.int32(0), np.int32(0)
            for x in range(column, column + SIDE):
                here += seen[x]
                before += past[x]
            means[0, count] = np.float32(here) / np.float32(SIDE * SIDE)
            means[1, count] = np.float32(before) / np.float32(SIDE * SIDE)
            count += 1


@part
def _sum_rows(plane: Fixed, top: int, sums: npt.NDArray[np.int32]) -> None:
    """Add the `SIDE` rows from `top` on, column by column."""
    for x in range(sums.size):
        sums[x] = np.int32(0)
    for y in range(top, top + SIDE):
        for x in range(sums.size):
            sums[x] += np.int32(plane[y, x])


@kernel
def relight_cells(known: Fixed, light: Light, out: Fixed, gains: Fixed) -> None:
    """Fill `out` with luma at half size in a new light, and `gains` with that of each cell."""
    for row in range(known.shape[0]):
        for x in range(known.shape[1]):
            level = known[row, x] >> TABLE_SHIFT
            part = np.int32(known[row, x]) & np.int32((1 << TABLE_SHIFT) - 1)
            here, there = np.int32(light.more[level]), np.int32(light.more[level + 1])
            more = here + (((there - here) * part) >> np.int32(TABLE_SHIFT))
            new = np.int32(known[row, x]) + more
            out[row, x] = np.int16(min(max(new, np.int32(0)), np.int32((1 << FIXED_BITS) - 1)))
            gains[row, x] = light.gain[level]


@kernel
def relight(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, old: Fixed, new: Fixed, gains: Fixed, across: int, down: int
) -> None:
    """Bring a plane into a new light, in place.

    Args:
        plane: fixed-point.
        old: (h, w) the mean around which a cell's samples lie: grey for chroma.
        new: (h, w) the same in the new light.
        gains: (h, w) of a cell's contrast.
        across: 1 where a cell is two samples wide, else 0.
        down: 1 where a cell is two samples high, else 0.
    """
    rows = np.empty((3, plane.shape[1]), np.int16)
    for row in range(plane.shape[0]):
        cell = row >> down
        if across == 0:
            _relight_row(plane[row], old[cell], new[cell], gains[cell])
            continue
        if row % (1 + down) == 0:
            spread_row(old[cell], rows[0])
            spread_row(new[cell], rows[1])
            spread_row(gains[cell], rows[2])
        _relight_row(plane[row], rows[0], rows[1], rows[2])


@part
def _relight_row(plane: Fixed, old: Fixed, new: Fixed, gains: Fixed) -> None:
    top, bits = np.int32((1 << FIXED_BITS) - 1), np.int32(GAIN_BITS)
    for x in range(plane.size):
        way = np.int32(np.int32(np.int32(plane[x]) - np.int32(old[x])) * np.int32(gains[x]))
        value = np.int32(np.int32(new[x]) + np.int32(way >> bits))
        plane[x] = np.int16(min(max(value, np.int32(0)), top))
