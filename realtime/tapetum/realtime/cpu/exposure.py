"""How dark a picture is, and so how much of a model's effect it needs.

Two things tell a dark picture. Its light is little: the mean of luma over 16x16 cells, none counted
as more than middle grey, so that lamps and skies do not outweigh the rest. Or a quarter of it is
nearly black, as before a bright sky. Between dark and lit the effect fades, by a smooth curve of
both: as light falls, nothing switches, and there is no threshold to flicker about.
"""

from __future__ import annotations

import math

import numpy as np

from tapetum.gan.model_kinds import CELLS
from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.temporal import TIME_CONSTANT_S, FrameClock

_GREY = 0.5
_LITTLE_LIGHT, _ENOUGH_LIGHT = 0.15, 0.25
"""Of 28 well-lit indoor photos none has less light than the second, of ten photos in the dark seven
have less than the first, and three are between."""
_SHADOW_SHARE = 0.25
_BLACK_SHADOW, _SEEN_SHADOW = 0.04, 0.08
"""Luma up to which the darkest quarter needs the whole effect, and from which none."""
_RED, _GREEN, _BLUE = np.float32(0.2126), np.float32(0.7152), np.float32(0.0722)


def darkness(thumbnail: Floats) -> float:
    """1 for a picture in the dark, 0 for one that is well lit, else in between.

    Args:
        thumbnail: (1, 3, 256, 256) RGB in [0, 1].
    """
    return darkness_of_cells(cell_luma(thumbnail))


def darkness_of_cells(cells: Floats) -> float:
    """The same by the mean luma of a picture's cells, (16, 16) in [0, 1]; nothing is compiled."""
    little = _fading(float(np.minimum(cells, _GREY).mean()), _LITTLE_LIGHT, _ENOUGH_LIGHT)
    shadow = _quantile(cells.ravel(), _SHADOW_SHARE)
    return max(little, _fading(shadow, _BLACK_SHADOW, _SEEN_SHADOW))


def cell_luma(thumbnail: Floats) -> Floats:
    """Mean luma of a thumbnail's 16x16 cells, (16, 16) in [0, 1]."""
    cells = np.empty((CELLS, CELLS), np.float32)
    _mean_luma(np.ascontiguousarray(thumbnail[0]), cells)
    return cells


@kernel
def _mean_luma(rgb: Floats, cells: Floats) -> None:
    """Mean luma of each cell; a kernel, as NumPy takes ten times as long in every live frame."""
    height, width = rgb.shape[1] // cells.shape[0], rgb.shape[2] // cells.shape[1]
    columns = np.empty(rgb.shape[2], np.float32)
    for row in range(cells.shape[0]):
        columns[:] = 0
        for y in range(row * height, (row + 1) * height):
            red, green, blue = rgb[0, y], rgb[1, y], rgb[2, y]
            for x in range(len(columns)):
                columns[x] += _RED * red[x] + _GREEN * green[x] + _BLUE * blue[x]
        for column in range(cells.shape[1]):
            total = np.float32(0)
            for x in range(column * width, (column + 1) * width):
                total += columns[x]
            cells[row, column] = total / np.float32(height * width)


def _quantile(values: Floats, share: float) -> float:
    """`np.quantile`, which spends most of its time on what its arguments may be."""
    place = share * (len(values) - 1)
    below = int(place)
    low, high = np.partition(values, (below, below + 1))[below : below + 2]
    return float(low + (place - below) * (high - low))


def _fading(value: float, whole: float, none: float) -> float:
    """1 up to `whole`, 0 from `none` on, and a smooth step between."""
    place = min(max((none - value) / (none - whole), 0.0), 1.0)
    return place * place * (3 - 2 * place)


class SteadyDarkness:
    """`darkness` of one stream, smoothed over time, for models that are not smoothed themselves."""

    def __init__(self) -> None:
        """Start with no past."""
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next picture starts a new scene."""
        self._share: float | None = None
        self._clock = FrameClock()

    def __call__(self, thumbnail: Floats, *, time_s: float | None) -> float:
        """The share of the effect that the next picture needs.

        Args:
            thumbnail: (1, 3, 256, 256) RGB in [0, 1].
            time_s: the picture's time.
        """
        elapsed_s, wanted = self._clock(time_s), darkness(thumbnail)
        if self._share is None:
            self._share = wanted
        self._share += (1 - math.exp(-elapsed_s / TIME_CONSTANT_S)) * (wanted - self._share)
        return self._share
