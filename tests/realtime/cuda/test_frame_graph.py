"""A frame's work as one graph: the same frames as without, and no graph that computes otherwise.

On the host a graph does what CUDA's does: nothing runs in a capture, kernels get the arguments of
each frame, and an engine stays as it was captured.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from support.cuda_parts import (
    BRIGHTER,
    EngineOnDevice,
    ModelOnDevice,
    grid_engine,
    planes_of,
    two_scenes,
)
from support.grids import brightening
from support.kernel_devices import on_device
from support.random_frames import random_frame
from support.this_gpu import tensorrt_here
from support.tolerance import EXACT, assert_planes_close

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray
from tapetum.realtime.errors import EngineError
from tapetum.realtime.frame import Frame
from tapetum.realtime.protocols import FrameEnhancer

pytestmark = pytest.mark.slow

Planes = list[np.ndarray[Any, Any]]


class Direct(EngineOnDevice):
    """An engine that no graph may hold."""

    def __init__(self, device: ComputeDevice, engine: Any) -> None:
        super().__init__(device, engine)
        self.capturable = False


class Frozen(EngineOnDevice):
    """An engine that takes its input too early: a graph has that of the frame of the capture."""

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        early = self._device.put(self._device.get(batch))
        self._device.enqueue(lambda _: self._run(early, result))


class Stubborn(EngineOnDevice):
    """An engine that says only in the capture that it cannot be captured."""

    runs = 0

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        self.runs += 1
        if self.runs == 2:
            raise EngineError("it cannot be captured: not today")
        super().__call__(batch, result)


def enhanced(
    device: ComputeDevice, enhance: FrameEnhancer, frames: Iterable[Frame]
) -> list[Planes]:
    return [planes_of(device, enhance(on_device(device, frame))) for frame in frames]


def assert_same(found: list[Planes], wanted: list[Planes]) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert_planes_close(one, other, EXACT)


def grids(device: ComputeDevice, *kinds: type[EngineOnDevice]) -> Iterator[CudaGridEnhancer]:
    engine = grid_engine(brightening(), per_brightness=1.0)
    for kind in kinds:
        yield CudaGridEnhancer(device, kind(device, engine), strength=0.9)


def test_a_grid_graph_gives_the_frames_of_the_parts(
    device: ComputeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    by_graph, directly = grids(device, EngineOnDevice, Direct)
    assert_same(enhanced(device, by_graph, two_scenes()), enhanced(device, directly, two_scenes()))
    assert caplog.messages == []


def test_a_unet_graph_gives_the_frames_of_the_parts(device: ComputeDevice) -> None:
    frames = [random_frame("p010le", 50, 37, seed=seed) for seed in range(4)]
    by_graph = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER))
    for frame, strength in zip(frames, (1.0, 0.5, 0.0, 0.7), strict=True):
        by_graph.strength = strength
        fresh = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER), strength=strength)
        assert_same(enhanced(device, by_graph, [frame]), enhanced(device, fresh, [frame]))


def test_strength_may_change_from_frame_to_frame(device: ComputeDevice) -> None:
    by_graph, directly = grids(device, EngineOnDevice, Direct)
    for strength, frame in zip((1, 0.2, 0, 0.8), two_scenes(), strict=False):
        by_graph.strength = directly.strength = strength
        assert_same(enhanced(device, by_graph, [frame]), enhanced(device, directly, [frame]))


def test_every_size_and_format_has_its_graph(device: ComputeDevice) -> None:
    sizes = (("nv12", 64, 48), ("nv12", 33, 70), ("p010le", 33, 70), ("nv12", 64, 48))
    frames = [random_frame(name, *size) for name, *size in sizes]
    (by_graph,) = grids(device, EngineOnDevice)
    for frame in frames:
        by_graph.reset()  # by itself it begins a scene where there is something to capture
        (directly,) = grids(device, Direct)
        assert_same(enhanced(device, by_graph, [frame]), enhanced(device, directly, [frame]))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Frozen, "the captured graph gives other numbers than the engine, by up to "),
        (Stubborn, "it cannot be captured: not today"),
    ],
)
def test_a_graph_that_computes_otherwise_is_not_used(
    kind: type[EngineOnDevice],
    message: str,
    device: ComputeDevice,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if device.stream_address is not None:
        pytest.skip("NumPy's engines are captured on the host alone")
    by_graph, directly = grids(device, kind, Direct)
    with caplog.at_level(logging.WARNING):
        found = enhanced(device, by_graph, two_scenes())
    assert_same(found, enhanced(device, directly, two_scenes()))
    (warning,) = caplog.messages
    assert warning.startswith(f"host works without a CUDA graph: {message}")


class StreamAt:
    """A stream's address in the words of the CUDA stream protocol."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._address


class Dimmer:
    """A `DeviceEngine` and its `DeviceModel`, by CuPy: every number becomes a quarter less."""

    description = "cuda:0, CuPy"

    def __init__(self, device: ComputeDevice, *, capturable: bool) -> None:
        self._device, self.capturable = device, capturable

    def compile(self, shape: tuple[int, ...]) -> Dimmer:
        assert len(shape) == 4
        return self

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        import cupy

        def queue(stream: int) -> None:
            with cupy.cuda.Stream.from_external(StreamAt(stream)):
                cupy.multiply(batch, 0.75, out=result)

        self._device.enqueue(queue)


@pytest.mark.needs_cuda
def test_a_graph_on_a_gpu_gives_the_frames_of_the_parts(caplog: pytest.LogCaptureFixture) -> None:
    device = CudaDevice()
    by_graph, directly = (
        CudaUNetEnhancer(device, Dimmer(device, capturable=capturable))
        for capturable in (True, False)
    )
    frames = [random_frame("nv12", 130, 70, seed=seed) for seed in range(5)]
    assert_same(enhanced(device, by_graph, frames), enhanced(device, directly, frames))
    assert caplog.messages == [], "the graph was given up"


@pytest.mark.needs_cuda
@pytest.mark.parametrize("model", ["grid", "unet"])
def test_tensorrt_gives_the_same_frames_with_and_without_a_graph(
    model: str, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    device = CudaDevice()
    flavour = tensorrt_here()
    name = model if model == "grid" else str(unet_file(tmp_path_factory.mktemp("models")))
    frames = [random_frame("nv12", 128, 96, seed=seed) for seed in range(5)]
    by_graph, directly = (make_cuda_enhancer(name, device, flavour=flavour) for _ in range(2))
    part: Any = directly
    if isinstance(directly, CudaUNetEnhancer):
        directly.compile_for(96, 128)
        part = part._compiled.engine
    else:
        part = part._engine
    part.capturable = False
    assert_same(enhanced(device, by_graph, frames), enhanced(device, directly, frames))
    assert caplog.messages == []


def unet_file(folder: Any) -> Any:
    from support.engine_networks import trained_looking_unet

    from tapetum.gan import export_onnx

    path = folder / "unet.onnx"
    export_onnx(trained_looking_unet(), path)
    return path
