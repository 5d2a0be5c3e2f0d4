"""RGB images through the restoring stage: chroma at half size, and what of its detail stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.grids import random_grid

from tapetum.realtime import Enhancer
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.cpu.grid_rgb import apply_to_pixels
from tapetum.realtime.cpu.restored_pixels import (
    RestoredPixels,
    half_chroma_frame,
    restored_pixels,
)
from tapetum.realtime.cpu.restoring_space import WHOLE, FineChroma
from tapetum.realtime.cpu.rgb import (
    Order,
    RgbImage,
    frame_from_rgb,
    is_red_first,
    pixel_rows,
    pixel_rows_to_fill,
)
from tapetum.realtime.frame import Frame

LAMPS = ((220, 30, 20), (20, 200, 30), (30, 40, 220), (230, 200, 40))


def means_of_four(plane: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    height, width = plane.shape
    even = np.pad(plane.astype(float), ((0, height % 2), (0, width % 2)), mode="edge")
    means: npt.NDArray[np.float64] = even.reshape(len(even) // 2, 2, -1, 2).mean(axis=(1, 3))
    return means


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 4), (7, 70, 3), (36, 33, 4), (64, 128, 3)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_the_frame_has_the_luma_of_each_pixel_and_the_mean_chroma_of_four(
    shape: tuple[int, ...], order: Order
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for seen in (image, image[::-1], np.repeat(image, 2, axis=0)[::2]):
        frame = half_chroma_frame(pixel_rows(seen, red_first=is_red_first(order)), time_s=0.5)
        whole = frame_from_rgb(seen, order=order, time_s=0.5)
        assert (frame.format_name, frame.color, frame.time_s) == ("yuv420p10le", whole.color, 0.5)
        np.testing.assert_allclose(frame.planes[0], whole.planes[0], atol=1)  # ties
        for plane, full in zip(frame.planes[1:], whole.planes[1:], strict=True):
            np.testing.assert_allclose(plane, means_of_four(np.asarray(full)), atol=1.51)


def changed(
    image: RgbImage, weight: int, step: int = 0, tolerance: float = 40, order: Order = "rgb"
) -> tuple[Frame, RestoredPixels]:
    """An image whose chroma is restored to so many levels of 10 bits more."""
    red_first = is_red_first(order)
    seen = half_chroma_frame(pixel_rows(image, red_first=red_first))
    luma, *chroma = seen.planes
    planes = luma, *(np.asarray(plane + np.uint16(step)) for plane in chroma)
    weights = np.full(chroma[0].shape, weight, np.int16)
    fine = FineChroma(weights, (32 * tolerance, 32 * tolerance))
    return seen, restored_pixels(seen, seen.with_planes(planes), fine, red_first=red_first)


def applied(
    image: RgbImage, restored: RestoredPixels | None, grid: npt.NDArray[np.float32], order: Order
) -> RgbImage:
    made, red_first = np.empty(image.shape, np.uint8), is_red_first(order)
    rows, target = (
        pixel_rows(image, red_first=red_first),
        pixel_rows_to_fill(made, red_first=red_first),
    )
    if restored is None:
        apply_to_pixels(rows, grid, target)
    else:
        apply_to_pixels(rows, grid, target, restored)
    return made


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2, 4), (31, 45, 3), (40, 64, 3)])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_where_nothing_is_restored_every_pixel_stays(shape: tuple[int, ...], order: Order) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    grid = random_grid(3)
    found = applied(image, changed(image, 0, order=order)[1], grid, order)
    np.testing.assert_array_equal(found, applied(image, None, grid, order))


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("size", [(24, 32), (25, 33)])
def test_noise_of_single_pixels_goes_and_what_half_size_changed_comes(
    size: tuple[int, int], order: Order
) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(96, 105, (*size, 3), np.uint8)
    seen, restored = changed(image, WHOLE, 20, tolerance=200, order=order)
    made = frame_from_rgb(applied(image, restored, identity_grid(), order), order=order)
    for plane, half in zip(made.planes[1:], seen.planes[1:], strict=True):
        near = np.repeat(np.repeat(half.astype(float), 2, 0), 2, 1)[: size[0], : size[1]]
        edged = np.pad(half.astype(float) + 20, 1, mode="edge")
        rows, columns = (np.arange(n) for n in size)
        down, across = (np.where(at % 2, 1, -1) for at in (rows, columns))
        y, x = rows // 2 + 1, columns // 2 + 1
        wanted = 9 / 16 * (near + 20)
        wanted += 3 / 16 * edged[np.ix_(y + down, x)] + 3 / 16 * edged[np.ix_(y, x + across)]
        wanted += edged[np.ix_(y + down, x + across)] / 16
        np.testing.assert_allclose(plane, wanted, atol=4)  # a level of 8 bits is 4 of these


def lamps(rng: np.random.Generator | None = None) -> RgbImage:
    """Coloured lamps, lines and dots on a dark wall, with noise or without."""
    image = np.full((96, 192, 3), (18, 18, 24), float)
    for place, color in enumerate(LAMPS):
        left = 9 + 46 * place
        image[10:41, left : left + 31] = color
        image[50:70, left : left + 20 : 5] = color
        for dot in range(8):
            image[74 + 2 * dot, left + 3 * dot] = color
    noise = 0 if rng is None else rng.normal(0, 4, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def restored_lamps(model: Path, frames: int = 8) -> tuple[RgbImage, RgbImage, RgbImage]:
    """The last noisy frame: with noise taken out, with it left in; and what it is without."""
    rng, restoring = np.random.default_rng(4), Enhancer(model, when_dark=False)
    leaving = Enhancer(model, when_dark=False, denoise="off")
    made = last = lamps(rng)
    for index in range(frames):
        last = lamps(rng)
        made = restoring(last, time_s=index / 30)
    return made, leaving(last), leaving(lamps())


def test_the_colours_of_lamps_do_not_bleed_into_the_wall(gain_model: Path) -> None:
    made, noisy, wanted = (image.astype(float) for image in restored_lamps(gain_model))
    error, before = (np.abs(image - wanted).max(axis=2) for image in (made, noisy))
    wall = (lamps() == (18, 18, 24)).all(axis=2)
    assert np.square(error).mean() < 0.25 * np.square(before).mean()
    # Beside a lamp some noise stays, as it was.
    assert error[wall].max() <= before[wall].max() + 3
    assert np.square(error[~wall]).mean() < np.square(before[~wall]).mean()


def test_a_clean_stream_is_as_with_noise_left_in(gain_model: Path) -> None:
    restoring, leaving = (
        Enhancer(gain_model, when_dark=False, denoise=how) for how in ("auto", "off")
    )
    for index in range(8):
        image = np.roll(lamps(), index, axis=1)
        np.testing.assert_array_equal(
            restoring(image, time_s=index / 30), leaving(image, time_s=index / 30)
        )


def test_noise_goes_where_a_stream_is_bgr_with_alpha_as_where_it_is_rgb(gain_model: Path) -> None:
    rng = np.random.default_rng(5)
    streams = [Enhancer(gain_model, when_dark=False) for _ in range(2)]
    for index in range(6):
        image = lamps(rng)
        alpha = rng.integers(0, 256, (*image.shape[:2], 1), np.uint8)
        reversed_image = np.concatenate([image[..., ::-1], alpha], axis=2)
        made = streams[0](image, time_s=index / 30)
        other = streams[1](reversed_image, order="bgr", time_s=index / 30)
        np.testing.assert_allclose(other[..., 2::-1].astype(int), made, atol=1)
        np.testing.assert_array_equal(other[..., 3:], alpha)
