"""From a generator to an engine by torch-tensorrt, without ONNX."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from tapetum.gan.errors import EngineError, ModelError
from tapetum.gan.model import Model
from tapetum.gan.model_kinds import STRIDE
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.profile import Profile, takes_float32
from tapetum.trt_build.tensorrt_log import explained

if TYPE_CHECKING:
    import torch

NAME = "torch-tensorrt"


def load_torch_tensorrt() -> tuple[Any, str]:
    """Import torch-tensorrt; its import takes a driver.

    Returns:
        The module and its version.

    Raises:
        EngineError: it is not installed or does not import.
    """
    try:
        module = importlib.import_module("torch_tensorrt")
    except ModuleNotFoundError as error:
        raise EngineError(
            f"{NAME} is not installed: pip install 'tapetum[torch-tensorrt]' with the PyTorch "
            "release that it names"
        ) from error
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"{NAME} does not import ({error}): check the NVIDIA driver") from error
    return module, importlib.metadata.version(NAME)


def build_torch_tensorrt(
    source: Model,
    profile: Profile,
    gpu: Gpu,
    torch_tensorrt: Any,  # noqa: ANN401
) -> bytes:
    """Build an engine in float16; TensorRT's own runtime loads it.

    Args:
        source: a named generator or a checkpoint.
        profile: the picture sizes.
        gpu: the GPU in this machine to build on.
        torch_tensorrt: the imported module.

    Raises:
        ModelError: the model is an ONNX file, of which PyTorch has no weights.
        EngineError: the build fails.
    """
    if not (source.shipped or source.is_checkpoint):
        raise ModelError(f"{source.path}: {NAME} builds from weights; name .safetensors or .pth")
    import torch

    convert = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine
    try:
        with torch.cuda.device(gpu.index):
            program, example = half_program(source.name, profile, f"cuda:{gpu.index}")
            return bytes(convert(program, arg_inputs=_inputs(profile, torch_tensorrt, example)))
    except RuntimeError as error:  # out of memory is one too
        first_line = str(error).partition("\n")[0]
        raise EngineError(f"{NAME} built no engine: {explained([first_line])}") from error


def half_program(model: str, profile: Profile, device: str) -> tuple[Any, Any]:
    """Export a generator for float16, with the inputs and outputs that its engines have.

    Args:
        model: a named generator or a checkpoint.
        profile: the picture sizes.
        device: PyTorch's name of where the weights go.

    Returns:
        The `torch.export.ExportedProgram`, and an input for it.
    """
    import torch

    from tapetum.gan.checkpoint import load_generator
    from tapetum.gan.export import exported_network

    generator = load_generator(model)
    network: torch.nn.Module = exported_network(generator).half().to(device)
    full = takes_float32(generator.kind)
    if full:
        network = _with_float32_ends(network)
    dtype = torch.float32 if full else torch.float16
    example = torch.zeros(1, 3, *profile.best, dtype=dtype, device=device)
    sizes = None
    if not profile.is_static:
        bounds = zip(("h16", "w16"), profile.smallest, profile.largest, strict=True)
        height, width = (
            torch.export.Dim(name, min=low // STRIDE, max=high // STRIDE)
            for name, low, high in bounds
        )
        sizes = ({2: STRIDE * height, 3: STRIDE * width},)
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=sizes), example


def _with_float32_ends(network: torch.nn.Module) -> torch.nn.Module:
    import torch

    class Float32Ends(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.network(batch.half()).float()
            return result

    return Float32Ends()


def _inputs(profile: Profile, torch_tensorrt: Any, example: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if profile.is_static:
        return (example,)
    shapes = ((1, 3, *size) for size in (profile.smallest, profile.best, profile.largest))
    smallest, best, largest = shapes
    return (
        torch_tensorrt.Input(
            min_shape=smallest, opt_shape=best, max_shape=largest, dtype=example.dtype
        ),
    )
