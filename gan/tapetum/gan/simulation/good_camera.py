"""What a good camera would make of a scene: well exposed, its range fitted to a screen's.

The local part is the usual split into base and detail (Durand, Dorsey, "Fast Bilateral Filtering
for the Display of High-Dynamic-Range Images", 2002), the base by a guided filter (He, Sun, Tang,
"Guided Image Filtering", 2010); the curve is Reinhard's with a white point (Reinhard et al.,
"Photographic Tone Reproduction for Digital Images", 2002). Both work on luminance and leave the
ratios of the colours, so no hue turns.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.simulation.radiance import Radiance, luminance

_DARKEST = 1e-5
_KEPT_STOPS = 3.0
_COMPRESSION = 0.45
_BASE_EPSILON = 0.4
_WHITE_OVER = 4.0
_SMALL = 64


def srgb(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """SRGB's curve: linear light in [0, 1] to display values in [0, 1]; clips."""
    light = np.clip(linear, 0, 1)
    curved = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return curved.astype(np.float32)


def guided_filter(
    plane: npt.NDArray[np.float32], radius: int, epsilon: float
) -> npt.NDArray[np.float32]:
    """Smooth a plane but for edges higher than the root of `epsilon`; itself is the guide."""
    size = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(plane, size)
    variance = np.maximum(cv2.blur(plane * plane, size) - mean * mean, 0)
    slope = variance / (variance + epsilon)
    smooth: npt.NDArray[np.float32] = cv2.blur(slope, size) * plane + cv2.blur(
        mean - slope * mean, size
    )
    return smooth


def range_fitted(radiance: Radiance) -> Radiance:
    """The scene with large steps of light made smaller, and its detail as it is.

    Within 3 stops around the median, light stays; what the base has beyond is halved, roughly.
    """
    light = np.log2(luminance(radiance) + _DARKEST)
    base = guided_filter(light, max(light.shape) // 12, _BASE_EPSILON)
    middle = np.float32(np.median(base))
    excess = np.maximum(np.abs(base - middle) - _KEPT_STOPS / 2, 0)
    change = -np.sign(base - middle) * excess * (1 - _COMPRESSION)
    fitted: Radiance = radiance * np.exp2(change)[..., None]
    return fitted


def exposure_for(radiance: Radiance, mean_luma: float) -> float:
    """What the radiance must be multiplied by to have that mean luma in `shown`."""
    height, width = radiance.shape[:2]
    size = (min(width, _SMALL), min(height, _SMALL))
    small = cv2.resize(radiance, size, interpolation=cv2.INTER_AREA)
    low, high = -24.0, 24.0
    for _ in range(18):
        middle = (low + high) / 2
        luma = luminance(shown(small * np.float32(2.0**middle))).mean()
        low, high = (middle, high) if luma < mean_luma else (low, middle)
    return float(2 ** ((low + high) / 2))


def shown(radiance: Radiance) -> npt.NDArray[np.float32]:
    """Exposed radiance as a screen shows it, (H, W, 3) in [0, 1]: 1 becomes a light grey.

    Colours brighter than the screen can show give up saturation, not hue.
    """
    light = luminance(radiance)[..., None]
    curve = light * (1 + light / _WHITE_OVER**2) / (1 + light)
    colored = radiance * (curve / (light + _DARKEST))
    brightest = colored.max(axis=2, keepdims=True)
    grey = np.minimum(curve, 1)
    share = np.clip((1 - grey) / np.maximum(brightest - grey, _DARKEST), 0, 1)
    return srgb(grey + (colored - grey) * share)
