"""How noisy a video is, measured in its own pictures: by luma, for chroma, and how fine-grained.

Most pictures have places that are flat or at rest. There, what differs between neighbours, and
between frames, is noise: a low quantile of the differences tells its deviation, whatever else is
in the picture. Of the two measures, over space and over time, the smaller one holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import (
    TABLE_SHIFT,
    TABLE_SIZE,
    Fixed,
    Samples,
    read_row,
)
from tapetum.realtime.sample_range import SampleRange

BINS = 24
"""Luma bins, uniform in the square root of luma, as noise of light is."""
_VALUES = 256
_EVERY_ROW, _EVERY_COLUMN = 5, 3
"""Cells that are looked at: these are many, and their neighbours count in each."""
_UNIT = 4
"""A histogram's step, in fixed-point units: 1/32 of an 8-bit level."""
_QUANTILE = 0.2
_FEWEST = 40
"""Samples that a bin needs to be believed."""
_TIME_PER_DEVIATION = 0.959
_SPACE_PER_DEVIATION = 1.563
_BLOCK_PER_DEVIATION = 0.812
"""What these quantiles of the averaged differences are for white noise of deviation 1."""
_FLOOR = 19.0
_CHROMA_FLOOR = 32.0
"""Least deviation, in fixed-point units: rounding to 8 bits alone makes nearly as much."""
_RISE, _FALL = 0.5, 0.1
"""Share of a new measure where it is above, or below, what held before."""

Counts = npt.NDArray[np.int32]
Bins = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Deviations = npt.NDArray[np.float64]


class NoiseLevel:
    """The noise of one stream, in fixed-point units of its planes at half size.

    Attributes:
        luma: (256,) deviation by luma, at fixed-point steps of 2**TABLE_SHIFT.
        chroma: (2,) deviation of U and of V.
        fineness: deviation at full size by that at half size: 2 for white noise, below 1 for what
            a codec leaves of it.
    """

    def __init__(self, levels: SampleRange, depth: int) -> None:
        """Start with no past.

        Args:
            levels: which samples are black and white.
            depth: bits of a sample.
        """
        step = (1 << depth) / TABLE_SIZE
        luma = (np.arange(TABLE_SIZE) * step - levels.black) / levels.luma_span
        place = np.sqrt(np.clip(luma, 0, 1)) * BINS
        self._bins: Bins = np.minimum(place, BINS - 1).astype(np.uint8)
        self._one_bin: Bins = np.zeros(TABLE_SIZE, np.uint8)
        self._place = place - 0.5
        self._past: tuple[Deviations, Deviations, Deviations] | None = None
        self.luma: Floats = np.full(TABLE_SIZE, _FLOOR, np.float32)
        self.chroma: Floats = np.full(2, _CHROMA_FLOOR, np.float32)
        self.fineness = 1.0

    @property
    def whiteness(self) -> float:
        """1 for white noise, 0 for noise as smooth as a codec leaves it."""
        return min(max(self.fineness - 1, 0.0), 1.0)

    def measure(self, luma: Samples, half: npt.NDArray[np.int16], last: Fixed | None) -> None:
        """Take note of one more frame.

        Args:
            luma: at full size.
            half: (3, h, w) Y, U and V at half size.
            last: luma of the frame before at half size; None if there is none.
        """
        over_space, over_time, in_blocks = (np.zeros((BINS, _VALUES), np.int32) for _ in range(3))
        _count_over_space(half[0], self._bins, over_space)
        _count_in_blocks(luma, self._bins, in_blocks)
        deviation = _quantile(over_space, _QUANTILE) / _SPACE_PER_DEVIATION
        if last is not None:
            _count_over_time(half[0], last, self._bins, over_time)
            by_time = _quantile(over_time, _QUANTILE) / _TIME_PER_DEVIATION
            sure = over_time.sum(axis=1) >= _FEWEST
            deviation = np.where(sure, np.minimum(deviation, by_time), deviation)
        counts = over_space.sum(axis=1)
        block = _quantile(in_blocks, _QUANTILE) / _BLOCK_PER_DEVIATION
        self._follow(
            np.maximum(_of_all_bins(deviation, counts), _FLOOR),
            _of_all_bins(block, counts),
            np.array([self._of_chroma(plane) for plane in half[1:]]),
        )
        self._publish(counts / max(counts.sum(), 1))

    def _of_chroma(self, plane: Fixed) -> float:
        counts = np.zeros((1, _VALUES), np.int32)
        _count_over_space(plane, self._one_bin, counts)
        deviation = _quantile(counts, _QUANTILE)[0] / _SPACE_PER_DEVIATION
        return float(max(deviation, _CHROMA_FLOOR))

    def _follow(self, luma: Deviations, block: Deviations, chroma: Deviations) -> None:
        """Rise fast and fall slowly towards a new measure."""
        new = luma, block, chroma
        if self._past is None:
            self._past = new
            return
        steady = [
            old + np.where(now > old, _RISE, _FALL) * (now - old)
            for old, now in zip(self._past, new, strict=True)
        ]
        self._past = steady[0], steady[1], steady[2]

    def _publish(self, weights: Deviations) -> None:
        """Lay the bins out by luma; `weights` say how much of the picture each bin is."""
        if self._past is None:
            return
        luma, block, chroma = self._past
        self.luma = np.interp(self._place, np.arange(BINS), luma).astype(np.float32)
        self.chroma = chroma.astype(np.float32)
        half = float((luma * weights).sum())
        self.fineness = min(float((block * weights).sum()) / max(half, _FLOOR), 2.0)


