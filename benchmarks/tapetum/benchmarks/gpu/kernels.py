"""The pixel kernels against the copy: bytes that they must move, over the time that they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import cycle, islice
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np

from tapetum.benchmarks.gpu.roofline import (
    KernelName,
    kernel_bytes,
    kernel_instructions,
    padded_size,
)
from tapetum.benchmarks.measure.clocks import Clock, Work
from tapetum.benchmarks.measure.frames import synthetic_frames
from tapetum.benchmarks.measure.sampling import distribution, steady_samples
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime import Frame
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.cuda.compute_device import ComputeDevice, Fault
from tapetum.realtime.cuda.device_restorer import DeviceRestorer
from tapetum.realtime.cuda.restoring_kernels import FrameStep
from tapetum.realtime.cuda.transfer import semi_planar

FormatName = Literal["nv12", "p010le"]

_TO_P010 = 8
"""Left shift from an 8-bit level to a word of P010."""
_TIMES_CACHE = 4
_LEAST = 8
DIFFERENT = 8
"""Pictures that differ; more are copies of these, at addresses of their own."""


def host_frames(name: FormatName, width: int, height: int) -> list[Frame]:
    """Frames of a dark scene with motion and noise, in main memory."""
    frames = _scene(width, height)
    return frames if name == "nv12" else [_deep(frame) for frame in frames]


@lru_cache(maxsize=1)
def _scene(width: int, height: int) -> list[Frame]:
    """As NV12; at 4K they take 10 s to make, and the rows of one size follow each other."""
    return [semi_planar(frame) for frame in synthetic_frames(width, height, count=DIFFERENT)]


def _deep(frame: Frame) -> Frame:
    planes: Any = tuple(np.left_shift(plane, _TO_P010, dtype=np.uint16) for plane in frame.planes)
    return replace(frame, planes=planes, format_name="p010le")


def rotation(call_bytes: int, cache_bytes: int) -> int:
    """How many inputs to rotate among, so that what a call reads is no longer in the cache."""
    return max(_LEAST, -(-_TIMES_CACHE * cache_bytes // call_bytes))


def device_frames(device: ComputeDevice, frames: list[Frame], count: int) -> list[Frame]:
    """So many frames in a device's memory."""
    return [_uploaded(device, frame) for frame in islice(cycle(frames), count)]


def _uploaded(device: ComputeDevice, frame: Frame) -> Frame:
    planes: Any = tuple(device.put(plane) for plane in frame.planes)
    return frame.with_planes(planes)


KERNELS: tuple[KernelName, ...] = get_args(KernelName)
FORMATS: tuple[FormatName, ...] = get_args(FormatName)
_ROUNDS = 10
_SAMPLES = 100


class Case(NamedTuple):
    """One row of the table."""

    kernel: KernelName
    format_name: FormatName
    width: int
    height: int

    @property
    def moved_bytes(self) -> int:
        """What the kernel reads and writes at least."""
        itemsize = 1 if self.format_name == "nv12" else 2
        return kernel_bytes(self.kernel, self.width, self.height, itemsize)


def measure_kernels(
    device: ComputeDevice,
    clock: Clock,
    sizes: Sequence[tuple[int, int]],
    *,
    cache_bytes: int,
    samples: int = _SAMPLES,
) -> list[dict[str, Any]]:
    """Measure every kernel on NV12 and P010 frames.

    Args:
        device: where.
        clock: times the device's stream.
        sizes: widths and heights.
        cache_bytes: of the device's last cache.
        samples: least number of rounds through the inputs.

    Returns:
        A row each: kernel, format, size, bytes, instructions, percentiles, bytes a second.
    """
    return [
        _row(device, clock, Case(kernel, format_name, *size), cache_bytes, samples)
        for size in sizes
        for format_name in FORMATS
        for kernel in KERNELS
    ]


def _row(
    device: ComputeDevice, clock: Clock, case: Case, cache_bytes: int, samples: int
) -> dict[str, Any]:
    inputs = rotation(case.moved_bytes, cache_bytes)
    work = kernel_work(device, case, inputs)
    for number in range(inputs):
        work(number)
    rounds = min(_ROUNDS, samples)
    times_ms, steady = steady_samples(lambda: clock.rounds_ms(work, inputs, rounds), samples)
    times = distribution([times_ms])
    return {
        "kernel": case.kernel,
        "format": case.format_name,
        "size": f"{case.width}x{case.height}",
        "moved_bytes": case.moved_bytes,
        "instructions": kernel_instructions(case.kernel, case.width, case.height),
        "inputs": inputs,
        "steady": steady,
        "p50_ms": times.p50,
        "p99_ms": times.p99,
        "bytes_per_s": round(case.moved_bytes / (times.p50 / 1000)),
    }


def kernel_work(device: ComputeDevice, case: Case, inputs: int) -> Work:
    """What launches a kernel on the frame of a number, each with an output of its own."""
    host = host_frames(case.format_name, case.width, case.height)
    frames = device_frames(device, host, inputs)
    makers = {
        "planes_to_rgb": _planes_to_rgb,
        "change_to_planes": _change_to_planes,
        "thumbnail": _thumbnail,
        "apply_grid": _apply_grid,
        "restore": _restore,
    }
    return makers[case.kernel](device, frames)


def _planes_to_rgb(device: ComputeDevice, frames: list[Frame]) -> Work:
    width, height = padded_size(frames[0].width, frames[0].height)
    outputs = [device.empty((1, 3, height, width), np.float16) for _ in frames]
    return lambda i: device.kernels.planes_to_rgb(frames[i], outputs[i])


def _change_to_planes(device: ComputeDevice, frames: list[Frame]) -> Work:
    width, height = padded_size(frames[0].width, frames[0].height)
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 3, height, width)).astype(np.float16)
    results = [device.put(np.roll(noise, i, axis=3)) for i in range(len(frames))]
    outputs, fault = _planes_like(device, frames), Fault(device)
    return lambda i: device.kernels.change_to_planes(
        frames[i], results[i], outputs[i], fault=fault.mark
    )


def _thumbnail(device: ComputeDevice, frames: list[Frame]) -> Work:
    outputs = [device.empty(THUMBNAIL_SHAPE, np.float32) for _ in frames]
    return lambda i: device.kernels.thumbnail(frames[i], outputs[i])


def _apply_grid(device: ComputeDevice, frames: list[Frame]) -> Work:
    rough = identity_grid() + np.random.default_rng(0).uniform(-0.3, 0.3, identity_grid().shape)
    grid = device.put(rough.astype(np.float32))
    outputs = _planes_like(device, frames)
    return lambda i: device.kernels.apply_grid(frames[i], grid, outputs[i])


def _restore(device: ComputeDevice, frames: list[Frame]) -> Work:
    """A noisy stream that goes on; noise is measured once, before."""
    grid = device.put(identity_grid())
    restorer = DeviceRestorer(device, 1.0)
    (output,) = _planes_like(device, frames[:1])
    steps = []
    for frame in frames[:4]:
        steps.append(cast("FrameStep", restorer.step(frame)))
        restorer.queue(frame, grid, output, steps[-1])
    # What one of the last two writes the other reads.
    return lambda i: device.kernels.restoring.restore(frames[i], grid, steps[2 + i % 2])


def _planes_like(device: ComputeDevice, frames: list[Frame]) -> list[Any]:
    return [
        tuple(device.empty(plane.shape, plane.dtype) for plane in frame.planes) for frame in frames
    ]
