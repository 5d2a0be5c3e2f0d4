"""The CUDA kernels against the CPU path: compiled for the host, and on a GPU where there is one.

Those around a network have more tests in `test_network_kernels.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.grids import random_grid
from support.kernel_calls import (
    ALL_CHROMA,
    COLORS,
    FORMATS,
    SIZES,
    Array,
    changed_on_cpu,
    enhanced_by_change,
    enhanced_by_grid,
    network_input,
    random_result,
    tensor_size,
)
from support.kernel_devices import (
    FUSED_STEPS,
    GAP,
    HostDevice,
    host_kernels,
    needs_fused_steps,
    on_device,
    poisoned_planes,
    with_gaps,
)
from support.random_frames import on_another_device, random_frame
from support.tolerance import CPU, EXACT, Tolerance, assert_planes_close

from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.cuda.compute_device import ComputeDevice, Fault
from tapetum.realtime.cuda.pixel_kernels import thumbnail_shared_bytes
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import ColorInfo, Frame

NEAR = Tolerance(1, 0.15)
"""Of 12 bits the CPU's tables round a little too."""


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_is_applied_as_on_the_cpu(
    device: ComputeDevice, name: str, color: ColorInfo
) -> None:
    frame, grid = random_frame(name, 94, 61, color=color), random_grid()
    actual = enhanced_by_grid(device, on_device(device, frame), grid)
    assert_planes_close(actual, apply_grid(frame, grid), CPU, shift=frame.format.shift)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_writes_every_sample(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    frame, grid = random_frame(name, *size), random_grid()
    there = on_device(device, frame)
    first = enhanced_by_grid(device, there, grid, poison=0)
    assert_planes_close(first, enhanced_by_grid(device, there, grid, poison=255), EXACT)
    worst = max(
        np.abs(a.astype(int) - e).max() for a, e in zip(first, apply_grid(frame, grid), strict=True)
    )
    assert worst <= 1 << frame.format.shift


@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_that_changes_nothing_keeps_every_sample(device: ComputeDevice, name: str) -> None:
    frame = random_frame(name, 66, 50)
    same = enhanced_by_grid(device, on_device(device, frame), identity_grid())
    assert_planes_close(same, frame.planes, EXACT)


@pytest.mark.parametrize("name", FORMATS)
def test_a_grid_may_be_applied_in_place(device: ComputeDevice, name: str) -> None:
    frame, grid = random_frame(name, 35, 21), random_grid()
    expected = enhanced_by_grid(device, on_device(device, frame), grid)
    planes = tuple(device.put(plane) for plane in frame.planes)
    there: Any = planes
    device.kernels.apply_grid(frame.with_planes(there), device.put(grid), planes)
    assert_planes_close([device.get(plane) for plane in planes], expected, EXACT)


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_a_thumbnail_is_that_of_the_cpu(device: ComputeDevice, name: str, color: ColorInfo) -> None:
    frame = random_frame(name, 301, 535, color=color)
    np.testing.assert_allclose(small_picture(device, frame), thumbnail(frame), atol=3e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (255, 256), (257, 8), (1921, 17)], ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_every_size_has_a_thumbnail(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    frame = random_frame(name, *size)
    np.testing.assert_allclose(small_picture(device, frame), thumbnail(frame), atol=3e-6)


def small_picture(device: ComputeDevice, frame: Frame) -> Array:
    out = device.put(np.full(THUMBNAIL_SHAPE, np.nan, np.float32))
    device.kernels.thumbnail(on_device(device, frame), out)
    return device.get(out)


@pytest.mark.parametrize("gap", [3, 4, 64])
@pytest.mark.parametrize("name", FORMATS)
def test_gaps_between_rows_do_not_matter_and_stay(
    device: ComputeDevice, name: str, gap: int
) -> None:
    frame, grid = random_frame(name, 38, 21), random_grid()
    result = random_result(frame)
    close, apart = on_device(device, frame), on_device(device, frame, gap)
    out = [with_gaps(device, plane, gap) for plane in frame.planes]
    planes, memory = tuple(pair[0] for pair in out), [pair[1] for pair in out]

    device.kernels.apply_grid(apart, device.put(grid), planes)
    by_grid = [device.get(plane) for plane in planes]
    assert_planes_close(by_grid, enhanced_by_grid(device, close, grid), EXACT)

    fault = Fault(device).mark
    device.kernels.change_to_planes(apart, device.put(result), planes, fault=fault)
    by_change = [device.get(plane) for plane in planes]
    assert_planes_close(by_change, enhanced_by_change(device, close, result), EXACT)

    sizes = tensor_size(frame)
    np.testing.assert_array_equal(
        network_input(device, apart, *sizes), network_input(device, close, *sizes)
    )
    for plane, whole in zip(frame.planes, memory, strict=True):
        assert (device.get(whole)[:, plane.shape[1] :] == GAP).all()


@pytest.mark.slow
@needs_fused_steps
def test_fused_multiply_adds_are_as_on_the_cpu_too() -> None:
    """As CUDA's compiler makes them of products and sums."""
    device = HostDevice(host_kernels(*FUSED_STEPS))
    for name in ALL_CHROMA:
        frame, grid = random_frame(name, 130, 71), random_grid()
        there, result, shift = on_device(device, frame), random_result(frame), frame.format.shift
        assert_planes_close(
            enhanced_by_grid(device, there, grid), apply_grid(frame, grid), NEAR, shift=shift
        )
        changed = enhanced_by_change(device, there, result)
        assert_planes_close(changed, changed_on_cpu(frame, result), CPU, shift=shift)
        unchanged = network_input(device, there, *tensor_size(frame))
        same = enhanced_by_change(device, there, unchanged)
        assert_planes_close(same, frame.planes, EXACT)
        same = enhanced_by_grid(device, there, identity_grid())
        assert_planes_close(same, frame.planes, EXACT)
        np.testing.assert_allclose(small_picture(device, frame), thumbnail(frame), atol=3e-6)


def test_legal_input_stays_legal_however_strong_the_grid(device: ComputeDevice) -> None:
    frame = random_frame("nv12", 64, 48, color=ColorInfo(range=1))
    planes: Any = tuple(np.clip(plane, 16, 235).astype(np.uint8) for plane in frame.planes)
    grid = identity_grid()
    grid[0], grid[2], grid[5] = 30, 30, 30
    there = on_device(device, frame.with_planes(planes))
    luma, chroma = enhanced_by_grid(device, there, grid)
    assert 16 <= luma.min() <= luma.max() <= 235
    assert 16 <= chroma.min() <= chroma.max() <= 240


def test_a_frame_in_main_memory_is_an_error(device: ComputeDevice) -> None:
    out = device.put(np.zeros(THUMBNAIL_SHAPE, np.float32))
    with pytest.raises(DeviceError, match="takes frames in GPU memory; got a plane of ndarray"):
        device.kernels.thumbnail(random_frame("nv12", 16, 16), out)
    with pytest.raises(DeviceError, match="ForeignPlane"):
        device.kernels.thumbnail(on_another_device(random_frame("nv12", 16, 16)), out)


def test_other_formats_and_arrays_are_errors(device: ComputeDevice) -> None:
    out = device.put(np.zeros(THUMBNAIL_SHAPE, np.float32))
    planar = on_device(device, random_frame("yuv420p", 16, 16))
    with pytest.raises(MediaError, match=r"a GPU's frames are nv12, .*; got yuv420p"):
        device.kernels.thumbnail(planar, out)
    frame = on_device(device, random_frame("nv12", 32, 32))
    with pytest.raises(ValueError, match="16x16 cannot hold a frame of 32x32"):
        device.kernels.planes_to_rgb(frame, device.put(np.zeros((1, 3, 16, 16), np.float16)))
    with pytest.raises(ValueError, match="float16 without gaps is needed"):
        device.kernels.planes_to_rgb(frame, device.put(np.zeros((1, 3, 32, 32), np.float32)))
    grid = device.put(identity_grid())
    small = poisoned_planes(device, random_frame("nv12", 16, 16), 0)
    with pytest.raises(MediaError, match="plane of rows of"):
        device.kernels.apply_grid(frame, grid, small)


@pytest.mark.slow
@pytest.mark.parametrize(("chroma", "chroma_x"), [("420", 1), ("422", 1), ("444", 0)])
def test_the_sums_of_a_thumbnail_fit_their_memory(chroma: str, chroma_x: int) -> None:
    needed = host_kernels().library(chroma).sums_needed
    for width in (*range(1, 600), 639, 1919, 1920, 3839, 3840, 7680, 16383):
        sums = [needed(width, block) for block in range(8)]
        assert min(sums) > 0, width
        assert 4 * max(sums) <= thumbnail_shared_bytes(width, chroma_x=chroma_x), width
