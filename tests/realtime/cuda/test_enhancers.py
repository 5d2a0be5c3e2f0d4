"""The enhancers of the GPU path against those of the CPU path, with real networks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.cuda_parts import (
    BRIGHTER,
    ModelOnDevice,
    Pointwise,
    cuda_grid,
    grid_engine,
    planes_of,
    two_scenes,
)
from support.grids import brightening, random_grid
from support.kernel_devices import on_device
from support.random_frames import on_another_device, random_frame
from support.tolerance import CPU, EXACT, GPU, assert_planes_close

from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.cpu.grid_strength import strengthened, with_brightness
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.temporal_smoothing import TemporalSmoothing
from tapetum.realtime.errors import DeviceError, EngineError, MediaError
from tapetum.realtime.exposure import cell_luma
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.protocols import FrameEnhancer
from tapetum.realtime.temporal import TemporalFilter

pytestmark = pytest.mark.slow

Array = npt.NDArray[Any]

FORMATS = ["nv12", "p010le"]


def test_they_are_frame_enhancers_that_say_what_runs_where(device: ComputeDevice) -> None:
    grid = cuda_grid(device, grid_engine(identity_grid()))
    unet = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER))
    assert isinstance(grid, FrameEnhancer)
    assert isinstance(unet, FrameEnhancer)
    assert grid.description == f"grid on {device.name}, CPU, NumPy f32"
    assert unet.description == f"unet on {device.name}, NumPy f32"


@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_video_is_enhanced_as_on_the_cpu(device: ComputeDevice, name: str) -> None:
    engine = grid_engine(brightening(), per_brightness=2.0)
    there, here = cuda_grid(device, engine), GridEnhancer(engine)
    shift = random_frame(name, 2, 2).format.shift
    for seed, pts in enumerate((0, 1, 2, 5)):
        frame = random_frame(name, 101, 57, seed=seed)
        timed = Frame(frame.planes, name, pts=pts, time_base=Fraction(1, 25), color=frame.color)
        enhanced = there(on_device(device, timed))
        assert (enhanced.pts, enhanced.format_name) == (pts, name)
        assert_planes_close(planes_of(device, enhanced), here(timed).planes, CPU, shift=shift)


def shaded(level: float, shadow: float) -> Frame:
    """A picture of one level with noise, and a large shadow at its left."""
    frame = random_frame("nv12", 64, 48, color=ColorInfo(1, 1))
    luma: Any = frame.planes[0] // 8 + np.uint8(level)
    luma[16:, :24] = luma[16:, :24] * shadow
    planes: Any = (luma, np.full_like(frame.planes[1], 128))
    return frame.with_planes(planes)


def test_what_is_well_lit_stays_as_on_the_cpu(device: ComputeDevice) -> None:
    engine = grid_engine(brightening())
    there = cuda_grid(device, engine, aim=Aim())
    here = GridEnhancer(engine, aim=Aim())
    for level, shadow, needed in ((150, 1, 0), (150, 0.2, 0.5), (70, 1, 0.5), (20, 1, 1)):
        there.reset()
        here.reset()
        frame = shaded(level, shadow)
        made = planes_of(device, there(on_device(device, frame)))
        assert_planes_close(made, here(frame).planes, CPU)
        assert there.most_needed() == pytest.approx(here.most_needed(), abs=1e-3)
        assert there.most_needed() == 0
        if needed == 0:
            assert_planes_close(made, frame.planes, EXACT)
        else:
            assert (made[0] > frame.planes[0] + 2).mean() > 0.1


BRIGHTNESSES = (0.05, 0.2, 0.45, 0.7, 0.98)


@pytest.mark.parametrize("name", FORMATS)
def test_strength_and_aim_may_change_from_frame_to_frame_as_on_the_cpu(
    device: ComputeDevice, name: str
) -> None:
    """From the third frame on in a captured graph."""
    engine = grid_engine(brightening(), per_brightness=0.3)
    there, here = cuda_grid(device, engine), GridEnhancer(engine)
    wishes = [(1.0, Aim(when_dark=False)), (1.6, Aim(when_dark=False)), (2.0, Aim()), (0.5, Aim())]
    wishes += [(strength, Aim(brightness=0.5)) for strength in (1.0, 1.3)]
    for seed, (strength, aim) in enumerate(wishes):
        there.strength = here.strength = strength
        there.aim = here.aim = aim
        frame = random_frame(name, 101, 57, seed=seed)
        dark: Any = tuple(plane // div for plane, div in zip(frame.planes, (4, 1), strict=True))
        frame = Frame(dark, name, pts=seed, time_base=Fraction(1, 25), color=frame.color)
        made = planes_of(device, there(on_device(device, frame)))
        assert_planes_close(made, here(frame).planes, GPU, shift=frame.format.shift)
        assert made[0].mean() > 1.2 * frame.planes[0].mean()
        assert there.most_needed() == pytest.approx(here.most_needed(), abs=1e-3)


@pytest.mark.parametrize("strength", [0, 0.4, 1, 1.01, 1.5, 2])
def test_a_grid_is_as_strong_as_on_the_cpu(device: ComputeDevice, strength: float) -> None:
    for seed in range(3):
        for grid in (random_grid(seed), brightening() * np.float32(1 + seed)):
            made = applied(device, grid, lit_by(0.3), strength=strength)
            wanted = strengthened(grid, strength)
            np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)
            if strength in {0, 1}:
                np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize("brightness", BRIGHTNESSES)
def test_a_brightness_takes_the_strength_that_it_takes_on_the_cpu(
    device: ComputeDevice, brightness: float
) -> None:
    for seed, light in enumerate((0.02, 0.1, 0.3, 0.8)):
        small = lit_by(light)
        darkening = identity_grid()
        darkening[0] = 0.6
        for grid in (brightening(), random_grid(seed, 0.1), darkening):
            made = applied(device, grid, small, brightness=brightness)
            wanted = with_brightness(grid, cell_luma(small), brightness)
            np.testing.assert_allclose(made, wanted, rtol=1e-3, atol=1e-4)


def lit_by(light: float) -> npt.NDArray[np.float32]:
    """A thumbnail of uneven light."""
    ramp = np.linspace(0, 2 * light, 256, dtype=np.float32).clip(0, 1)
    return np.broadcast_to(ramp[:, np.newaxis], (1, 3, 256, 256)).copy()


def applied(
    device: ComputeDevice,
    grid: npt.NDArray[np.float32],
    thumbnail: npt.NDArray[np.float32],
    *,
    strength: float = 1.0,
    brightness: float | None = None,
) -> Array:
    """What a first frame's grid becomes."""
    steady = TemporalSmoothing(device, time_constant_s=0.3, aim=Aim(False, brightness))
    fault = device.put(np.zeros(2, np.float32))
    step = steady.step(None, strength=strength)
    made = steady.queue(device.put(grid), step, device.put(thumbnail), fault=fault)
    return device.get(made)


