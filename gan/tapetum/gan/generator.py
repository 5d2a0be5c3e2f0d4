"""What every generator has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn

from tapetum.gan.model_kinds import Kind


def attention_map(rgb: torch.Tensor) -> torch.Tensor:
    """How much light each pixel lacks: 1 - (0.299 R + 0.587 G + 0.114 B), RGB taken in [0, 1].

    EnlightenGAN (Jiang et al., 2021), section III-C.

    Args:
        rgb: (N, 3, H, W) in [-1, 1].

    Returns:
        (N, 1, H, W) in [0, 1].
    """
    red, green, blue = ((rgb + 1) / 2).unbind(1)
    return (1 - (0.299 * red + 0.587 * green + 0.114 * blue)).unsqueeze(1)


class Generator(nn.Module, ABC):
    """Maps a dark picture to a well-lit one: RGB in [-1, 1], (N, 3, H, W), any size, same shape.

    The output may leave [-1, 1] a little; it is clipped where it is written.
    """

    kind: ClassVar[Kind]
    """The generator's name on the command line."""

    @abstractmethod
    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance a batch."""

    def __call__(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance a batch of RGB in [-1, 1], (N, 3, H, W)."""
        enhanced: torch.Tensor = super().__call__(rgb)
        return enhanced
