"""Small folders of scenes to record: well-lit photos and panoramas in linear light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from support.training_photos import write_photos


def write_scenes(folder: Path) -> tuple[Path, Path]:
    """Three bright photos, and two panoramas of a sky over a ground with a lamp."""
    photos = write_photos(folder / "photos", 3, brightest=255, seed=5)
    panoramas = folder / "panoramas"
    panoramas.mkdir()
    rng = np.random.default_rng(2)
    for number in range(2):
        coarse = rng.uniform(0.05, 1, (8, 16, 3))
        pixels = coarse.repeat(16, 0).repeat(16, 1)
        pixels[:40] *= 6
        pixels[60:66, 30:36] = 300
        header = {"compression": OpenEXR.DWAB_COMPRESSION, "type": OpenEXR.scanlineimage}
        file = OpenEXR.File(header, {"RGB": pixels.astype(np.float16)})
        file.write(str(panoramas / f"{number}.exr"))
    return photos, panoramas
