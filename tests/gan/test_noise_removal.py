"""Noise of training inputs, found and taken out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tapetum.gan.noise_removal import noise_deviation, without_noise


def _noisy(picture: torch.Tensor, deviation: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return picture + deviation * torch.randn(picture.shape, generator=generator)


@pytest.mark.parametrize("deviation", [0.002, 0.03])
def test_the_deviation_of_noise_is_found_on_ramps_and_beside_edges(deviation: float) -> None:
    ramp = torch.linspace(0.2, 0.4, 128).expand(1, 128, 128)
    stepped = ramp + 0.3 * (torch.arange(128) >= 64).view(1, -1, 1)
    luma = _noisy(stepped, deviation)[0].numpy().astype(np.float32)
    assert noise_deviation(luma) == pytest.approx(deviation, rel=0.05)


def test_a_picture_without_noise_stays_as_it_is() -> None:
    edge = (0.1 + 0.2 * (torch.arange(64) >= 32)).expand(3, 64, 64)
    assert torch.equal(without_noise(edge), edge)


def test_noise_goes_and_an_edge_stays() -> None:
    edge = (0.1 + 0.2 * (torch.arange(64) >= 32)).expand(3, 64, 64)
    noisy = _noisy(edge, 0.01)
    cleared = without_noise(noisy)
    assert (cleared - edge).std() < 0.5 * (noisy - edge).std()
    step = cleared[:, :, 32].mean() - cleared[:, :, 31].mean()
    assert step.item() == pytest.approx(0.2, rel=0.05)
