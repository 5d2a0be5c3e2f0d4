"""Named sets of training settings: the authors', the paper's, and ours for both generators."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from tapetum.gan.errors import TrainingError

RECIPES: Mapping[str, Mapping[str, Any]] = types.MappingProxyType(
    {
        "enlightengan": {"generator": "unet"},
        "paper": {
            "generator": "unet",
            "data": {"darkened_share": 0.0, "vertical_flips": False},
            "losses": {
                "local_patches": 5,
                "halved_global_terms": False,
                "halved_local_discriminator": False,
            },
        },
        "unet": {
            "generator": "unet",
            "light": "grid",
            "data": {
                "crop": 128,
                "max_reduction": 2.5,
                "darkened_share": 0.35,
                "noise_share": 0.1,
                "jpeg_share": 0.1,
            },
            "losses": {
                "global_adversarial": 0.08,
                "local_adversarial": 0.08,
                "global_features": 0.0,
                "local_features": 0.0,
                "local_patches": 4,
                "pair_pixel": 1.0,
                "pair_illumination": 0.25,
                "pair_contrast": 1.5,
                "pair_hue": 0.5,
                "low_illumination": 3.0,
                "low_detail": 4.0,
                "low_color": 20.0,
            },
            "optimizer": {
                "steps": 4000,
                "decay_share": 0.7,
                "warmup_steps": 40,
                "batch": 8,
                "learning_rate": 5e-4,
                "zero_biases": True,
                "discriminator_learning_rate": 2e-4,
                "max_gradient_norm": 1.0,
                "ema_decay": 0.99,
            },
        },
        "grid": {
            "generator": "grid",
            "data": {
                "crop": 256,
                "window": "share",
                "noise_share": 0.5,
                "jpeg_share": 0.5,
            },
            "losses": {
                "global_adversarial": 0.03,
                "local_adversarial": 0.0,
                "global_features": 0.0,
                "local_features": 0.0,
                "pair_pixel": 1.0,
                "pair_illumination": 1.0,
                "pair_contrast": 1.0,
                "pair_detail": 0.3,
                "pair_color": 3.0,
                "pair_hue": 2.0,
                "roughness": 0.3,
                "reversed_tones": 2.0,
                "reduction": 2,
            },
            "optimizer": {
                "steps": 6500,
                "decay_share": 0.8,
                "warmup_steps": 600,
                "batch": 16,
                "learning_rate": 2e-3,
                "betas": (0.9, 0.999),
                "initialisation": "network",
                "zero_biases": True,
                "max_gradient_norm": 1.0,
                "ema_decay": 0.998,
            },
        },
    }
)
"""Settings that differ from the defaults, by recipe.

`enlightengan` is the authors' code, `paper` the paper where the two differ; where it says nothing,
the code. `unet` keeps its adversarial losses, small, and anchors exposure
with darkened photos and a teacher, and detail with the dark photos' own. `grid` is the real-time
generator's.
"""


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of several layers, the later ones over the earlier, tables within tables."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            before = merged.get(key)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                merged[key] = merge(before, value)
            else:
                merged[key] = value
    return merged


def recipe(name: str) -> Mapping[str, Any]:
    """The settings of a recipe.

    Raises:
        TrainingError: there is no such recipe.
    """
    if name not in RECIPES:
        raise TrainingError(f"there is no recipe {name!r}; choose {', '.join(RECIPES)}")
    return RECIPES[name]
