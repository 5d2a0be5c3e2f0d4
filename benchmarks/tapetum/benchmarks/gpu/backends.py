"""What runs a network on a GPU: PyTorch in three ways, TensorRT and TensorRT-RTX.

All run the same weights in the precision of Tapetum's own engines: `unet` in half, `grid`, which
is small, in single; TensorRT's `grid` is half between its ends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, get_args

import torch
from torch.utils.dlpack import from_dlpack

from tapetum.benchmarks.gpu.gpu_floors import NetworkKind
from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
from tapetum.gan.model import find_model
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.cuda.torch_engine import TorchModel, network_of, torch_device, torch_stream
from tapetum.trt_build.flavour import FlavourName, load_flavour

KINDS: tuple[NetworkKind, ...] = get_args(NetworkKind)

Shape = tuple[int, ...]


class NetworkRun(Protocol):
    """A network that is ready to run for one shape; every `DeviceEngine` is one."""

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "cuda:0, PyTorch f16"."""

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


class _TorchRun:
    """A generator without a CUDA graph, as it is or compiled."""

    def __init__(
        self, weights: Path, device: ComputeDevice, _shape: Shape, *, compiled: bool
    ) -> None:
        generator = load_generator(weights)
        network, dtype = network_of(generator)
        module: Any = generator
        module.to(device=torch_device(device), dtype=dtype, memory_format=torch.channels_last)
        self._network, self._stream = network, torch_stream(device)
        if compiled:
            self._network = torch.compile(network, mode="max-autotune-no-cudagraphs", dynamic=False)
        mode = "torch.compile" if compiled else "PyTorch eager"
        self.description = f"{device.name}, {mode} {'f16' if dtype is torch.float16 else 'f32'}"

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run."""
        with torch.inference_mode(), self._stream():
            output = self._network(from_dlpack(batch))
            from_dlpack(result).copy_(output.reshape(result.shape))


def _cuda_graph(weights: Path, device: ComputeDevice, shape: Shape) -> NetworkRun:
    """Tapetum's own PyTorch engine: a captured CUDA graph."""
    return TorchModel(load_generator(weights), device).compile(shape)


def _tensorrt(
    weights: Path, device: ComputeDevice, shape: Shape, *, name: FlavourName
) -> NetworkRun:
    return TensorRTModel(find_model(weights), device, load_flavour(name)).compile(shape)


BACKENDS: dict[str, Backend] = {
    "pytorch-eager": partial(_TorchRun, compiled=False),
    "torch-compile": partial(_TorchRun, compiled=True),
    "pytorch-cuda-graph": _cuda_graph,
    "tensorrt": partial(_tensorrt, name="tensorrt"),
    "tensorrt-rtx": partial(_tensorrt, name="tensorrt-rtx"),
}
"""By the names of the command line."""
