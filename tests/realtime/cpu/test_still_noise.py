"""The noise of one picture: measured as it is, and never mistaken for what the picture shows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tapetum.realtime.cpu.fixed_point import fixed_samples, halve
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.rgb import frame_from_rgb
from tapetum.realtime.cpu.still_noise import (
    BLOCK,
    StillNoise,
    describe_blocks,
    measure_blocks,
    still_noise,
)
from tapetum.realtime.frame import Frame
from tapetum.realtime.sample_range import sample_range

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 240, 320


def lit_scene(rough: float = 0.0) -> Array:
    """(H, W, 3) a dark picture of soft colours and edges, as RGB levels; and of grey texture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    soft = np.stack([20 + 9 * np.sin((x + 40 * c) / 31) + 6 * np.sin(y / 23) for c in range(3)], -1)
    soft += 12.0 * ((x // 53 + y // 47) % 2)[..., np.newaxis]
    grain = np.random.default_rng(9).normal(0, 1, (HEIGHT, WIDTH))
    patches = 0.3 + ((x // 11 + y // 9) % 5) / 2  # texture is here stronger, there weaker
    picture: Array = soft + rough * (patches * cv2.GaussianBlur(grain, (3, 3), 0.8))[..., None]
    return picture


def photo(clean: Array, deviation: float = 0.0, quality: int | None = None) -> Array:
    noise = np.random.default_rng(4).normal(0, deviation, clean.shape)
    levels = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    if quality is None:
        return levels
    _, coded = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))


def brightening(gain: float = 4.0) -> Array:
    grid = identity_grid()
    grid[[0, 2, 5]] = gain
    return grid


def bright(image: Array, denoise: Any = "auto") -> tuple[Array, bool]:
    """Luma made bright, as 8-bit levels, and whether noise was taken out."""
    frame = frame_from_rgb(np.ascontiguousarray(image))
    seen = Restorer(denoise)(frame, brightening())
    luma = apply_grid(frame, brightening(), seen=seen)[0]
    return luma / 1023 * 255, seen is not None


def error_db(luma: Array, clean: Array) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    truth = np.clip(4 * clean @ weights, 0, 255)
    return float(10 * np.log10(255**2 / np.mean((luma - truth) ** 2)))


def measured(image: Array, *, careful: bool = True) -> StillNoise:
    frame = frame_from_rgb(np.ascontiguousarray(image))
    full = [(plane.astype(np.int16) << 5) for plane in frame.planes]
    half = [np.empty((HEIGHT // 2, WIDTH // 2), np.int16) for _ in range(3)]
    for plane, smaller in zip(full, half, strict=True):
        halve(fixed_samples(plane), 1, 1, smaller)
    return still_noise(full, half, sample_range(frame), 10, careful=careful)


@pytest.mark.parametrize("every", [1, 3])
def test_blocks_are_measured_as_in_float64(every: int) -> None:
    rng = np.random.default_rng(1)
    plane = rng.integers(0, 32768, (60, 45)).astype(np.int16)
    down = 2.0 * plane[1:-1] - plane[:-2] - plane[2:]
    rest = (2 * down[:, 1:-1] - down[:, :-2] - down[:, 2:]) / 6
    rows, columns = 58 // BLOCK, 43 // BLOCK
    blocks = rest[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    expected = np.sqrt((blocks**2).mean(axis=(1, 3)))[::every]
    found = np.empty(expected.shape, np.float32)
    measure_blocks(plane, every, found)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    inner = plane[1:, 1:][: rows * BLOCK, : columns * BLOCK].astype(float)
    means = inner.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))[::every]
    place = np.empty(expected.shape, np.uint8)
    describe_blocks(plane, np.arange(256).astype(np.uint8), every, place)
    np.testing.assert_array_equal(place, (means // 128).astype(np.uint8))


def test_white_noise_is_measured_as_it_is() -> None:
    noise = measured(photo(lit_scene(), 4.0))
    luma_of_rgb = np.sqrt(0.2126**2 + 0.7152**2 + 0.0722**2)  # of noise in three colours
    full, half, _ = noise.by_size[0] * noise.luma[25]
    assert full / 128 == pytest.approx(4.0 * luma_of_rgb, rel=0.15)
    assert half / 128 == pytest.approx(2.0 * luma_of_rgb, rel=0.15)
    assert noise.by_size[1:, 1] * noise.luma[25] / 128 == pytest.approx(2.0 * 0.66, rel=0.2)


@pytest.mark.parametrize("rough", [0.0, 3.0])
@pytest.mark.parametrize("quality", [None, 90])
def test_a_clean_photo_loses_nothing(rough: float, quality: int | None) -> None:
    clean = lit_scene(rough)
    image = photo(clean, quality=quality)
    kept = error_db(bright(image, "off")[0], clean)
    assert error_db(bright(image)[0], clean) > kept - 0.2


@pytest.mark.parametrize(("quality", "gain_db"), [(None, 6.0), (92, 2.0)])
def test_a_noisy_photo_is_cleaned(quality: int | None, gain_db: float) -> None:
    clean = lit_scene()
    image = photo(clean, 4.0, quality)
    luma, is_cleaned = bright(image)
    assert is_cleaned
    assert error_db(luma, clean) > error_db(bright(image, "off")[0], clean) + gain_db


def test_noise_in_texture_takes_no_texture() -> None:
    clean = lit_scene(4.0)
    image = photo(clean, 2.0)
    assert error_db(bright(image)[0], clean) > error_db(bright(image, "off")[0], clean) - 0.2


def test_a_grey_photo_is_judged_by_its_luma() -> None:
    clean = lit_scene().mean(axis=2, keepdims=True).repeat(3, 2)
    noisy = clean + np.random.default_rng(2).normal(0, 4, (HEIGHT, WIDTH, 1))
    luma, is_cleaned = bright(photo(noisy))
    assert is_cleaned
    assert error_db(luma, clean) > error_db(bright(photo(noisy), "off")[0], clean) + 6


def fine_texture() -> Array:
    """As strong all over as a sensor's noise is."""
    grain = np.random.default_rng(9).normal(0, 6, (HEIGHT, WIDTH))
    texture: Array = 45 + 8 * np.sin(np.arange(WIDTH) / 31) + cv2.GaussianBlur(grain, (3, 3), 0.6)
    return texture


def lines_of_text() -> Array:
    """Rows of strokes in one half of the picture, and nothing in the other."""
    strokes = np.random.default_rng(5).random((HEIGHT // 2, WIDTH // 2)) < 0.4
    y = np.arange(HEIGHT)[:, np.newaxis]
    lines = (y < HEIGHT / 2) & (y % 12 < 8)
    text: Array = np.where(lines & strokes.repeat(2, 0).repeat(2, 1), 60.0, 20.0)
    return text


@pytest.mark.parametrize("drawn", [fine_texture, lines_of_text])
def test_the_first_frame_of_a_clean_video_is_not_painted(drawn: Callable[[], Array]) -> None:
    waves = 5 * np.sin(np.add(*np.mgrid[: HEIGHT // 2, : WIDTH // 2]) / 4)
    colours = 128 + waves * (drawn is fine_texture)
    planes = [np.rint(plane).astype(np.uint8) for plane in (drawn(), colours, colours)]
    frame = Frame((planes[0], planes[1], planes[2]), "yuv420p", pts=0, time_base=Fraction(1, 25))
    assert Restorer("auto")(frame, brightening()) is None


def test_a_number_takes_all_for_noise_that_the_calmest_blocks_show() -> None:
    image = photo(lit_scene(3.0))
    assert measured(image).luma.max() < measured(image, careful=False).luma.max()
    assert not bright(image)[1]
    assert bright(image, 1.0)[1]


@pytest.mark.parametrize("shape", [(1, 1), (9, 9), (10, 300), (17, 40)])
def test_small_pictures_show_no_noise_for_sure(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 60, (*shape, 3)).astype(np.uint8)
    assert bright(image)[0].shape == shape