def test_coefficients_are_smoothed_and_cut_as_on_the_cpu(device: ComputeDevice) -> None:
    from tapetum.realtime.cpu.thumbnail import thumbnail

    there, here = TemporalSmoothing(device, time_constant_s=0.3), TemporalFilter()
    fault = device.put(np.zeros(2, np.float32))
    kept = []
    for seed, frame in enumerate(two_scenes()):
        grid = np.random.default_rng(seed).normal(size=(8, 8, 16, 16)).astype(np.float32)
        small = thumbnail(frame)
        expected = here(grid, thumbnail=small, time_s=frame.time_s)
        steady = there(
            device.put(grid), thumbnail=device.put(small), time_s=frame.time_s, fault=fault
        )
        np.testing.assert_allclose(device.get(steady), expected, atol=2e-5)
        kept.append(bool(np.array_equal(expected, grid)))
    assert kept == [True, False, False, False, False, True, False, False]  # the cut was seen
    there.reset()
    again = there(device.put(brightening()), thumbnail=device.put(small), time_s=None, fault=fault)
    np.testing.assert_array_equal(device.get(again), brightening())
    assert device.get(fault)[0] == 0


def test_a_time_constant_of_0_takes_every_grid_as_it_is(device: ComputeDevice) -> None:
    smooth = TemporalSmoothing(device, time_constant_s=0)
    small, fault = (device.put(np.zeros(s, np.float32)) for s in ((1, 3, 256, 256), (2,)))
    for factor in (1, 2):
        grid = brightening() * np.float32(factor)
        steady = smooth(device.put(grid), thumbnail=small, time_s=None, fault=fault)
        np.testing.assert_array_equal(device.get(steady), grid)
    with pytest.raises(ValueError, match="0 or more; got -1"):
        TemporalSmoothing(device, time_constant_s=-1)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (50, 37)], ids=str)
