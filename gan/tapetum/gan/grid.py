"""The real-time generator: a small network predicts a bilateral grid from a thumbnail.

The network sees 256x256 pixels whatever the picture's size; the full-resolution work is a lookup
and a few multiplications a pixel (`tapetum.gan.bilateral_grid`).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from tapetum.gan.bilateral_grid import (
    apply_grid,
    with_local_contrast,
    within_range,
    without_unseen,
)
from tapetum.gan.color import rgb_to_yuv, yuv_to_rgb
from tapetum.gan.generator import Generator, attention_map
from tapetum.gan.model_kinds import CELLS, COEFFICIENTS, LEVELS, THUMBNAIL, Kind

MAX_GAIN = 16.0
"""No pixel is made more than this many times brighter."""

_WIDTHS = (16, 24, 40, 64)


def thumbnail(rgb: torch.Tensor) -> torch.Tensor:
    """Reduce (N, 3, H, W) to (N, 3, 256, 256) by the mean over bins."""
    return F.adaptive_avg_pool2d(rgb, THUMBNAIL)


def _block(before: int, width: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.1),
    )


class GridGenerator(Generator):
    """Thumbnail in, bilateral grid of luma curves and chroma matrices out, applied in YUV.

    Four stride-2 convolutions reach the grid's 16x16 cells; the attention map joins the input
    and gates the cells, as in `UNetGenerator`; a global branch judges the exposure.
    """

    kind: ClassVar[Kind] = "grid"

    def __init__(self) -> None:
        super().__init__()
        width = _WIDTHS[-1]
        self.encoder = nn.Sequential(
            *(_block(a, b, 2) for a, b in zip((4, *_WIDTHS), _WIDTHS, strict=False))
        )
        self.local = nn.Sequential(_block(width, width, 1), _block(width, width, 1))
        self.exposure = nn.Sequential(
            _block(width, width, 2),
            _block(width, width, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, width, 1),
        )
        self.head = nn.Conv2d(width, len(COEFFICIENTS) * LEVELS, 1)
        for parameter in self.head.parameters():
            nn.init.normal_(parameter, std=0.01)  # training starts near the identity

    def predict(self, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
        """Predict the grid that a picture is enhanced by.

        It is the learnt one, with local contrast, and without gain for black with nothing in it.

        Args:
            thumbnail_rgb: (N, 3, 256, 256) in [0, 1].

        Returns:
            (N, 8, 8, 16, 16): coefficient, luma level, row, column; see `bilateral_grid`.
        """
        grid = with_local_contrast(self.learned_grid(thumbnail_rgb), thumbnail_rgb)
        grid = within_range(grid, thumbnail_rgb)
        return without_unseen(grid, thumbnail_rgb)

    def learned_grid(self, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
        """The network's own grid, which training compares with photos; shapes as in `predict`."""
        attention = attention_map(2 * thumbnail_rgb - 1)
        # The square root spreads dark levels, where all of the input lies.
        spread = 2 * thumbnail_rgb.clamp(min=1e-6).sqrt() - 1
        features = self.encoder(torch.cat((spread, attention), 1))
        gate = F.max_pool2d(attention, THUMBNAIL // CELLS)
        cells = self.local(features) * gate + self.exposure(features)
        raw = self.head(F.leaky_relu(cells, 0.1))
        return _coefficients(raw.view(-1, len(COEFFICIENTS), LEVELS, CELLS, CELLS))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Enhance RGB in [-1, 1], (N, 3, H, W), any size; same shape, unclipped."""
        unit = (rgb + 1) / 2
        luma, chroma = apply_grid(self.predict(thumbnail(unit)), *rgb_to_yuv(unit))
        return 2 * yuv_to_rgb(luma, chroma) - 1


def _coefficients(raw: torch.Tensor) -> torch.Tensor:
    """Bound the head's outputs, so that no gain explodes and black stays black.

    All zeros are the identity, but for the chroma of what is nearly black.
    """
    bound = math.log(MAX_GAIN)
    gain, offset, m_uu, m_uv, m_vu, m_vv, c_u, c_v = raw.unbind(1)
    level = (torch.arange(LEVELS, device=raw.device, dtype=raw.dtype) + 0.5) / LEVELS
    level = level.view(-1, 1, 1)
    gain = torch.exp(bound * torch.tanh(gain / bound))
    # What is added grows with the level: neither grey nor a tint is put over black.
    offset = 0.25 * level * torch.tanh(offset)
    c_u, c_v = (0.03 * level * torch.tanh(shift) for shift in (c_u, c_v))
    # Colour follows light, by all that light grows, or a lifted shadow turns grey. Near black it
    # is the codec's noise: a sixth of it is believed at the lowest level, four fifths at the next.
    growth = (gain + offset / level.square()).clamp(min=0)
    color = growth * (1 - torch.exp(-((level / 0.15) ** 2)))
    # Saturation is free within bounds, hue nearly fixed: light turns none.
    saturation = 1 + 0.4 * torch.tanh((m_uu + m_vv) / 2)
    turn = 0.1 * torch.tanh((m_uu - m_vv) / 2)
    m_uu, m_vv = color * (saturation + turn), color * (saturation - turn)
    m_uv, m_vu = (color * 0.1 * torch.tanh(m) for m in (m_uv, m_vu))
    return torch.stack((gain, offset, m_uu, m_uv, m_vu, m_vv, c_u, c_v), 1)
