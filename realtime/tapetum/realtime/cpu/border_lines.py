"""Lit lines right at a frame's border, which hide the bars beside or behind them.

A tape's head switching, half of a line that PAL blanks, data in the first lines, a coloured line
that fills up a block: they lie outside of the picture, and over the ends of its bars.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.frame_lines import (
    MOST_AT_BORDER,
    Sight,
    edges_black_up_to,
    lines_at_border,
    noisy_black,
)
from tapetum.realtime.frame import Frame, Plane

_LIT = 0.2
"""Part of such a line that is lit, at least: data in it, or half of it."""


def without_border_lines(frame: Frame, sight: Sight) -> tuple[Area, list[float]]:
    """What of a frame tells of its bars: not the lit lines at its border that hide one.

    Args:
        frame: in any memory.
        sight: of it.

    Returns:
        The area within such lines, which is the whole frame where none hides a bar, and that
        area's outermost lines, as of `edges_black_up_to`.
    """
    height, width = frame.height, frame.width
    whole = Area(0, height, 0, width)
    border = sight.border(whole)
    edges, noisy = edges_black_up_to(frame, sight, whole), noisy_black(frame)
    rows, columns = lines_at_border(height, width)
    if min(height, width) < 8 * max(rows, columns):
        return whole, edges
    cross = _cross_bars(border, edges, noisy)
    behind = (
        *sight.border(Area(rows, height - rows, 0, width))[:2],
        *sight.border(Area(0, height, columns, width - columns))[2:],
    )
    dark = [
        math.isinf(edge) and np.count_nonzero(line > noisy) <= MOST_AT_BORDER * line.size
        for edge, line in zip(edges, behind, strict=True)
    ]
    if not cross and not any(dark):
        return whole, edges  # as most are, and this is asked of every frame
    lit = [np.count_nonzero(line > noisy) >= _LIT * line.size for line in border]
    top, bottom, left, right = np.where(lit, (rows, rows, columns, columns), 0).tolist()
    inner = Area(top, height - bottom, left, width - right)
    within = edges_black_up_to(frame, sight, inner)
    appear = any(
        math.isinf(edge) and math.isfinite(other) for edge, other in zip(edges, within, strict=True)
    )
    return (inner, within) if any(lit) and (cross or appear) else (whole, edges)


def continued(luma: Plane, area: Area) -> Plane:
    """A frame's luma that goes on around an area as it is right within."""
    height, width = luma.shape
    if area == (0, height, 0, width):
        return luma
    around = (area.top, height - area.bottom), (area.left, width - area.right)
    whole = np.pad(luma[area.top : area.bottom, area.left : area.right], around, "edge")
    return cast("Plane", whole)


def _cross_bars(border: tuple[Plane, ...], edges: list[float], noisy: int) -> bool:
    """Whether lit lines go on where they cross a black one, in the frame's corners."""
    corners = np.stack([line[[0, -1]] > noisy for line in border[:2]])
    top, bottom, left, right = map(math.isinf, edges)
    crossed = [[one != other for other in (left, right)] for one in (top, bottom)]
    return bool((corners & crossed).any())
