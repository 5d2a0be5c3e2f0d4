"""What became of a picture's colours: hues turned, saturation gained or lost.

Both are of CIELAB (sRGB, D65) over areas of 4x4 pixels, whose mean holds little of the noise, and
only of the areas that are coloured in the reference: of a chroma over 8.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.photos import Photo

_AREA_PX = 4
_COLORED = 8.0
_GREYEST = 1.0


def hue_change_degrees(photo: Photo, reference: Photo) -> float | None:
    """Mean angle between the hues of a picture and of a reference of its size.

    Weighted by the reference's chroma. An area that has become grey, of a chroma under 1, counts
    as 90 degrees: it could as well be any.

    Args:
        photo: (H, W, 3) uint8 RGB, such as an enhanced picture.
        reference: the same scene, such as the picture before.

    Returns:
        0 to 180, or None where nothing of the reference is coloured.
    """
    found, wanted = _colored(photo, reference)
    if not len(wanted):
        return None
    weight = np.hypot(*wanted.T)
    angle = np.degrees(np.arctan2(*found.T[::-1]) - np.arctan2(*wanted.T[::-1]))
    turned = np.abs((angle + 180) % 360 - 180)
    turned[np.hypot(*found.T) < _GREYEST] = 90
    return float(np.average(turned, weights=weight))


def saturation_ratio(photo: Photo, reference: Photo) -> float | None:
    """Chroma relative to lightness, C / L, of a picture, as a share of a reference's.

    The median over the areas that are coloured in the reference; under 1 is washed out.

    Args:
        photo: (H, W, 3) uint8 RGB, such as an enhanced picture.
        reference: the same scene, such as the picture before.

    Returns:
        The ratio, or None where nothing of the reference is coloured.
    """
    colors = [_lab(picture) for picture in (photo, reference)]
    colored = _is_colored(colors[1])
    if not colored.any():
        return None
    relative = [np.hypot(lab[..., 1], lab[..., 2]) / (lab[..., 0] + 1) for lab in colors]
    return float(np.median(relative[0][colored] / relative[1][colored]))


def _colored(
    photo: Photo, reference: Photo
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(a, b) of the areas that are coloured in the reference, (N, 2) each."""
    found, wanted = _lab(photo), _lab(reference)
    colored = _is_colored(wanted)
    return found[colored][:, 1:], wanted[colored][:, 1:]


def _is_colored(lab: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    colored: npt.NDArray[np.bool_] = np.hypot(lab[..., 1], lab[..., 2]) > _COLORED
    return colored


def _lab(photo: Photo) -> npt.NDArray[np.float32]:
    height, width = (max(1, side // _AREA_PX) for side in photo.shape[:2])
    unit = photo.astype(np.float32) / 255
    areas = cv2.resize(unit, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(areas, cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)
