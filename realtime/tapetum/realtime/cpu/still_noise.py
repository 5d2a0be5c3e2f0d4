"""How noisy a single picture is, with care: its fine texture must not be taken for noise.

Blocks of 8x8 samples are measured at three sizes, by what second differences leave of them. In even
noise the calmest blocks are nearly alike, in texture they differ; and noise of a sensor is in its
colours too, where texture is mostly grey. Where neither tells, as in a picture that JPEG smoothed,
or one that is full of texture, the picture is taken to be clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import FIXED_BITS, Fixed, halve_plane
from tapetum.realtime.cpu.noise_histogram import (
    BINS,
    even_by_luma,
    luma_bins,
    luma_places,
    of_all_bins,
)
from tapetum.realtime.cpu.noise_level import share_seen
from tapetum.realtime.sample_range import SampleRange

BLOCK = 8
"""Rows and columns of a block."""
SIZES = 3
"""Full, half and quarter size."""
_MOST_BLOCKS = 20_000
"""Blocks that are measured of one plane, about."""
_FEWEST = 20
"""Blocks that a bin needs to be believed."""
_MUCH = 0.05
"""Share of the picture that limits the noise of the rest."""
_QUANTILE, _PER_DEVIATION = 0.1, 0.79
"""The quantile of blocks that counts, and what it is for white noise of deviation 1."""
_CALMEST, _CALM = 0.05, 0.25
"""Quantiles of the blocks whose ratio tells noise from texture; in white noise it is 1.18."""
_LUMA_SURE, _LUMA_UNSURE = 1.3, 1.6
_CHROMA_SURE, _CHROMA_UNSURE = 1.35, 1.7
"""Ratios up to which it is noise, and from which it is texture."""
_LUMA_PER_CHROMA, _CHROMA_PER_LUMA = 1.25, 0.8
"""How much more noise a camera's luma has than its chroma, at most; and how much less chroma."""
_MUTE, _TELLING = 0.05, 0.12
"""Noise of chroma at the finest size it has, in 8-bit levels: that of a coded picture, and that of
rounding."""
_STILL, _BLANK = 0.1, 0.3
"""Share of blocks in which nothing differs: up to which noise may be in all of the others, and from
which these are text or a drawing, as a picture without colours does not tell otherwise."""
_ROUNDED = (0.107, 0.093, 0.098), (0.145, 0.289, 0.289)
"""Noise that 8-bit rounding makes in Y, U and V at half size: of RGB, and of YUV 4:2:0."""
_UNSEEN, _SEEN = (1.4, 1.15), (1.83, 1.45)
"""Noise is taken for none up to so many times what rounding makes, and whole from the second on;
of the same two."""
_MOST_BY_SIZE = 1.0, 2.2, 0.8
"""Noise at full, half and quarter size by what is measured at double the size, at most: texture
grows with the size instead."""
_UNMEASURED = 1.3
"""Noise by what is measured of it: colours between a sensor's filters are made of neighbours."""
_LEAST = 4.0
"""Fixed-point units below which noise is none, 1/32 of an 8-bit level."""

Floats = npt.NDArray[np.float32]
Deviations = npt.NDArray[np.float64]


class StillNoise(NamedTuple):
    """The noise of one picture.

    Attributes:
        luma: (256,) deviation at half size, of the noisiest plane, by luma; fixed-point units.
        by_size: (3, 3) deviation of Y, U and V at full, half and quarter size, by that of `luma`.
        seen: (256,) share of the picture of each luma.
    """

    luma: Floats
    by_size: Deviations
    seen: Deviations

    def share(self, slope: Floats, *, careful: bool) -> Floats:
        """(256,) how much of the noise is to be taken out; see `NoiseLevel.share`."""
        there = (self.luma > _LEAST).astype(np.float32)
        if not careful:
            return there
        return there * share_seen(self.luma * np.float32(_UNMEASURED), slope)


class _Measured(NamedTuple):
    """One plane at one size.

    Attributes:
        deviation: (bins,).
        ratio: of quantiles: how much the deviation may be texture's.
        blank: share of the blocks in which nothing differs.
    """

    deviation: Deviations
    ratio: float
    blank: float


