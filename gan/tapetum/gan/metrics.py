"""How far a picture is from another, in numbers; and NIQE, which needs no other.

Pictures are (H, W, 3) uint8 RGB; those of a pair have one size.
"""

from __future__ import annotations

import math
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.niqe import luma_of, niqe
from tapetum.gan.photos import Photo

Floats = npt.NDArray[np.float64]

_WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Of BT.601's luma, full range."""
_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5
_SSIM_STABILISERS = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
_FINE_SIGMA = 2.0
"""Pixels; what varies more slowly is no noise, but a difference of tone."""
_FLAT_SHARE = 0.25
_UNCLIPPED = (8, 247)


def psnr_db(photo: Photo, reference: Photo) -> float:
    """Peak signal-to-noise ratio in dB; of equal pictures, infinity."""
    error = float(np.mean((photo.astype(np.float64) - reference) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(photo: Photo, reference: Photo) -> float:
    """Structural similarity, mean over RGB; Gaussian window of sigma 1.5 pixels, reflected edges.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).

    Raises:
        ValueError: the window of 11x11 pixels is larger than the pictures.
    """
    if min(photo.shape[:2]) < _SSIM_WINDOW:
        raise ValueError(f"SSIM takes {_SSIM_WINDOW}x{_SSIM_WINDOW} pixels; got {photo.shape}")
    blurred = partial(cv2.GaussianBlur, ksize=(_SSIM_WINDOW, _SSIM_WINDOW), sigmaX=_SSIM_SIGMA)
    one, other = photo.astype(np.float64), reference.astype(np.float64)
    mean, mean_other = blurred(one), blurred(other)
    variance = blurred(one * one) - mean**2
    variance_other = blurred(other * other) - mean_other**2
    covariance = blurred(one * other) - mean * mean_other
    first, second = _SSIM_STABILISERS
    similarity = ((2 * mean * mean_other + first) * (2 * covariance + second)) / (
        (mean**2 + mean_other**2 + first) * (variance + variance_other + second)
    )
    return float(similarity.mean())


def exposure_aligned(photo: Photo, reference: Photo) -> Photo:
    """A picture times the one gain that gives it the mean luma of a reference.

    How bright a dark scene was, the picture of it cannot tell: what is compared after this is all
    else. A picture without any light stays as it is.
    """
    mean, wanted = (float((picture @ _WEIGHTS).mean()) for picture in (photo, reference))
    if not mean:
        return photo
    return np.asarray(np.rint(np.clip(photo * (wanted / mean), 0, 255)), np.uint8)


def noise_levels(photo: Photo, reference: Photo) -> float | None:
    """Standard deviation of the noise in a picture's luma, in 8-bit levels.

    It is of the fine part of the difference from a clean reference, once the exposure is aligned:
    else a darker picture would have less noise. Only where the reference is flattest, so that
    edges which lie a little aside are no noise, and where nothing is clipped.

    Returns:
        None where too little of the picture is so.
    """
    picture, clean = exposure_aligned(photo, reference) @ _WEIGHTS, reference @ _WEIGHTS
    rough = cv2.blur(_fine(clean) ** 2, (7, 7))
    low, high = _UNCLIPPED
    usable = (picture > low) & (picture < high) & (clean > low) & (clean < high)
    if not usable.any():
        return None
    flat = usable & (rough <= np.quantile(rough[usable], _FLAT_SHARE))
    return float(_fine(picture - clean)[flat].std())


def _fine(plane: Floats) -> Floats:
    return np.asarray(plane - cv2.GaussianBlur(plane, (0, 0), _FINE_SIGMA))


def photo_niqe(photo: Photo) -> float:
    """NIQE; lower is more natural.

    Raises:
        ValueError: the picture is too small or too flat.
    """
    return niqe(luma_of(photo))
