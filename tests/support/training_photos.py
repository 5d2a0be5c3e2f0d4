"""Small folders of photos to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tapetum.gan.toml_settings import from_tables
from tapetum.gan.training_config import TrainConfig
from tapetum.gan.training_recipes import merge


def write_photos(folder: Path, count: int, *, brightest: int, seed: int = 0) -> Path:
    """Write `count` smooth random photos of 60x48 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for place in range(count):
        coarse = rng.integers(brightest // 8, brightest, (6, 8, 3)).astype(np.uint8)
        picture = cv2.resize(coarse, (60, 48), interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / f"{place}.png"), picture)
    return folder


def write_both(folder: Path) -> dict[str, str]:
    """Six dark and five bright photos, as the settings that name them."""
    low = write_photos(folder / "low", 6, brightest=40)
    normal = write_photos(folder / "normal", 5, brightest=255, seed=1)
    return {"low": str(low), "normal": str(normal)}


def tiny_settings(folders: dict[str, str], output: Path, **tables: Any) -> TrainConfig:
    """A run of a few steps of seconds: no VGG-16, crops of 32 pixels, two photos a step."""
    tiny = {
        "output": str(output),
        "data": {"crop": 32, "workers": 0},
        "losses": {"global_features": 0.0, "local_features": 0.0, "patch": 16, "local_patches": 2},
        "optimizer": {"steps": 2, "batch": 2, "decay_share": 0.0},
        "run": {"threads": 1, "device": "cpu"},
    }
    return from_tables(TrainConfig, merge(tiny, folders, tables))
