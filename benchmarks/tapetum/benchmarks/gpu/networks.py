"""The networks on every backend, against what the card could do at best.

All run the same weights in the precision of Tapetum's own engines: `unet` in half, `grid`, which
is small, in single; TensorRT's `grid` is half between its ends. Each output is held against
PyTorch's in single precision before it is timed: a figure of a network that computes something
else is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.dlpack import from_dlpack

from tapetum.benchmarks.gpu.roofline import (
    NetworkKind,
    floor_ms,
    network_bytes,
    network_flops,
    network_shape,
)
from tapetum.benchmarks.measure.clocks import Clock
from tapetum.benchmarks.measure.sampling import distribution, steady_samples
from tapetum.gan.checkpoint import build_generator, load_generator, save_generator
from tapetum.gan.errors import TapetumError
from tapetum.gan.model import find_model
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.cuda.torch_engine import (
    TorchModel,
    network_of,
    promised_precision,
    torch_device,
    torch_stream,
)
from tapetum.trt_build.flavour import FlavourName, load_flavour
from tapetum.trt_build.verification import PSNR_FLOOR_DB, psnr_db

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
        self._network, self._stream, self._dtype = network, torch_stream(device), dtype
        if compiled:
            self._network = torch.compile(network, mode="max-autotune-no-cudagraphs", dynamic=False)
        mode = "torch.compile" if compiled else "PyTorch eager"
        self.description = f"{device.name}, {mode} {'f16' if dtype is torch.float16 else 'f32'}"

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run."""
        with torch.inference_mode(), self._stream(), promised_precision(self._dtype):
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


_INPUTS = 4
_BATCH = 10
_SAMPLES = 100


class Network(NamedTuple):
    """A network at the size of a frame, with its weights."""

    kind: NetworkKind
    width: int
    height: int
    weights: Path

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input."""
        return network_shape(self.kind, self.width, self.height)

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Of the output."""
        return self.shape if self.kind == "unet" else (8, 8, 16, 16)

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Of input and output, as in the enhancers."""
        return np.float16 if self.kind == "unet" else np.float32

    @property
    def size(self) -> str:
        """Of the frame; `grid` looks at a thumbnail, whatever that is."""
        return f"{self.width}x{self.height}" if self.kind == "unet" else "any"


def measure_networks(
    device: ComputeDevice,
    clock: Clock,
    sizes: Sequence[tuple[int, int]],
    *,
    backends: Sequence[str],
    ceilings: dict[str, float],
    samples: int = _SAMPLES,
) -> list[dict[str, Any]]:
    """Measure `unet` at every size and `grid` once, on every backend.

    Args:
        device: where.
        clock: times the device's stream.
        sizes: widths and heights of frames.
        backends: of `BACKENDS`.
        ceilings: what `measure_ceilings` gave on the same card.
        samples: least number of runs.

    Returns:
        A row each: percentiles and floor, or `error`, why the backend has no figure.
    """
    with scratch_folder("bench") as folder:
        weights = {kind: weights_file(kind, folder) for kind in KINDS}
        networks = [Network("unet", *size, weights["unet"]) for size in sizes]
        networks.append(Network("grid", *sizes[0], weights["grid"]))
        bench = _Bench(device, clock, ceilings, samples)
        return [_row(bench, network, backend) for network in networks for backend in backends]


class _Bench(NamedTuple):
    device: ComputeDevice
    clock: Clock
    ceilings: dict[str, float]
    samples: int


def _row(bench: _Bench, network: Network, backend: str) -> dict[str, Any]:
    known = {"network": network.kind, "size": network.size, "backend": backend}
    if torch_device(bench.device).type == "cuda":
        torch.cuda.empty_cache()  # what the last backend held is no fault of this one
    try:
        run = BACKENDS[backend](network.weights, bench.device, network.shape)
        found_db = _psnr_db(bench.device, network, run)
        if found_db < PSNR_FLOOR_DB:
            return known | {"error": f"its output is off: {found_db:.1f} dB"}
        times_ms, steady = _times(bench, network, run)
    # Whatever a compiler or a library does wrong is a result about it, and must not end the rest.
    except (TapetumError, RuntimeError, ImportError) as error:
        return known | {"error": " ".join(str(error).split())[:200] or type(error).__name__}
    times = distribution([times_ms])
    return known | {
        "runs_on": run.description,
        "psnr_db": round(found_db, 1),
        "steady": steady,
        "p50_ms": times.p50,
        "p99_ms": times.p99,
        "floor_ms": round(_floor_ms(network, bench.ceilings), 5),
    }


def _floor_ms(network: Network, ceilings: dict[str, float]) -> float:
    kind, width, height = network.kind, network.width, network.height
    parameters = sum(tensor.numel() for tensor in load_generator(network.weights).parameters())
    moved = network_bytes(kind, width, height, parameters)
    return floor_ms(network_flops(kind, width, height), moved, ceilings)


def _times(bench: _Bench, network: Network, run: NetworkRun) -> tuple[list[float], bool]:
    device = bench.device
    batches = [device.put(_picture(network, i).astype(network.dtype)) for i in range(_INPUTS)]
    result = device.empty(network.result_shape, network.dtype)
    calls = min(_BATCH, bench.samples)
    return steady_samples(
        lambda: bench.clock.calls_ms(lambda i: run(batches[i % _INPUTS], result), calls),
        bench.samples,
    )


def _picture(network: Network, seed: int) -> npt.NDArray[np.float32]:
    """A dark picture with noise: [-1, 1] for `unet`, [0, 1] for `grid`."""
    light = np.random.default_rng(seed).beta(1.2, 12, network.shape)
    return (2 * light - 1 if network.kind == "unet" else light).astype(np.float32)


def _psnr_db(device: ComputeDevice, network: Network, run: NetworkRun) -> float:
    """Of the output against single precision's, on another input than the last."""
    result = device.put(np.full(network.result_shape, np.nan, network.dtype))
    for seed in range(2):  # a graph that had frozen its first input would be found out
        run(device.put(_picture(network, seed).astype(network.dtype)), result)
    found = device.get(result)
    expected = _in_single_precision(network, torch_device(device)).reshape(found.shape)
    return psnr_db(found, expected)


def _in_single_precision(network: Network, place: torch.device) -> npt.NDArray[np.float64]:
    generator = load_generator(network.weights).to(place)
    picture = torch.from_numpy(_picture(network, 1)).to(place)
    with torch.inference_mode(), promised_precision(torch.float32):
        output = network_of(generator)[0](picture)
    return output.double().cpu().numpy()
