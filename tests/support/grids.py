"""Bilateral grids (8, 8, 16, 16): one rough everywhere, and one that brightens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.grid_kernels import identity_grid


def random_grid(seed: int = 0, spread: float = 0.3) -> npt.NDArray[np.float32]:
    """A grid that is rough everywhere, but whose curves stay within what a table holds."""
    noise = np.random.default_rng(seed).uniform(-spread, spread, (8, 8, 16, 16))
    grid = identity_grid() + noise
    grid[0] += 0.3
    return grid.astype(np.float32)


def brightening() -> npt.NDArray[np.float32]:
    grid = identity_grid()
    grid[0] = np.linspace(3, 1, 8, dtype=np.float32)[:, np.newaxis, np.newaxis]
    return grid
