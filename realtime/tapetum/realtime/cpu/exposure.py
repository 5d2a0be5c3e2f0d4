"""How dark a picture is, and where, and so how much of a model's effect it needs.

Two things tell a dark picture. Its light is little: the mean of luma over 16x16 cells, none counted
as more than middle grey, so that lamps and skies do not outweigh the rest. Or nothing in it is
bright, as of a city under a haze. Of a picture that is lit, only what lies in the shadow needs
light: dark cells with many dark ones around, as a person before a window, and the more so the
brighter the rest is. All of it fades by smooth curves: as light falls, nothing switches, and there
is no threshold to flicker about.
"""

from __future__ import annotations

import math

import numpy as np

from tapetum.gan.model_kinds import CELLS
from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.temporal import TIME_CONSTANT_S, FrameClock

_GREY = 0.5
_LITTLE_LIGHT, _ENOUGH_LIGHT = 0.15, 0.25
"""Of 28 well-lit indoor photos none has less light than the second, of ten photos in the dark seven
have less than the first, and three are between."""
_BRIGHT_SHARE = 0.9
_NOTHING_BRIGHT, _BRIGHT = 0.27, 0.42
_DIM, _LIT = 0.25, 0.36
"""The brightest tenth of the cells begins at less than the first pair in what is dim, of a mean in
the second; of 28 well-lit indoor photos at 0.40 and more."""
_REST_SHARE = 0.75
_DARK_REST, _BRIGHT_REST = 0.35, 0.75
_BLACK, _SHADOW, _CONTRAST = 0.05, 0.10, 0.05
"""Luma up to which a cell is black, and from which it is no shadow; before a bright rest, 0.15."""
_EDGE = 1.15
_AROUND = 2
_FEW, _MANY = 0.5, 0.95
"""Share of shadow within two cells of a cell that makes it a thing that is dark, and a place."""
_SHADOW_EFFECT = 0.8
"""With the bound on luma and the shares above, chosen on the same 28 photos, of which the worst
keeps 32 dB, and by eye on photos against the light."""
_RED, _GREEN, _BLUE = np.float32(0.2126), np.float32(0.7152), np.float32(0.0722)


def darkness(thumbnail: Floats) -> float:
    """1 for a picture in the dark, 0 for one that is well lit, else in between.

    For what is one for the whole picture: it is the mean of `darkness_by_cell`.

    Args:
        thumbnail: (1, 3, 256, 256) RGB in [0, 1].
    """
    return float(darkness_by_cell(cell_luma(thumbnail)).mean(dtype=np.float64))


def darkness_of_cells(cells: Floats) -> float:
    """The same by the mean luma of a picture's cells, (16, 16) in [0, 1]; nothing is compiled.

    Shadows in a picture that is lit do not count.
    """
    return _darkness_of_all(cells, np.sort(cells, axis=None))


def darkness_by_cell(cells: Floats) -> Floats:
    """1 where a picture lies in the dark, 0 where it is well lit, else in between, (16, 16).

    Args:
        cells: of `cell_luma`.
    """
    ranked = np.sort(cells, axis=None)
    share = np.empty_like(cells)
    rest = _fading(quantile(ranked, _REST_SHARE), _DARK_REST, _BRIGHT_REST)
    _in_shadow(cells, _SHADOW + _CONTRAST * (1 - rest), share)
    wider: Floats = np.maximum(share, np.float32(_darkness_of_all(cells, ranked)))
    return wider


def _darkness_of_all(cells: Floats, ranked: Floats) -> float:
    light = float(np.minimum(cells, _GREY).mean())
    dim = _fading(quantile(ranked, _BRIGHT_SHARE), _NOTHING_BRIGHT, _BRIGHT)
    return max(_fading(light, _LITTLE_LIGHT, _ENOUGH_LIGHT), dim * _fading(light, _DIM, _LIT))


def cell_luma(thumbnail: Floats) -> Floats:
    """Mean luma of a thumbnail's 16x16 cells, (16, 16) in [0, 1]."""
    cells = np.empty((CELLS, CELLS), np.float32)
    _mean_luma(np.ascontiguousarray(thumbnail[0]), cells)
    return cells


@kernel
def _mean_luma(rgb: Floats, cells: Floats) -> None:
    """Mean luma of each cell; NumPy takes several times as long, for every live frame."""
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


def _fading(value: float, whole: float, none: float) -> float:
    """1 up to `whole`, 0 from `none` on, and a smooth step between."""
    place = min(max((none - value) / (none - whole), 0.0), 1.0)
    return place * place * (3 - 2 * place)


_compiled_fading = part(_fading)
"""For kernels; Python calls the other, which needs no compiler."""


@part
def _grow(large: Floats, share: Floats) -> None:
    """Let shadows reach a cell further, as their border must not stay darker than their middle."""
    rows, columns = large.shape
    grown = np.empty_like(large)
    for row in range(rows):
        for column in range(columns):
            around = large[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            grown[row, column] = around.max()
    for row in range(rows):
        for column in range(columns):
            around = grown[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            share[row, column] = around.mean()


@kernel
def _in_shadow(cells: Floats, shadow: float, share: Floats) -> None:
    """How far each cell lies in a large shadow; `shadow` is the luma from which none does."""
    rows, columns = cells.shape
    dark, large = np.empty_like(cells), np.empty_like(cells)
    for row in range(rows):
        for column in range(columns):
            dark[row, column] = _compiled_fading(cells[row, column], shadow, _EDGE * shadow)
    for row in range(rows):
        for column in range(columns):
            top, left = max(row - _AROUND, 0), max(column - _AROUND, 0)
            around = dark[top : row + _AROUND + 1, left : column + _AROUND + 1]
            # Beyond the border all counts as lit: a black edge is no place.
            place = around.sum() / (2 * _AROUND + 1) ** 2
            black = _compiled_fading(cells[row, column], _BLACK, shadow)
            large[row, column] = _SHADOW_EFFECT * black * (1 - _compiled_fading(place, _FEW, _MANY))
    _grow(large, share)


def quantile(ranked: Floats, share: float) -> float:
    """`np.quantile` of sorted values, which spends most of its time on what they may be."""
    place = share * (len(ranked) - 1)
    below = int(place)
    low, high = ranked[below : below + 2]
    return float(low + (place - below) * (high - low))


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
