"""Planes to RGB and back as a change, against float64 arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_frames import (
    chroma_levels,
    chroma_to_pixels,
    colored_mean,
    luma_levels,
    pitched,
    planes_from_levels,
    random_frame,
    scales,
)
from support.tolerance import CPU, EXACT, assert_planes_close

from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.frame import CENTER, LEFT, TOP, TOP_LEFT, ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import PIXEL_FORMATS

Array = npt.NDArray[Any]


def rgb_exactly(frame: Frame) -> Array:
    black, luma_span, grey, chroma_span = scales(frame)
    kr, kb = frame.luma_weights
    y = (luma_levels(frame) - black) / luma_span
    layout, (across, down) = frame.format, frame.cosited
    rows = chroma_to_pixels(frame.height, layout.chroma_y, down)
    columns = chroma_to_pixels(frame.width, layout.chroma_x, across)
    u, v = ((rows @ levels @ columns.T - grey) / chroma_span for levels in chroma_levels(frame))
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
        u + colored_mean(du, frame) * chroma_span,
        v + colored_mean(dv, frame) * chroma_span,
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


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    location=st.sampled_from([LEFT, CENTER, TOP_LEFT, TOP]),
)
@settings(max_examples=60)
def test_every_size_and_place_of_chroma_converts_as_float64_does(
    width: int, height: int, location: int
) -> None:
    frame = random_frame("yuv420p", width, height, color=ColorInfo(chroma_location=location))
    np.testing.assert_allclose(rgb_from_planes(frame), rgb_exactly(frame), atol=5e-6)
    change = random_change(frame)
    assert_planes_close(planes_with_change(frame, change), change_exactly(frame, change), CPU)


def test_chroma_on_a_pixel_colours_it_alone() -> None:
    """One bluish sample among grey ones, worked by hand: full on its pixel, half beside it."""
    planes: Any = [np.full((4, 8), 100, np.uint8), *np.full((2, 2, 4), 128, np.uint8)]
    planes[1][1, 2] += 20
    beside, covering = [0, 0, 0, 0.5, 1, 0.5, 0, 0], [0, 0, 0, 0, 1, 1, 0, 0]
    for location, row, above in ((LEFT, beside, 0), (CENTER, covering, 0), (TOP_LEFT, beside, 0.5)):
        color = ColorInfo(1, 2, chroma_location=location)
        red, _, blue = rgb_from_planes(Frame(tuple(planes), "yuv420p", color=color))
        share = (blue - red) / (2 * 2 * (1 - 0.0722) * 20 / 255)
        expected = np.outer([0, above, 1, 1], row)
        np.testing.assert_allclose(share, expected, atol=1e-6)


def test_the_usual_place_of_chroma_is_that_of_the_standards() -> None:
    def cosited(name: str, **color: int) -> tuple[bool, bool]:
        return random_frame(name, 8, 8, color=ColorInfo(**color)).cosited

    assert cosited("yuv420p") == cosited("nv12", matrix=1, range=2) == (True, False)
    assert cosited("p010le", matrix=9) == (True, True)
    assert cosited("yuvj420p") == (False, False)
    assert cosited("yuvj420p", chroma_location=LEFT) == (True, False)
    assert cosited("yuv422p", chroma_location=TOP_LEFT) == (True, False)
    assert cosited("yuv444p") == (False, False)


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
