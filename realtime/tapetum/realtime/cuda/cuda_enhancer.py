"""From a model's name or file to an enhancer on a GPU, by TensorRT, TensorRT-RTX or PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tapetum.gan.model import Model, find_model
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.compute_device import ComputeDevice, DeviceEngine
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.reduced_unet_engine import SHAPE as SMALL_SHAPE
from tapetum.realtime.cuda.reduced_unet_engine import ReducedUNetEngine
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.cuda.torch_engine import TorchModel
from tapetum.realtime.errors import DeviceError, EngineError, ModelError
from tapetum.realtime.progress import Building

if TYPE_CHECKING:
    from tapetum.trt_build.flavour import Flavour


class EngineChoice(NamedTuple):
    """What runs models on a GPU.

    Attributes:
        flavour: the TensorRT, or None where PyTorch is left.
        notices: why it is PyTorch, as a line for the user; none for TensorRT.
    """

    flavour: Flavour | None
    notices: tuple[str, ...] = ()


def choose_engine(index: int) -> EngineChoice:
    """The first TensorRT that is installed and supports a GPU.

    Args:
        index: the GPU's number.

    Raises:
        DeviceError: there is no such GPU, or no driver.
    """
    from tapetum.trt_build.flavour import FLAVOURS, load_flavour
    from tapetum.trt_build.gpu import present_gpu
    from tapetum.trt_build.tensorrt_build import check_target

    gpu = present_gpu(index)
    reasons = []
    for name in FLAVOURS:
        try:
            flavour = load_flavour(name)
            check_target(gpu, flavour)
        except (EngineError, DeviceError) as error:
            reasons.append(str(error))
        else:
            return EngineChoice(flavour)
    notice = f"cuda:{index} runs models with PyTorch: {'; '.join(reasons)}"
    return EngineChoice(None, (notice,))


Size = tuple[int, int]


def make_cuda_enhancer(
    model: str | Path,
    device: ComputeDevice,
    *,
    strength: float = 1.0,
    aim: Aim = ALWAYS,
    denoise: Denoise = "off",
    flavour: Flavour | None = None,
    size: Size | None = None,
    sizes_change: bool = False,
    reduced: bool = False,
    on_build: Callable[[Building], None] | None = None,
) -> CudaGridEnhancer | CudaUNetEnhancer:
    """Load a model as the enhancer of one stream of frames in GPU memory.

    Args:
        model: `grid`, `unet`, or a model file (.onnx, .safetensors, .pth, .pt).
        device: where the frames are.
        strength: 0 leaves the picture as it is, 1 is the model's own output, 2 is the most.
        aim: when pictures are made bright, and by grids how bright; every one, by default.
        denoise: how much noise is taken out before a picture is made bright by a grid; a model
            with none leaves it.
        flavour: the TensorRT that runs it, see `choose_engine`; PyTorch by default.
        size: height and width of the frames to come, to compile `unet` now and not when the
            first one arrives.
        sizes_change: whether the frames' size may change often, as in WebRTC: TensorRT builds one
            engine of `unet` for all sizes, and not one for each. What is `reduced` has one size.
        reduced: whether a network of the kind `unet` sees small pictures alone, of which a grid is
            made.
        on_build: called while a TensorRT engine is built, from TensorRT's threads.

    Raises:
        ModelError: there is no such model, its file cannot be used, or what it needs is missing.
        DeviceError: PyTorch cannot use the device.
        EngineError: an engine cannot be built, or there is not enough memory.
    """

    def compiler_of(model: Model) -> TorchModel | TensorRTModel:
        if flavour is None:
            return _torch_model(model, device)
        many = sizes_change and not reduced
        return TensorRTModel(model, device, flavour, sizes_change=many, on_build=on_build)

    found = find_model(model)
    compiler = compiler_of(found)
    engine: DeviceEngine
    if compiler.kind == "grid":
        engine = compiler.compile(THUMBNAIL_SHAPE)
        return CudaGridEnhancer(device, engine, strength=strength, aim=aim, denoise=denoise)
    lit = None
    if found.description.light is not None:
        lit = compiler_of(find_model(found.description.light)).compile(THUMBNAIL_SHAPE)
    if reduced:
        engine = ReducedUNetEngine(device, compiler.compile(SMALL_SHAPE), lit)
        return CudaGridEnhancer(device, engine, strength=strength, aim=aim, denoise=denoise)
    light = None if lit is None else CudaGridEnhancer(device, lit, denoise=denoise)
    enhancer = CudaUNetEnhancer(device, compiler, strength=strength, aim=aim, light=light)
    if size is not None and strength > 0:
        enhancer.compile_for(*size)
    return enhancer


def _torch_model(model: Model, device: ComputeDevice) -> TorchModel:
    if not (model.shipped or model.is_checkpoint):
        raise ModelError(
            f"{device.name} runs {model.name} with TensorRT alone (pip install 'tapetum[tensorrt]',"
            " or 'tapetum[tensorrt-rtx]'); install it, or use --device cpu"
        )
    try:
        from tapetum.gan.checkpoint import load_generator

        generator = load_generator(model.name)
    except ImportError as error:  # PyTorch, or what reads the file
        raise no_runtime(device.name, error.name) from error
    return TorchModel(generator, device)


def no_runtime(device: str, missing: str | None) -> ModelError:
    """What to say where nothing that runs models on a GPU is installed."""
    return ModelError(
        f"{device} runs models with TensorRT (pip install 'tapetum[tensorrt]', or"
        " 'tapetum[tensorrt-rtx]') or with PyTorch (pip install 'tapetum[train]');"
        f" {missing} is missing: install one of them, or use --device cpu"
    )
