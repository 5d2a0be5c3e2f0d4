"""From a generator to an engine by torch-tensorrt, without ONNX."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from tapetum.gan.errors import EngineError, ModelError
from tapetum.trt_build.network_source import NetworkSource
from tapetum.trt_build.profile import STRIDE, Profile

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


def build_torch_tensorrt(source: NetworkSource, profile: Profile, torch_tensorrt: Any) -> bytes:  # noqa: ANN401
    """Build an engine in float16 throughout; TensorRT's own runtime loads it.

    Args:
        source: a named generator or a checkpoint.
        profile: the picture sizes.
        torch_tensorrt: the imported module.

    Raises:
        ModelError: the model is an ONNX file, of which PyTorch has no weights.
        EngineError: the build fails.
    """
    if not source.has_weights:
        raise ModelError(f"{source.path}: {NAME} builds from weights; name .safetensors or .pth")
    import torch

    program, example = _half_program(source.model, profile)
    convert = torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine
    try:
        return bytes(convert(program, arg_inputs=_inputs(profile, torch_tensorrt, example)))
    except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
        first_line = str(error).partition("\n")[0]
        raise EngineError(f"{NAME} built no engine: {first_line}") from error


def _half_program(model: str, profile: Profile) -> tuple[Any, Any]:
    import torch

    from tapetum.gan.checkpoint import load_generator
    from tapetum.gan.export import exported_network

    network = exported_network(load_generator(model)).half().cuda()
    example = torch.zeros(1, 3, *profile.best, dtype=torch.float16, device="cuda")
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