def still_noise(
    full: Sequence[Fixed],
    half: Sequence[Fixed],
    levels: SampleRange,
    depth: int,
    *,
    careful: bool = True,
) -> StillNoise:
    """Measure one picture.

    Args:
        full: Y, U and V, fixed-point.
        half: the same at half the size of Y.
        levels: which samples are black and white.
        depth: bits of a sample.
        careful: take for noise only what is sure to be; else all that the calmest blocks show.
    """
    places = luma_places(levels, depth)
    bins = luma_bins(places)
    quarter = []
    for plane in half:
        smaller = np.empty([-(-side // 2) for side in plane.shape], np.int16)
        halve_plane(plane, smaller)
        quarter.append(smaller)
    whole_chroma = full[1].shape == full[0].shape
    sizes = [full if whole_chroma else full[:1], half, quarter]
    measured = [_measured(planes, bins) for planes in sizes]
    counts = np.bincount(_places(half[0], bins).ravel(), minlength=BINS)
    if careful:
        deviation = _sure(measured, 0 if whole_chroma else 1)
    else:
        deviation = np.array([[plane.deviation for plane in planes] for planes in measured])
    weights = counts / max(counts.sum(), 1)
    noisiest = deviation[1].max(axis=0)
    means = (deviation * weights).sum(axis=2)
    luma = np.interp(places, np.arange(BINS), noisiest).astype(np.float32)
    seen = counts[bins] / np.bincount(bins, minlength=BINS)[bins]
    return StillNoise(
        luma, means.T / max(float((noisiest * weights).sum()), 1e-3), seen / max(seen.sum(), 1)
    )


def _sure(measured: list[list[_Measured]], finest: int) -> Deviations:
    """(sizes, planes, bins) the deviations that are noise for sure.

    Args:
        measured: at each size.
        finest: the first of them that has chroma: 1 of YUV 4:2:0.
    """
    half, one_level = measured[1], 1 << (FIXED_BITS - 8)
    there = [
        _fade(plane.deviation / (own * one_level), _UNSEEN[finest], _SEEN[finest])
        for plane, own in zip(half, _ROUNDED[finest], strict=True)
    ]
    luma_ratio = min(measured[0][0].ratio, half[0].ratio)
    luma_sure = 1 - _fade(luma_ratio, _LUMA_SURE, _LUMA_UNSURE)
    all_over = 1 - _fade(half[0].blank, _STILL, _BLANK)
    of_chroma = [
        there[plane] * (1 - _fade(half[plane].ratio, _CHROMA_SURE, _CHROMA_UNSURE))
        for plane in (1, 2)
    ]
    chroma_there = np.maximum(*of_chroma)
    colours = max(float(np.median(plane.deviation)) for plane in measured[finest][1:])
    telling = _fade(colours / one_level, _MUTE, _TELLING)
    deviation = np.zeros((SIZES, 3, BINS))
    finer = np.full((3, BINS), np.inf)
    for size, planes in enumerate(measured):
        own, u, v = (plane.deviation for plane in planes)
        limit = _LUMA_PER_CHROMA * np.maximum(u * of_chroma[0], v * of_chroma[1])
        by_colours = np.minimum(own, np.maximum(own * luma_sure, limit)) * chroma_there
        by_itself = own * luma_sure * all_over * there[0]
        luma = telling * by_colours + (1 - telling) * by_itself
        chroma = (
            np.maximum(plane * sure, _CHROMA_PER_LUMA * (1 - telling) * luma)
            for plane, sure in zip((u, v), of_chroma, strict=True)
        )
        deviation[size] = [luma, *chroma]
        deviation[size] = np.minimum(deviation[size], _MOST_BY_SIZE[size] * finer)
        finer = np.where(deviation[size] > 0, deviation[size], np.inf)
    return deviation


def _fade(value: Any, start: float, stop: float) -> Any:  # noqa: ANN401 - numbers and arrays alike
    """0 up to a start, 1 from a stop on."""
    return np.clip((value - start) / (stop - start), 0, 1)


def _measured(planes: Sequence[Fixed], bins: npt.NDArray[np.uint8]) -> list[_Measured]:
    """Y, U and V of one size; nothing is known of planes that are not there."""
    unknown = _Measured(np.zeros(BINS), np.inf, 1.0)
    shape, every = _blocks(planes[0])
    if not all(shape):
        return [unknown] * 3
    place = _places(planes[0], bins)
    counts = np.bincount(place.ravel(), minlength=BINS)
    found, rest = [], np.empty(shape, np.float32)
    for plane in planes:
        measure_blocks(plane, every, rest)
        found.append(_calm(rest.ravel(), place.ravel(), counts))
    return [*found, *[unknown] * (3 - len(found))]


def _blocks(plane: Fixed) -> tuple[tuple[int, int], int]:
    """Rows and columns of blocks that are measured, and of how many rows one is."""
    rows, columns = ((side - 2) // BLOCK for side in plane.shape)
    every = max(-(-rows * columns // _MOST_BLOCKS), 1)
    return (-(-max(rows, 0) // every), max(columns, 0)), every


def _places(luma: Fixed, bins: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The bins of the means of blocks."""
    shape, every = _blocks(luma)
    place = np.empty(shape, np.uint8)
    describe_blocks(luma, bins, every, place)
    return place


def _calm(rest: Floats, place: npt.NDArray[np.uint8], counts: npt.NDArray[Any]) -> _Measured:
    """The noise that the calmest blocks show; those in which nothing differs say nothing."""
    says = rest > 0
    blank = 1 - float(says.mean())
    deviation, many = np.zeros(BINS), np.bincount(place[says], minlength=BINS)
    for one in np.flatnonzero(many >= _FEWEST):
        calm = np.quantile(rest[says & (place == one)], _QUANTILE)
        deviation[one] = calm / _PER_DEVIATION
    deviation = of_all_bins(deviation, many, _FEWEST)
    deviation = even_by_luma(deviation, counts >= _MUCH * counts.sum())
    if not (many >= _FEWEST).any():
        return _Measured(deviation, np.inf, blank)
    relative = rest[says] / np.maximum(deviation[place[says]], _LEAST)
    calmest, calmer = np.quantile(relative, [_CALMEST, _CALM])
    return _Measured(deviation, float(calmer / max(calmest, 0.05)), blank)


@kernel
def describe_blocks(
    luma: Fixed, bins: npt.NDArray[np.uint8], every: int, place: npt.NDArray[np.uint8]
) -> None:
    """Fill `place` with the luma bins of the means of the blocks of every so many rows of them."""
    for row in range(place.shape[0]):
        for column in range(place.shape[1]):
            total = np.int32(0)
            for y in range(BLOCK):
                line = luma[1 + row * every * BLOCK + y]
                for x in range(BLOCK):
                    total += np.int32(line[1 + column * BLOCK + x])
            place[row, column] = bins[(total // np.int32(BLOCK * BLOCK)) >> np.int32(7)]


@kernel
def measure_blocks(plane: Fixed, every: int, rest: Floats) -> None:
    """Fill `rest` with the root mean square of what second differences, down and across, leave.

    The filter is that of Immerkaer, "Fast noise variance estimation" (1996): white noise keeps its
    deviation, edges and slopes go.
    """
    width = rest.shape[1] * BLOCK
    down, left = np.empty(width + 2, np.int32), np.empty(width, np.float32)
    for row in range(rest.shape[0]):
        totals = rest[row]
        for column in range(totals.size):
            totals[column] = np.float32(0)
        for y in range(BLOCK):
            middle = 1 + row * every * BLOCK + y
            _differ_down(plane[middle - 1], plane[middle], plane[middle + 1], down)
            _differ_across(down, left)
            for column in range(totals.size):
                for x in range(column * BLOCK, column * BLOCK + BLOCK):
                    totals[column] += left[x]
        for column in range(totals.size):
            totals[column] = np.sqrt(totals[column] * np.float32(1 / (36 * BLOCK * BLOCK)))


@part
def _differ_down(above: Fixed, here: Fixed, below: Fixed, down: npt.NDArray[np.int32]) -> None:
    for x in range(down.size):
        down[x] = np.int32(2) * np.int32(here[x]) - np.int32(above[x]) - np.int32(below[x])


@part
def _differ_across(down: npt.NDArray[np.int32], left: Floats) -> None:
    """Squares of a row's second differences."""
    for x in range(left.size):
        rest = np.float32(np.int32(2) * down[x + 1] - down[x] - down[x + 2])
        left[x] = rest * rest
