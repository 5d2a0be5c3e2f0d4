"""Enhancers of the GPU path with OpenVINO in the place of their engines, and frames for them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from support.random_frames import random_frame
from support.tiny_networks import grid_network, pointwise_network

from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.protocols import Engine

Array = npt.NDArray[Any]

BRIGHTER = pointwise_network(0.5 * np.eye(3), np.full(3, 0.4))


class OpenVINOOnDevice:
    """A `DeviceEngine` that fetches its input, runs OpenVINO, and puts the result back."""

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


class OpenVINOModelOnDevice:
    """A `DeviceModel`, likewise; remembers the shapes that it was compiled for."""

    def __init__(self, device: ComputeDevice, network: bytes) -> None:
        self._device, self._model = device, OpenVINOModel(network)
        self.description = f"{device.name}, OpenVINO f32"
        self.shapes: list[tuple[int, ...]] = []

    def compile(self, shape: tuple[int, ...]) -> OpenVINOOnDevice:
        self.shapes.append(shape)
        return OpenVINOOnDevice(self._device, self._model.compile(shape, shape))


def grid_engine(grid: Array, per_brightness: float = 0.0) -> Engine:
    model = OpenVINOModel(grid_network(grid, per_brightness=per_brightness))
    return model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)


def cuda_grid(
    device: ComputeDevice, engine: Engine, strength: float = 1.0, *, when_dark: bool = False
) -> CudaGridEnhancer:
    there = OpenVINOOnDevice(device, engine)
    return CudaGridEnhancer(device, there, strength=strength, when_dark=when_dark)


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
