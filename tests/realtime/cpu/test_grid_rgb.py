"""The grid on RGB images in one pass, against the way through a frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import random_grid

from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_rgb import apply_to_pixels
from tapetum.realtime.cpu.rgb import (
    Order,
    RgbImage,
    frame_from_rgb,
    is_red_first,
    pixel_rows,
    pixel_rows_to_fill,
    rgb_from_frame,
)
from tapetum.realtime.cpu.thumbnail import image_thumbnail, thumbnail
from tapetum.realtime.synthetic_source import SyntheticSource

ORDERS = st.sampled_from(["rgb", "bgr"])


def in_one_pass(image: RgbImage, grid: np.ndarray, order: Order) -> RgbImage:
    made, red_first = np.empty(image.shape, np.uint8), is_red_first(order)
    target = pixel_rows_to_fill(made, red_first=red_first)
    apply_to_pixels(pixel_rows(image, red_first=red_first), grid, target)
    return made


def through_a_frame(image: RgbImage, grid: np.ndarray, order: Order) -> RgbImage:
    frame = frame_from_rgb(image, order=order)
    return rgb_from_frame(frame.with_planes(apply_grid(frame, grid)), order=order)


@settings(max_examples=25)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 70),
    brightest=st.sampled_from([8, 60, 255]),
    seed=st.integers(0, 99),
    order=ORDERS,
)
def test_one_pass_is_within_a_level_of_the_way_through_a_frame(
    height: int, width: int, brightest: int, seed: int, order: Order
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, brightest, (height, width, 3), np.uint8, endpoint=True)
    grid = random_grid(seed)
    grid[0] *= 2.5  # as dark pictures want it
    found, wanted = (way(image, grid, order) for way in (in_one_pass, through_a_frame))
    assert np.abs(found.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_the_identity_keeps_every_colour(order: Order) -> None:
    levels = np.arange(0, 256, dtype=np.uint8)
    for red in range(0, 256, 15):
        image = np.empty((256, 256, 3), np.uint8)
        image[..., 0], image[..., 1], image[..., 2] = red, levels[:, None], levels
        np.testing.assert_array_equal(in_one_pass(image, identity_grid(), order), image)


def test_alpha_is_kept() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 33, 4), np.uint8)
    grid = random_grid(1)
    made = in_one_pass(image, grid, "rgb")
    np.testing.assert_array_equal(made[..., 3], image[..., 3])
    colors = np.ascontiguousarray(image[..., :3])
    np.testing.assert_array_equal(made[..., :3], in_one_pass(colors, grid, "rgb"))


@pytest.mark.parametrize(("shape", "order"), [((300, 400, 3), "rgb"), ((70, 50, 4), "bgr")])
def test_the_thumbnail_of_an_image_is_that_of_its_frame(
    shape: tuple[int, ...], order: Order
) -> None:
    image = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    found = image_thumbnail(pixel_rows(image, red_first=is_red_first(order)))
    frame = frame_from_rgb(image[..., :3], order=order)
    np.testing.assert_allclose(found, thumbnail(frame), atol=1.1 / 255)


def test_a_frame_of_another_format_is_no_image() -> None:
    with pytest.raises(ValueError, match="yuv444p10le; got yuv420p"):
        rgb_from_frame(next(iter(SyntheticSource(32, 16, frames=1))))
