"""Planes to RGB and back as a change, against float64 arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_frames import (
    chroma_levels,
    covered_mean,
    luma_levels,
    pitched,
    planes_from_levels,
    random_frame,
    scales,
)
from tolerance import CPU, EXACT, assert_planes_close

from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import PIXEL_FORMATS

Array = npt.NDArray[Any]


def rgb_exactly(frame: Frame) -> Array:
    black, luma_span, grey, chroma_span = scales(frame)
    kr, kb = frame.luma_weights
    y = (luma_levels(frame) - black) / luma_span
    rows = np.arange(frame.height)[:, np.newaxis] >> frame.format.chroma_y
    columns = np.arange(frame.width) >> frame.format.chroma_x
    u, v = ((levels[rows, columns] - grey) / chroma_span for levels in chroma_levels(frame))
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    rgb: Array = np.clip(2 * np.stack((red, green, blue)) - 1, -1, 1)
    return rgb


def change_exactly(frame: Frame, change: Array) -> tuple[Plane, ...]:
    _, luma_span, _, chroma_span = scales(frame)
    kr, kb = frame.luma_weights
    red, green, blue = change.astype(np.float64) / 2
    dy = kr * red + (1 - kr - kb) * green + kb * blue
    du, dv = (blue - dy) / (2 * (1 - kb)), (red - dy) / (2 * (1 - kr))
    u, v = chroma_levels(frame)
    return planes_from_levels(
        frame,
        luma_levels(frame) + dy * luma_span,
        u + covered_mean(du, frame) * chroma_span,
        v + covered_mean(dv, frame) * chroma_span,
    )


def random_change(frame: Frame, seed: int = 0) -> npt.NDArray[np.float32]:
    shape = (3, frame.height, frame.width)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("color", [ColorInfo(1, 1), ColorInfo(6, 2)], ids=["tv709", "pc601"])
@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_every_format_converts_as_float64_does(name: str, color: ColorInfo) -> None:
    frame = random_frame(name, 37, 22, color=color)
    np.testing.assert_allclose(rgb_from_planes(frame), rgb_exactly(frame), atol=5e-6)
    change, shift = random_change(frame), frame.format.shift
    actual, expected = planes_with_change(frame, change), change_exactly(frame, change)
    assert_planes_close(actual, expected, CPU, shift=shift)


@given(width=st.integers(1, 40), height=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_every_size_converts_as_float64_does(width: int, height: int) -> None:
    frame = random_frame("yuv420p", width, height)
    np.testing.assert_allclose(rgb_from_planes(frame), rgb_exactly(frame), atol=5e-6)
    change = random_change(frame)
    assert_planes_close(planes_with_change(frame, change), change_exactly(frame, change), CPU)


@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_no_change_keeps_every_sample(name: str) -> None:
    frame = random_frame(name, 35, 21, color=ColorInfo(range=1))
    change = np.zeros((3, 21, 35), np.float32)
    assert_planes_close(planes_with_change(frame, change), frame.planes, EXACT)


def test_gaps_between_rows_do_not_matter() -> None:
    frame = random_frame("nv12", 35, 21)
    change = random_change(frame)
    np.testing.assert_array_equal(rgb_from_planes(pitched(frame)), rgb_from_planes(frame))
    assert_planes_close(
        planes_with_change(pitched(frame), change), planes_with_change(frame, change), EXACT
    )
