"""Tapetum's models on an NVIDIA GPU as subjects: frames come from main memory and return there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tapetum.benchmarks.bench.round_trip import RoundTrip, StagedRoundTrip
from tapetum.benchmarks.bench.subjects import Subject, model_title, network_on_cpu
from tapetum.benchmarks.gpu.event_clock import Clock, EventClock
from tapetum.realtime import FrameEnhancer
from tapetum.realtime.choices import Device
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.cuda_video import open_on_cuda
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.engine_choice import EngineChoice, choose_engine
from tapetum.realtime.enhancer import check_model
from tapetum.trt_build.gpu import device_index, present_gpu


class OpenedGpu(NamedTuple):
    """A GPU, opened for one stream of frames, and what times its work for them."""

    device: ComputeDevice
    clock: Clock


@dataclass(frozen=True)
class GpuPath:
    """Tapetum's GPU path on one GPU.

    Attributes:
        name: of the GPU, like "NVIDIA GeForce RTX 4090".
        open: opens it for one stream of frames: each has a CUDA stream of its own.
        choice: what runs networks on it.
    """

    name: str
    open: Callable[[], OpenedGpu]
    choice: EngineChoice

    def enhancer(self, model: str, device: ComputeDevice) -> FrameEnhancer:
        """The enhancer of a stream of frames in the device's memory."""
        return make_cuda_enhancer(model, device, flavour=self.choice.flavour)

    def round_trip(self, model: str) -> RoundTrip:
        """The enhancer of a stream of frames in main memory."""
        device = self.open().device
        return RoundTrip(device, self.enhancer(model, device))

    def staged(self, model: str) -> StagedRoundTrip:
        """The same in its parts."""
        device, clock = self.open()
        return StagedRoundTrip(device, self.enhancer(model, device), clock)


def gpu_subject(model: str, device: Device) -> Subject:
    """A model on the GPU of a name.

    Raises:
        ModelError: there is no such model, its file cannot be used, or what it needs is missing.
        DeviceError: the GPU, its driver or CuPy is missing.
        EngineError: an engine cannot be built, or there is not enough memory.
    """
    check_model(model)
    return subject_on(gpu_path(device), model, device)


def gpu_path(device: Device) -> GpuPath:
    """The path on the GPU of a name such as "cuda:1".

    Raises:
        DeviceError: the GPU, its driver or CuPy is missing.
    """
    index = device_index(device)
    cupy_for(index)  # says what to do, where something is missing
    name = present_gpu(index).name or device
    return GpuPath(name, lambda: _opened(index), choose_engine(index))


def _opened(index: int) -> OpenedGpu:
    device = CudaDevice(index)
    return OpenedGpu(device, EventClock(device))


def subject_on(path: GpuPath, model: str, device: Device) -> Subject:
    """A model on a GPU path; its output is held to the CPU's in single precision."""
    enhancer = path.enhancer(model, path.open().device)
    whole_frame = isinstance(enhancer, CudaUNetEnhancer)
    return Subject(
        name=model_title(model),
        make=lambda: path.round_trip(model),
        runs_on=f"{enhancer.description}, {path.name}",
        staged=lambda: path.staged(model),
        cpu_twin=network_on_cpu(model, whole_frame=whole_frame, precision="f32"),
        open_video=lambda clip, duration_s: open_on_cuda(clip, device, duration_s=duration_s),
        model=model,
        device=device,
        notes=path.choice.notices,
    )
