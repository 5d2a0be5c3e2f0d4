"""Compiles generators to TensorRT engines.

    from tapetum.trt_build import EngineRequest, build_engine
    engine = build_engine("unet.pth", EngineRequest(size=(1080, 1920)))
    engine.path, engine.manifest.psnr_db

Importing this package imports neither TensorRT, torch, onnx nor NumPy; building does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapetum.trt_build.engine import EngineRequest, build_engine
    from tapetum.trt_build.engine_cache import EngineCache, EngineFile
    from tapetum.trt_build.manifest import EngineIdentity, Manifest

_HOMES = {
    "EngineCache": "engine_cache",
    "EngineFile": "engine_cache",
    "EngineIdentity": "manifest",
    "EngineRequest": "engine",
    "Manifest": "manifest",
    "build_engine": "engine",
}

__all__ = [
    "EngineCache",
    "EngineFile",
    "EngineIdentity",
    "EngineRequest",
    "Manifest",
    "build_engine",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
