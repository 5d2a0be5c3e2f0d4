"""Histograms of how much a picture's samples differ, by luma: a deviation of noise for each bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import part
from tapetum.realtime.cpu.fixed_point import TABLE_SIZE
from tapetum.realtime.sample_range import SampleRange

BINS = 24
"""Luma bins, uniform in the square root of luma, as noise of light is."""
VALUES = 256
"""Values of a histogram; the last one stands for all that are larger."""
UNIT = 4
"""A histogram's step, in fixed-point units: 1/32 of an 8-bit level."""
_STEEPEST, _STEEPEST_BLACK, _BLACK_BINS = 1.12, 2.0, 6
"""Noise of one bin by that of the next, at most; and of the darkest bins, which cameras crush."""

Counts = npt.NDArray[np.float32]
"""(bins, VALUES)."""
Bins = npt.NDArray[np.uint8]
Deviations = npt.NDArray[np.float64]


def luma_places(levels: SampleRange, depth: int) -> Deviations:
    """(256,) where each step of luma lies between the middles of the bins."""
    step = (1 << depth) / TABLE_SIZE
    luma = (np.arange(TABLE_SIZE) * step - levels.black) / levels.luma_span
    places: Deviations = np.sqrt(np.clip(luma, 0, 1)) * BINS - 0.5
    return places


def luma_bins(places: Deviations) -> Bins:
    """(256,) the bins of `luma_places`."""
    return np.minimum(places + 0.5, BINS - 1).astype(np.uint8)


def _most_by_bin() -> Deviations:
    """(BINS, BINS) noise of one bin by that of another, at most."""
    steep = np.where(np.arange(BINS) < _BLACK_BINS, _STEEPEST_BLACK, _STEEPEST)
    place = np.cumsum(np.log(steep))
    most: Deviations = np.exp(np.abs(place[:, np.newaxis] - place))
    return most


_MOST_BY_BIN = _most_by_bin()


def quantiles(counts: Counts, shares: Counts) -> tuple[Deviations, Counts]:
    """The value under which a share of each histogram lies, in fixed-point units; and its total.

    Args:
        counts: (n, VALUES).
        shares: (n,).
    """
    below = np.cumsum(counts, axis=1)
    totals = below[:, -1]
    values: Deviations = ((below >= (shares * totals)[:, np.newaxis]).argmax(axis=1) + 0.5) * UNIT
    return values, totals


def of_all_bins(deviation: Deviations, counts: npt.NDArray[Any], fewest: int) -> Deviations:
    """Fill the bins of few samples from those beside them."""
    sure = counts >= fewest
    if not sure.any():
        return np.zeros(BINS)
    bins = np.arange(BINS)
    return np.interp(bins, bins[sure], deviation[sure])


def even_by_luma(deviation: Deviations, many: npt.NDArray[np.bool_]) -> Deviations:
    """Limit each bin by those of which there is much: noise differs little between like lumas."""
    limits = (np.where(many, deviation, np.inf) * _MOST_BY_BIN).min(axis=1)
    limited: Deviations = np.minimum(deviation, limits)
    return limited


@part
def second_difference(before: np.int16, here: np.int16, after: np.int16) -> np.int32:
    """The size of a sample's difference from its two neighbours, of twice the unit."""
    difference: np.int32 = abs(np.int32(2) * np.int32(here) - np.int32(before) - np.int32(after))
    return difference
