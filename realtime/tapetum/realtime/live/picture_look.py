"""Between whole pictures of a heavy model and those of a grid, without a jump of brightness."""

from __future__ import annotations

import time

import numpy as np

from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_fit import fit_grid
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.live.grid_stream import BLEND_S, LONGEST_STEP_S
from tapetum.realtime.live.look_pace import LookPace
from tapetum.realtime.live.mixed_planes import mixed_planes
from tapetum.realtime.sample_range import sample_range

_SMALL = 64
"""Rows and columns of the pictures that a grid is fitted to: some milliseconds of work."""


class Easing:
    """Goes over from the pictures of a grid to those of a model, frame by frame."""

    def __init__(self, pace: LookPace) -> None:
        self._pace = pace
        self._left = 1.0
        self._last_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the model's own pictures are shown."""
        return self._left <= 0

    def mixed(self, before: Frame, after: Frame) -> Frame:
        """The next frame on the way from one look of it to the other."""
        now_s = time.monotonic()
        elapsed_s, self._last_s = now_s - self._last_s, now_s
        scale = 255 / ((1 << before.format.depth) - 1)
        change = scale * (_mean_luma(after) - _mean_luma(before))
        part = min(min(elapsed_s, LONGEST_STEP_S) / BLEND_S, self._left)
        self._left -= part * self._pace.share(part * change)
        if self._left <= 0:
            return after
        return after.with_planes(mixed_planes(before.planes, after.planes, 1 - self._left))


def look_as_grid(before: Frame, after: Frame) -> Floats:
    """The grid that does to one frame what a model made of it, as nearly as grids can."""
    return fit_grid(_small_yuv(before), _small_yuv(after))


def _mean_luma(frame: Frame) -> float:
    return float((frame.planes[0][::4, ::4] >> frame.format.shift).mean())


def _small_yuv(frame: Frame) -> Floats:
    """(3, 64, 64) Y in [0, 1], U and V in [-0.5, 0.5], of some of a frame's samples."""
    levels, shift = sample_range(frame), frame.format.shift
    luma, *chroma = frame.planes
    u, v = (chroma[0][:, 0::2], chroma[0][:, 1::2]) if frame.format.semi_planar else chroma
    y = (_thinned(luma, shift) - levels.black) / levels.luma_span
    pair = [(_thinned(plane, shift) - levels.grey) / levels.chroma_span for plane in (u, v)]
    return np.stack([y, *pair]).astype(np.float32)


def _thinned(plane: Plane, shift: int) -> Floats:
    rows = np.arange(_SMALL) * plane.shape[0] // _SMALL
    columns = np.arange(_SMALL) * plane.shape[1] // _SMALL
    thinned: Floats = (plane[rows[:, np.newaxis], columns] >> shift).astype(np.float32)
    return thinned
