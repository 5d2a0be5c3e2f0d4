"""Losses against a known target, and of the grids themselves.

Every function returns a scalar tensor; pictures are (N, 3, H, W) RGB in [0, 1].
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from tapetum.gan.bilateral_grid import level_luma
from tapetum.gan.color import rgb_to_yuv
from tapetum.gan.model_kinds import CELLS

_LIGHT_CELLS = 8
_DARKEST = 1 / 64  # keeps the ratio of two blacks at 1
_UNRECORDED = 6 / 255
_MAX_LOG_GAIN = math.log(4)
_NOISE_FLOOR = 5 / 255
_GREY_CHROMA = 0.02
_DETAIL_WINDOWS = (3, 9)
_SMALLEST = 1 / 255  # keeps the gain of black finite
_COARSE = 4


def relit(photos: torch.Tensor, example: torch.Tensor, cells: int = _LIGHT_CELLS) -> torch.Tensor:
    """Photos as bright as an example of the same scenes is, and otherwise as they are.

    How bright a dark picture's scene was, nobody can tell; a network that must guess it learns
    the mean of all guesses, a grey veil over black. How bright a trained generator makes it is
    no guess, but a function of the picture: a target that can be hit.

    Both (N, 3, H, W) RGB in [0, 1]. The gain is smooth: that between the means over cells x cells,
    at most 4, so that the photos keep their own contrast, colour and sharpness.
    """
    means = [
        F.adaptive_avg_pool2d(picture, cells).mean(1, keepdim=True) + _DARKEST
        for picture in (example, photos)
    ]
    gain = (means[0] / means[1]).log().clamp(max=_MAX_LOG_GAIN)
    smooth = F.interpolate(gain, photos.shape[-2:], mode="bicubic", align_corners=False)
    return (photos * smooth.exp()).clamp(0, 1)


def recorded_share(dark: torch.Tensor) -> torch.Tensor:
    """Share of a scene's light that can be asked back from dark pictures without noise.

    Where light was below a few of 255 levels, nothing was recorded, and nothing should be made
    up: a night sky stays black. c^2 / (c^2 + t^2) of the mean c over 8x8 cells, with t = 6 / 255.

    Args:
        dark: (N, 3, H, W) RGB in [0, 1].

    Returns:
        (N, 1, H, W) in [0, 1].
    """
    square = F.adaptive_avg_pool2d(dark, _LIGHT_CELLS).mean(1, keepdim=True).square()
    share = square / (square + _UNRECORDED**2)
    return F.interpolate(share, dark.shape[-2:], mode="bilinear", align_corners=False)


def charbonnier(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of sqrt((output - target)^2 + eps^2): an L1 that is smooth at 0."""
    return ((output - target).square() + 1e-6).sqrt().mean()


def illumination_error(
    output: torch.Tensor, target: torch.Tensor, cells: int = CELLS
) -> torch.Tensor:
    """L1 between the pictures' means over cells x cells: the light, without the detail."""
    return F.l1_loss(F.adaptive_avg_pool2d(output, cells), F.adaptive_avg_pool2d(target, cells))


