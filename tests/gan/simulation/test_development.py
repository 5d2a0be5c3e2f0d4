"""From numbers to pictures, and what storing leaves of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tapetum.gan.simulation.coding import Coding, coded, h264, jpeg, limited_range
from tapetum.gan.simulation.development import Development, denoised, developed, tone_curve
from tapetum.gan.simulation.sensor import Sensor, bayer_mosaic, converted

SENSOR = Sensor(
    (0.5, 1.0, 0.6),
    read_noise_e=0,
    row_noise_e=0,
    offset_e=0,
    nonuniformity=0,
    shading=0,
    bits=16,
)
PLAIN = Development(white_balance=(2.0, 1.0, 1 / 0.6))


def picture_of(linear: tuple[float, float, float], development: Development) -> np.ndarray:
    rgb = np.broadcast_to(
        np.array(linear, np.float32) * np.array(SENSOR.response, np.float32), (16, 16, 3)
    )
    return developed(converted(bayer_mosaic(rgb), SENSOR, 1.0), SENSOR, development)


@pytest.mark.parametrize("linear", [(0.5, 0.5, 0.5), (0.8, 0.1, 0.2), (0.05, 0.3, 0.6)])
def test_an_even_color_comes_out_as_it_was(linear: tuple[float, float, float]) -> None:
    expected = 255 * np.array(linear) ** (1 / 2.2)
    picture = picture_of(linear, PLAIN)
    np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1)


def test_sharpening_and_denoising_leave_even_areas_alone() -> None:
    worked = replace(PLAIN, denoising=0.05, sharpening=0.8)
    np.testing.assert_allclose(
        picture_of((0.3, 0.4, 0.2), worked).astype(int),
        picture_of((0.3, 0.4, 0.2), PLAIN).astype(int),
        atol=1,
    )


def test_denoising_takes_noise_and_keeps_an_edge() -> None:
    rng = np.random.default_rng(1)
    edge = np.where(np.arange(64) < 32, 0.2, 0.7)[None, :, None]
    clean = np.broadcast_to(edge, (64, 64, 3)).astype(np.float32)
    noisy = clean + rng.normal(0, 0.03, clean.shape).astype(np.float32)
    smooth = denoised(noisy, 0.06)
    assert (smooth - clean)[:, :24].std() < 0.6 * (noisy - clean)[:, :24].std()
    assert smooth[:, 34].mean() - smooth[:, 29].mean() == pytest.approx(0.5, abs=0.05)


def test_the_tone_curve_rises_from_black_to_white() -> None:
    curve = tone_curve(np.linspace(-0.1, 1.1, 100, dtype=np.float32), Development(contrast=0.3))
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1)
    assert np.all(np.diff(curve) >= 0)


def scene() -> np.ndarray:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return coarse.repeat(16, 0).repeat(16, 1)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(float) - second.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / error))


def test_limited_range_keeps_greys_to_a_level() -> None:
    greys = np.arange(256, dtype=np.uint8).repeat(2).reshape(2, 256).repeat(2, 0)
    picture = np.repeat(greys[..., None], 3, 2)
    assert np.abs(limited_range(picture).astype(int) - picture).max() <= 2


def test_a_lower_quality_loses_more() -> None:
    picture = scene()
    assert psnr(jpeg(picture, 30), picture) < psnr(jpeg(picture, 95), picture)
    rates = [h264([picture] * 3, bits_per_pixel=rate, fps=30)[-1] for rate in (0.02, 1.0)]
    assert psnr(rates[0], picture) < psnr(rates[1], picture)


@pytest.mark.parametrize("codec", ["none", "limited", "jpeg", "h264"])
def test_every_codec_gives_every_frame_back(codec: str) -> None:
    pictures = [np.full((32, 48, 3), level, np.uint8) for level in (20, 120, 220)]
    stored = coded(pictures, Coding(codec, bits_per_pixel=1.0))  # type: ignore[arg-type]
    assert [picture.shape for picture in stored] == [(32, 48, 3)] * 3
    for before, after in zip(pictures, stored, strict=True):
        assert np.abs(after.astype(int) - before).mean() < 4
