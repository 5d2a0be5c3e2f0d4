"""Compiles generators to TensorRT engines.

    from tapetum.trt_build import EngineRequest, build_engine
    engine = build_engine("unet.pth", EngineRequest(size=(1080, 1920)))
    engine.path, engine.manifest.psnr_db

Importing this package imports neither TensorRT, torch nor onnx; building does.
"""

from tapetum.trt_build.engine import EngineRequest, build_engine
from tapetum.trt_build.engine_cache import EngineCache, EngineFile
from tapetum.trt_build.manifest import EngineIdentity, Manifest

__all__ = [
    "EngineCache",
    "EngineFile",
    "EngineIdentity",
    "EngineRequest",
    "Manifest",
    "build_engine",
]
