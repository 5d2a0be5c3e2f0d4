"""Takes noise out of pictures in main memory, for a device without kernels for their format."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.restoring import LEAST_DEPTH, Restorer
from tapetum.realtime.frame import Frame


class NoiseInMemory:
    """The CPU path's own restoring stage, of one stream of frames that hold what it gives.

    Frames of fewer bits than `LEAST_DEPTH` do not: they stay as they are.
    """

    def __init__(self, denoise: Denoise) -> None:
        """Start with no past.

        Args:
            denoise: as for `Restorer`.
        """
        self._restorer = Restorer(denoise)

    def __call__(
        self, frame: Frame, grid: npt.NDArray[np.float32], fetch: Callable[[], Frame]
    ) -> Frame | None:
        """Restore the next frame.

        Args:
            frame: in any memory.
            grid: (8, 8, 16, 16) what will brighten it.
            fetch: gives the frame in main memory.

        Returns:
            The frame in planar YUV of the same depth, until the next call; None where it stays.
        """
        if frame.format.depth < LEAST_DEPTH:
            self.reset()
            return None
        return self._restorer(fetch(), grid)

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        self._restorer.reset()
