"""Tapetum's models on an NVIDIA GPU as subjects: frames come from main memory and return there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tapetum.benchmarks.bench.subjects import Subject, model_title, network_on_cpu
from tapetum.benchmarks.measure.clocks import Clock, EventClock, StageClock, nbytes
from tapetum.realtime import Frame, FrameEnhancer
from tapetum.realtime.choices import Device
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_enhancer import EngineChoice, choose_engine, make_cuda_enhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.cuda_video import open_on_cuda
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.transfer import downloaded, semi_planar, uploaded
from tapetum.realtime.enhancer import check_model
from tapetum.trt_build.gpu import device_index, present_gpu


class RoundTrip:
    """Enhances frames in main memory on a device; gives them back as NV12 or P010.

    Its parts are those of `tapetum enhance` where a GPU neither decodes nor encodes. They follow
    each other here, where the pipeline lets the transfers of other frames go on meanwhile.
    """

    def __init__(self, device: ComputeDevice, enhance: FrameEnhancer) -> None:
        self._device, self._enhance = device, enhance

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame; it is done when this returns."""
        return downloaded(self._enhance(uploaded(frame, self._device)), self._device)


class StagedRoundTrip:
    """`RoundTrip` in its parts, of which the device's are timed by events on its stream.

    Each of these parts waits for the device, so that the second event follows when it is done:
    what the host does for it, such as copying to pinned memory, is in its time.

    Attributes:
        clock: what the stages took.
    """

    def __init__(self, device: ComputeDevice, enhance: FrameEnhancer, events: Clock) -> None:
        self.clock = StageClock()
        self._device, self._enhance, self._events = device, enhance, events

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        self.clock.start()
        given = semi_planar(frame)
        self.clock.end("convert", nbytes(*frame.planes, *given.planes))
        moved = 2 * nbytes(*given.planes)  # each part reads a frame and writes one
        there = self._timed("upload", moved, lambda: uploaded(given, self._device))
        bright = self._timed("kernels and engine", moved, lambda: self._enhance(there))
        return self._timed("download", moved, lambda: downloaded(bright, self._device))

    def _timed(self, stage: str, moved_bytes: int, work: Callable[[], Frame]) -> Frame:
        done: list[Frame] = []
        before_ns = time.process_time_ns()
        (duration_ms,) = self._events.calls_ms(lambda _: done.append(work()), 1)
        cpu_ns = time.process_time_ns() - before_ns
        self.clock.add(stage, round(duration_ms * 1e6), cpu_ns, moved_bytes, "gpu")
        return done[0]


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
