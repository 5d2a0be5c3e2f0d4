"""The noise of chroma over time, in blocks whose luma rests.

Codecs keep less of chroma than of luma: what they leave of its noise is wide, and second
differences see little of it, even where luma's noise is as a sensor made it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed
from tapetum.realtime.cpu.followed_blocks import BLOCK, block_difference
from tapetum.realtime.cpu.noise_histogram import UNIT, VALUES, Counts, Deviations, quantiles

_BLOCKS = 250
"""Blocks that are looked at, about, in one frame."""
_FEWEST = 60
"""Blocks that must rest to be believed."""
_RESTING = 0.3
"""Share of the blocks in which anything is new that must rest."""
_KEPT = 0.6
"""Share of what was counted that still counts with the next frame."""
_STILL = 1.41
"""Mean size of luma's changes in a block that rests, in deviations of one frame's noise, at most;
it is 1.13 in noise alone."""
_QUANTILE = np.full(2, 0.4, np.float32)
"""What counts of the blocks that rest: in a clean picture most of them stay the same."""
_PER_DEVIATION = 1.13
"""Mean size of a difference of two samples with noise of deviation 1."""
_MOST = 1.5
"""Noise of chroma by that of luma, at most: more is a light that changes its colour."""


class RestingChroma:
    """What changes in the chroma of one stream where its luma rests."""

    def __init__(self) -> None:
        """Start with no past."""
        self._counts: Counts = np.zeros((2, VALUES), np.float32)
        self._many: npt.NDArray[np.float64] = np.zeros(2)
        self._frames = 0

    def measure(
        self, half: Sequence[Fixed], last: Sequence[Fixed], luma_noise: npt.NDArray[np.float32]
    ) -> None:
        """Take note of one more frame.

        Args:
            half: (h, w) each: Y, U and V at half size, fixed-point.
            last: the same of the frame before, in the same light.
            luma_noise: (256,) deviation by luma.
        """
        rows, columns = (side // BLOCK for side in half[0].shape)
        every = max(round(rows * columns / _BLOCKS), 1)
        self._counts *= np.float32(_KEPT)
        self._many *= _KEPT
        self._frames += 1
        planes = (half[0], half[1], half[2]), (last[0], last[1], last[2])
        _count(*planes, luma_noise, self._frames % every, every, self._counts, self._many)

    def deviation(self, luma: float) -> Deviations:
        """(2,) deviation of U and V; 0 where too little rests to tell.

        Args:
            luma: mean deviation of luma.
        """
        new, resting = self._many
        if resting < max(_FEWEST, _RESTING * new):
            return np.zeros(2)
        values, _ = quantiles(self._counts, _QUANTILE)
        # Half a step is what no change at all counts for.
        return np.clip((values - UNIT / 2) / _PER_DEVIATION, 0, _MOST * luma)


@kernel
def _count(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: tuple[Fixed, Fixed, Fixed],
    last: tuple[Fixed, Fixed, Fixed],
    luma_noise: npt.NDArray[np.float32],
    first: int,
    every: int,
    counts: Counts,
    many: npt.NDArray[np.float64],
) -> None:
    """Count blocks of which luma is new, and of these that rest; and how their chroma changed."""
    height, width = frame[0].shape
    columns, top = width // BLOCK, np.int32(VALUES - 1)
    for block in range(first, height // BLOCK * columns, every):
        row, column = block // columns * BLOCK, block % columns * BLOCK
        size = _change(frame[0], last[0], row, column)
        if size == 0:
            continue
        many[0] += 1
        noise = luma_noise[frame[0][row + BLOCK // 2, column + BLOCK // 2] >> TABLE_SHIFT]
        if np.float32(size) > np.float32(_STILL * BLOCK * BLOCK) * noise:
            continue
        many[1] += 1
        for plane in range(2):
            size = _change(frame[plane + 1], last[plane + 1], row, column)
            counts[plane, min(size // np.int32(BLOCK * BLOCK * UNIT), top)] += 1


@part
def _change(plane: Fixed, last: Fixed, row: int, column: int) -> np.int32:
    """Sum of what the cells of a block differ by."""
    there, odd = np.int64(0), np.int64(1)
    even_rows = block_difference(plane, last, row, column, there, there, there)
    odd_rows = block_difference(plane, last, row, column, there, there, odd)
    return np.int32(even_rows + odd_rows)
