"""A grid's effect, weaker and stronger, and as strong as a brightness takes."""

from __future__ import annotations

import numpy as np
import pytest
from support.grids import brightening
from support.random_frames import random_frame

from tapetum.gan.model_kinds import LEVELS
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_strength import strengthened, with_brightness

LUMA = (((np.arange(LEVELS) + 0.5) / LEVELS) ** 2)[:, np.newaxis, np.newaxis]


def made_of(luma: np.ndarray, grid: np.ndarray) -> np.ndarray:
    made: np.ndarray = grid[0] * luma + grid[1]
    return made


def power(exponent: float) -> np.ndarray:
    """The grid of the curve Y^exponent."""
    grid = identity_grid()
    grid[[0, 2, 5]] = LUMA ** (exponent - 1)
    return grid


def test_none_of_a_grid_is_the_identity_and_all_of_it_the_grid_itself() -> None:
    grid = brightening()
    assert (strengthened(grid, 0) == identity_grid()).all()
    assert strengthened(grid, 1) is grid
    np.testing.assert_allclose(strengthened(grid, 0.5), (identity_grid() + grid) / 2, rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.3, 0.6, 1.5])
def test_twice_as_strong_is_stronger_within_the_range_and_rises(exponent: float) -> None:
    once = made_of(LUMA, power(exponent))
    twice = made_of(LUMA, strengthened(power(exponent), 2))
    assert (np.abs(twice - LUMA) > np.abs(once - LUMA))[:-1].all()
    assert (np.sign(twice - LUMA) == np.sign(once - LUMA)).all()
    assert (twice > 0).all()
    assert (twice < 1).all()
    assert (np.diff(twice, axis=0) > 0).all()


def test_strength_over_1_keeps_the_ratio_of_colour_to_light() -> None:
    once, twice = power(0.5), strengthened(power(0.5), 1.7)
    ratio = made_of(LUMA, twice) / made_of(LUMA, once)
    np.testing.assert_allclose(twice[2], once[2] * ratio, rtol=1e-5)


def test_no_sample_clips_at_the_greatest_strength_that_did_not_before() -> None:
    frame = random_frame("yuv420p", 64, 48)
    once, twice = (apply_grid(frame, strengthened(power(0.4), s))[0] for s in (1, 2))
    assert (twice[once < 235] < 235).all()
    assert twice.mean() > once.mean() + 5


@pytest.mark.parametrize("wanted", [0.2, 0.3, 0.4])
def test_a_brightness_is_met(wanted: float) -> None:
    cells = np.full((16, 16), 0.12, np.float32)
    grid = with_brightness(power(0.5), cells, wanted)
    found = np.interp(np.sqrt(0.12), np.sqrt(LUMA.ravel()), grid[0, :, 0, 0]) * 0.12
    assert found == pytest.approx(wanted, abs=0.02)


def test_a_brightness_out_of_reach_gets_the_greatest_strength_or_none() -> None:
    cells = np.full((16, 16), 0.12, np.float32)
    assert (with_brightness(power(0.9), cells, 0.9) == strengthened(power(0.9), 2)).all()
    assert (with_brightness(power(0.9), cells, 0.05) == identity_grid()).all()
