"""`unet` reduced on a GPU against its twin on the CPU, and its kernels against the fit there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.cuda_parts import BRIGHTER, EngineOnDevice, Pointwise, grid_engine
from support.grids import brightening
from support.kernel_devices import FUSED_STEPS, HostDevice, host_kernels, needs_fused_steps
from support.random_frames import random_frame

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_fit import fit_grid
from tapetum.realtime.cpu.reduced_unet import FittedGridEngine
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_grid_enhancer import CudaGridEnhancer
from tapetum.realtime.cuda.grid_fit_kernels import SUMS_SHAPE, Small
from tapetum.realtime.cuda.reduced_unet_engine import SHAPE, ReducedUNetEngine
from tapetum.realtime.errors import EngineError

pytestmark = pytest.mark.slow

Array = npt.NDArray[Any]
TO_YUV = np.array(
    [[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]], np.float64
)


def scene(seed: int = 0) -> Array:
    """A thumbnail with light and dark, colours and noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:256, :256] / 255
    hue = np.stack([rows, columns, 1 - rows * columns])
    light = 0.05 + 0.6 * columns**2 * (1 - 0.5 * rows)
    picture: Array = np.clip(light * hue + random.normal(0, 0.01, hue.shape), 0, 1)
    return picture[np.newaxis].astype(np.float32)


def grid_there(device: ComputeDevice, engine: ReducedUNetEngine, batch: Array) -> Array:
    result = device.put(np.full(GRID_SHAPE, 7, np.float32))
    engine(device.put(batch), result)
    return device.get(result)


def fitted(device: ComputeDevice, before: Array, after: Array) -> Array:
    """The grid that the kernels fit to Y, U and V (3, 128, 128), and RGB in [-1, 1]."""
    halves = after[np.newaxis].astype(np.float16)
    small = Small(device.put(before.astype(np.float32)), device.put(halves), None)
    grid = device.put(np.full(GRID_SHAPE, np.nan, np.float32))
    device.kernels.fitting.fit_grid(
        small, device.put(np.full(SUMS_SHAPE, np.nan, np.float32)), grid
    )
    return device.get(grid)


def pictures(seed: int) -> tuple[Array, Array]:
    """A small picture before and after, in half precision, of a change that is no grid's."""
    random = np.random.default_rng(seed)
    rgb = scene(seed)[0, :, ::2, ::2].astype(np.float64)
    made = 2 * np.sqrt(rgb) * random.uniform(0.8, 1, (3, 1, 1)) - 1 + 0.1 * rgb[::-1]
    before = np.tensordot(TO_YUV, rgb, 1)
    return before, np.clip(made, -1, 1).astype(np.float16)


def small_yuv(after: Array) -> npt.NDArray[np.float32]:
    """Y, U and V of RGB in [-1, 1]."""
    return np.tensordot(TO_YUV, (after.astype(np.float64) + 1) / 2, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_a_grid_is_fitted_as_on_the_cpu(device: ComputeDevice, seed: int) -> None:
    before, after = pictures(seed)
    wanted = fit_grid(before.astype(np.float32), small_yuv(after))
    np.testing.assert_allclose(fitted(device, before, after), wanted, atol=2e-3)


def test_a_flat_picture_is_fitted_as_on_the_cpu(device: ComputeDevice) -> None:
    before = np.zeros((3, 128, 128))
    before[0] = 0.04
    after = np.full((3, 128, 128), -0.6, np.float16)
    wanted = fit_grid(before.astype(np.float32), small_yuv(after))
    np.testing.assert_allclose(fitted(device, before, after), wanted, atol=2e-3)


@needs_fused_steps
def test_with_fused_steps_it_is_the_same() -> None:
    test_a_grid_is_fitted_as_on_the_cpu(HostDevice(host_kernels(*FUSED_STEPS)), 0)


@pytest.mark.parametrize("lit", [False, True], ids=["alone", "behind a light"])
def test_a_thumbnail_becomes_the_grid_of_the_cpu(device: ComputeDevice, lit: bool) -> None:
    light = grid_engine(brightening(), per_brightness=0.5) if lit else None
    here = FittedGridEngine(BRIGHTER, light)
    there = ReducedUNetEngine(
        device,
        EngineOnDevice(device, BRIGHTER),
        None if light is None else EngineOnDevice(device, light),
    )
    # The CPU lights a picture of 8 bits, the GPU one of floats.
    atol = 0.03 if lit else 2e-3
    np.testing.assert_allclose(grid_there(device, there, scene()), here(scene())[0], atol=atol)
    assert there.description == f"unet at 128x128, {device.name}, CPU, NumPy f32"


def test_pictures_are_as_on_the_cpu(device: ComputeDevice) -> None:
    """As they are seen: grids may differ where no pixel is."""
    light = grid_engine(brightening(), per_brightness=0.5)
    frame = random_frame("nv12", 128, 96)
    engines = (EngineOnDevice(device, engine) for engine in (BRIGHTER, light))
    there = CudaGridEnhancer(device, ReducedUNetEngine(device, *engines))
    planes: Any = tuple(device.put(plane) for plane in frame.planes)
    wanted = GridEnhancer(FittedGridEngine(BRIGHTER, light))(frame)
    made: Any = there(frame.with_planes(planes)).planes
    for found, expected in zip(map(device.get, made), wanted.planes, strict=True):
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() <= 2
        assert difference.mean() < 0.5


def test_numbers_that_are_not_finite_are_an_error(device: ComputeDevice) -> None:
    broken = Pointwise(np.eye(3), np.full(3, np.nan))
    engine = ReducedUNetEngine(device, EngineOnDevice(device, broken))
    assert not np.isfinite(grid_there(device, engine, scene())).any()
    frame = random_frame("nv12", 64, 48)
    planes: Any = tuple(device.put(plane) for plane in frame.planes)
    with pytest.raises(EngineError, match="not finite"):
        CudaGridEnhancer(device, engine)(frame.with_planes(planes))


def test_it_has_the_shapes_of_its_networks(device: ComputeDevice) -> None:
    assert SHAPE == (1, 3, 128, 128)
    assert not ReducedUNetEngine(device, NotCapturable()).capturable


class NotCapturable:
    description, capturable = "none", False

    def __call__(self, batch: Any, result: Any) -> None:
        """Do nothing."""
