"""Takes noise out of training inputs, as is done before a network sees a picture.

What enhances pictures takes their noise out first. A network that was trained on noise alone
takes what is left of fine detail for noise, and smooths it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch

from tapetum.gan.simulation.development import denoised

_NOISE_ALONE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
"""Blind to planes and to straight edges along rows and columns (Immerkaer, "Fast noise variance
estimation", 1996)."""
_MEDIAN_PER_DEVIATION = 6 * 0.6745
"""The filter's norm, and the median of what is normally distributed without its sign."""
_REACH = 2.5
"""Deviations of the noise up to which differences are taken for noise."""


def noise_deviation(luma: npt.NDArray[np.float32]) -> float:
    """Standard deviation of the noise in luma (H, W), in its own unit, from its evener half."""
    found = cv2.filter2D(luma, cv2.CV_32F, _NOISE_ALONE)[1:-1, 1:-1]
    return float(np.median(np.abs(found))) / _MEDIAN_PER_DEVIATION


def without_noise(picture: torch.Tensor) -> torch.Tensor:
    """A picture (3, H, W), RGB in [0, 1], with most of its noise taken out, by a guided filter."""
    rgb = np.ascontiguousarray(picture.permute(1, 2, 0).numpy(), np.float32)
    deviation = noise_deviation(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32))
    if deviation == 0:
        return picture
    return torch.from_numpy(denoised(rgb, _REACH * deviation)).permute(2, 0, 1).clamp(0, 1)
