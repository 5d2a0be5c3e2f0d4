"""Tapetum's generators and their training.

    from tapetum.gan import load_generator
    generator = load_generator("grid")
    enhanced = generator(rgb)          # RGB in [-1, 1], (N, 3, H, W) of any size

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
    from tapetum.gan.unet import UNetGenerator

_HOMES = {
    "Generator": "generator",
    "GridGenerator": "grid",
    "UNetGenerator": "unet",
    "build_generator": "checkpoint",
    "export_onnx": "export",
    "load_generator": "checkpoint",
    "save_generator": "checkpoint",
}

__all__ = [
    "Generator",
    "GridGenerator",
    "UNetGenerator",
    "build_generator",
    "export_onnx",
    "load_generator",
    "save_generator",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
