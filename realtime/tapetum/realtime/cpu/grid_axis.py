"""Where samples lie between the centres of a bilateral grid's cells and levels."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS, LEVELS

WEIGHT_BITS = 14
"""Bits of the integer weights between cells."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


class CellAxis(NamedTuple):
    """Where the n samples of one axis lie between the cells.

    Attributes:
        cell: (n,) the cell whose centre is at or before each sample.
        weight: (n,) weight of the next cell, in 1 / 2**WEIGHT_BITS.
        starts: (17,) first sample of each cell; the last entry is n.
    """

    cell: Ints
    weight: Ints
    starts: npt.NDArray[np.int64]


class LevelAxis(NamedTuple):
    """Where every integer luma level of a format lies between the grid's levels.

    Attributes:
        luma: (count,) the level as Y, 0 for black and 1 for white, unclipped.
        weight: (count,) weight of the grid's next level.
        starts: (8,) first integer level that lies at or above each of the grid's levels but the
            last; the final entry is count.
    """

    luma: Floats
    weight: Floats
    starts: npt.NDArray[np.int64]


@lru_cache(maxsize=16)
def cell_axis(size: int) -> CellAxis:
    """The axis of a plane with `size` rows or columns; outside the centres the nearest holds."""
    place = np.clip((np.arange(size) + 0.5) / size * CELLS - 0.5, 0, CELLS - 1)
    cell = place.astype(np.int32)
    weight = np.rint((place - cell) * (1 << WEIGHT_BITS)).astype(np.int32)
    return CellAxis(cell, weight, np.searchsorted(cell, np.arange(CELLS + 1)))


def strip_axis(top: int, rows: int, height: int) -> CellAxis:
    """The rows of a strip, from `top` on, in a plane of `height` rows."""
    axis, strip = cell_axis(height), slice(top, top + rows)
    return CellAxis(axis.cell[strip], axis.weight[strip], axis.starts)


@lru_cache(maxsize=16)
def level_axis(count: int, black: int, span: int) -> LevelAxis:
    """The axis of `count` luma levels, of which `black` is Y = 0 and `black + span` Y = 1."""
    luma = (np.arange(count) - black) / span
    guide = np.sqrt(np.clip(luma, 0, 1))
    place = np.clip(guide * LEVELS - 0.5, 0, LEVELS - 1)
    level = np.minimum(place.astype(np.int64), LEVELS - 2)
    starts = np.searchsorted(level, np.arange(LEVELS))
    return LevelAxis(luma.astype(np.float32), (place - level).astype(np.float32), starts)
