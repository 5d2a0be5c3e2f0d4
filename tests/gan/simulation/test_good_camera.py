"""What should be made of a scene."""

from __future__ import annotations

import numpy as np
import pytest

from tapetum.gan.simulation.conditions import Conditions, ideal, visible_share
from tapetum.gan.simulation.good_camera import exposure_for, range_fitted, shown
from tapetum.gan.simulation.radiance import luminance


def interior() -> np.ndarray:
    """A dim coloured room with a window 200 times as bright."""
    rng = np.random.default_rng(1)
    room = rng.uniform(0.5, 1.5, (96, 96, 3)).astype(np.float32) * np.array(
        (1.0, 0.6, 0.3), np.float32
    )
    room[20:50, 20:50] = 200
    return room


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("luma", [0.2, 0.45])
def test_the_exposure_is_found_in_any_unit_of_light(unit: float, luma: float) -> None:
    radiance = interior() * np.float32(unit)
    picture = shown(radiance * np.float32(exposure_for(radiance, luma)))
    assert luminance(picture).mean() == pytest.approx(luma, abs=0.01)


def test_the_range_is_fitted_and_the_order_of_light_kept() -> None:
    before = luminance(interior())
    after = luminance(range_fitted(interior()))
    window, room = (35, 35), (80, 80)
    assert 2 < after[window] / after[room] < 0.6 * before[window] / before[room]


def test_no_hue_turns() -> None:
    color = np.array((0.9, 0.4, 0.1), np.float32)
    light = np.geomspace(0.01, 20, 200, dtype=np.float32)[None, :, None]
    linear = shown(light * color) ** 2.2
    middle = (linear[..., 1] - linear[..., 2]) / (linear[..., 0] - linear[..., 2] + 1e-9)
    saturated = (linear[..., 0] - linear[..., 2]) > 0.02
    np.testing.assert_allclose(middle[saturated], (0.4 - 0.1) / (0.9 - 0.1), atol=0.05)


def test_nothing_is_asked_back_where_no_light_was_recorded() -> None:
    radiance = np.full((64, 64, 3), 0.2, np.float32)
    radiance[:, 32:] = 1e-6
    conditions = Conditions(exposure=0.02, electrons=2000)
    share = visible_share(radiance, conditions)
    assert share[32, 5] > 0.9
    assert share[32, 60] < 0.01
    display = np.full((64, 64, 3), 0.5, np.float32)
    wanted = ideal(display, radiance, conditions)
    assert wanted[32, 5].mean() > 110
    assert wanted[32, 60].max() <= 2


def test_the_ideal_is_nowhere_darker_than_the_recording() -> None:
    radiance = np.full((32, 32, 3), 0.8, np.float32)
    wanted = ideal(np.full((32, 32, 3), 0.2, np.float32), radiance, Conditions(1.0, 1e5))
    assert wanted.min() >= int(255 * 0.8 ** (1 / 2.2))
