"""The discriminators have EnlightenGAN's stated shapes and sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tapetum.gan.discriminator import (
    PatchDiscriminator,
    global_discriminator,
    local_discriminator,
)


@pytest.mark.parametrize(
    ("discriminator", "parameters"),
    [(global_discriminator(), 11_154_369), (local_discriminator(), 6_959_553)],
)
def test_parameter_counts(discriminator: PatchDiscriminator, parameters: int) -> None:
    assert sum(p.numel() for p in discriminator.parameters()) == parameters


def test_layers_of_the_global_discriminator() -> None:
    convolutions = [m for m in global_discriminator().modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 128, 256, 512, 512, 512, 1]
    assert [c.stride[0] for c in convolutions] == [2, 2, 2, 2, 2, 1, 1]
    assert {(c.kernel_size, c.padding) for c in convolutions} == {((4, 4), (2, 2))}


def test_the_last_layer_is_a_plain_convolution() -> None:
    assert isinstance(local_discriminator().layers[-1], nn.Conv2d)


@pytest.mark.parametrize(
    ("discriminator", "size", "scores"),
    [(local_discriminator(), 32, 5), (global_discriminator(), 64, 5)],
)
def test_a_picture_gets_a_map_of_scores(
    discriminator: PatchDiscriminator, size: int, scores: int
) -> None:
    with torch.no_grad():
        judged = discriminator(torch.zeros(2, 3, size, size))
    assert judged.shape == (2, 1, scores, scores)
