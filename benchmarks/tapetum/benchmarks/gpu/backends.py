"""What runs a network on a GPU: PyTorch in three ways, TensorRT and TensorRT-RTX.

All run the same weights. PyTorch's run `unet` in half precision and `grid`, which is small, in
single, as Tapetum's own engine does; TensorRT's say themselves what they take.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.dlpack import from_dlpack

from tapetum.benchmarks.gpu.gpu_floors import NetworkKind
from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.unet import UNetGenerator
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.cuda.torch_engine import TorchModel

KINDS: tuple[NetworkKind, ...] = get_args(NetworkKind)

Shape = tuple[int, ...]


class NetworkRun(Protocol):
    """A network that is ready to run for one shape."""

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "cuda:0, PyTorch f16"."""

    @property
    def input_dtype(self) -> np.dtype[Any]:
        """Type of the input and the output."""

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run on the device's stream."""


Backend = Callable[[Path, ComputeDevice, Shape], NetworkRun]
"""Makes a run of a weights file, on a device, for an input shape."""


def weights_file(kind: NetworkKind, folder: Path) -> Path:
    """Random weights: how long a network takes does not depend on them."""
    torch.manual_seed(0)
    path = folder / f"{kind}.safetensors"
    save_generator(build_generator(kind), path)
    return path


def network_of(generator: Generator) -> Callable[[torch.Tensor], torch.Tensor]:
    """What the enhancers run of a generator."""
    if isinstance(generator, UNetGenerator):
        return generator.enhance_padded
    if isinstance(generator, GridGenerator):
        return generator.predict
    raise TypeError(f"no network is known of {type(generator).__name__}")


class _TorchRun:
    """A function of tensors, on arrays that share memory with them."""

    def __init__(
        self,
        run: Callable[[torch.Tensor], torch.Tensor],
        description: str,
        dtype: npt.DTypeLike,
        stream: Callable[[], Any],
    ) -> None:
        self.description = description
        self.input_dtype = np.dtype(dtype)
        self._run = run
        self._stream = stream

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run."""
        with torch.inference_mode(), self._stream():
            output = self._run(from_dlpack(batch))
            from_dlpack(result).copy_(output.reshape(result.shape))


def _torch_run(weights: Path, device: ComputeDevice, *, compiled: bool) -> NetworkRun:
    generator = load_generator(weights)
    place, stream = torch_place(device), torch_stream(device)
    dtype = torch.float16 if generator.kind == "unet" else torch.float32
    module: Any = generator
    module.to(device=place, dtype=dtype, memory_format=torch.channels_last)
    run = network_of(generator)
    name = "f16" if dtype is torch.float16 else "f32"
    if compiled:
        run = torch.compile(run, mode="max-autotune-no-cudagraphs", dynamic=False)
    mode = "torch.compile" if compiled else "PyTorch eager"
    numpy_dtype = np.float16 if dtype is torch.float16 else np.float32
    return _TorchRun(run, f"{device.name}, {mode} {name}", numpy_dtype, stream)


def _eager(weights: Path, device: ComputeDevice, _shape: Shape) -> NetworkRun:
    return _torch_run(weights, device, compiled=False)


def _compiled(weights: Path, device: ComputeDevice, _shape: Shape) -> NetworkRun:
    return _torch_run(weights, device, compiled=True)


class _GraphRun:
    """Tapetum's own PyTorch engine: a captured CUDA graph."""

    def __init__(self, weights: Path, device: ComputeDevice, shape: Shape) -> None:
        generator = load_generator(weights)
        self.input_dtype = np.dtype(np.float16 if generator.kind == "unet" else np.float32)
        self._engine = TorchModel(generator, device).compile(shape)
        self.description = self._engine.description

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run."""
        self._engine(batch, result)


def _tensorrt(weights: Path, device: ComputeDevice, shape: Shape) -> NetworkRun:
    from tapetum.benchmarks.gpu.tensorrt_run import TensorRTRun

    return TensorRTRun(weights, device, shape, "tensorrt")


def _tensorrt_rtx(weights: Path, device: ComputeDevice, shape: Shape) -> NetworkRun:
    from tapetum.benchmarks.gpu.tensorrt_run import TensorRTRun

    return TensorRTRun(weights, device, shape, "tensorrt-rtx")


BACKENDS: dict[str, Backend] = {
    "pytorch-eager": _eager,
    "torch-compile": _compiled,
    "pytorch-cuda-graph": _GraphRun,
    "tensorrt": _tensorrt,
    "tensorrt-rtx": _tensorrt_rtx,
}
"""By the names of the command line."""


def torch_place(device: ComputeDevice) -> torch.device:
    """A device in PyTorch's words; main memory for one that has no stream."""
    return torch.device("cpu" if device.stream_address is None else device.name)


def torch_stream(device: ComputeDevice) -> Callable[[], Any]:
    """Makes contexts in which PyTorch queues its work on the device's stream."""
    from contextlib import nullcontext

    if device.stream_address is None:
        return nullcontext
    place = torch_place(device)
    stream = torch.cuda.ExternalStream(device.stream_address, place)  # type: ignore[no-untyped-call]
    return lambda: torch.cuda.stream(stream)
