"""EnlightenGAN's two discriminators: PatchGANs without normalisation or sigmoid.

Jiang et al., "EnlightenGAN: Deep Light Enhancement without Paired Supervision", IEEE TIP 2021,
section III-A; layers as in the authors' code.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

_MOST_CHANNELS = 512


class PatchDiscriminator(nn.Module):
    """Judges every region of a picture: high scores for real, low ones for fake.

    4x4 convolutions with padding 2 and LeakyReLU(0.2): `stride_levels` of stride 2, 64 channels
    doubling to at most 512, then 512 channels at stride 1, then one.

    Attributes:
        layers: the convolutions and activations, in order.
    """

    def __init__(self, stride_levels: int) -> None:
        super().__init__()
        widths = [min(64 << level, _MOST_CHANNELS) for level in range(stride_levels + 1)]
        strides = [2] * stride_levels + [1]
        layers: list[nn.Module] = []
        for before, width, stride in zip((3, *widths), widths, strides, strict=False):
            layers += [nn.Conv2d(before, width, 4, stride, 2), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 2))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Score RGB in [-1, 1], (N, 3, H, W): (N, 1, h, w) without bounds."""
        return cast(torch.Tensor, self.layers(rgb))


def global_discriminator() -> PatchDiscriminator:
    """The judge of whole crops: five levels of stride 2, 11,154,369 parameters."""
    return PatchDiscriminator(5)


def local_discriminator() -> PatchDiscriminator:
    """The judge of small patches: four levels of stride 2, 6,959,553 parameters."""
    return PatchDiscriminator(4)
