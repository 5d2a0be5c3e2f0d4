"""EnlightenGAN's losses against numbers worked by hand, and their gradients, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tapetum.gan.losses import (
    global_discriminator_loss,
    global_generator_loss,
    local_discriminator_loss,
    local_generator_loss,
    patches_at,
    self_feature_preserving_loss,
)

REAL = torch.tensor([2.0, 4.0], dtype=torch.float64)
FAKE = torch.tensor([1.0, -1.0], dtype=torch.float64)


def test_global_discriminator_by_hand() -> None:
    # E C(x_f) = 0: (2 - 0 - 1)^2, (4 - 0 - 1)^2; E C(x_r) = 3: (1 - 3)^2, (-1 - 3)^2.
    assert global_discriminator_loss(REAL, FAKE).item() == (1 + 9) / 2 + (4 + 16) / 2


def test_global_generator_by_hand() -> None:
    # E C(x_r) = 3 and E C(x_f) = 0: (1 - 3 - 1)^2, (-1 - 3 - 1)^2; (2 - 0)^2, (4 - 0)^2.
    assert global_generator_loss(REAL, FAKE).item() == (9 + 25) / 2 + (4 + 16) / 2


def test_a_perfect_relative_judge_loses_nothing() -> None:
    real, fake = torch.full((3, 1, 2, 2), 5.0), torch.full((3, 1, 2, 2), 4.0)
    fooled = global_discriminator_loss(fake, real)
    # Real above fake by 1 is all the first term asks, and costs 1 in the second.
    assert global_discriminator_loss(real, fake).item() == 1.0
    assert fooled.item() == 5.0


def test_the_mean_over_the_batch_can_be_replaced() -> None:
    def mean_of_all_processes(scores: torch.Tensor) -> torch.Tensor:
        return scores.mean() + 1

    loss = global_discriminator_loss(REAL, FAKE, mean_of_all_processes)
    # E C(x_f) = 1: 0^2, 2^2; E C(x_r) = 4: (-3)^2, (-5)^2.
    assert loss.item() == (0 + 4) / 2 + (9 + 25) / 2


def test_local_losses_by_hand() -> None:
    # Real: (2 - 1)^2, (4 - 1)^2; fake: 1^2, (-1)^2.
    assert local_discriminator_loss(REAL, FAKE).item() == (1 + 9) / 2 + (1 + 1) / 2
    # Fake: (1 - 1)^2, (-1 - 1)^2.
    assert local_generator_loss(FAKE).item() == (0 + 4) / 2


def test_self_feature_preserving_by_hand() -> None:
    low = torch.tensor([[[[0.0, 2.0]]]], dtype=torch.float64)
    falling = torch.tensor([[[[9.0, 3.0]]]], dtype=torch.float64)
    # Normalised, they are (-1, 1) and (1, -1) but for the 1e-5 that is added to the variance.
    loss = self_feature_preserving_loss(low, falling).item()
    expected = (1 / (1 + 1e-5) ** 0.5 + 3 / (9 + 1e-5) ** 0.5) ** 2
    assert loss == pytest.approx(expected, rel=1e-12)


def test_features_may_be_scaled_and_shifted_but_not_changed() -> None:
    low = torch.randn(2, 5, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert self_feature_preserving_loss(low, 7 * low + 3).item() < 1e-9
    assert self_feature_preserving_loss(low, low.flip(-1)).item() > 0.5


@pytest.mark.parametrize(
    "loss",
    [
        global_discriminator_loss,
        global_generator_loss,
        local_discriminator_loss,
        lambda _, fake: local_generator_loss(fake),
        self_feature_preserving_loss,
    ],
)
def test_gradients(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
    generator = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(2, 3, 3, 3, dtype=torch.float64, generator=generator, requires_grad=True)
        for _ in range(2)
    ]
    assert torch.autograd.gradcheck(loss, inputs)


def test_patches_are_cut_at_their_corners() -> None:
    pictures = torch.arange(2 * 1 * 4 * 4).view(2, 1, 4, 4)
    corners = torch.tensor([[[0, 0], [2, 1]], [[1, 2], [0, 2]]])
    patches = patches_at(pictures, corners, 2)
    assert patches.shape == (4, 1, 2, 2)
    assert patches[1, 0].tolist() == [[9, 10], [13, 14]]
    assert patches[2, 0].tolist() == [[22, 23], [26, 27]]
