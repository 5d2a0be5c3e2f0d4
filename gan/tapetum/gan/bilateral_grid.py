"""The bilateral grid of colour transforms: slicing it and applying it, differentiably.

After Chen, Paris, Durand, "Real-time edge-aware image processing with the bilateral grid"
(2007), and Gharbi et al., "Deep bilateral learning for real-time image enhancement" (2017).

A grid is (N, 8, L, R, C): 8 coefficients, L luma levels, R rows and C columns of cells. A pixel
looks its coefficients up at (its luma's square root, its row, its column), between cell centres
trilinearly, and outside them at the nearest centre. With Y in [0, 1] and U, V in [-0.5, 0.5]::

    Y'       = gain * Y + offset
    (U', V') = [[m_uu, m_uv], [m_vu, m_vv]] (U, V) + (c_u, c_v)

The same arithmetic, on integer planes, is in `tapetum.realtime.cpu.grid_kernels`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tapetum.gan.color import rgb_to_yuv
from tapetum.gan.model_kinds import CELLS, LEVELS

_CONTRAST = 0.25
_CONTRAST_BOUNDS = (3 / 4, 4 / 3)
_NOISE_FLOOR = 20 / 255

_PURITY_FLOOR = 2 / 255
_PUREST = 8.0
_BEND = 0.1

_NO_DETAIL, _DETAIL = 0.1 / 255, 0.25 / 255
_UNSEEN_LEVELS = (1.0, 0.5)

_IDENTITY = (1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


def identity_grid(levels: int = LEVELS, rows: int = CELLS, columns: int = CELLS) -> torch.Tensor:
    """The (1, 8, levels, rows, columns) grid that leaves every picture as it is."""
    return torch.tensor(_IDENTITY).view(1, -1, 1, 1, 1).repeat(1, 1, levels, rows, columns)


def level_luma(grid: torch.Tensor) -> torch.Tensor:
    """The luma at each level's centre, (L,), of a grid (N, K, L, R, C)."""
    levels = grid.shape[2]
    centres = torch.arange(levels, device=grid.device, dtype=grid.dtype) + 0.5
    return (centres / levels).square()


