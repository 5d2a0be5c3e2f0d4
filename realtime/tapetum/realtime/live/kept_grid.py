"""What a stream need not do anew: tables of a grid that rests, a picture that comes again."""

from __future__ import annotations

import numpy as np

from tapetum.gan.model_kinds import LEVELS
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.frame import Frame, Plane

LUMA_LEVELS, COLOUR_LEVELS = 0.5, 1.0
"""A grid that changes no pixel by more than this, of 255 levels, is not seen to be another; colour
at its most vivid."""
MEAN_LEVELS = 0.05
"""And the mean luma, which may not move by steps, by no more than this."""
MOST_FRAMES = 15
"""For so many frames at most: what moves ever so slowly arrives too."""
_MOST_COLOUR = np.float32(112)
"""Levels that a colour is away from grey, at most."""
_ROOTS: Floats = ((np.arange(LEVELS) + 0.5) / LEVELS).astype(np.float32).reshape(-1, 1, 1)
_LUMA = _ROOTS * _ROOTS


class KeptGrid:
    """The grid that a stream applies: the one before, as long as the new one is hardly another."""

    def __init__(self) -> None:
        """Start with no past."""
        self._kept: Floats | None = None
        self._frames = 0

    def __call__(self, grid: Floats, shares: Floats) -> Floats:
        """The grid for the next frame: the very array of the one before, or `grid`.

        Args:
            grid: (8, 8, 16, 16) that is wanted.
            shares: `look_pace.luma_shares` of the frame.
        """
        self._frames += 1
        kept = self._kept
        if kept is None or self._frames > MOST_FRAMES or not _is_near(grid - kept, shares):
            self._kept = kept = grid
            self._frames = 1
        return kept


def _is_near(change: Floats, shares: Floats) -> bool:
    if 255 * abs(float(np.vdot(change[:2], shares))) > MEAN_LEVELS:
        return False
    if 255 * np.abs(change[0] * _LUMA + change[1]).max() > LUMA_LEVELS:
        return False
    size = np.abs(change[2:])
    colour = _MOST_COLOUR * np.maximum(size[0] + size[1], size[2] + size[3])
    return bool((colour + 255 * np.maximum(size[4], size[5])).max() <= COLOUR_LEVELS)


class SamePicture:
    """Knows whether a frame is the one before again, made in the same way.

    Still cameras give no two alike, but screens do, slides, and what makes 30 frames of 15.
    """

    def __init__(self) -> None:
        """Start with no past."""
        self._frame: Frame | None = None
        self._way: tuple[object, ...] = ()
        self._view: Floats | None = None
        self._made: tuple[Plane, ...] = ()

    def planes(self, frame: Frame, view: Floats | None, *way: object) -> tuple[Plane, ...] | None:
        """What was made of the frame before, if this is the same one; else None.

        Args:
            frame: in main memory.
            view: some means of its luma, which nearly always tell at once that it is another.
            way: how it is made: the same objects for the same way.
        """
        last = self._frame
        if last is None or view is None or self._view is None:
            return None
        if len(way) != len(self._way) or not all(map(_is_same, way, self._way)):
            return None
        if last.format_name != frame.format_name or last.color != frame.color:
            return None
        pairs = [*zip(frame.planes, last.planes, strict=True)]
        if not np.array_equal(view, self._view) or any(map(_is_written_to, pairs)):
            return None
        return self._made if all(np.array_equal(*pair) for pair in pairs) else None

    def keep(
        self, frame: Frame, view: Floats | None, made: tuple[Plane, ...], *way: object
    ) -> None:
        """Take note of what was made of a frame."""
        self._frame, self._view, self._made, self._way = frame, view, made, way


def _is_written_to(pair: tuple[Plane, Plane]) -> bool:
    """Whether two frames share their memory: what it held before is not known any more."""
    return np.may_share_memory(*pair)


def _is_same(one: object, other: object) -> bool:
    return one is other
