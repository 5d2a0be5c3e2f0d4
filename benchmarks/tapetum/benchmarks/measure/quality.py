"""How far a picture is from the truth, and how unsteady a clip is, in numbers."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def psnr_db(picture: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit samples; of equal pictures, infinity."""
    error = float(np.mean((picture.astype(np.float64) - truth) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def flicker(mean_luma: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the second difference of the mean luma over time."""
    return float(np.diff(mean_luma, n=2).std())
