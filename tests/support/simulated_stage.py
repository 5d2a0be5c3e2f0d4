"""Runs a stage of first contact as on a GPU that is simulated: `python -m support.simulated_stage`
and what Python would be given.

The process finds stand-ins for NVIDIA's libraries (`fake_driver`). What is measured is main memory
and g++: no figure of it means anything.
"""

from __future__ import annotations

import runpy
import sys
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.ffmpeg_runs import bound
from support.kernel_devices import host_kernels
from support.simulated_gpu import SimulatedGPU, simulated

from tapetum.benchmarks.gpu import kernels, measurements, networks, pipeline, roofline
from tapetum.benchmarks.measure import nvml
from tapetum.benchmarks.measure.sampling import steady_samples
from tapetum.realtime.cuda import torch_engine
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_compiler import CHROMAS


class NoNvml:
    """NVML, as far as it is asked: it knows a name and a driver."""

    NVMLError = RuntimeError
    NVML_TEMPERATURE_GPU = NVML_CLOCK_SM = NVML_CLOCK_MEM = 0

    def __getattr__(self, name: str) -> Any:
        known = {
            "nvmlDeviceGetName": "Simulated GPU",
            "nvmlSystemGetDriverVersion": "none",
            "nvmlDeviceGetCudaComputeCapability": (9, 0),
            "nvmlSystemGetCudaDriverVersion_v2": 13000,
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=1 << 30, used=1 << 20),
        }
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_: known.get(name, 1)


def measuring(patch: pytest.MonkeyPatch, gpu: SimulatedGPU) -> None:
    """Have the benchmarks measure the simulated GPU; PyTorch's part is the CPU's."""
    import cupy

    patch.setattr(nvml, "_nvml", NoNvml)
    patch.setattr(cupy.cuda.runtime, "deviceGetPCIBusId", lambda _index: "0", raising=False)
    patch.setattr(measurements, "free_memory_mb", lambda _device: gpu.memory_info()[0] >> 20)
    here = torch.device("cpu")
    for module in (measurements, networks, torch_engine):
        patch.setattr(module, "torch_device", lambda _device: here)
        patch.setattr(module, "torch_stream", lambda _device: nullcontext, raising=False)
    for name, backend in networks.BACKENDS.items():
        patch.setitem(networks.BACKENDS, name, partial(_queued, gpu, backend))
    small = roofline.measure_ceilings
    patch.setattr(
        measurements,
        "measure_ceilings",
        lambda *given: small(*given, copied_bytes=1 << 16, matrix=32),
    )
    soon = partial(steady_samples, limit_s=1.0)  # what g++ made is steady on no busy machine
    for module in (kernels, networks, roofline):
        patch.setattr(module, "steady_samples", soon)
    for measure, name, few in (
        (kernels.measure_kernels, "samples", 1),
        (networks.measure_networks, "samples", 1),
        (pipeline.measure_pipeline, "frames", 30),
        (pipeline.measure_codecs, "frames", 10),
    ):
        defaults: Any = measure.__kwdefaults__
        patch.setitem(defaults, name, few)


def _queued(
    gpu: SimulatedGPU,
    backend: networks.Backend,
    weights: Path,
    device: ComputeDevice,
    shape: networks.Shape,
) -> networks.NetworkRun:
    """A run of a backend on the device's stream, when it is its turn, as on a GPU."""
    run = backend(weights, device, shape)

    class Queued:
        description = run.description

        def __call__(self, batch: Any, result: Any) -> None:
            given, made = batch.host, result.host
            device.enqueue(lambda ptr: gpu.queue(gpu.streams[ptr], lambda: run(given, made)))

    return Queued()


def main() -> None:
    """Run the module that the arguments name."""
    _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPETUM_CACHE", folder)
        library = host_kernels()
        library.library(CHROMAS[0])  # compiled before anything is timed
        with simulated(patch, library) as gpu:
            bound(gpu)
            measuring(patch, gpu)
            runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
