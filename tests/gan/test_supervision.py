"""Losses against a known target, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tapetum.gan import supervision
from tapetum.gan.bilateral_grid import identity_grid
from tapetum.gan.supervision import hue_error


def test_a_relit_photo_has_the_examples_light_and_its_own_detail() -> None:
    checkered = 0.3 + 0.1 * (torch.arange(64) % 2 * 2 - 1).expand(1, 3, 64, 64)
    example = torch.full((1, 3, 64, 64), 0.6)
    relit = supervision.relit(checkered, example)
    gain = (0.6 + 1 / 64) / (0.3 + 1 / 64)
    torch.testing.assert_close(relit, checkered * gain)


def test_within_a_cell_of_light_a_relit_photo_keeps_its_own_contrast() -> None:
    halves = 0.4 + 0.2 * (torch.arange(64) // 8 % 2 * 2 - 1).expand(1, 3, 64, 64)
    flat = torch.full((1, 3, 64, 64), 0.4)
    spreads = [supervision.relit(halves, flat, cells).std().item() for cells in (2, 8)]
    assert spreads[0] == pytest.approx(halves.std().item(), rel=1e-4)
    assert spreads[1] < 0.6 * spreads[0]


def test_what_was_not_recorded_is_not_asked_back() -> None:
    level = torch.tensor([0, 6, 30]).view(3, 1, 1, 1).expand(3, 3, 32, 32) / 255
    share = supervision.recorded_share(level)
    assert share.shape == (3, 1, 32, 32)
    by_hand = torch.tensor([0, 36 / (36 + 36), 900 / (900 + 36)])
    torch.testing.assert_close(share[:, 0, 16, 16], by_hand)


def test_relighting_is_bounded_and_leaves_black_black() -> None:
    photos, white = torch.full((1, 3, 32, 32), 0.1), torch.ones(1, 3, 32, 32)
    assert supervision.relit(photos, white).max().item() == pytest.approx(0.4)
    black = torch.zeros(1, 3, 32, 32)
    assert supervision.relit(black, white).max() == 0
    assert supervision.relit(black, black).max() == 0


def test_charbonnier_by_hand() -> None:
    output, target = torch.tensor([0.3, 0.5]), torch.tensor([0.0, 0.9])
    expected = (np.sqrt(0.09 + 1e-6) + np.sqrt(0.16 + 1e-6)) / 2
    assert supervision.charbonnier(output, target).item() == pytest.approx(expected, rel=1e-5)


def test_illumination_error_ignores_detail() -> None:
    target = torch.full((1, 3, 32, 32), 0.5)
    checkered = target + 0.2 * (torch.arange(32) % 2 * 2 - 1)
    assert supervision.illumination_error(checkered, target).item() == pytest.approx(0, abs=1e-6)
    assert supervision.illumination_error(target - 0.1, target).item() == pytest.approx(0.1)
    halves = target + 0.2 * (torch.arange(32) // 8 % 2 * 2 - 1)
    assert supervision.illumination_error(halves, target, 2).item() == pytest.approx(0, abs=1e-6)
    assert supervision.illumination_error(halves, target).item() == pytest.approx(0.2)


def test_contrast_error_ignores_brightness() -> None:
    ramp = torch.linspace(0, 0.31, 32).expand(1, 3, 32, 32)
    assert supervision.contrast_error(ramp + 0.3, ramp).item() == pytest.approx(0, abs=1e-6)
    # 0.01 a pixel, and four times that a cell of 4x4 pixels.
    assert supervision.contrast_error(2 * ramp, ramp).item() == pytest.approx(0.05, rel=1e-4)


def test_noise_does_not_hide_lost_contrast_from_the_contrast_error() -> None:
    noise = 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    edge = (torch.arange(64) // 8 % 2).float().expand(1, 3, 64, 64)
    halved, whole = 0.5 * (edge + noise), edge + noise
    assert supervision.contrast_error(whole, edge) < supervision.contrast_error(halved, edge)


def test_detail_error_ignores_light_and_sees_lost_detail() -> None:
    stripes = 1 + 0.5 * (torch.arange(36) % 2 * 2 - 1).expand(1, 3, 36, 36)
    dark, floor = 0.2 * stripes, 5 / 255
    assert supervision.detail_error(3 * dark, dark).item() == pytest.approx(0, abs=0.01)
    # Of nine stripes around one, five are as it is; its mean lies 4/9 of the step away. Of three,
    # one is, and it lies 2/3 away.
    step = np.log((0.3 + floor) / (0.1 + floor))
    blurred = torch.full_like(dark, 0.2)
    error = supervision.detail_error(blurred, dark).item()
    assert error == pytest.approx(step * (4 / 9 + 2 / 3), rel=0.05)


def test_detail_error_asks_for_the_whole_contrast_of_what_was_dark() -> None:
    stripes = (torch.arange(36) // 2 % 2 * 2 - 1).expand(1, 3, 36, 36)
    dark = (10 + 3 * stripes) / 255
    flattened, whole, doubled = ((80 + share * 24 * stripes) / 255 for share in (0.7, 1, 2))
    least = supervision.detail_error(whole, dark)
    assert least < 0.2 * supervision.detail_error(flattened, dark)
    assert least < 0.2 * supervision.detail_error(doubled, dark)


def test_noise_of_what_is_nearly_black_is_hardly_detail() -> None:
    stripes = (torch.arange(36) % 2 * 2 - 1).expand(1, 3, 36, 36) / 255
    black, grey = 1 / 255 + stripes, 100 / 255 + 100 * stripes
    flat = torch.full_like(black, 0.4)
    noise = supervision.detail_error(flat, black)
    assert noise < 0.2 * supervision.detail_error(flat, grey)


def test_color_error_ignores_light_and_sees_a_tint() -> None:
    floor = 5 / 255
    dark = torch.tensor([0.3, 0.2, 0.1]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    luma = 0.2126 * 0.3 + 0.7152 * 0.2 + 0.0722 * 0.1
    brighter = 3 * (dark + floor) - floor
    assert supervision.color_error(brighter, dark).item() == pytest.approx(0, abs=1e-6)
    grey = torch.full_like(dark, 0.6)
    u, v = (0.1 - luma) / (2 * (1 - 0.0722)), (0.3 - luma) / (2 * (1 - 0.2126))
    by_hand = luma * (abs(u) + abs(v)) / 2 / (luma + floor)
    assert supervision.color_error(grey, dark).item() == pytest.approx(by_hand, rel=1e-4)


def test_the_color_of_black_is_not_asked_for() -> None:
    black, purple = torch.zeros(1, 3, 8, 8), torch.tensor([0.4, 0.2, 0.4]).view(1, 3, 1, 1)
    assert supervision.color_error(purple.expand(1, 3, 8, 8), black) == 0


def test_a_constant_grid_is_smooth_and_a_gain_step_is_a_ratio() -> None:
    grid = identity_grid()
    assert supervision.roughness(grid).item() == 0
    grid[:, 0, :, :, 8:] = np.e
    steps = 1 / 15 / 8  # one of 15 steps between columns, in one of 8 coefficients
    chroma = (2 * (1 / np.e - 1) ** 2) / 15 / 8  # the diagonal, relative to the gain
    assert supervision.roughness(grid).item() == pytest.approx(steps + chroma, rel=1e-5)


def test_only_falling_curves_are_reversed_tones() -> None:
    grid = identity_grid()
    assert supervision.reversed_tones(grid).item() == 0
    grid[:, 1, 4:] = -0.9
    assert supervision.reversed_tones(grid).item() > 0.05


def test_more_light_turns_no_hue_and_another_color_does() -> None:
    color = torch.tensor([0.3, 0.15, 0.05]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert float(hue_error(color * 2.5, color)) < 1e-3
    opposite = color.flip(1)
    assert float(hue_error(opposite, color)) > 0.5
    grey = torch.full((1, 3, 8, 8), 0.4)
    assert float(hue_error(color, grey)) == 0


def test_hue_can_be_learnt_from_grey_and_black() -> None:
    color = torch.tensor([0.3, 0.15, 0.05]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    for start in (torch.zeros_like(color), torch.full_like(color, 0.5)):
        output = start.clone().requires_grad_()
        hue_error(output, color).backward()  # type: ignore[no-untyped-call]  # torch's stubs
        assert output.grad is not None
        assert torch.isfinite(output.grad).all()
        assert output.grad.abs().sum() > 0
