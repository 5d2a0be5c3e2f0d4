"""The artificial darkness that generators are trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tapetum.gan.darken import Darkness, compressed, darken, sensor_noise, uneven_light

PLAIN = Darkness(
    exposure=(0.1, 0.1),
    harsh_share=0.0,
    unevenness=0.0,
    cast=0.0,
    gamma=(2.2, 2.2),
    shot_noise=0.0,
    read_noise=0.0,
    white_balance=1.0,
    jpeg_share=0.0,
    untouched_share=0.0,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_exposure_scales_linear_light_and_the_target_is_the_photo() -> None:
    photos = torch.rand(2, 3, 32, 32, generator=_generator(1))
    dark, _, target = darken(photos, _generator(), PLAIN)
    expected = photos * 0.1 ** (1 / 2.2)
    assert (dark - expected).abs().max() <= 0.5 / 255 + 1e-6
    torch.testing.assert_close(target, photos)


def test_harsh_light_takes_from_the_shadows_and_leaves_the_lights() -> None:
    photos = torch.tensor([0.3, 1.0]).view(2, 1, 1, 1).expand(2, 3, 32, 32)
    dark, _, _ = darken(photos, _generator(), replace(PLAIN, exposure=(1, 1), harsh_share=1.0))
    shadows, lights = dark.mean((1, 2, 3)).tolist()
    assert 0.3**2 <= shadows < 0.3
    assert lights == pytest.approx(1)


def test_white_balance_makes_the_noise_of_black_purple() -> None:
    black, noisy = torch.zeros(1, 3, 64, 64), replace(PLAIN, read_noise=0.01, white_balance=2.0)
    red, green, blue = darken(black, _generator(2), noisy).dark.mean((0, 2, 3)).tolist()
    assert green < min(red, blue)


def test_the_clean_twin_is_the_dark_one_before_the_sensor() -> None:
    photos = torch.rand(2, 3, 32, 32, generator=_generator(1))
    dark, clean, _ = darken(photos, _generator(), PLAIN)
    assert (dark - clean).abs().max() <= 0.5 / 255 + 1e-6
    noisy, same, _ = darken(photos, _generator(), replace(PLAIN, read_noise=0.05))
    torch.testing.assert_close(same, clean)
    assert (noisy - clean).abs().max() > 0.01


def test_noise_is_taken_out_of_the_share_that_is_asked_for() -> None:
    ramp = torch.linspace(0.4, 0.8, 64).expand(8, 3, 64, 64)
    noisy = replace(PLAIN, shot_noise=1e-3)
    errors = []
    for share in (0.0, 0.5, 1.0):
        dark, clean, _ = darken(ramp, _generator(6), replace(noisy, denoised_share=share))
        errors.append((dark - clean).square().mean((1, 2, 3)))
    cleared = [int((error < 0.5 * errors[0]).sum()) for error in errors]
    assert cleared[0] == 0
    assert 0 < cleared[1] < 8
    assert cleared[2] == 8


def test_same_seed_gives_the_same_darkness() -> None:
    photos = torch.rand(4, 3, 64, 64)
    for first, second in zip(
        darken(photos, _generator(3)), darken(photos, _generator(3)), strict=True
    ):
        assert torch.equal(first, second)


def test_untouched_photos_are_their_own_targets() -> None:
    photos = torch.rand(3, 3, 32, 32)
    dark, _, target = darken(photos, _generator(), replace(PLAIN, untouched_share=1.0))
    assert torch.equal(target, photos)
    assert (dark - photos).abs().max() <= 0.5 / 255 + 1e-6


def test_target_keeps_part_of_uneven_light() -> None:
    photos = torch.full((1, 3, 64, 64), 0.5)
    uneven = replace(PLAIN, unevenness=1.5, kept_unevenness=0.4)
    dark, _, target = darken(photos, _generator(4), uneven)
    spread = (target.log().std() / dark.clamp(min=1 / 255).log().std()).item()
    assert spread == pytest.approx(0.4, abs=0.05)


def test_uneven_light_is_smooth_and_at_most_one() -> None:
    light = uneven_light(2, 64, 64, torch.ones(2, 1, 1, 1), _generator())
    assert light.amax((2, 3)).allclose(torch.ones(2, 1))
    assert light.diff(dim=-1).abs().max() < 0.15


def test_noise_has_the_variance_of_poisson_and_gauss() -> None:
    signal = torch.full((1, 1, 400, 400), 0.3)
    shot, read = torch.full((1, 1, 1, 1), 1e-3), torch.full((1, 1, 1, 1), 1e-2)
    noisy = sensor_noise(signal, shot, read, _generator())
    assert noisy.var().item() == pytest.approx(1e-3 * 0.3 + 1e-4, rel=0.03)
    assert noisy.mean().item() == pytest.approx(0.3, abs=1e-3)


def test_compression_follows_the_quality() -> None:
    grey = torch.rand(3, 1, 64, 64, generator=_generator(5))  # JPEG keeps less of colour anyway
    photos = grey.expand(3, 3, 64, 64)
    losses = (compressed(photos, torch.tensor([20.0, 95.0, 101.0])) - photos).abs().mean((1, 2, 3))
    assert losses[0] > 2 * losses[1] > 0
    assert losses[2] <= 0.5 / 255
