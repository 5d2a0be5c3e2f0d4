"""One curve for a whole picture: the cheapest look that is as bright as a bilateral grid.

A curve is a grid whose cells are all alike, with one chroma gain for all levels, so that a stream
can go from one to the other and back by blending coefficients. Nothing here needs a compiler or
a network: this is also how a stream starts, while they load.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.cpu.grid_axis import Floats, level_axis
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.cpu.plane_rows import planes_for
from tapetum.realtime.exposure import darkness_of_cells
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range

Table = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
LookUp = Callable[[Plane, Table, Table, int, Plane], None]
"""Fills the last plane with the entries of the first one's samples, shifted down by the number:
from the first table in even columns, from the second in odd ones."""

_GUESS_MEANS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.6, 1.0)
_GUESS_TARGETS = (0.22, 0.31, 0.36, 0.44, 0.46, 0.52, 0.58, 1.0)
"""Mean luma of pictures, and what `grid` made of it on 70 photos: within 0.06 for most."""
_GUESS_CHROMA_POWER = 0.55
"""Chroma gain over luma gain, in the same photos, as a power."""
_GUESS_STEPS = 30
_LEVEL_SHARE, _PICTURE_SHARE = 0.05, 0.001
"""Weight of a whole level's mean where few pixels are, and of all levels' where none are."""


def node_weights(luma: Floats) -> Floats:
    """How many pixels each node of a grid stands for: (8, 16, 16), its sum 1.

    Args:
        luma: (H, W) of a small picture, Y in [0, 1]; H and W are multiples of 16.
    """
    height, width = luma.shape
    place = np.clip(np.sqrt(np.clip(luma, 0, 1)) * LEVELS - 0.5, 0, LEVELS - 1)
    level = np.minimum(place.astype(np.int64), LEVELS - 2)
    upper = (place - level).astype(np.float32)
    rows = (np.arange(height) * CELLS // height)[:, np.newaxis]
    node = (level * CELLS + rows) * CELLS + np.arange(width) * CELLS // width
    count = LEVELS * CELLS * CELLS
    below = np.bincount(node.ravel(), (1 - upper).ravel(), count)
    above = np.bincount(node.ravel() + CELLS * CELLS, upper.ravel(), count)
    weights: Floats = ((below + above) / luma.size).astype(np.float32)
    return weights.reshape(LEVELS, CELLS, CELLS)


def flattened(grid: Floats, weights: Floats) -> Floats:
    """The curve that makes a picture as bright and as colourful, on the whole, as a grid does.

    Args:
        grid: (8, 8, 16, 16), as `apply_grid` takes it.
        weights: `node_weights` of the picture.
    """
    by_level = weights.sum(axis=(1, 2), keepdims=True)
    uniform = 1 / (CELLS * CELLS)
    pooled = weights + (_LEVEL_SHARE * by_level + _PICTURE_SHARE) * uniform
    levels = (grid * pooled).sum(axis=(2, 3)) / pooled.sum(axis=(1, 2))
    levels[2:] = (levels[2:] @ by_level.ravel() / by_level.sum())[:, np.newaxis]
    levels[3:5] = 0
    return spread(levels)


def spread(levels: Floats) -> Floats:
    """The grid (8, 8, 16, 16) of a curve's coefficients (8, 8)."""
    cells = np.empty((*levels.shape, CELLS, CELLS), np.float32)
    cells[:] = levels[..., np.newaxis, np.newaxis]
    return cells


