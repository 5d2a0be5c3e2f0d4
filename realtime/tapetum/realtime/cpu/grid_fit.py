"""Fits a bilateral grid to what another enhancer did to a small picture.

After Chen, Adams, Wadhwa, Hasinoff, "Bilateral guided upsampling" (2016): the grid then does the
same to the large picture, for the price of a lookup. Here each node of the grid is a regression
of its own, over the pixels around it with the weights by which the grid is sliced.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.cpu.grid_axis import Floats

Doubles = npt.NDArray[np.float64]

_LEVEL_SHARE, _PICTURE_SHARE = 0.05, 0.001
"""Weight at each node of the mean node of its luma level, and of all nodes: what a node without
pixels of its own goes by."""
_RIDGE = 1e-5
"""Variance under which the slope of a node's regression goes to that of the whole picture, and
that of a flat picture to the plain ratio of the means."""
_HIGHEST_GAIN = 16.0


def fit_grid(before: Floats, after: Floats) -> Floats:
    """Find the grid that turns one small picture into another, as nearly as grids can.

    Args:
        before: (3, H, W): Y in [0, 1], U and V in [-0.5, 0.5].
        after: the same picture, enhanced.

    Returns:
        (8, 8, 16, 16), as `apply_grid` takes it.
    """
    y, u, v = before.reshape(3, -1).astype(np.float64)
    y_after, u_after, v_after = after.reshape(3, -1).astype(np.float64)
    columns = (
        *(y, y_after, y * y, y * y_after),
        *(u, v, u * u, u * v, v * v),
        *(u_after, v_after, u_after * u, u_after * v, v_after * u, v_after * v),
    )
    products = np.stack(columns)
    means = _means_by_node(before[0], products)
    slope = _slope(products[:4].mean(axis=1), products[1].mean() / max(products[0].mean(), 1e-3))
    gain = _slope(means[:4], slope)
    luma = np.stack([gain, means[1] - gain * means[0]])
    return np.concatenate([luma, _chroma_maps(means[4:], slope)]).astype(np.float32)


def _slope(means: Doubles, usual: Doubles) -> Doubles:
    """Slope of Y' over Y, from the means of Y, Y', YY and YY', drawn to a usual one."""
    y, y_after, yy, cross = means
    spread = np.maximum(yy - y * y, 0) + _RIDGE
    slope: Doubles = (cross - y * y_after + _RIDGE * usual) / spread
    return np.clip(slope, 0, _HIGHEST_GAIN)


def _chroma_maps(means: Doubles, usual: Doubles) -> Doubles:
    """The 2x2 matrix, by rows, and the offset at each node; a gain on RGB is one on U and V."""
    u, v, uu, uv, vv, u_after, v_after, ua_u, ua_v, va_u, va_v = means
    spread = _matrix(uu - u * u, uv - u * v, uv - u * v, vv - v * v)
    cross = _matrix(ua_u - u_after * u, ua_v - u_after * v, va_u - v_after * u, va_v - v_after * v)
    ridge = _RIDGE * np.eye(2)
    matrix = (cross + usual * ridge) @ np.linalg.inv(spread + ridge)
    entries = matrix.reshape(*u.shape, 4).transpose(3, 0, 1, 2)
    uu_, uv_, vu_, vv_ = entries
    offsets = (u_after - uu_ * u - uv_ * v, v_after - vu_ * u - vv_ * v)
    return np.stack([*entries, *offsets])


def _matrix(a: Doubles, b: Doubles, c: Doubles, d: Doubles) -> Doubles:
    """[[a, b], [c, d]] at each node."""
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)


def _means_by_node(luma: Floats, values: Doubles) -> Doubles:
    """Weighted mean around each node, (K, 8, 16, 16), of K values for each pixel."""
    sums = np.zeros((len(values) + 1, LEVELS * CELLS * CELLS))
    for node, weight in _corners(luma):
        weighted = (weight, *(weight * value for value in values))
        sums += [np.bincount(node, value, sums.shape[1]) for value in weighted]
    nodes = sums.reshape(-1, LEVELS, CELLS, CELLS)
    level = nodes.mean(axis=(2, 3), keepdims=True)
    whole = level.mean(axis=1, keepdims=True)
    pooled = nodes + _LEVEL_SHARE * level + _PICTURE_SHARE * whole
    means: Doubles = pooled[1:] / pooled[0]
    return means


def _corners(luma: Floats) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of a pixel's eight nodes: their flat indices, and the pixels' weights."""
    height, width = luma.shape
    guide = np.sqrt(np.clip(luma, 0, 1)) * LEVELS - 0.5
    rows = (np.arange(height)[:, None] + 0.5) / height * CELLS - 0.5
    columns = (np.arange(width)[None] + 0.5) / width * CELLS - 0.5
    axes = [_nodes(guide, LEVELS), _nodes(rows, CELLS), _nodes(columns, CELLS)]
    corners = []
    for (level, a), (row, b), (column, c) in itertools.product(*axes):
        node = np.broadcast_to((level * CELLS + row) * CELLS + column, luma.shape)
        corners.append((node.ravel(), (a * b * c).ravel()))
    return corners


def _nodes(place: np.ndarray, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The node before each place and the one after, with their weights; the ends hold outside."""
    place = np.clip(place, 0, count - 1)
    before = np.minimum(place.astype(np.int64), count - 2)
    weight = place - before
    return [(before, 1 - weight), (before + 1, weight)]
