"""Scenes to record: views of panoramas, and photos linearised where there is nothing better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DataError
from tapetum.gan.photos import find_photos, random_crop, read_photo
from tapetum.gan.simulation.good_camera import exposure_for, guided_filter, range_fitted, shown
from tapetum.gan.simulation.radiance import (
    Radiance,
    View,
    linear_photo,
    look,
    luminance,
    read_panorama,
)

WELL_LIT_LUMA = 0.27
"""Photos of a lower mean luma (of display values) may be meant to be dark, and are left out."""

_PANORAMA_SHARE = 0.5
_KEPT_UNEVENNESS = 0.15
_MAX_UNEVENNESS = 1.2
_HARSHNESS = (0.3, 1.3)
_BRIGHT_SHARE = 0.95


@dataclass(frozen=True)
class Scene:
    """A scene, and its well exposed picture.

    Attributes:
        radiance: (H, W, 3); 1 is white in a well exposed picture, more or less.
        display: (H, W, 3) in [0, 1].
    """

    radiance: Radiance
    display: npt.NDArray[np.float32]


def exposed(radiance: Sequence[Radiance], mean_luma: float) -> list[Scene]:
    """The frames of a scene in any unit of light, all exposed as the first one needs it."""
    fitted = [range_fitted(frame) for frame in radiance]
    scale = np.float32(exposure_for(fitted[0], mean_luma))
    return [
        Scene(frame * scale, shown(even * scale))
        for frame, even in zip(radiance, fitted, strict=True)
    ]


def random_view(rng: np.random.Generator) -> View:
    """Any heading, mostly near the horizon, 50 to 90 degrees wide."""
    return View(
        heading_degrees=rng.uniform(-180, 180),
        elevation_degrees=float(np.clip(rng.normal(0, 12), -35, 35)),
        roll_degrees=rng.normal(0, 1.5),
        field_degrees=rng.uniform(50, 90),
    )


def uneven_light(size: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A smooth random illumination (size, size), 1 where it is brightest."""
    deviation = rng.uniform(0, _MAX_UNEVENNESS)
    coarse = rng.standard_normal((4, 4)).astype(np.float32)
    field = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    field = (field - field.max()) / (field.std() + 1e-6)
    light: npt.NDArray[np.float32] = np.exp(field * np.float32(deviation)).astype(np.float32)
    return light


def backlit(scene: Scene, rng: np.random.Generator) -> Scene:
    """A scene whose bright parts stay, and whose large dark ones lose light: a person at a window.

    Steps of the light's base, in stops, become 1.3 to 2.3 times as high, from its brightest
    twentieth down; detail and hues stay, as in `good_camera.range_fitted`, which does the reverse.
    """
    light = np.log2(luminance(scene.radiance) + np.float32(1e-4))
    base = guided_filter(light, max(light.shape) // 12, 0.4)
    below = np.minimum(base - np.float32(np.quantile(base, _BRIGHT_SHARE)), 0)
    lost = np.exp2(np.float32(rng.uniform(*_HARSHNESS)) * below)
    return Scene(scene.radiance * lost[..., None], scene.display)


class SceneFolders:
    """Draws square scenes from a folder of well-lit photos and one of panoramas.

    Raises:
        DataError: a folder is missing or empty, or a file in it is broken.
    """

    def __init__(self, photos: Path, panoramas: Path) -> None:
        self._photos = [path for path in find_photos(photos) if _well_lit(path)]
        paths = sorted(panoramas.glob("*.exr"))
        if not (paths and self._photos):
            empty = photos if paths else panoramas
            raise DataError(f"{empty} holds no well-lit photo or no panorama (.exr)")
        # Half floats, as they are stored, or some tens of panoramas fill a gigabyte.
        self._panoramas = [read_panorama(path).astype(np.float16) for path in paths]

    def draw(self, size: int, rng: np.random.Generator) -> Scene:
        """A scene of size x size pixels."""
        if rng.random() < _PANORAMA_SHARE:
            return self._view(size, rng)
        photo = random_crop(read_photo(self._photos[rng.integers(len(self._photos))]), size, rng)
        light = uneven_light(size, rng)[..., None]
        display = photo.astype(np.float32) / 255
        kept = (light / light.mean()) ** np.float32(_KEPT_UNEVENNESS / 2.2)
        return Scene(linear_photo(photo) * light, np.clip(display * kept, 0, 1))

    def draw_panorama(self, rng: np.random.Generator) -> Radiance:
        """A whole panorama."""
        return self._panoramas[rng.integers(len(self._panoramas))].astype(np.float32)

    def _view(self, size: int, rng: np.random.Generator) -> Scene:
        radiance = look(self.draw_panorama(rng), random_view(rng), size, size)
        return exposed([radiance], rng.uniform(0.38, 0.48))[0]


def _well_lit(path: Path) -> bool:
    return float(luminance(read_photo(path).astype(np.float32)).mean()) >= 255 * WELL_LIT_LUMA
