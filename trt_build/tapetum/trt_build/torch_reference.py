"""Runs networks with PyTorch, to verify engines: the float32 generator, and the engine itself."""

from __future__ import annotations

from typing import Any

from tapetum.gan.errors import EngineError
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.network_source import NetworkSource
from tapetum.trt_build.verification import Array, Network


def can_verify(source: NetworkSource) -> bool:
    """Whether PyTorch with CUDA is here and has the model's weights."""
    if not source.has_weights:
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def reference_network(source: NetworkSource) -> Network:
    """The float32 generator on the CPU."""
    import torch

    from tapetum.gan.checkpoint import load_generator
    from tapetum.gan.export import exported_network

    network = exported_network(load_generator(source.model))

    def run(picture: Array) -> Array:
        with torch.no_grad():
            result: Array = network(torch.from_numpy(picture)).numpy()
        return result

    return run


def engine_network(plan: bytes, flavour: Flavour) -> Network:
    """A serialised engine on the present GPU, its buffers in PyTorch's memory.

    Raises:
        EngineError: the engine does not load or run here.
    """
    import torch

    runtime = flavour.trt.Runtime(flavour.trt.Logger(flavour.trt.Logger.ERROR))
    engine = runtime.deserialize_cuda_engine(plan)
    context = engine.create_execution_context() if engine is not None else None
    if context is None:
        raise EngineError(
            f"{flavour.name} does not load the engine that it built: check the driver"
        )
    input_name, output_name = (engine.get_tensor_name(index) for index in range(2))

    def run(picture: Array) -> Array:
        given = torch.from_numpy(picture).half().cuda()
        context.set_input_shape(input_name, tuple(given.shape))
        shape = tuple(context.get_tensor_shape(output_name))
        result = torch.empty(shape, dtype=torch.float16, device="cuda")
        for name, tensor in ((input_name, given), (output_name, result)):
            context.set_tensor_address(name, tensor.data_ptr())
        _execute(context, flavour)
        output: Array = result.float().cpu().numpy()
        return output

    return run


def _execute(context: Any, flavour: Flavour) -> None:  # noqa: ANN401 - TensorRT's object
    import torch

    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    if not context.execute_async_v3(stream.cuda_stream):
        raise EngineError(f"{flavour.name} does not run the engine that it built: check the driver")
    stream.synchronize()