def slice_grid(grid: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
    """Look the coefficients of every pixel up.

    Args:
        grid: (N, 8, L, R, C).
        luma: (N, 1, H, W) in [0, 1]; the guide is its square root, which spreads dark levels.

    Returns:
        (N, 8, H, W).
    """
    n, _, height, width = luma.shape
    # The gradient of a square root is infinite at 0, and the guide needs none at black.
    guide = luma.clamp(1e-6, 1).sqrt() * 2 - 1
    x = (torch.arange(width, device=luma.device, dtype=luma.dtype) * 2 + 1) / width - 1
    y = (torch.arange(height, device=luma.device, dtype=luma.dtype) * 2 + 1) / height - 1
    position = torch.stack(
        (x.expand(n, height, width), y[:, None].expand(n, height, width), guide[:, 0]), -1
    )
    sampled = F.grid_sample(
        grid, position.unsqueeze(1), "bilinear", padding_mode="border", align_corners=False
    )
    return sampled.squeeze(2)


def apply_to_luma(grid: torch.Tensor, luma: torch.Tensor) -> torch.Tensor:
    """Enhance a luma plane (N, 1, H, W), unclipped."""
    gain, offset = slice_grid(grid[:, :2], luma).unbind(1)
    return gain.unsqueeze(1) * luma + offset.unsqueeze(1)


def apply_to_chroma(grid: torch.Tensor, luma: torch.Tensor, chroma: torch.Tensor) -> torch.Tensor:
    """Enhance chroma planes (N, 2, h, w), unclipped.

    `luma` is (N, 1, h, w): for subsampled chroma, the mean of the luma that a sample covers.
    """
    m_uu, m_uv, m_vu, m_vv, c_u, c_v = slice_grid(grid[:, 2:], luma).unbind(1)
    u, v = chroma.unbind(1)
    return torch.stack((m_uu * u + m_uv * v + c_u, m_vu * u + m_vv * v + c_v), 1)


def apply_grid(
    grid: torch.Tensor, luma: torch.Tensor, chroma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Enhance a YUV picture whose chroma is at the luma's size or at half of it (4:2:0).

    Args:
        grid: (N, 8, L, R, C).
        luma: (N, 1, H, W) in [0, 1].
        chroma: (N, 2, H, W) or (N, 2, ceil(H / 2), ceil(W / 2)) in [-0.5, 0.5].

    Returns:
        Luma and chroma of the same shapes, unclipped.
    """
    if luma.shape[-2:] == chroma.shape[-2:]:
        covered = luma
    else:
        covered = F.avg_pool2d(luma, 2, ceil_mode=True, count_include_pad=False)
    return apply_to_luma(grid, luma), apply_to_chroma(grid, covered, chroma)


def with_local_contrast(grid: torch.Tensor, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
    """Make a grid spread the luma of each cell around its mean, by scaling coefficients.

    Brightening compresses: a face, and the wall behind it, become alike. As in Paris, Hasinoff,
    Kautz, "Local Laplacian Filters" (2011), detail is a ratio to the light around it and grows by
    a power, here of the luma Y of a level and the mean luma of a cell::

        factor = ((Y + n) / (mean + n))^0.25, at least 3/4 and at most 4/3

    with n = 20 / 255, under which ratios are mostly noise. Where Y is over the mean, the power is
    (1 - Y) * 0.25, or a sky would be blown beside dark roofs. Colour follows.

    Args:
        grid: (N, 8, L, R, C).
        thumbnail_rgb: the picture that it is for, (N, 3, H, W) in [0, 1].

    Returns:
        The same shape.
    """
    luma = level_luma(grid).view(1, -1, 1, 1)
    rows, columns = grid.shape[-2:]
    mean = cell_means(rgb_to_yuv(thumbnail_rgb)[0], rows, columns)
    ratio = (luma + _NOISE_FLOOR) / (mean + _NOISE_FLOOR)
    exponent = _CONTRAST * ratio.log()
    factor = (exponent - luma * F.relu(exponent)).exp().clamp(*_CONTRAST_BOUNDS)
    return grid * factor.unsqueeze(1)


def within_range(grid: torch.Tensor, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
    """Make a grid leave room for the colours that it brightens, by scaling coefficients.

    A lamp, or a sky, that is made so bright that its strongest channel leaves [0, 1] loses its hue:
    orange becomes yellow, then white. How far the strongest channel is over luma, its purity, is
    taken from the picture, by cell and luma level: the power mean, which leans to the purest. What
    would exceed 1 then is scaled down to it, softly, luma and colour
    alike. Nothing becomes darker than it was.

    Args:
        grid: (N, 8, L, R, C).
        thumbnail_rgb: the picture that it is for, (N, 3, H, W) in [0, 1].

    Returns:
        The same shape.
    """
    luma = level_luma(grid).view(1, -1, 1, 1)
    made = (grid[:, 0] * luma + grid[:, 1]).clamp(min=1e-3)
    saturation = (grid[:, 2] + grid[:, 5]) / 2 * luma / made
    strongest = made * (1 + (_purity(grid, thumbnail_rgb) - 1) * saturation)
    over = (1 + strongest + ((strongest - 1).square() + _BEND**2).sqrt()) / 2
    factor = torch.maximum(1 / over, (luma / made).clamp(max=1))
    return grid * factor.unsqueeze(1)


def _purity(grid: torch.Tensor, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
    """How many times luma a picture's strongest channel is, for each level and cell of a grid.

    Where a level does not occur, nearly 1. Powers are scaled to be exact in half precision.
    """
    levels, rows, columns = grid.shape[-3:]
    half = cell_means(thumbnail_rgb, *(length // 2 for length in thumbnail_rgb.shape[-2:]))
    luma = rgb_to_yuv(half)[0]
    strongest = half.amax(dim=1, keepdim=True) + _PURITY_FLOOR
    purity = (strongest / (luma + _PURITY_FLOOR)).clamp(min=1).clamp(max=_PUREST)
    place = (luma.clamp(min=1e-6).sqrt() * levels - 0.5).clamp(min=0).clamp(max=levels - 1)
    level = torch.arange(levels, device=grid.device, dtype=grid.dtype).view(1, -1, 1, 1)
    weight = F.relu(1 - (place - level).abs())
    excess = weight * ((purity / 4).square().square() - 1 / 256)
    # Neighbours have a say: pixels between cells take from both.
    sums = (
        F.avg_pool2d(
            F.pad(F.adaptive_avg_pool2d(each, (rows, columns)), (1,) * 4, "replicate"), 3, 1
        )
        for each in (excess, weight)
    )
    excess, weight = sums
    return (1 + 256 * excess / (weight + 1e-3)).sqrt().sqrt()


def cell_means(planes: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Reduce (N, C, H, W) to the mean of each of rows x columns cells, (N, C, rows, columns).

    The height is a multiple of the rows, the width of the columns.
    """
    n, channels, height, width = planes.shape
    # Each row of cells counts as a channel: of few channels, OpenVINO makes sixteen.
    strips = planes.reshape(n, channels * rows, height // rows, width)
    means = F.avg_pool2d(strips, (height // rows, width // columns))
    return means.reshape(n, channels, rows, columns)


def without_unseen(grid: torch.Tensor, thumbnail_rgb: torch.Tensor) -> torch.Tensor:
    """Make a grid leave what is nearly black as it is where nothing can be seen in it.

    Where a codec has quantised a black sky into even blocks, gain makes the blocks seen. What was
    recorded differs from pixel to pixel, by noise if by nothing else: of a cell whose pixels
    differ from their neighbours by less than 0.1 of 255 levels on average, right and below
    together, the lowest luma level becomes the identity, and the next one does by half. From 0.25
    levels on nothing changes. From one to the other it goes over four cells: of an even black,
    whose detail is now a little over the bound and now under it, no cell stands out.

    Args:
        grid: (N, 8, L, R, C).
        thumbnail_rgb: the picture that it is for, (N, 3, H, W) in [0, 1].

    Returns:
        The same shape.
    """
    luma = rgb_to_yuv(thumbnail_rgb)[0]
    here, left, above = luma[..., 1:, 1:], luma[..., 1:, :-1], luma[..., :-1, 1:]
    steps = (here - left).abs() + (here - above).abs()
    rows, columns = grid.shape[-2:]
    detail = cell_means(F.pad(steps, (1, 0, 1, 0), mode="replicate"), rows, columns)
    # Neighbours have a say, or the border of a lit area would have an edge.
    detail = F.max_pool2d(detail, 3, 1, 1)
    seen = ((detail - _NO_DETAIL) / (_DETAIL - _NO_DETAIL)).clamp(0, 1)
    for _ in range(2):
        seen = F.avg_pool2d(F.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, 1)
    unseen = grid.new_tensor([*_UNSEEN_LEVELS, *[0.0] * (grid.shape[2] - 2)]).view(1, -1, 1, 1)
    share = (1 - (1 - seen) * unseen).unsqueeze(1)
    identity = grid.new_tensor(_IDENTITY).view(1, -1, 1, 1, 1)
    return identity + share * (grid - identity)
