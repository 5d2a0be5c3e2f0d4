"""From a model's name or weights file to an enhancer on a GPU."""

from __future__ import annotations

from pathlib import Path

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.pixel_kernels import THUMBNAIL_SHAPE
from tapetum.realtime.cuda.torch_engine import TorchModel
from tapetum.realtime.errors import ModelError


def make_cuda_enhancer(
    model: str | Path, device: ComputeDevice, *, strength: float = 1.0
) -> CudaGridEnhancer | CudaUNetEnhancer:
    """Load a model as the enhancer of one stream of frames in GPU memory, run by PyTorch.

    Args:
        model: `grid`, `unet`, or a weights file (.safetensors, .pth, .pt).
        device: where the frames are.
        strength: 0 leaves the picture as it is, 1 is the model's own output.

    Raises:
        ModelError: there is no such model, its file cannot be used, or PyTorch is missing.
        DeviceError: PyTorch cannot use the device.
        EngineError: there is not enough memory.
    """
    try:
        from tapetum.gan.checkpoint import load_generator
        from tapetum.gan.unet import UNetGenerator
    except ImportError as error:
        raise ModelError(
            f"{device.name} runs models with PyTorch, and {error.name} is missing:"
            " pip install 'tapetum[train]', or use --device cpu"
        ) from error
    if Path(model).suffix == ".onnx":
        raise ModelError(
            f"{device.name} runs .safetensors, .pth and .pt weights; for {model} use --device cpu"
        )
    generator = load_generator(model)
    if isinstance(generator, UNetGenerator):
        return CudaUNetEnhancer(device, TorchModel(generator, device), strength=strength)
    engine = TorchModel(generator, device).compile(THUMBNAIL_SHAPE)
    return CudaGridEnhancer(device, engine, strength=strength)