def test_a_unet_frame_is_enhanced_as_on_the_cpu(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    frame = random_frame(name, *size)
    model = ModelOnDevice(device, BRIGHTER)
    enhance = CudaUNetEnhancer(device, model, strength=0.8)
    enhanced = planes_of(device, enhance(on_device(device, frame)))
    expected = UNetEnhancer(BRIGHTER, strength=0.8)(frame).planes
    assert_planes_close(enhanced, expected, GPU, shift=frame.format.shift)


@pytest.mark.parametrize("strength", [1.0, 1.7])
def test_unet_leaves_what_is_well_lit_as_on_the_cpu(device: ComputeDevice, strength: float) -> None:
    """Smoothly over time, from the second frame on in a captured graph."""
    there = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER), strength=strength, aim=Aim())
    here = UNetEnhancer(BRIGHTER, strength=strength, aim=Aim())
    seen = []
    for index, level in enumerate((150, 20, 70, 150, 150)):
        frame = shaded(level, 1)
        timed = Frame(frame.planes, "nv12", pts=index, time_base=Fraction(1, 4), color=frame.color)
        made = planes_of(device, there(on_device(device, timed)))
        assert_planes_close(made, here(timed).planes, GPU)
        needed = there.most_needed()
        assert needed == pytest.approx(here.most_needed(), abs=1e-4)
        seen.append(needed)
        if needed == 0:
            assert_planes_close(made, frame.planes, EXACT)
    assert seen[0] == 0
    assert 0.3 < max(seen) < 1
    assert seen[4] < seen[3] < seen[2]
    there.reset()
    assert_planes_close(planes_of(device, there(on_device(device, frame))), frame.planes, EXACT)
    there.aim = Aim(when_dark=False)
    lighter = planes_of(device, there(on_device(device, frame)))
    assert lighter[0].mean() > frame.planes[0].mean() + 10


def test_a_light_comes_before_the_network_as_on_the_cpu(device: ComputeDevice) -> None:
    frame, engine = random_frame("nv12", 50, 37), grid_engine(brightening())
    light = cuda_grid(device, engine)
    model = ModelOnDevice(device, BRIGHTER)
    enhance = CudaUNetEnhancer(device, model, strength=0.8, light=light)
    wanted = UNetEnhancer(BRIGHTER, strength=0.8, light=GridEnhancer(engine))
    for _ in range(3):  # alone, captured, and again
        enhanced = planes_of(device, enhance(on_device(device, frame)))
        assert_planes_close(enhanced, wanted(frame).planes, GPU)


def test_the_network_is_compiled_once_a_size(device: ComputeDevice) -> None:
    model = ModelOnDevice(device, BRIGHTER)
    enhance = CudaUNetEnhancer(device, model)
    for width in (20, 30, 40, 41):
        enhance(on_device(device, random_frame("nv12", width, 16)))
    assert model.shapes == [(1, 3, 16, 32), (1, 3, 16, 48)]


@pytest.mark.parametrize("name", FORMATS)
def test_strength_0_is_the_frame_bit_for_bit(device: ComputeDevice, name: str) -> None:
    frame = random_frame(name, 33, 17)
    there = on_device(device, frame)
    grid = cuda_grid(device, grid_engine(brightening()), strength=0)
    unet = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER), strength=0)
    for enhance in (grid, unet):
        assert_planes_close(planes_of(device, enhance(there)), frame.planes, EXACT)


def test_the_same_video_twice_gives_the_same_frames(device: ComputeDevice) -> None:
    engine = grid_engine(brightening(), per_brightness=1.0)
    runs = []
    for _ in range(2):
        enhance = cuda_grid(device, engine)
        frames = [enhance(on_device(device, frame)) for frame in two_scenes()]
        runs.append([planes_of(device, frame) for frame in frames])
    for first, second in zip(*runs, strict=True):
        assert_planes_close(first, second, EXACT)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_an_error(device: ComputeDevice, bad: float) -> None:
    frame = on_device(device, random_frame("nv12", 16, 16))
    broken = brightening()
    broken[7, 7, 15, 15] = bad
    grid = cuda_grid(device, grid_engine(broken))
    bias = Pointwise(np.eye(3), np.array([0, 0, bad]))
    unet = CudaUNetEnhancer(device, ModelOnDevice(device, bias))
    for enhance in (grid, unet):
        for _ in range(2):
            with pytest.raises(EngineError, match="not finite"):
                enhance(frame)


class ElsewhereArray(np.ndarray[Any, np.dtype[Any]]):
    """Memory of another GPU, as far as the device is concerned."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.__array_interface__


def test_frames_on_another_gpu_are_errors(device: ComputeDevice) -> None:
    if device.stream_address is not None:
        pytest.skip("a machine with two GPUs shows this in test_cuda_device")
    frame = random_frame("nv12", 16, 16)
    planes: Any = tuple(plane.view(ElsewhereArray) for plane in frame.planes)
    grid = cuda_grid(device, grid_engine(identity_grid()))
    unet = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER))
    for enhance in (grid, unet):
        with pytest.raises(DeviceError, match="this enhancer is on host; got a frame that is not"):
            enhance(frame.with_planes(planes))


def test_frames_of_another_kind_are_errors(device: ComputeDevice) -> None:
    grid = cuda_grid(device, grid_engine(identity_grid()))
    unet = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER))
    elsewhere = on_another_device(random_frame("nv12", 16, 16))
    planar = on_device(device, random_frame("yuv420p", 16, 16))
    for enhance in (grid, unet):
        with pytest.raises(DeviceError, match="GPU memory"):
            enhance(elsewhere)
        with pytest.raises(MediaError, match="a GPU's frames are nv12, p010le"):
            enhance(planar)
