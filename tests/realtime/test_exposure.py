"""How dark a picture is: what needs the effect, what stays, and nothing that switches between."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.cuda_parts import grid_engine
from support.grids import brightening
from support.random_frames import random_frame

from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.enhancer import Enhancer
from tapetum.realtime.errors import ModelError
from tapetum.realtime.exposure import SteadyDarkness, cell_luma, darkness, darkness_by_cell


def thumbnail(*bands: float) -> np.ndarray:
    """Horizontal bands of these lumas, of the same height."""
    rows = np.repeat(np.array(bands, np.float32), 256 // len(bands))
    return np.broadcast_to(rows[:, np.newaxis], (1, 3, 256, 256)).copy()


def cells(*bands: float) -> np.ndarray:
    return cell_luma(thumbnail(*bands))


def test_cells_have_the_luma_of_their_pixels() -> None:
    luma = cells(0.1, 0.4)
    assert luma.shape == (16, 16)
    np.testing.assert_allclose(luma[:8], 0.1, rtol=1e-5)
    np.testing.assert_allclose(luma[8:], 0.4, rtol=1e-5)


def test_dark_pictures_need_the_whole_effect_and_lit_ones_none() -> None:
    assert darkness(cells(0.08)) == 1
    assert darkness(cells(0.4)) == 0
    assert 0 < darkness(cells(0.3)) < 1


def test_lamps_do_not_make_a_night_well_lit() -> None:
    lamps = [1.0 if band % 16 == 0 else 0.05 for band in range(64)]
    assert darkness(cells(*lamps)) == 1


def by_cell(picture: np.ndarray) -> np.ndarray:
    return darkness_by_cell(cell_luma(picture))


def lit_room(luma: float = 0.6) -> np.ndarray:
    return np.full((1, 3, 256, 256), luma, np.float32)


def test_before_a_bright_sky_the_black_half_alone_needs_the_effect() -> None:
    shares = by_cell(thumbnail(0.95, 0.02))
    assert (shares[:6] == 0).all()
    assert shares[9:-1, 1:-1].min() > 0.6


def test_a_person_before_a_window_needs_the_effect_and_the_window_none() -> None:
    picture = lit_room(0.8)
    picture[..., 48:144, 80:160] = 0.05  # the head
    picture[..., 144:, 48:208] = 0.05
    shares = by_cell(picture)
    assert shares[5:8, 6:9].min() > 0.5
    assert shares[10:14, 5:11].min() > 0.7
    assert shares[:8, :2].max() == shares[:7, 13:].max() == 0


def test_small_dark_things_in_a_lit_room_stay_dark() -> None:
    picture = lit_room()
    picture[..., 96:144, 96:128] = 0.02  # a bag
    picture[..., :, 200:216] = 0.02  # the frame of a door
    assert by_cell(picture).max() == 0


def test_shadows_are_lifted_less_where_the_rest_is_less_bright() -> None:
    means = []
    for rest in (0.4, 0.55, 0.9):
        picture = lit_room(rest)
        picture[..., 128:, :] = 0.09
        means.append(by_cell(picture)[9:].mean())
    assert means[0] < means[1] < means[2]


def test_a_picture_in_which_nothing_is_bright_needs_some_of_it() -> None:
    haze = np.linspace(0.17, 0.34, 256, dtype=np.float32)
    city = np.broadcast_to(haze[:, np.newaxis], (1, 3, 256, 256)).copy()
    assert 0.3 < darkness(cell_luma(city)) < 0.8
    city[..., :24, :] = 0.9  # a bright sky above it: a dim street, and lit
    assert darkness(cell_luma(city)) < 0.1


def test_the_effect_comes_smoothly_as_light_falls() -> None:
    shares = [darkness(cells(luma)) for luma in np.linspace(0.5, 0.02, 200)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(0 <= later - before < 0.05 for before, later in pairwise(shares))


def test_over_time_it_comes_smoothly_even_where_light_is_switched_off() -> None:
    steady = SteadyDarkness()
    assert steady(cells(0.5), time_s=0.0) == 0
    shares = [steady(cells(0.05), time_s=frame / 30) for frame in range(1, 61)]
    assert shares[0] < 0.15
    assert shares[-1] > 0.95
    assert all(later > before for before, later in pairwise(shares))
    steady.reset()
    assert steady(cells(0.05), time_s=2.1) == 1


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
    with pytest.raises(ModelError, match=r"brightness is for grid models; unet is none"):
        Enhancer("unet", brightness=0.4)
    with pytest.raises(ValueError, match=r"brightness is over 0 and under 1; got 1.5"):
        Enhancer(brightness=1.5)


def test_the_aim_of_a_grid_enhancer_is_in_the_grid_that_it_gives_away() -> None:
    lit = GridEnhancer(grid_engine(brightening()), aim=Aim())
    assert (lit.steady_grid(thumbnail(0.5), time_s=None) == identity_grid()).all()
    frame = random_frame("yuv420p", 32, 32)
    assert (lit(frame).planes[0] == frame.planes[0]).all()
