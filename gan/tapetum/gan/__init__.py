"""Tapetum's generators and their training.

    from tapetum.gan import load_generator
    generator = load_generator("grid")
    enhanced = generator(rgb)          # RGB in [-1, 1], (N, 3, H, W) of any size

    from tapetum.gan import TrainConfig, train
    generator = train(TrainConfig(low=Path("dark"), normal=Path("bright"), output=Path("run")))

Importing this package does not import torch; using a name below does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
    from tapetum.gan.export import export_onnx
    from tapetum.gan.generator import Generator
    from tapetum.gan.grid import GridGenerator
    from tapetum.gan.trainer import train
    from tapetum.gan.training_config import TrainConfig
    from tapetum.gan.unet import UNetGenerator

_HOMES = {
    "Generator": "generator",
    "GridGenerator": "grid",
    "TrainConfig": "training_config",
    "UNetGenerator": "unet",
    "build_generator": "checkpoint",
    "export_onnx": "export",
    "load_generator": "checkpoint",
    "save_generator": "checkpoint",
    "train": "trainer",
}

__all__ = [
    "Generator",
    "GridGenerator",
    "TrainConfig",
    "UNetGenerator",
    "build_generator",
    "export_onnx",
    "load_generator",
    "save_generator",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