def _quantile(counts: Counts, share: float) -> Deviations:
    """The value under which a share of each histogram lies, in fixed-point units."""
    below = np.cumsum(counts, axis=1) < share * counts.sum(axis=1, keepdims=True)
    values: Deviations = (below.sum(axis=1) + 0.5) * _UNIT
    return values


def _of_all_bins(deviation: Deviations, counts: npt.NDArray[Any]) -> Deviations:
    """Fill the bins of few samples from those beside them."""
    sure = counts >= _FEWEST
    if not sure.any():
        return np.zeros(BINS)
    bins = np.arange(BINS)
    return np.interp(bins, bins[sure], deviation[sure])


@kernel
def _count_over_space(plane: Fixed, bins: Bins, counts: Counts) -> None:
    """Second differences, down in three columns and across in three rows, of some cells."""
    height, width = plane.shape
    top = np.int32(_VALUES - 1)
    for row in range(1, height - 1, _EVERY_ROW):
        above, here, below = plane[row - 1], plane[row], plane[row + 1]
        for x in range(1, width - 1, _EVERY_COLUMN):
            total = np.int32(0)
            for column in range(x - 1, x + 2):
                total += abs(_two(here[column]) - np.int32(above[column]) - np.int32(below[column]))
            for line in (above, here, below):
                total += abs(_two(line[x]) - np.int32(line[x - 1]) - np.int32(line[x + 1]))
            counts[bins[here[x] >> TABLE_SHIFT], min(total // np.int32(6 * _UNIT), top)] += 1


@kernel
def _count_over_time(plane: Fixed, last: Fixed, bins: Bins, counts: Counts) -> None:
    """Binomial means of what changed; cells that a codec skipped, or repeated, say nothing."""
    height, width = plane.shape
    top = np.int32(_VALUES - 1)
    for row in range(1, height - 1, _EVERY_ROW):
        for x in range(1, width - 1, _EVERY_COLUMN):
            total = np.int32(0)
            for near in range(-1, 2):
                line, before = plane[row + near], last[row + near]
                weight = np.int32(2) - np.int32(abs(near))
                for column in range(x - 1, x + 2):
                    twice = np.int32(2) if column == x else np.int32(1)
                    change = np.int32(line[column]) - np.int32(before[column])
                    total += weight * twice * abs(change)
            if total > 0:
                counts[bins[plane[row, x] >> TABLE_SHIFT], min(total // (16 * _UNIT), top)] += 1


@kernel
def _count_in_blocks(luma: Samples, bins: Bins, counts: Counts) -> None:
    """Differences within 2x2 samples, in some rows."""
    upper, lower = np.empty(luma.width, np.int16), np.empty(luma.width, np.int16)
    top = np.int32(_VALUES - 1)
    for row in range(0, luma.height - 1, 2 * _EVERY_ROW):
        read_row(luma, row, upper)
        read_row(luma, row + 1, lower)
        for x in range(0, luma.width - 1, 2 * _EVERY_COLUMN):
            a, b = np.int32(upper[x]), np.int32(upper[x + 1])
            c, d = np.int32(lower[x]), np.int32(lower[x + 1])
            total = abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d)
            counts[bins[a >> TABLE_SHIFT], min(total // np.int32(4 * _UNIT), top)] += 1


@part
def _two(sample: np.int16) -> np.int32:
    return np.int32(2) * np.int32(sample)
