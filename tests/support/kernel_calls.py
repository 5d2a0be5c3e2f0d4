"""Calls of the pixel kernels, and what the CPU path makes of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.kernel_devices import poisoned_planes

from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.cpu.tiling import reflected
from tapetum.realtime.cpu.unet_enhancer import room
from tapetum.realtime.cuda.compute_device import ComputeDevice, Fault
from tapetum.realtime.frame import CENTER, LEFT, TOP_LEFT, ColorInfo, Frame, Plane

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

USUAL = ["nv12", "p010le"]
ALL_CHROMA = [*USUAL, "nv16", "p210le", "nv24", "p412le"]
FORMATS = [*USUAL, *(pytest.param(name, marks=pytest.mark.slow) for name in ALL_CHROMA[2:])]
"""For the others, the kernels are compiled once more."""
COLORS = [
    ColorInfo(matrix, range_, chroma_location=location)
    for matrix, location in ((1, LEFT), (6, CENTER), (9, TOP_LEFT))
    for range_ in (1, 2)
]
SIZES = [(1, 1), (2, 2), (3, 5), (4, 2), (7, 4), (37, 22), (64, 33), (130, 71)]
"""Narrower than a vector, odd both ways, and multiples of the vector."""

HALF_STEP = 2.0**-11
"""Half the distance of half-precision numbers between 1 and 2, and more than that below."""


def padded(frame: Frame, width: int, height: int) -> tuple[Array, Array, slice, slice]:
    """Rows and columns of the picture at each place of a larger tensor, and where it lies."""
    left, top = (width - frame.width) // 2, (height - frame.height) // 2
    rows, columns = reflected(frame.height, top, height), reflected(frame.width, left, width)
    return rows, columns, slice(top, top + frame.height), slice(left, left + frame.width)


def tensor_size(frame: Frame) -> tuple[int, int]:
    """Multiples of 16 that leave room on every side of an odd frame."""
    return -(-frame.width // 16) * 16, -(-frame.height // 16) * 16


def network_input(device: ComputeDevice, frame: Frame, width: int, height: int) -> Array:
    rgb = device.put(np.full((1, 3, height, width), np.nan, np.float16))
    device.kernels.planes_to_rgb(frame, rgb)
    return device.get(rgb)


def random_result(frame: Frame, seed: int = 0) -> npt.NDArray[np.float16]:
    """What a network may give: beyond [-1, 1] too."""
    width, height = tensor_size(frame)
    values = np.random.default_rng(seed).uniform(-1.3, 1.3, (1, 3, height, width))
    return values.astype(np.float16)


def enhanced_by_grid(
    device: ComputeDevice, frame: Frame, grid: Floats, poison: int = 0
) -> tuple[Array, ...]:
    planes = poisoned_planes(device, frame, poison)
    device.kernels.apply_grid(frame, device.put(grid), planes)
    return tuple(device.get(plane) for plane in planes)


def enhanced_by_change(
    device: ComputeDevice, frame: Frame, result: Array, strength: float = 1.0, poison: int = 0
) -> tuple[Array, ...]:
    planes, fault = poisoned_planes(device, frame, poison), Fault(device)
    device.kernels.change_to_planes(
        frame, device.put(result), planes, fault=fault.mark, strength=strength
    )
    assert not fault.wait()
    return tuple(device.get(plane) for plane in planes)


def changed_on_cpu(frame: Frame, result: Array, strength: float = 1.0) -> tuple[Plane, ...]:
    """The CPU path's way back, from the halves that the network was given."""
    height, width = result.shape[2:]
    *_, rows, columns = padded(frame, width, height)
    after = np.clip(result[0, :, rows, columns].astype(np.float32), -1, 1)
    before = rgb_from_planes(frame).astype(np.float16).astype(np.float32)
    change = after - before
    if strength > 1:
        change *= 1 + np.float32(strength - 1) * room(before, change)
    return planes_with_change(frame, np.float32(min(strength, 1)) * change)
