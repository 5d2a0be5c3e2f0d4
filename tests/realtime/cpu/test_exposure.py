"""How dark a picture is: what needs the effect, what stays, and nothing that switches between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.cuda_parts import grid_engine
from support.grids import brightening
from support.random_frames import random_frame

from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.exposure import SteadyDarkness, cell_luma, darkness
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.enhancer import Enhancer


def thumbnail(*bands: float) -> np.ndarray:
    """Horizontal bands of these lumas, of the same height."""
    rows = np.repeat(np.array(bands, np.float32), 256 // len(bands))
    return np.broadcast_to(rows[:, np.newaxis], (1, 3, 256, 256)).copy()


def test_cells_have_the_luma_of_their_pixels() -> None:
    cells = cell_luma(thumbnail(0.1, 0.4))
    assert cells.shape == (16, 16)
    np.testing.assert_allclose(cells[:8], 0.1, rtol=1e-5)
    np.testing.assert_allclose(cells[8:], 0.4, rtol=1e-5)


def test_dark_pictures_need_the_whole_effect_and_lit_ones_none() -> None:
    assert darkness(thumbnail(0.08)) == 1
    assert darkness(thumbnail(0.4)) == 0
    assert 0 < darkness(thumbnail(0.2)) < 1


def test_lamps_do_not_make_a_night_well_lit() -> None:
    lamps = [1.0 if band % 16 == 0 else 0.05 for band in range(64)]
    assert darkness(thumbnail(*lamps)) == 1


def test_a_black_half_before_a_bright_sky_needs_the_effect() -> None:
    assert darkness(thumbnail(0.95, 0.02)) == 1


def test_the_effect_comes_smoothly_as_light_falls() -> None:
    shares = [darkness(thumbnail(luma)) for luma in np.linspace(0.5, 0.02, 200)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(0 <= later - before < 0.05 for before, later in pairwise(shares))


def test_over_time_it_comes_smoothly_even_where_light_is_switched_off() -> None:
    steady = SteadyDarkness()
    assert steady(thumbnail(0.5), time_s=0.0) == 0
    shares = [steady(thumbnail(0.05), time_s=frame / 30) for frame in range(1, 61)]
    assert shares[0] < 0.15
    assert shares[-1] > 0.95
    assert all(later > before for before, later in pairwise(shares))
    steady.reset()
    assert steady(thumbnail(0.05), time_s=2.1) == 1


def test_only_when_dark_is_the_default_of_an_enhancer_and_can_be_overridden() -> None:
    lit = np.full((64, 64, 3), 120, np.uint8)
    dark = np.full((64, 64, 3), 12, np.uint8)
    assert (Enhancer()(lit) == lit).all()
    assert (Enhancer()(dark) > 30).all()
    assert (Enhancer(when_dark=False)(dark) == Enhancer()(dark)).all()


@pytest.mark.slow
def test_unet_leaves_well_lit_images_too() -> None:
    lit = np.full((64, 64, 3), 120, np.uint8)
    assert (Enhancer("unet")(lit) == lit).all()
    assert (Enhancer("unet", when_dark=False)(lit) != lit).any()


def test_a_brightness_is_what_every_picture_comes_to() -> None:
    for level in (15, 30, 60):
        made = Enhancer(brightness=0.4)(np.full((64, 64, 3), level, np.uint8))
        assert made.mean() / 255 == pytest.approx(0.4, abs=0.06)


def test_a_brightness_is_for_grid_models_and_within_its_range() -> None:
    with pytest.raises(ValueError, match=r"brightness is for grid models; unet is none"):
        Enhancer("unet", brightness=0.4)
    with pytest.raises(ValueError, match=r"brightness is over 0 and under 1; got 1.5"):
        Enhancer(brightness=1.5)


def test_the_aim_of_a_grid_enhancer_is_in_the_grid_that_it_gives_away() -> None:
    lit = GridEnhancer(grid_engine(brightening()), aim=Aim())
    assert (lit.steady_grid(thumbnail(0.5), time_s=None) == identity_grid()).all()
    frame = random_frame("yuv420p", 32, 32)
    assert (lit(frame).planes[0] == frame.planes[0]).all()
