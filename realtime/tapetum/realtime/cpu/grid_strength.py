"""More or less of what a grid does, up to twice as much, and as much as a brightness takes."""

from __future__ import annotations

import numpy as np

from tapetum.gan.model_kinds import LEVELS
from tapetum.realtime.aim import MAX_STRENGTH
from tapetum.realtime.cpu.grid_axis import Floats

_IDENTITY = np.zeros((8, 1, 1, 1), np.float32)
_IDENTITY[[0, 2, 5]] = 1
_LEVEL_LUMA = (((np.arange(LEVELS, dtype=np.float32) + 0.5) / LEVELS) ** 2).reshape(-1, 1, 1)
_DARKEST = np.float32(1e-4)
_TRIED = np.linspace(0, MAX_STRENGTH, 17)


def strengthened(grid: Floats, strength: float | Floats) -> Floats:
    """A grid whose effect is weaker or stronger.

    Up to 1 it is a mixture with the identity. Over 1, the change of luma from Y to Y' goes on by
    ``(strength - 1) * (Y' - Y)``, times the room that is left: ``(1 - Y') / (1 - Y)`` where it
    becomes brighter, ``Y' / Y`` where darker. No luma clips that did not before, and curves that
    rose still do. Colour follows luma.

    Args:
        grid: (8, 8, 16, 16): coefficient, luma level, row, column.
        strength: 0 gives the identity, 1 the grid itself, 2 is the most; or of each cell,
            (16, 16), up to 1.

    Returns:
        A grid of the same shape; at 1 `grid` itself.
    """
    if isinstance(strength, np.ndarray):
        by_cell: Floats = _IDENTITY + strength * (grid - _IDENTITY)
        return by_cell
    if strength == 1:
        return grid
    if strength < 1:
        mixed: Floats = _IDENTITY + np.float32(strength) * (grid - _IDENTITY)
        return mixed
    made = np.clip(grid[0] * _LEVEL_LUMA + grid[1], 0, 1)
    change = made - _LEVEL_LUMA
    room = np.where(change > 0, (1 - made) / (1 - _LEVEL_LUMA), made / _LEVEL_LUMA)
    stronger = made + np.float32(strength - 1) * change * room
    factor: Floats = stronger / np.maximum(made, _DARKEST)
    # Luma over the highest level's goes by that level: white shall stay within the range.
    at_white = np.maximum(grid[0, -1] + grid[1, -1], _DARKEST)
    factor[-1] = np.minimum(factor[-1], np.maximum(1, 1 / at_white))
    return grid * factor


def with_brightness(grid: Floats, cell_luma: Floats, brightness: float) -> Floats:
    """A grid as strong as it takes for a picture's mean luma, from strength 0 to 2.

    Args:
        grid: (8, 8, 16, 16), as `strengthened` takes it.
        cell_luma: the picture's mean luma by cell, (16, 16) in [0, 1].
        brightness: the mean luma that is wanted.
    """
    means = [_mean_luma(strengthened(grid, strength), cell_luma) for strength in _TRIED]
    rising = np.maximum.accumulate(means)  # a model that darkens is as good as none
    return strengthened(grid, float(np.interp(brightness, rising, _TRIED)))


def _mean_luma(grid: Floats, cell_luma: Floats) -> float:
    """What a grid makes of each cell's mean luma, on average."""
    place = np.clip(np.sqrt(cell_luma) * LEVELS - 0.5, 0, LEVELS - 1)
    below = np.minimum(place.astype(np.int64), LEVELS - 2)[np.newaxis]
    upper = (place - below[0]).astype(np.float32)
    gain, offset = (
        (1 - upper) * np.take_along_axis(plane, below, 0)[0]
        + upper * np.take_along_axis(plane, below + 1, 0)[0]
        for plane in grid[:2]
    )
    return float(np.clip(gain * cell_luma + offset, 0, 1).mean())
