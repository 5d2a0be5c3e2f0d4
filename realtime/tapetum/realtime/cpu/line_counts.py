"""Counts the bright pixels of a frame's rows and columns, for who looks for bars."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.frame import Plane

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@kernel
def count_lines(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: Plane,
    pitch: int,
    top: int,
    bright: Mask,
    rows: Counts,
    columns: Counts,
) -> None:
    """Find the pixels over `top`, and count them by row and by column; and sum luma up to `top`."""
    height, width = bright.shape
    for row in range(height):
        line = samples[row * pitch : row * pitch + width]
        total, light, whole = 0, np.int64(0), np.int64(0)
        for x in range(width):
            over = line[x] > top
            level = min(np.int64(line[x]), np.int64(top))
            bright[row, x] = over
            columns[0, x] += over
            columns[1, x] += level
            columns[2, x] += np.int64(line[x])
            whole += np.int64(line[x])
            total += over
            light += level
        rows[0, row], rows[1, row], rows[2, row] = total, light, whole
