"""The camera's parts at a glance: each column one part more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tapetum.gan.errors import DataError
from tapetum.gan.photos import Photo
from tapetum.gan.simulation.coding import Coding
from tapetum.gan.simulation.conditions import Conditions, draw_conditions, ideal, recorded
from tapetum.gan.simulation.scenes import Scene, SceneFolders
from tapetum.gan.whole_file import whole_file

COLUMNS = ("well exposed", "dark", "noise", "camera", "stored", "ideal")
"""What a row shows, from the scene to its recording, and what should be made of that."""

_HEADER_PX = 24


def stages(scene: Scene, conditions: Conditions, seed: int) -> list[Photo]:
    """One scene's row of the sheet, in the order of `COLUMNS`."""
    camera = replace(conditions, coding=Coding("none"))
    plain = replace(camera.development, denoising=0.0, sharpening=0.0, contrast=0.0)
    noisy = replace(camera, development=plain)
    silent = replace(
        camera.sensor, read_noise_e=0.0, row_noise_e=0.0, offset_e=0.0, nonuniformity=0.0, bits=16
    )
    # So much light that its own noise is not seen, and as little gain.
    dark = replace(noisy, sensor=silent, electrons=1e7)
    recordings = [
        recorded([scene.radiance], each, np.random.default_rng(seed))[0]
        for each in (dark, noisy, camera, conditions)
    ]
    exposed = np.rint(scene.display * 255).astype(np.uint8)
    return [exposed, *recordings, ideal(scene.display, scene.radiance, conditions)]


def write_contact_sheet(
    scenes: SceneFolders, path: Path, *, rows: int = 8, size: int = 256, seed: int = 1
) -> None:
    """Write a PNG with a row for each of some random scenes, and `COLUMNS` across.

    Raises:
        DataError: the file cannot be written.
    """
    pictures = [_header(size)]
    for row in range(rows):
        rng = np.random.default_rng((seed, row))
        pictures.append(np.hstack(stages(scenes.draw(size, rng), draw_conditions(rng), row)))
    _, encoded = cv2.imencode(".png", np.vstack(pictures)[..., ::-1])
    try:
        with whole_file(path) as unfinished:
            encoded.tofile(unfinished)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror})") from error


def _header(size: int) -> Photo:
    header = np.zeros((_HEADER_PX, size * len(COLUMNS), 3), np.uint8)
    for column, name in enumerate(COLUMNS):
        place = (column * size + 4, _HEADER_PX - 7)
        cv2.putText(header, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return header
