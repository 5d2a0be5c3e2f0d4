"""Launches the kernels of `grid_fit.cu`: a small picture for a network, a grid of the answer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tapetum.gan.model_kinds import CELLS, GRID_SHAPE, LEVELS, THUMBNAIL_SHAPE
from tapetum.realtime.cuda.kernel_arguments import (
    REDUCED,
    DeviceArray,
    Launch,
    Structure,
    address,
    check_array,
)

SMALL_SIDE = 128
"""Rows and columns of what a reduced network sees."""
SUMS_SHAPE = (LEVELS * CELLS * CELLS, 16)
_THREADS = 128
_THREADS_OF_CELL, _THREADS_OF_GRID = 256, 1024
"""Threads for the pixels around a cell, and for the nodes of a grid; see grid_fit.cu."""


class GridFitKernels:
    """They queue their work as `PixelKernels` do."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    def reduce(self, thumbnail: DeviceArray, small: Small) -> None:
        """Reduce a thumbnail to what a network sees of it, and keep how it was.

        Args:
            thumbnail: (1, 3, 256, 256) float32, RGB in [0, 1].
            small: gets both.
        """
        check_array(thumbnail, THUMBNAIL_SHAPE, np.float32)
        blocks = SMALL_SIDE * SMALL_SIDE // _THREADS
        self._launch("fit_reduce", (blocks, 1), _THREADS, (thumbnail, small.structure()), 0)

    def fit_grid(self, small: Small, sums: DeviceArray, grid: DeviceArray) -> None:
        """Fit a grid to what a network made of a small picture, like `cpu.grid_fit.fit_grid`.

        Args:
            small: before and after.
            sums: (2048, 16) float32, of each node of the grid; room for it.
            grid: (8, 8, 16, 16) float32; gets no finite numbers where the network gave none.
        """
        check_array(sums, SUMS_SHAPE, np.float32)
        check_array(grid, GRID_SHAPE, np.float32)
        arguments = (small.structure(), sums)
        self._launch("fit_sum", (CELLS * CELLS, 1), _THREADS_OF_CELL, arguments, 0)
        self._launch("fit_solve", (1, 1), _THREADS_OF_GRID, (sums, grid), 0)


class Small(NamedTuple):
    """A picture of 128x128, before and after a network.

    Attributes:
        before: (3, 128, 128) float32: Y in [0, 1], U and V in [-0.5, 0.5].
        after: (1, 3, 128, 128) float16: RGB in [-1, 1].
        light: (8, 8, 16, 16) float32: the grid that makes it bright for the network, if any.
    """

    before: DeviceArray
    after: DeviceArray
    light: DeviceArray | None

    def structure(self) -> Structure:
        """The `Reduced` of `grid_fit.cu`."""
        check_array(self.before, (3, SMALL_SIDE, SMALL_SIDE), np.float32)
        check_array(self.after, (1, 3, SMALL_SIDE, SMALL_SIDE), np.float16)
        if self.light is not None:
            check_array(self.light, GRID_SHAPE, np.float32)
        light = 0 if self.light is None else address(self.light)
        return np.array((address(self.before), address(self.after), light), REDUCED)
