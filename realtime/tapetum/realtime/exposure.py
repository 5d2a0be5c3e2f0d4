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
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS
from tapetum.realtime.temporal import TIME_CONSTANT_S, FrameClock

Floats = npt.NDArray[np.float32]

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


def darkness(cells: Floats) -> float:
    """1 for a picture in the dark, 0 for one that is well lit, else in between.

    For what is one for the whole picture: it is the mean of `darkness_by_cell`.

    Args:
        cells: of `cell_luma`.
    """
    return float(darkness_by_cell(cells).mean(dtype=np.float64))


def darkness_of_cells(cells: Floats) -> float:
    """The same by the mean luma of a picture's cells, (16, 16) in [0, 1].

    Shadows in a picture that is lit do not count.
    """
    return _darkness_of_all(cells, np.sort(cells, axis=None))


def darkness_by_cell(cells: Floats) -> Floats:
    """1 where a picture lies in the dark, 0 where it is well lit, else in between, (16, 16).

    Args:
        cells: of `cell_luma`.
    """
    ranked = np.sort(cells, axis=None)
    rest = _fading(quantile(ranked, _REST_SHARE), _DARK_REST, _BRIGHT_REST)
    share = _in_shadow(cells, _SHADOW + _CONTRAST * (1 - rest))
    wider: Floats = np.maximum(share, np.float32(_darkness_of_all(cells, ranked)))
    return wider


def _darkness_of_all(cells: Floats, ranked: Floats) -> float:
    light = float(np.minimum(cells, _GREY).mean())
    dim = _fading(quantile(ranked, _BRIGHT_SHARE), _NOTHING_BRIGHT, _BRIGHT)
    return max(_fading(light, _LITTLE_LIGHT, _ENOUGH_LIGHT), dim * _fading(light, _DIM, _LIT))


def cell_luma(thumbnail: Floats) -> Floats:
    """Mean luma of a thumbnail's 16x16 cells, (16, 16) in [0, 1]."""
    rows = thumbnail[0].reshape(3, CELLS, -1, thumbnail.shape[3]).sum(axis=2)
    luma = _RED * rows[0] + _GREEN * rows[1] + _BLUE * rows[2]
    size = thumbnail[0, 0].size // (CELLS * CELLS)
    cells: Floats = luma.reshape(CELLS, CELLS, -1).sum(axis=2) * np.float32(1 / size)
    return cells


def _fading(value: float, whole: float, none: float) -> float:
    """1 up to `whole`, 0 from `none` on, and a smooth step between."""
    place = min(max((none - value) / (none - whole), 0.0), 1.0)
    return place * place * (3 - 2 * place)


def _fading_by_cell(values: Floats, whole: float, none: float) -> Floats:
    place = np.clip((none - values) * (1 / (none - whole)), 0, 1)
    share: Floats = place * place * (3 - 2 * place)
    return share


def _within(reach: int) -> Floats:
    """(16, 16) 1 for each two rows of cells that are no further apart."""
    row = np.arange(CELLS)
    near: Floats = (np.abs(row[:, np.newaxis] - row) <= reach).astype(np.float32)
    return near


_NEAR = _within(_AROUND) / np.float32(2 * _AROUND + 1)
"""Mean of a cell's surroundings; beyond the border all counts as lit: a black edge is no place."""
_BESIDE = _within(1) / _within(1).sum(axis=1, keepdims=True)


def _in_shadow(cells: Floats, shadow: float) -> Floats:
    """How far each cell lies in a large shadow; `shadow` is the luma from which none does."""
    place = _NEAR @ _fading_by_cell(cells, shadow, _EDGE * shadow) @ _NEAR
    black = _fading_by_cell(cells, _BLACK, shadow)
    large = _SHADOW_EFFECT * black * (1 - _fading_by_cell(place, _FEW, _MANY))
    # Shadows reach a cell further, as their border must not stay darker than their middle.
    grown = _largest_of_three(_largest_of_three(large).T).T
    share: Floats = _BESIDE @ grown @ _BESIDE.T
    return share


def _largest_of_three(cells: Floats) -> Floats:
    """The largest of each cell, the one above and the one below."""
    largest = cells.copy()
    np.maximum(largest[1:], cells[:-1], out=largest[1:])
    np.maximum(largest[:-1], cells[1:], out=largest[:-1])
    return largest


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

    def __call__(self, cells: Floats, *, time_s: float | None) -> float:
        """The share of the effect that the next picture needs.

        Args:
            cells: of `cell_luma`.
            time_s: the picture's time.
        """
        elapsed_s, wanted = self._clock(time_s), darkness(cells)
        if self._share is None:
            self._share = wanted
        self._share += (1 - math.exp(-elapsed_s / TIME_CONSTANT_S)) * (wanted - self._share)
        return self._share
