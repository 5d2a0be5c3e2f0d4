"""Finds black bars around a picture, so that they neither count as darkness nor are brightened.

Letterbox, pillarbox, both at once (a window box), and the black around the round picture of a
fish-eye lens (`picture_circle`). A bar is black, and it ends at a straight edge, where much of a
line of the picture is brighter: a scene that is merely dark at its edge fades out, and has no bar.
Text in a bar does not undo it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from tapetum.realtime.cpu.bars_of_frame import (
    NONE,
    Bars,
    Lines,
    edges_black_up_to,
    find_bars,
    has_picture,
    look,
)
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.temporal import FrameClock

_STEADY_S = 0.5
"""For so long must other bars be there before they are believed in mid-scene."""
_LOOK_S = 0.1
"""How often a frame is looked at whole while its edges stay black, or stay not."""
_LONGEST_DOUBT_S = 8.0
"""The same, at most, after bars that turned out to be picture."""


class Area(NamedTuple):
    """A rectangle of a frame, in luma pixels, on the edges of whole chroma samples."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, frame: Frame) -> Frame:
        """The frame within the area, as views; its colour means what it meant in the whole."""
        planes = tuple(
            plane[rows, columns]
            for plane, (rows, columns) in zip(frame.planes, self._slices(frame), strict=True)
        )
        return replace(frame, planes=planes, color=replace(frame.color, matrix=frame.matrix))

    def paste(self, frame: Frame, planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
        """The frame's planes, new ones, with others in the area."""
        whole = tuple(plane.copy() for plane in frame.planes)
        for plane, part, place in zip(whole, planes, self._slices(frame), strict=True):
            plane[place] = part
        return whole

    def _slices(self, frame: Frame) -> list[tuple[slice, slice]]:
        layout = frame.format
        y, x = layout.chroma_y, layout.chroma_x
        wide = 2 if layout.semi_planar else 1
        rows = slice(self.top >> y, -(-self.bottom >> y))
        columns = slice(wide * (self.left >> x), wide * -(-self.right >> x))
        luma = slice(self.top, self.bottom), slice(self.left, self.right)
        return [luma, *[(rows, columns)] * (len(frame.planes) - 1)]


class BarFinder:
    """Follows the bars of one stream: nothing flips while the picture is dark or a text appears.

    Bars are believed at once in the first frame, where the frame's edges turn black, and where a
    clear pair appears; others when they have been there for a while. They are given up as soon as
    there is picture in them.

    Example:
        bars = BarFinder()
        for frame in stream:
            area = bars(frame)  # None while the picture fills the frame
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._bars: Bars | None = None
        self._candidate: tuple[int, ...] | None = None
        self._candidate_s = 0.0
        self._doubt_s = _STEADY_S
        self._shape: tuple[int, int] | None = None
        self._clock = FrameClock()
        self._elapsed_s = 0.0
        self._black = [False] * 4

    @property
    def lasting(self) -> tuple[object, ...]:
        """What does not fade: bars, how long others are in doubt, and since when."""
        known, most_s = self._bars and self._bars.sides, self._doubt_s
        if self._candidate is not None:
            return known, most_s, self._candidate, round(min(self._candidate_s, most_s), 1)
        waits = most_s > _STEADY_S and not any(self._black)
        waits_s = min(self._elapsed_s, most_s) if waits else 0.0
        return known, most_s, round(waits_s, 1)

    def __call__(self, frame: Frame) -> Area | None:
        """The area of a frame that is picture; None for the whole frame.

        Raises:
            DeviceError: the frame is not in main memory.
        """
        sample_rows(frame.planes[0])  # a frame elsewhere is an error
        self._elapsed_s += self._clock(frame.time_s)
        if self._shape != (frame.height, frame.width):
            self._bars, self._shape = None, (frame.height, frame.width)
        edges = edges_black_up_to(frame)
        black = [math.isfinite(edge) for edge in edges]
        if not any(black):
            if self._bars != NONE:
                self._give_up(NONE)
        elif self._bars is None or black != self._black or self._elapsed_s >= _LOOK_S:
            # The darkest edge is a bar, if one is, and tells how far its noise goes.
            lines = look(frame, min(edges))
            self._follow(lines, self._elapsed_s, appeared=black != self._black)
            self._elapsed_s = 0.0
        self._black = black
        return _area(frame, self._bars or NONE)

    def _follow(self, lines: Lines, elapsed_s: float, *, appeared: bool) -> None:
        if lines.is_black:  # black altogether: what comes up may be another picture
            self._bars = None if self._bars == NONE else self._bars
            return
        if self._bars is None:
            self._bars = find_bars(lines)
        elif has_picture(lines, self._bars):
            self._give_up(find_bars(lines))
        else:
            self._consider(find_bars(lines), elapsed_s, appeared=appeared)

    def _give_up(self, found: Bars) -> None:
        if self._bars is not None and any(self._bars.sides):
            self._doubt_s = min(2 * self._doubt_s, _LONGEST_DOUBT_S)
        self._bars, self._candidate = found, None

    def _consider(self, found: Bars, elapsed_s: float, *, appeared: bool) -> None:
        """Take other bars than those known when they are clear, or have been there long enough."""
        known = self._bars or NONE
        if all(new <= old + 1 for new, old in zip(found.sides, known.sides, strict=True)):
            self._candidate = None  # the same, or fewer in a picture that has become darker
            return
        if self._candidate != found.sides:
            self._candidate, self._candidate_s = found.sides, 0.0
        self._candidate_s += elapsed_s
        at_once = (found.clear or appeared) and self._doubt_s == _STEADY_S
        if at_once or self._candidate_s >= self._doubt_s:
            top, bottom, left, right = map(max, found.sides, known.sides)
            self._bars = Bars(top, bottom, left, right, clear=found.clear)
            self._candidate = None


def _area(frame: Frame, bars: Bars) -> Area | None:
    """The picture between bars, out to whole chroma samples; None for the whole frame."""
    layout = frame.format
    y, x = (1 << layout.chroma_y) - 1, (1 << layout.chroma_x) - 1
    if not any(bars.sides):
        return None
    bottom, right = frame.height - bars.bottom, frame.width - bars.right
    return Area(
        bars.top & ~y,
        min((bottom + y) & ~y, frame.height),
        bars.left & ~x,
        min((right + x) & ~x, frame.width),
    )
