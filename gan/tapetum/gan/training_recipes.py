"""Named sets of training settings: the paper's, and the real-time generator's."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from tapetum.gan.errors import TrainingError

RECIPES: Mapping[str, Mapping[str, Any]] = types.MappingProxyType(
    {
        "enlightengan": {"generator": "unet"},
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
                "max_gradient_norm": 1.0,
                "ema_decay": 0.998,
            },
        },
    }
)
"""Settings that differ from the defaults, by recipe: the paper's, and the real-time generator's."""


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
        raise TrainingError(f"there is no recipe {name!r}; choose {' or '.join(RECIPES)}")
    return RECIPES[name]
