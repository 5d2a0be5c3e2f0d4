"""The CUDA kernels around a network against the CPU path: to its input, and back to the planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.kernel_calls import (
    COLORS,
    FORMATS,
    HALF_STEP,
    SIZES,
    changed_on_cpu,
    enhanced_by_change,
    network_input,
    padded,
    random_result,
    tensor_size,
)
from support.kernel_devices import on_device
from support.random_frames import random_frame
from support.tolerance import CPU, EXACT, assert_planes_close

from tapetum.realtime.cpu.rgb_kernels import rgb_from_planes
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.frame import CENTER, LEFT, TOP, TOP_LEFT, ColorInfo, Frame

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_planes_to_rgb_is_the_cpu_path_rounded_to_halves(
    device: ComputeDevice, name: str, color: ColorInfo
) -> None:
    frame = random_frame(name, 37, 22, color=color)
    rgb = network_input(device, on_device(device, frame), 48, 32)
    rows, columns, *_ = padded(frame, 48, 32)
    expected = rgb_from_planes(frame)[:, rows][:, :, columns]
    np.testing.assert_allclose(rgb[0], expected, atol=HALF_STEP, rtol=0)


@pytest.mark.parametrize("location", [LEFT, CENTER, TOP_LEFT, TOP])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_every_place_of_the_network_input_is_written(
    device: ComputeDevice, name: str, size: tuple[int, int], location: int
) -> None:
    frame = random_frame(name, *size, color=ColorInfo(chroma_location=location))
    width, height = tensor_size(frame)
    for extra in (0, 3):  # a width that is no multiple of the vector too
        rgb = network_input(device, on_device(device, frame), width + extra, height + extra)
        rows, columns, *_ = padded(frame, width + extra, height + extra)
        expected = rgb_from_planes(frame)[:, rows][:, :, columns]
        np.testing.assert_allclose(rgb[0], expected, atol=HALF_STEP, rtol=0)


@pytest.mark.parametrize("strength", [0.7, 1.6])
@pytest.mark.parametrize("color", COLORS, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_a_change_reaches_the_planes_as_on_the_cpu(
    device: ComputeDevice, name: str, color: ColorInfo, strength: float
) -> None:
    frame = random_frame(name, 37, 22, color=color)
    result = random_result(frame)
    actual = enhanced_by_change(device, on_device(device, frame), result, strength=strength)
    expected = changed_on_cpu(frame, result, strength=strength)
    assert_planes_close(actual, expected, CPU, shift=frame.format.shift)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_a_change_writes_every_sample(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    frame = random_frame(name, *size)
    result, there = random_result(frame), on_device(device, frame)
    first = enhanced_by_change(device, there, result, poison=0)
    second = enhanced_by_change(device, there, result, poison=255)
    assert_planes_close(first, second, EXACT)
    expected = changed_on_cpu(frame, result)
    worst = max(np.abs(a.astype(int) - e).max() for a, e in zip(first, expected, strict=True))
    assert worst <= 1 << frame.format.shift


@pytest.mark.parametrize("name", FORMATS)
def test_a_network_that_changes_nothing_keeps_every_sample(
    device: ComputeDevice, name: str
) -> None:
    frame = random_frame(name, 35, 21, color=ColorInfo(range=1))
    there = on_device(device, frame)
    unchanged = network_input(device, there, *tensor_size(frame))
    assert_planes_close(enhanced_by_change(device, there, unchanged), frame.planes, EXACT)


def test_half_precision_is_rounded_as_numpy_rounds(device: ComputeDevice) -> None:
    """All that the network can be given, as grey pictures of full-range 10-bit luma."""
    words = np.arange(0, 1 << 16, 1 << 6, dtype=np.uint16)
    planes: Any = (words.reshape(32, 32), np.full((16, 32), 1 << 15, np.uint16))
    frame = Frame(planes, "p010le", color=ColorInfo(1, 2))
    rgb = network_input(device, on_device(device, frame), 32, 32)
    exact = 2 * np.arange(1024, dtype=np.float64).reshape(32, 32) / 1023 - 1
    np.testing.assert_allclose(rgb[0, 0], exact, atol=HALF_STEP / 2 + 1e-6, rtol=0)
