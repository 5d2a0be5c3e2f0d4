"""The sensor's noise and numbers, against what they must be on average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tapetum.gan.simulation.sensor import (
    Sensor,
    bayer_mosaic,
    collected_electrons,
    converted,
    fixed_pattern,
    lens_shading,
    light_of,
    read_out,
)

SIDE = 256
SILENT = Sensor(
    (1.0, 1.0, 1.0), read_noise_e=0, row_noise_e=0, offset_e=0, nonuniformity=0, shading=0
)


def frame(sensor: Sensor, electrons: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    even = np.full((SIDE, SIDE), electrons, np.float32)
    return read_out(even, sensor, fixed_pattern(sensor, SIDE, SIDE, rng), rng)


@pytest.mark.parametrize("electrons", [0.5, 5, 200, 20_000])
def test_photons_have_the_variance_of_their_mean(electrons: float) -> None:
    counted = frame(SILENT, electrons)
    assert counted.mean() == pytest.approx(electrons, rel=0.02)
    assert counted.var() == pytest.approx(electrons, rel=0.05)


def test_reading_adds_its_own_variance() -> None:
    counted = frame(replace(SILENT, read_noise_e=3), 7)
    assert counted.var() == pytest.approx(7 + 9, rel=0.05)


def test_a_rows_noise_is_shared_by_the_row_and_new_in_each_frame() -> None:
    sensor = replace(SILENT, row_noise_e=2)
    first, second = frame(sensor, 0, seed=1), frame(sensor, 0, seed=2)
    assert first.std(axis=1).max() < 1e-5
    assert first.mean(axis=1).std() == pytest.approx(2, rel=0.2)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.3


def test_the_fixed_pattern_stays_from_frame_to_frame() -> None:
    sensor = replace(SILENT, offset_e=4, nonuniformity=0.05)
    rng = np.random.default_rng(1)
    pattern = fixed_pattern(sensor, SIDE, SIDE, rng)
    even = np.full((SIDE, SIDE), 400, np.float32)
    frames = [read_out(even, sensor, pattern, rng) for _ in range(2)]
    shared = np.cov(frames[0].ravel(), frames[1].ravel())[0, 1]
    assert shared == pytest.approx(4**2 + (0.05 * 400) ** 2, rel=0.05)


def test_the_lens_gives_the_corners_less() -> None:
    shading = lens_shading(101, 201, 0.4)
    assert shading[50, 100] == pytest.approx(1)
    assert shading[0, 0] == pytest.approx(0.6, rel=1e-3)
    assert shading[50, 0] > shading[0, 0]
    np.testing.assert_allclose(shading, shading[::-1, ::-1], rtol=1e-5)


def test_each_photosite_sees_one_color() -> None:
    rgb = np.broadcast_to(np.array((1, 2, 3), np.float32), (4, 6, 3))
    np.testing.assert_array_equal(bayer_mosaic(rgb)[:2, :2], [[1, 2], [2, 3]])


def test_no_light_is_lost_but_to_filters_and_lens() -> None:
    radiance = np.random.default_rng(1).uniform(0, 2, (8, 8, 3)).astype(np.float32)
    electrons = collected_electrons(radiance, SILENT, 100)
    assert electrons.sum() == pytest.approx(100 * bayer_mosaic(radiance).sum(), rel=1e-5)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_converter_rounds_to_its_bits_and_keeps_what_is_below_black(bits: int) -> None:
    sensor = replace(SILENT, bits=bits)
    electrons = np.linspace(-5, 100, 1001, dtype=np.float32).reshape(7, 143)
    light = light_of(converted(electrons, sensor, 1 / 100), sensor)
    step = 1 / (2**bits - 1) / (1 - sensor.black_level)
    np.testing.assert_allclose(light, electrons / 100, atol=0.51 * step + 2e-5)
    assert light.min() < 0


def test_what_is_too_bright_is_the_top() -> None:
    light = light_of(converted(np.full((2, 2), 1e6, np.float32), SILENT, 1.0), SILENT)
    np.testing.assert_allclose(light, 1)
