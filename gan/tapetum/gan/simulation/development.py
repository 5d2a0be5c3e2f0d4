"""From a sensor's numbers to a picture, as a phone or a webcam makes it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.photos import Photo
from tapetum.gan.simulation.good_camera import guided_filter
from tapetum.gan.simulation.sensor import Sensor, light_of

_CHROMA_FILTER_SHARE = 2.0
_SHARPENED_RADIUS = 1.0


@dataclass(frozen=True)
class Development:
    """How a camera makes pictures.

    Attributes:
        white_balance: gains of red, green and blue.
        denoising: root of the guided filter's epsilon on display luma, so about the deviation of
            the noise that it removes; chroma is filtered twice as strongly. 0: none.
        sharpening: share of the detail that is added once more. 0: none.
        gamma: display values are linear light to the power of 1 / gamma.
        contrast: share of a smooth S-curve in the tone curve. 0: none.
    """

    white_balance: tuple[float, float, float] = (2.0, 1.0, 1.7)
    denoising: float = 0.0
    sharpening: float = 0.0
    gamma: float = 2.2
    contrast: float = 0.0


def demosaiced(numbers: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """RGB of an RGGB mosaic of 16-bit numbers, (H, W, 3), edges respected."""
    rgb = cv2.cvtColor(numbers, cv2.COLOR_BayerRGGB2RGB_EA)
    return rgb.astype(np.uint16, copy=False)


def developed(numbers: npt.NDArray[np.uint16], sensor: Sensor, development: Development) -> Photo:
    """A picture of 8 bits of a sensor's 16-bit numbers: RGGB mosaic (H, W)."""
    linear = light_of(demosaiced(numbers), sensor) * np.array(development.white_balance, np.float32)
    display = tone_curve(linear, development)
    if development.denoising:
        display = denoised(display, development.denoising)
    if development.sharpening:
        smooth = cv2.GaussianBlur(display, (0, 0), _SHARPENED_RADIUS)
        display = display + development.sharpening * (display - smooth)
    return np.rint(np.clip(display, 0, 1) * 255).astype(np.uint8)


def tone_curve(
    linear: npt.NDArray[np.float32], development: Development
) -> npt.NDArray[np.float32]:
    """Display values in [0, 1] of linear light; clips, which is what makes dark noise purple."""
    display = np.clip(linear, 0, 1) ** np.float32(1 / development.gamma)
    s_curve = display * display * (3 - 2 * display)
    curve: npt.NDArray[np.float32] = display + np.float32(development.contrast) * (
        s_curve - display
    )
    return curve


def denoised(display: npt.NDArray[np.float32], deviation: float) -> npt.NDArray[np.float32]:
    """Smooth display values as phones do: luma but for its edges, chroma more."""
    luma, *chroma = np.moveaxis(cv2.cvtColor(display, cv2.COLOR_RGB2YCrCb), 2, 0).astype(np.float32)
    smooth = [guided_filter(luma, 2, deviation**2)]
    smooth += [guided_filter(plane, 4, (_CHROMA_FILTER_SHARE * deviation) ** 2) for plane in chroma]
    return cv2.cvtColor(np.stack(smooth, 2), cv2.COLOR_YCrCb2RGB).astype(np.float32, copy=False)
