"""Enhancers of the GPU path with NumPy in the place of their engines, and frames for them.

A machine with a GPU may lack OpenVINO and ONNX.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from support.random_frames import random_frame

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.protocols import Engine

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


class Grid:
    """An `Engine`: always `grid` (8, 8, 16, 16), plus the thumbnail's mean times a factor."""

    description = "CPU, NumPy f32"

    def __init__(self, grid: Array, per_brightness: float) -> None:
        self._grid, self._factor = grid[np.newaxis].astype(np.float32), np.float32(per_brightness)

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made: npt.NDArray[np.float32] = self._grid + batch.mean(dtype=np.float32) * self._factor
        return made


class Pointwise:
    """A network of RGB, each pixel by itself; an `Engine` for every shape."""

    description = "CPU, NumPy f32"

    def __init__(self, matrix: Array, bias: Array) -> None:
        self._matrix = np.asarray(matrix, np.float32)
        self._bias = np.asarray(bias, np.float32)[:, np.newaxis, np.newaxis]

    def compile(self, input_shape: Shape, output_shape: Shape | None = None) -> Pointwise:
        assert output_shape in {None, input_shape}
        return self

    def __call__(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        made: npt.NDArray[np.float32] = np.einsum("ij,njyx->niyx", self._matrix, batch) + self._bias
        return made


BRIGHTER = Pointwise(0.5 * np.eye(3), np.full(3, 0.4))


class EngineOnDevice:
    """A `DeviceEngine` that fetches its input, runs an engine on it, and puts the result back."""

    def __init__(self, device: ComputeDevice, engine: Engine) -> None:
        self._device, self._engine = device, engine
        self.description = f"{device.name}, {engine.description}"
        self.capturable = device.stream_address is None  # a copy to main memory is not

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        self._device.enqueue(lambda _: self._run(batch, result))

    def _run(self, batch: DeviceArray, result: DeviceArray) -> None:
        given = self._engine(self._device.get(batch).astype(np.float32))
        target: Any = result
        target[...] = self._device.put(given.reshape(result.shape).astype(result.dtype))


class ModelOnDevice:
    """A `DeviceModel`, likewise; remembers the shapes that it was compiled for."""

    def __init__(self, device: ComputeDevice, network: Pointwise) -> None:
        self._device, self._network = device, network
        self.description = f"{device.name}, NumPy f32"
        self.shapes: list[Shape] = []

    def compile(self, shape: Shape) -> EngineOnDevice:
        self.shapes.append(shape)
        return EngineOnDevice(self._device, self._network.compile(shape))


def grid_engine(grid: Array, per_brightness: float = 0.0) -> Engine:
    return Grid(grid, per_brightness)


def cuda_grid(
    device: ComputeDevice,
    engine: Engine,
    strength: float = 1.0,
    *,
    aim: Aim = ALWAYS,
    denoise: Denoise = "off",
) -> CudaGridEnhancer:
    there = EngineOnDevice(device, engine)
    return CudaGridEnhancer(device, there, strength=strength, aim=aim, denoise=denoise)


def planes_of(device: ComputeDevice, frame: Frame) -> list[Array]:
    return [device.get(plane) for plane in cast("tuple[DeviceArray, ...]", frame.planes)]


def two_scenes() -> Iterator[Frame]:
    """Steady light, light that changes, a cut, and frames whose times are odd."""
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
    for index, pts in enumerate((0, 40, 80, 120, 120, 200, 240, 280)):
        frame = random_frame("nv12", 64, 48, color=ColorInfo(1, 1))
        luma, chroma = frame.planes
        dimmer = luma - luma // 4 if index > 2 else luma
        planes: Any = (ramp if index >= 5 else dimmer, chroma)
        yield Frame(planes, "nv12", pts=pts, time_base=Fraction(1, 1000), color=frame.color)