def contrast_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 between the pictures' differences of neighbouring pixels, and of neighbouring cells.

    The fine differences of a noisy picture ask for less contrast, as noise is all that they
    gain by; the means over 4x4 pixels have next to none, and ask for as much as the target has.
    """
    coarse = (F.avg_pool2d(picture, _COARSE) for picture in (output, target))
    return _difference_error(output, target) + _difference_error(*coarse)


def _difference_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    rows = F.l1_loss(output.diff(dim=-2), target.diff(dim=-2))
    return rows + F.l1_loss(output.diff(dim=-1), target.diff(dim=-1))


def detail_error(output: torch.Tensor, dark: torch.Tensor) -> torch.Tensor:
    """L1 between the relative detail of dark pictures and of what was made of them.

    A picture is light times reflectance, and only the light was too little: a stone that reflects
    twice as much as its neighbour should do so afterwards (Retinex; Land and McCann, Lightness
    and Retinex Theory, 1971). Relative detail is log(Y + n) less its mean over 3x3 pixels, and
    the same over 9x9: the finest detail is the first to be lost, and weighs little in the whole.
    The noise floor n, 5 of 255 levels of the dark picture, keeps the noise of what is nearly
    black from counting as detail. It is brightened as the picture is: the same n for both would
    ask for a bright picture as flat as the floor makes a dark one.
    """
    found, wanted = rgb_to_yuv(output)[0].clamp(min=0), rgb_to_yuv(dark)[0].clamp(min=0)
    means = [_mean_around(luma, _DETAIL_WINDOWS[-1]) + _SMALLEST for luma in (found, wanted)]
    floor = _NOISE_FLOOR * (means[0] / means[1]).detach()
    pairs = zip(
        _relative_details(found + floor), _relative_details(wanted + _NOISE_FLOOR), strict=True
    )
    return torch.stack([F.l1_loss(found, wanted) for found, wanted in pairs]).sum()


def color_error(output: torch.Tensor, dark: torch.Tensor) -> torch.Tensor:
    """L1 between the colours of dark pictures and of what was made of them, where these are lit.

    More light changes no hue, and no saturation. Colour is (U, V) / (Y + n), n as in
    `detail_error`. A pixel counts as much as its luma in the dark picture: the colour of a lamp
    is known, the colour of what is nearly black is noise.
    """
    luma, colors = _luma_and_color(dark)
    return (luma * (_luma_and_color(output)[1] - colors).abs()).mean()


def hue_error(output: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """How far hues are from a reference's: 1 - cos of the angle between chromas (U, V).

    A mean over pixels, each counted as the reference's chroma less 0.02, a few of 255 levels:
    what is nearly grey has no hue. More light, the same for all channels, turns no hue.
    """
    found, wanted = rgb_to_yuv(output.clamp(0, 1))[1], rgb_to_yuv(reference)[1]
    # A length's gradient is infinite at 0; the same is added to all three, so that equals agree.
    lengths = [(chroma.square().sum(1) + 1e-6).sqrt() for chroma in (found, wanted)]
    cosine = ((found * wanted).sum(1) + 1e-6) / (lengths[0] * lengths[1])
    weight = F.relu(lengths[1] - _GREY_CHROMA)
    return (weight * (1 - cosine)).sum() / (weight.sum() + _GREY_CHROMA)


def _luma_and_color(rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    luma, chroma = rgb_to_yuv(rgb)
    luma = luma.clamp(min=0)
    return luma, chroma / (luma + _NOISE_FLOOR)


def _relative_details(luma: torch.Tensor) -> list[torch.Tensor]:
    light = luma.log()
    return [light - _mean_around(light, window) for window in _DETAIL_WINDOWS]


def _mean_around(luma: torch.Tensor, window: int) -> torch.Tensor:
    return F.avg_pool2d(luma, window, 1, window // 2, count_include_pad=False)


def roughness(grid: torch.Tensor) -> torch.Tensor:
    """Mean squared step between neighbours in a grid (N, 8, L, R, C).

    The gain's steps are taken of its logarithm, so that a step is a ratio of light. Chroma, which
    is taken relative to the gain, must be smooth between luma levels too: a tint that comes and
    goes with the brightness is no colour of the scene.
    """
    chroma = grid[:, 2:] / grid[:, :1].detach()
    terms = torch.cat((grid[:, :1].log(), grid[:, 1:2], chroma), 1)
    between_cells = terms.diff(dim=-1).square().mean() + terms.diff(dim=-2).square().mean()
    return between_cells + chroma.diff(dim=-3).square().mean()


def reversed_tones(grid: torch.Tensor) -> torch.Tensor:
    """How far luma curves fall where they should rise, over a grid (N, 8, L, R, C).

    Between the luma levels of a cell, Y' = gain * Y + offset must grow by at least a tenth of
    what Y grows by.
    """
    centres = level_luma(grid)
    curve = grid[:, 0] * centres.view(1, -1, 1, 1) + grid[:, 1]
    growth = curve.diff(dim=1) - 0.1 * centres.diff().view(1, -1, 1, 1)
    return F.relu(-growth).mean()
