"""Bars and round pictures in a device's memory: found, left black, and enhanced as on the CPU."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from support.cuda_parts import BRIGHTER, ModelOnDevice, cuda_grid, grid_engine, planes_of
from support.grids import brightening
from support.kernel_calls import ALL_CHROMA
from support.kernel_devices import on_device
from support.random_frames import random_frame

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.frame_lines import FrameSight, lines_at_border
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.picture_of_frame import PictureFinder
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.device_picture import DevicePictureFinder, DeviceSight
from tapetum.realtime.frame import Frame

pytestmark = pytest.mark.slow

Shape = tuple[str, float, float]
WIDTH, HEIGHT = 160, 120
SHAPES: dict[str, Shape] = {
    "whole": ("bars", 0, 0),
    "letterbox": ("bars", 18, 0),
    "wide": ("bars", 30, 0),
    "window": ("bars", 14, 22),
    "round": ("circle", 0.9, 0),
    "tape": ("bars", 18, 0),
}


def picture(shape: str, name: str = "nv12", index: int = 0, level: int = 40) -> Frame:
    """A dark picture in a black frame, with noise in it."""
    kind, down, across = SHAPES[shape]
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    luma = np.maximum(level + 12 * np.sin(x / 9) * np.cos(y / 7) + rng.normal(0, 1, x.shape), 30)
    inside = (abs(y - HEIGHT / 2 + 0.5) < HEIGHT / 2 - down) & (
        abs(x - WIDTH / 2 + 0.5) < WIDTH / 2 - across
    )
    if kind == "circle":
        inside = np.hypot(x - WIDTH / 2 + 0.5, y - HEIGHT / 2 + 0.5) < down * HEIGHT / 2
    if shape == "tape":
        inside = inside | (y < 2) | (y >= HEIGHT - 4)
    frame = random_frame(name, WIDTH, HEIGHT)
    layout = frame.format
    word = 1 << (layout.depth - 8 + layout.shift)
    black = inside[:: 1 << layout.chroma_y, :: 1 << layout.chroma_x]
    tints = np.stack([np.where(black, level, 128) for level in (118, 134)], axis=-1)
    whole = np.where(inside, luma, 16).round(), tints.reshape(len(tints), -1)
    planes: Any = tuple((plane * word).astype(frame.planes[0].dtype) for plane in whole)
    return Frame(planes, name, pts=index, time_base=Fraction(1, 10), color=frame.color)


@pytest.mark.parametrize("name", ALL_CHROMA)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (37, 22), (64, 65), (260, 155)], ids=str)
def test_what_is_seen_of_a_frame_is_what_lies_there(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    frame = random_frame(name, *size)
    small = np.random.default_rng(0).random((1, 3, 256, 256), np.float32)
    seen = DeviceSight(on_device(device, frame, gap=5), device.put(small), device)
    wanted = FrameSight(frame)
    np.testing.assert_array_equal(seen.view(), wanted.view())
    np.testing.assert_array_equal(seen.luma(), wanted.luma())
    np.testing.assert_array_equal(seen.corners, small[0, :, ::255, ::255])
    for area in areas_within(*size):
        for line, here in zip(seen.border(area), wanted.border(area), strict=True):
            np.testing.assert_array_equal(line, here)
        chroma = seen.chroma_border(area), wanted.chroma_border(area)
        for lines, those_here in zip(*chroma, strict=True):
            np.testing.assert_array_equal(lines, those_here)


def areas_within(width: int, height: int) -> list[Area]:
    """A frame, and it without the lines at some of its sides and at all, where it is as large."""
    rows, columns = lines_at_border(height, width)
    if width < 4 * columns or height < 4 * rows:
        return [Area(0, height, 0, width)]
    most = rows, rows, columns, columns
    cuts = [np.where(sides, most, 0).tolist() for sides in product((False, True), repeat=4)]
    return [Area(top, height - end, left, width - right) for top, end, left, right in cuts]


def stream(*shapes: str, name: str = "nv12", frames: int = 8) -> list[Frame]:
    """So many frames of each shape, one after another."""
    indices = range(frames * len(shapes))
    return [picture(shapes[index // frames], name, index) for index in indices]


@pytest.mark.parametrize(
    "shapes",
    [("letterbox", "whole", "wide"), ("round", "whole"), ("whole", "window"), ("tape",)],
    ids=str,
)
def test_pictures_are_found_as_on_the_cpu(device: ComputeDevice, shapes: tuple[str, ...]) -> None:
    there, here = DevicePictureFinder(device), PictureFinder()
    found = []
    for frame in stream(*shapes):
        made, wanted = there(on_device(device, frame)), here(frame)
        assert (made.area, made.circles) == (wanted.area, wanted.circles)
        np.testing.assert_allclose(device.get(there.small), wanted.seen, atol=3e-6)
        assert made.frame.planes[0].shape == wanted.frame.planes[0].shape
        found.append(made.area is not None)
    assert found[7] == (shapes[0] != "whole")
    assert any(found)


@pytest.mark.parametrize("name", ["nv12", "p010le", "nv16"])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_grid_leaves_what_surrounds_a_picture(device: ComputeDevice, name: str, shape: str) -> None:
    engine = grid_engine(brightening(), per_brightness=1.0)
    there, here = cuda_grid(device, engine), GridEnhancer(engine)
    for frame in stream(shape, name=name, frames=3):
        made = planes_of(device, there(on_device(device, frame)))
        check(made, here(frame).planes, frame)


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("lit", [False, True])
def test_unet_leaves_what_surrounds_a_picture(device: ComputeDevice, shape: str, lit: bool) -> None:
    engine = grid_engine(brightening(), per_brightness=1.0)
    light = cuda_grid(device, engine) if lit else None
    there = CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER), aim=Aim(), light=light)
    here = UNetEnhancer(BRIGHTER, aim=Aim(), light=GridEnhancer(engine) if lit else None)
    for frame in stream(shape, frames=3):
        made = planes_of(device, there(on_device(device, frame)))
        check(made, here(frame).planes, frame)


@pytest.mark.parametrize("denoise", ["off", 1.0])
def test_a_stream_whose_bars_change_goes_on(device: ComputeDevice, denoise: Denoise) -> None:
    """Its light too: nothing is forgotten, though each shape has a graph of its own."""
    engine = grid_engine(brightening(), per_brightness=1.0)
    there = cuda_grid(device, engine, denoise=denoise)
    here = GridEnhancer(engine, denoise=denoise)
    for index, frame in enumerate(stream("letterbox", "whole", "wide", "round", frames=8)):
        made = planes_of(device, there(on_device(device, frame)))
        near = np.abs(made[0].astype(int) - here(frame).planes[0]) <= 2
        assert near.mean() > 0.998, index


def check(made: list[Any], wanted: tuple[Any, ...], frame: Frame) -> None:
    """As on the CPU, black where it was, and bright elsewhere.

    A sample on a circle's very edge may be taken for one of the other side.
    """
    for found, expected in zip(made, wanted, strict=True):
        off = np.abs(found.astype(int) - expected) > 2 << frame.format.shift
        assert off.mean() < 1e-3
    dark = frame.planes[0]
    black = dark <= 16 << frame.format.shift + frame.format.depth - 8
    assert np.count_nonzero(made[0][black] != dark[black]) <= black.sum() / 200
    assert made[0][~black].mean() > 1.3 * dark[~black].mean()
