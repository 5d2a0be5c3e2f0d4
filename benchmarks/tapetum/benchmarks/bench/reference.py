"""A bilateral grid applied in float64, written from its definition and not from the kernels."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime import Frame
from tapetum.realtime.sample_range import sample_range

Array = npt.NDArray[Any]

_LEVELS, _CELLS = 8, 16


def luma_rows(frame: Frame, grid: Array, rows: Array) -> Array:
    """Some rows of the enhanced luma plane, exactly, in integer levels but not rounded.

    Args:
        frame: the frame before.
        grid: (8, 8, 16, 16): coefficient, luma level, row, column.
        rows: numbers of the rows.

    Returns:
        (len(rows), width) float64, clipped as the kernels clip: to the legal range, widened to
        each sample's own old level.
    """
    levels = sample_range(frame)
    old = (frame.planes[0][rows] >> frame.format.shift).astype(np.float64)
    luma = (old - levels.black) / levels.luma_span
    gain, offset = _sliced(grid[:2], luma, rows, frame.height)
    new = (gain * luma + offset) * levels.luma_span + levels.black
    low, high = levels.luma_limits
    return np.asarray(np.clip(new, np.minimum(old, low), np.maximum(old, high)))


def _sliced(coefficients: Array, luma: Array, rows: Array, height: int) -> Array:
    """Coefficients of each pixel: trilinear between the centres of cells and levels."""
    width = luma.shape[1]
    axes = (
        _corners(np.sqrt(np.clip(luma, 0, 1)), _LEVELS),
        _corners(((rows + 0.5) / height)[:, np.newaxis], _CELLS),
        _corners(((np.arange(width) + 0.5) / width)[np.newaxis], _CELLS),
    )
    total = np.zeros((len(coefficients), *luma.shape))
    for (level, a), (row, b), (column, c) in product(*axes):
        total += a * b * c * coefficients[:, level, row, column]
    return total


def _corners(position: Array, count: int) -> list[tuple[Array, Array]]:
    """The two centres around each position in [0, 1], and their weights."""
    place = np.clip(position * count - 0.5, 0, count - 1)
    before = np.minimum(place.astype(np.int64), count - 2)
    after_weight = place - before
    return [(before, 1 - after_weight), (before + 1, after_weight)]
