"""Takes noise out of pictures in main memory, for a device without kernels for their format."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.frame import Frame


class NoiseInMemory:
    """The CPU path's own restoring stage, of one stream of frames."""

    def __init__(self, denoise: Denoise) -> None:
        """Start with no past.

        Args:
            denoise: as for `Restorer`.
        """
        self._restorer = Restorer(denoise)

    def __call__(self, frame: Frame, grid: npt.NDArray[np.float32]) -> Frame | None:
        """Restore the next frame.

        Args:
            frame: in main memory.
            grid: (8, 8, 16, 16) what will brighten it.

        Returns:
            The frame in planar YUV of at least 10 bits, until the next call; None where it stays.
        """
        return self._restorer(frame, grid)

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._restorer.reset()


def brightened(frame: Frame, grid: npt.NDArray[np.float32], restored: Frame) -> Frame:
    """A frame brightened, whose samples do not hold what is restored of it.

    Args:
        frame: in main memory.
        grid: (8, 8, 16, 16) what brightens it.
        restored: the same, with more bits.
    """
    return frame.with_planes(apply_grid(frame, grid, seen=restored))
