"""Lit lines right at a frame's border, which hide the bars beside or behind them.

A tape's head switching, half of a line that PAL blanks, data in the first lines, a coloured line
that fills up a block: they lie outside of the picture, and over the ends of its bars.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.frame_lines import MOST_AT_BORDER, edges_black_up_to, noisy_black
from tapetum.realtime.frame import Frame

_ROWS, _COLUMNS = 24, 48
"""One of so many of a frame's rows, and of its columns, may lie in such lines at each side."""
_LIT = 0.2
"""Part of such a line that is lit, at least: data in it, or half of it."""


def without_border_lines(frame: Frame, edges: list[float]) -> tuple[Frame, list[float]]:
    """A frame in which others stand for lit lines at its border, where these hide a bar.

    Args:
        frame: the frame.
        edges: its outermost lines, as of `edges_black_up_to`.

    Returns:
        The frame, with luma that goes on at its border as it is right within, and the edges of
        that; both as given where no line hides a bar.
    """
    luma, noisy = frame.planes[0], noisy_black(frame)
    height, width = luma.shape
    rows, columns = max(4, height // _ROWS // 2 * 2), max(4, width // _COLUMNS // 2 * 2)
    if min(height, width) < 8 * max(rows, columns):
        return frame, edges
    cross = _cross_bars(frame, edges)
    behind = luma[rows], luma[-1 - rows], luma[:, columns], luma[:, -1 - columns]
    dark = [
        math.isinf(edge) and np.count_nonzero(line > noisy) <= MOST_AT_BORDER * line.size
        for edge, line in zip(edges, behind, strict=True)
    ]
    if not cross and not any(dark):
        return frame, edges  # as most are, and this is asked of every frame
    lines = luma[0], luma[-1], luma[:, 0], luma[:, -1]
    lit = [np.count_nonzero(line > noisy) >= _LIT * line.size for line in lines]
    top, bottom, left, right = np.where(lit, (rows, rows, columns, columns), 0).tolist()
    inner = Area(top, height - bottom, left, width - right).cut(frame)
    within = edges_black_up_to(inner)
    appear = any(
        math.isinf(edge) and math.isfinite(other) for edge, other in zip(edges, within, strict=True)
    )
    if not any(lit) or not (cross or appear):
        return frame, edges
    continued: Any = np.pad(inner.planes[0], ((top, bottom), (left, right)), "edge")
    return replace(frame, planes=(continued, *frame.planes[1:])), within


def _cross_bars(frame: Frame, edges: list[float]) -> bool:
    """Whether lit lines go on where they cross a black one, in the frame's corners."""
    corners = frame.planes[0][:: frame.height - 1, :: frame.width - 1] > noisy_black(frame)
    top, bottom, left, right = map(math.isinf, edges)
    crossed = [[one != other for other in (left, right)] for one in (top, bottom)]
    return bool((corners & crossed).any())
