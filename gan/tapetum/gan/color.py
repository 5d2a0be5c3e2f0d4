"""RGB to YUV and back, as differentiable torch code.

Y is in [0, 1] and U, V in [-0.5, 0.5] for RGB in [0, 1] (full range; ITU-T H.273, equations of
the non-constant-luminance matrix). A gain on RGB is the same gain on Y, U and V.
"""

from __future__ import annotations

import torch

BT601 = (0.299, 0.114)
"""Kr and Kb of ITU-R BT.601."""
BT709 = (0.2126, 0.0722)
"""Kr and Kb of ITU-R BT.709."""


def rgb_to_yuv(
    rgb: torch.Tensor, luma_weights: tuple[float, float] = BT709
) -> tuple[torch.Tensor, torch.Tensor]:
    """Convert (N, 3, H, W) RGB to luma (N, 1, H, W) and chroma (N, 2, H, W)."""
    kr, kb = luma_weights
    red, green, blue = rgb.unbind(1)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    u = (blue - luma) / (2 * (1 - kb))
    v = (red - luma) / (2 * (1 - kr))
    return luma.unsqueeze(1), torch.stack((u, v), 1)


def yuv_to_rgb(
    luma: torch.Tensor, chroma: torch.Tensor, luma_weights: tuple[float, float] = BT709
) -> torch.Tensor:
    """Convert luma (N, 1, H, W) and chroma (N, 2, H, W) to RGB (N, 3, H, W), unclipped."""
    kr, kb = luma_weights
    y, (u, v) = luma.squeeze(1), chroma.unbind(1)
    red = y + 2 * (1 - kr) * v
    blue = y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack((red, green, blue), 1)
