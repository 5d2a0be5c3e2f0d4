"""Scenes in linear light, and views of them.

Radiance is (H, W, 3) float32, linear light of BT.709's primaries, at least 0, in any unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DataError
from tapetum.gan.photos import Photo

Radiance = npt.NDArray[np.float32]
"""(H, W, 3) linear RGB."""

_LUMINANCE = np.array((0.2126, 0.7152, 0.0722), np.float32)
_HIGHLIGHT = 0.9
_HIGHLIGHT_GAIN = 4.0


def read_panorama(path: Path) -> Radiance:
    """Read an equirectangular panorama in linear light from OpenEXR.

    Negative and unknown values, which resampling leaves beside suns, become black.

    Raises:
        DataError: the file is missing or is no RGB panorama, twice as wide as high.
    """
    import OpenEXR

    try:
        channels = OpenEXR.File(str(path)).channels()
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} is not a readable OpenEXR file ({error})") from error
    pixels = channels["RGB"].pixels if "RGB" in channels else None
    if pixels is None or pixels.shape[1] != 2 * pixels.shape[0]:
        raise DataError(f"{path} is not an RGB panorama that is twice as wide as high")
    known = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=65504.0, neginf=0.0)
    radiance: Radiance = np.maximum(known, 0)
    return radiance


def linear_photo(photo: Photo) -> Radiance:
    """A photo's light, as far as it can be told: sRGB's curve undone, 1 where it is white.

    What is nearly white was most often brighter than can be stored; over 0.9 of white, light
    grows by up to 4, so that lamps stay lamps when the scene is darkened.
    """
    display = photo.astype(np.float32) / 255
    light = np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)
    over = np.clip((display.min(axis=2) - _HIGHLIGHT) / (1 - _HIGHLIGHT), 0, 1)
    lifted: Radiance = light * (1 + (_HIGHLIGHT_GAIN - 1) * over[..., None] ** 2)
    return lifted.astype(np.float32, copy=False)


def luminance(radiance: Radiance) -> npt.NDArray[np.float32]:
    """BT.709 luminance, (H, W)."""
    weighted: npt.NDArray[np.float32] = radiance @ _LUMINANCE
    return weighted


@dataclass(frozen=True)
class View:
    """Where a camera looks in a panorama.

    Attributes:
        heading_degrees: to the right of the panorama's middle.
        elevation_degrees: over the horizon.
        roll_degrees: clockwise, of the camera.
        field_degrees: horizontal field of view.
    """

    heading_degrees: float
    elevation_degrees: float = 0.0
    roll_degrees: float = 0.0
    field_degrees: float = 70.0


def look(panorama: Radiance, view: View, width: int, height: int) -> Radiance:
    """What a pinhole camera sees in an equirectangular panorama, (height, width, 3).

    Bilinear between the panorama's pixels, which wrap around behind the camera.
    """
    focal = width / 2 / np.tan(np.radians(view.field_degrees) / 2)
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / focal
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2) / focal
    right, down = np.meshgrid(x, y)
    rays = np.stack((right, down, np.ones_like(right)), -1) @ _rotation(view).T
    length = np.linalg.norm(rays, axis=-1)
    heading = np.arctan2(rays[..., 0], rays[..., 2])
    elevation = np.arcsin(np.clip(-rays[..., 1] / length, -1, 1))
    rows, columns = panorama.shape[:2]
    map_x = ((heading / (2 * np.pi) + 0.5) * columns - 0.5).astype(np.float32)
    map_y = ((0.5 - elevation / np.pi) * rows - 0.5).astype(np.float32)
    # One column of the other end on each side: remap would mix the two ends along the seam.
    wrapped = cv2.copyMakeBorder(panorama, 0, 0, 1, 1, cv2.BORDER_WRAP)
    seen = cv2.remap(
        wrapped, map_x % columns + 1, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.maximum(seen, 0)


def _rotation(view: View) -> npt.NDArray[np.float32]:
    """From the camera's axes (right, down, forward) to the panorama's."""
    yaw, pitch, roll = np.radians((view.heading_degrees, view.elevation_degrees, view.roll_degrees))
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    about_z = [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    return (np.array(about_y) @ np.array(about_x) @ np.array(about_z)).astype(np.float32)
