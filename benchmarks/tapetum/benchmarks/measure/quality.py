"""How unsteady a clip is, in a number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def flicker(mean_luma: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the second difference of the mean luma over time."""
    return float(np.diff(mean_luma, n=2).std())
