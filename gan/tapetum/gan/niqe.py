"""NIQE: how natural a picture looks, without a reference. Lower is better.

Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE Signal
Processing Letters 2013. Statistics of locally normalised luma in blocks of 96x96 pixels, at two
scales, are compared with those of pristine photos. `niqe_pristine.npz` holds the pristine model
that the authors published (University of Texas at Austin, 2012), as BasicSR 1.4.2 carries it.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

BLOCK = 96
"""Height and width of a block at full resolution."""

TOO_SMALL = f"is too small for NIQE, which takes {BLOCK}x{2 * BLOCK} pixels or more"
"""What is said of a file whose pictures are not `large_enough`."""

_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_SHAPES = np.arange(0.2, 10.0005, 0.001)


def large_enough(height: int, width: int) -> bool:
    """Whether a picture of so many pixels has the two blocks that NIQE takes at least."""
    return (height // BLOCK) * (width // BLOCK) >= 2


def niqe(luma: npt.NDArray[np.float64] | npt.NDArray[np.uint8]) -> float:
    """Distance of a picture's statistics from those of pristine photos.

    Args:
        luma: (H, W) in [0, 255]; at least 96 pixels high and wide, and two blocks in all.

    Raises:
        ValueError: the picture is too small, or but one of its blocks or none has any texture.
    """
    rows, columns = (side // BLOCK for side in luma.shape)
    if not large_enough(*luma.shape):
        raise ValueError(f"NIQE needs two blocks of 96x96 pixels; got {luma.shape}")
    picture = luma[: rows * BLOCK, : columns * BLOCK].astype(np.float64)
    features = np.hstack(
        [_block_features(picture, BLOCK), _block_features(_halve(picture), BLOCK // 2)]
    )
    mean, covariance = _pristine_model()
    complete = features[~np.isnan(features).any(1)]
    if len(complete) < 2:
        raise ValueError("NIQE needs two blocks with some texture; the picture is flat")
    difference = mean - np.nanmean(features, axis=0)
    pooled = (covariance + np.cov(complete, rowvar=False)) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(pooled) @ difference))


def luma_of(rgb: npt.NDArray[np.uint8]) -> Array:
    """BT.601 luma (H, W), rounded, in [16, 235], of (H, W, 3) uint8 RGB.

    Published NIQE figures are made on this plane.
    """
    return np.asarray(np.rint(rgb @ np.array([65.481, 128.553, 24.966]) / 255 + 16))


@cache
def _pristine_model() -> tuple[Array, Array]:
    with files(__package__).joinpath("niqe_pristine.npz").open("rb") as stored:
        model = np.load(stored)
        return model["mean"], model["covariance"]


def _normalised(picture: Array) -> Array:
    """Mean-subtracted, contrast-normalised luma (equation 1 of the paper)."""
    kernel = np.asarray(cv2.getGaussianKernel(7, 7 / 6), dtype=np.float64)
    mean = _filtered(picture, kernel)
    deviation = np.sqrt(np.abs(_filtered(picture**2, kernel) - mean**2))
    return np.asarray((picture - mean) / (deviation + 1))


def _filtered(picture: Array, kernel: Array) -> Array:
    filtered = cv2.sepFilter2D(picture, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(filtered, dtype=np.float64)


def _halve(picture: Array) -> Array:
    """Bicubic reduction by 2 with antialiasing, as the published code's."""
    distances = np.abs(np.arange(-3.5, 4) / 2)
    near = 1.5 * distances**3 - 2.5 * distances**2 + 1
    far = -0.5 * distances**3 + 2.5 * distances**2 - 4 * distances + 2
    weights = np.where(distances <= 1, near, far) / 2
    for axis in (0, 1):
        size = picture.shape[axis] // 2
        padded = np.pad(picture, [(3, 3) if a == axis else (0, 0) for a in (0, 1)], "symmetric")
        taps = [np.arange(size) * 2 + offset for offset in range(8)]
        picture = sum(
            (w * np.take(padded, tap, axis) for w, tap in zip(weights, taps, strict=True)),
            start=np.zeros(()),
        )
    return picture


def _block_features(picture: Array, size: int) -> Array:
    """(blocks, 18) features of the size x size blocks of a picture."""
    normalised = _normalised(picture)
    rows, columns = (side // size for side in picture.shape)
    blocks = normalised.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)
    return np.array([_features(block) for block in blocks])


def _features(block: Array) -> list[float]:
    shape, left, right = _fit_asymmetric_gaussian(block)
    features = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        product = block * np.roll(block, shift, axis=(0, 1))
        shape, left, right = _fit_asymmetric_gaussian(product)
        mean = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape)
        features += [shape, mean, left, right]
    return features


@cache
def _ratio_of_shape() -> Array:
    """Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a)) for every candidate shape a (equation 8)."""
    log_gamma = np.vectorize(math.lgamma)
    logs = 2 * log_gamma(2 / _SHAPES) - log_gamma(1 / _SHAPES) - log_gamma(3 / _SHAPES)
    return np.asarray(np.exp(logs), dtype=np.float64)


def _fit_asymmetric_gaussian(values: Array) -> tuple[float, float, float]:
    """Shape, left scale and right scale of an asymmetric generalised Gaussian, by moments.

    Lasmar, Stitou, Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis"
    (2009). A block with nothing on one side of 0 gives NaN scales, as in the published code.
    """
    left, right = (_root_mean_square(side) for side in (values[values < 0], values[values > 0]))
    if math.isnan(left) or math.isnan(right):
        return math.nan, math.nan, math.nan
    skew = left / right
    ratio = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin((_ratio_of_shape() - ratio) ** 2)])
    scale = math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))
    return shape, left * scale, right * scale


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else math.nan