def guessed_curve(luma: Floats, aim: Aim = ALWAYS) -> Floats:
    """The curve for a picture of which nothing is known but its luma.

    A power of luma that makes the picture as bright as `grid` makes most pictures of its mean.

    Args:
        luma: (H, W) in [0, 1]; H and W are multiples of 16.
        aim: when pictures are made bright, and how bright.
    """
    mean = max(float(luma.mean()), 1e-3)
    target = aim.brightness or float(np.interp(mean, _GUESS_MEANS, _GUESS_TARGETS))
    power = _power(np.maximum(luma, 1e-3), target)
    guide = (np.arange(LEVELS) + 0.5) / LEVELS
    y = guide * guide
    levels = np.zeros((8, LEVELS), np.float32)
    levels[0] = power * y ** (power - 1)
    levels[1] = y**power - levels[0] * y
    levels[2] = levels[5] = (target / mean) ** _GUESS_CHROMA_POWER
    if not aim.when_dark or aim.brightness is not None:
        return spread(levels)
    height, width = luma.shape
    cells = luma.reshape(CELLS, height // CELLS, CELLS, width // CELLS).mean(axis=(1, 3))
    return strengthened(spread(levels), darkness_of_cells(cells))


def _power(luma: Floats, target: float) -> float:
    """The power of luma whose mean is `target`, by halving an interval."""
    low, high = 0.15, 1.5
    for _ in range(_GUESS_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if (luma**middle).mean() > target else (low, middle)
    return (low + high) / 2


def apply_curve(frame: Frame, curve: Floats, look_up: LookUp) -> tuple[Plane, ...]:
    """Enhance a frame's planes by a curve.

    Args:
        frame: in main memory, in any of `PIXEL_FORMATS`.
        curve: (8, 8, 16, 16), of which one cell is read.
        look_up: `look_up_by_numpy`, or the compiled `cpu.look_up.look_up`, which is quicker.

    Returns:
        New planes, clipped like those of `apply_grid`.
    """
    luma, *chroma = _tables(frame, curve[:, :, 0, 0])
    shift, planes = frame.format.shift, planes_for(frame)
    tables = [(luma, luma), tuple(chroma)]
    if not frame.format.semi_planar:
        tables[1:] = [(table, table) for table in chroma]
    for plane, (even, odd), enhanced in zip(frame.planes, tables, planes, strict=True):
        look_up(plane, even, odd, shift, enhanced)
    return planes


def look_up_by_numpy(plane: Plane, even: Table, odd: Table, shift: int, enhanced: Plane) -> None:
    """A `LookUp` that is ready at once."""
    levels = plane >> shift if shift else plane
    if even is odd:
        np.take(even, levels, out=enhanced, mode="clip")
        return
    for start, table in ((0, even), (1, odd)):
        np.take(table, levels[:, start::2], out=enhanced[:, start::2], mode="clip")


def _tables(frame: Frame, levels: Floats) -> tuple[Table, Table, Table]:
    """What each level of Y, of U and of V becomes, as words of the frame's format."""
    samples = sample_range(frame)
    count = 1 << frame.format.depth
    axis = level_axis(count, samples.black, samples.luma_span)
    level = np.repeat(np.arange(LEVELS - 1), np.diff(axis.starts))
    gain, offset = (
        row[level] + axis.weight * (row[level + 1] - row[level]) for row in (levels[0], levels[1])
    )
    luma = (gain * axis.luma + offset) * samples.luma_span + samples.black
    distance = np.arange(count, dtype=np.float32) - samples.grey
    u, v = (
        levels[matrix, 0] * distance + levels[added, 0] * samples.chroma_span + samples.grey
        for matrix, added in ((2, 6), (5, 7))
    )
    return (
        _words(luma, samples.luma_limits, frame),
        _words(u, samples.chroma_limits, frame),
        _words(v, samples.chroma_limits, frame),
    )


def _words(values: Floats, limits: tuple[int, int], frame: Frame) -> Table:
    """Rounded, within the legal range or the old value, and shifted into words."""
    old = np.arange(len(values))
    rounded = np.floor(values + np.float32(0.5)).astype(np.int64)
    clipped = np.clip(rounded, np.minimum(old, limits[0]), np.maximum(old, limits[1]))
    table: Table = (clipped << frame.format.shift).astype(frame.planes[0].dtype)
    return table
