"""Hue and saturation, against colours whose Lab values are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tapetum.gan.color_metrics import hue_change_degrees, saturation_ratio


def picture(lightness: float, chroma: float, hue_degrees: float) -> np.ndarray:
    hue = np.radians(hue_degrees)
    lab = np.array((lightness, chroma * np.cos(hue), chroma * np.sin(hue)), np.float32)
    rgb = cv2.cvtColor(np.broadcast_to(lab, (16, 16, 3)).copy(), cv2.COLOR_Lab2RGB)
    return np.rint(255 * rgb).astype(np.uint8)


@pytest.mark.parametrize(("before", "after", "turned"), [(40, 40, 0), (40, 75, 35), (350, 20, 30)])
def test_a_turned_hue_is_measured_in_degrees(before: float, after: float, turned: float) -> None:
    change = hue_change_degrees(picture(70, 30, after), picture(50, 30, before))
    assert change == pytest.approx(turned, abs=1.5)


def test_saturation_is_chroma_relative_to_lightness() -> None:
    dark = picture(30, 20, 60)
    assert saturation_ratio(picture(60, 40, 60), dark) == pytest.approx(1, abs=0.05)
    assert saturation_ratio(picture(60, 20, 60), dark) == pytest.approx(0.5, abs=0.05)


def test_a_picture_has_its_own_colors() -> None:
    photo = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    photo[..., 2] //= 8
    assert hue_change_degrees(photo, photo) == 0
    assert saturation_ratio(photo, photo) == 1


def test_a_color_that_became_grey_is_far_from_its_hue() -> None:
    assert hue_change_degrees(picture(60, 0, 0), picture(60, 30, 10)) == 90


def test_noise_of_what_is_grey_has_no_hue() -> None:
    noise = np.random.default_rng(1).normal(60, 12, (64, 64, 3)).clip(0, 255).astype(np.uint8)
    grey = np.full((64, 64, 3), 60, np.uint8)
    assert hue_change_degrees(noise, grey) is None
    assert saturation_ratio(noise, grey) is None


def test_strong_colors_count_more_than_pale_ones() -> None:
    before = np.hstack((picture(50, 40, 0), picture(50, 10, 0)))
    after = np.hstack((picture(50, 40, 0), picture(50, 10, 60)))
    assert hue_change_degrees(after, before) == pytest.approx(60 * 10 / 50, abs=2)
