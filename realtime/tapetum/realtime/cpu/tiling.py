"""Cuts a picture into overlapping tiles of one size, padded by reflection where it is smaller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import STRIDE

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

OVERLAP = 64
"""Samples that neighbouring tiles share at least; they blend linearly there."""


@dataclass(frozen=True, slots=True, eq=False)
class AxisTile:
    """One tile along one axis.

    Attributes:
        source: (tile size,) index of the sample of the picture at each place of the tile.
        kept: the part of the tile that is no padding.
        place: where that part lies in the picture.
        weights: (length of that part,) share in the picture; sums to 1 over the tiles.
    """

    source: Indices
    kept: slice
    place: slice
    weights: Floats


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles of one size that cover a picture.

    Attributes:
        height: rows of the picture.
        width: columns of the picture.
        tile_height: rows of a tile, a multiple of `STRIDE`.
        tile_width: columns of a tile, a multiple of `STRIDE`.
    """

    height: int
    width: int
    tile_height: int
    tile_width: int

    def tiles(self) -> Iterator[tuple[AxisTile, AxisTile]]:
        """Rows and columns of each tile, from top left to bottom right."""
        for rows in axis_tiles(self.height, self.tile_height):
            for columns in axis_tiles(self.width, self.tile_width):
                yield rows, columns


def tiling(height: int, width: int, max_pixels: int) -> Tiling:
    """The fewest tiles of at most about `max_pixels`, which is at least (4 * OVERLAP)**2."""
    rows = columns = 1
    while _tile_size(height, rows) * _tile_size(width, columns) > max_pixels:
        if _tile_size(height, rows) > _tile_size(width, columns):
            rows += 1
        else:
            columns += 1
    return Tiling(height, width, _tile_size(height, rows), _tile_size(width, columns))


def reflected(size: int, before: int, total: int) -> Indices:
    """Indices that pad `size` samples to `total`, `before` of them in front, by reflection.

    Reflects as often as needed, so that a single sample can be padded too.
    """
    period = max(2 * size - 2, 1)
    phase = (np.arange(total) - before) % period
    return np.minimum(phase, period - phase) if size > 1 else np.zeros(total, np.int64)


@lru_cache(maxsize=16)
def axis_tiles(size: int, tile_size: int) -> tuple[AxisTile, ...]:
    """The tiles along an axis of `size` samples."""
    if size <= tile_size:
        before = (tile_size - size) // 2
        kept = slice(before, before + size)
        source = reflected(size, before, tile_size)
        return (AxisTile(source, kept, slice(0, size), np.ones(size, np.float32)),)
    count = -(-(size - OVERLAP) // (tile_size - OVERLAP))
    starts = np.rint(np.linspace(0, size - tile_size, count)).astype(np.int64)
    ramp = np.minimum(np.arange(tile_size) + 0.5, tile_size - np.arange(tile_size) - 0.5)
    total = np.zeros(size)
    for start in starts:
        total[start : start + tile_size] += ramp
    whole = slice(0, tile_size)
    places = [slice(int(start), int(start) + tile_size) for start in starts]
    return tuple(
        AxisTile(np.arange(p.start, p.stop), whole, p, (ramp / total[p]).astype(np.float32))
        for p in places
    )


def _tile_size(size: int, count: int) -> int:
    """Size of `count` tiles that cover `size` samples with the overlap."""
    least = -(-(size + (count - 1) * OVERLAP) // count)
    return -(-least // STRIDE) * STRIDE
