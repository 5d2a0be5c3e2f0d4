"""What every enhancer promises (`FrameEnhancer`): on the CPU, and on the GPU path's devices."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from support.cuda_parts import BRIGHTER, ModelOnDevice, cuda_grid, grid_engine
from support.grids import brightening
from support.kernel_devices import on_device
from support.random_frames import on_another_device, random_frame
from support.tiny_networks import pointwise_network

from tapetum.gan.model import find_model
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.reduced_unet import make_reduced_unet
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.protocols import FrameEnhancer

pytestmark = pytest.mark.slow

Planes = list[npt.NDArray[Any]]


class Made:
    """A way to make an enhancer, and where its frames are."""

    def __init__(self, make: Callable[[], FrameEnhancer], device: ComputeDevice | None) -> None:
        self.make = make
        self._device = device

    def place(self, frame: Frame) -> Frame:
        return frame if self._device is None else on_device(self._device, frame)

    def planes(self, frame: Frame) -> Planes:
        if self._device is None:
            return [np.array(plane) for plane in frame.planes]
        return [np.array(self._device.get(cast("Any", plane))) for plane in frame.planes]


ON_A_GPU = [pytest.param(name, marks=pytest.mark.needs_cuda) for name in ("cuda grid", "cuda unet")]


@pytest.fixture(params=["grid", "unet", "unet-reduced", "host grid", "host unet", *ON_A_GPU])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Each enhancer there is, with a network that brightens."""

    def grid() -> FrameEnhancer:
        return GridEnhancer(grid_engine(brightening()))

    def unet() -> FrameEnhancer:
        return UNetEnhancer(BRIGHTER)

    def reduced() -> FrameEnhancer:
        path = tmp_path / "brighter.onnx"
        path.write_bytes(pointwise_network(0.5 * np.eye(3), np.full(3, 0.4)))
        return make_reduced_unet(find_model(path))

    here = {"grid": grid, "unet": unet, "unet-reduced": reduced}
    if request.param in here:
        return Made(here[request.param], None)
    place, _, name = request.param.partition(" ")
    device: ComputeDevice = CudaDevice() if place == "cuda" else request.getfixturevalue("host")
    if name == "grid":
        return Made(lambda: cuda_grid(device, grid_engine(brightening())), device)
    return Made(lambda: CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER)), device)


def timed(name: str, seed: int = 0, pts: int = 7) -> Frame:
    """A frame of an odd size, whose rows are no multiple of anything."""
    frame = random_frame(name, 101, 57, seed=seed)
    return Frame(frame.planes, name, pts=pts, time_base=Fraction(1, 25), color=frame.color)


@pytest.mark.parametrize("name", ["nv12", "p010le"])
def test_all_but_the_samples_stays_and_the_input_is_left_alone(made: Made, name: str) -> None:
    frame = made.place(timed(name))
    before = made.planes(frame)
    enhancer = made.make()
    enhanced = enhancer(frame)
    assert isinstance(enhancer, FrameEnhancer)
    assert enhancer.description
    assert (enhanced.width, enhanced.height) == (frame.width, frame.height)
    assert (enhanced.format_name, enhanced.color) == (frame.format_name, frame.color)
    assert (enhanced.pts, enhanced.time_base) == (frame.pts, frame.time_base)
    for old, kept, new in zip(before, made.planes(frame), made.planes(enhanced), strict=True):
        assert np.array_equal(old, kept)
        assert (new.shape, new.dtype) == (old.shape, old.dtype)
    assert made.planes(enhanced)[0].mean() > before[0].mean()


def test_strength_0_changes_no_bit_and_the_strength_can_change_at_any_time(made: Made) -> None:
    frame = made.place(timed("nv12"))
    enhancer = made.make()
    full = made.planes(enhancer(frame))[0].mean()
    enhancer.strength = 0
    for old, new in zip(made.planes(frame), made.planes(enhancer(frame)), strict=True):
        assert np.array_equal(old, new)
    enhancer.strength = 0.5
    half = made.planes(enhancer(frame))[0].mean()
    assert made.planes(frame)[0].mean() < half < full


def test_after_a_reset_nothing_of_the_past_is_left(made: Made) -> None:
    enhancer, fresh = made.make(), made.make()
    for seed in range(3):
        enhancer(made.place(timed("nv12", seed, pts=seed)))
    enhancer.reset()
    last = made.place(timed("nv12", 9))
    for again, first in zip(made.planes(enhancer(last)), made.planes(fresh(last)), strict=True):
        assert np.array_equal(again, first)


def test_a_frame_that_is_elsewhere_is_an_error(made: Made) -> None:
    with pytest.raises(DeviceError):
        made.make()(on_another_device(timed("nv12")))
