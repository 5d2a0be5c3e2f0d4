"""Finds black bars around a picture, so that they neither count as darkness nor are brightened.

Letterbox, pillarbox, both at once (a window box), and the black around the round picture of a
fish-eye lens (`picture_circle`). A bar is black, and it ends at a straight edge, where much of a
line of the picture is brighter: a scene that is merely dark at its edge fades out, and has no bar.
Text in a bar does not undo it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.bar_contents import has_picture
from tapetum.realtime.cpu.bars_of_frame import NONE, Bars, find_bars
from tapetum.realtime.cpu.border_lines import continued, without_border_lines
from tapetum.realtime.cpu.frame_lines import (
    FrameSight,
    Lines,
    Sight,
    look,
    spread,
    view_of,
)
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range
from tapetum.realtime.temporal import FrameClock

Floats = npt.NDArray[np.float32]

_STEADY_S = 0.5
"""For so long must other bars be there before they are believed in mid-scene."""
_LOOK_S = 0.1
"""How often a frame is looked at whole while its edges stay black, or stay not."""
_GROWING_S = 0.2
"""The same where known pairs of bars grow at both ends alike."""
_LIT_S = 0.2
"""For so long a known bar's border may be brighter than black, which coding makes it at times."""
_EVEN = 2
"""Lines by which coding lets bars differ from each other, and from themselves a while ago."""
_MOST_OF_TEXT = 0.65
"""Part of the pixels of lines that text, or a ticker, may take, and a picture takes at its edge."""
_FADES_PER_S = 0.3
"""Part of its light by which a picture that fades in from black becomes brighter in a second."""
_RISES = 0.1
"""Levels, at 8 bits, by which a frame of such a one is brighter than the last that was seen."""
_FIRST_LIGHT = (2.0, 4.0)
"""Levels, at 8 bits, by which hardly a pixel of such a one is over black, and some are."""
_LEAST_LIGHT, _MOST_IN_BAR = 0.5, 0.3
"""Levels, at 8 bits, by which such a one is over black, at least, before bars are believed; and
part of that by which these are."""
_AT_ONCE = 1.5
"""Levels, at 8 bits, by which what bars cover changes where the shape of the picture does."""
_TWINS_APART = 3.0
"""Levels, at 8 bits, by which the noise of two bars differs at most."""
_LONGEST_DOUBT_S = 8.0
"""The same, at most, after bars that turned out to be picture."""


class BarFinder:
    """Follows the bars of one stream: nothing flips while the picture is dark or a text appears.

    Bars are believed at once in the first frame and while a picture fades in from black, if they
    stay black beside it; where all of what they cover turns black from one frame to the next, where
    the frame's edges turn black, and where a clear pair appears; others when they have been there
    for a while, and sooner if known ones grow alike. They are given up, or become narrower, as soon
    as there is picture in them, and where the frame's border is black no more; and doubted from
    then on, if that has come little by little.

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
        self._moved = False
        self._lit_s = 0.0
        self._black = [False] * 4
        self._fades_in = True
        self._view: Floats | None = None

    @property
    def lasting(self) -> tuple[object, ...]:
        """What does not fade: bars, how long others are in doubt, and since when."""
        known, most_s = self._bars and self._bars.sides, self._doubt_s
        if self._candidate is not None:
            return known, most_s, self._candidate, round(min(self._candidate_s, most_s), 1)
        waits = most_s > _STEADY_S and not any(self._black)
        waits_s = min(self._elapsed_s, most_s) if waits else 0.0
        return known, most_s, round(waits_s, 1)

    def __call__(self, frame: Frame, sight: Sight | None = None) -> Area | None:
        """The area of a frame that is picture; None for the whole frame.

        Args:
            frame: the stream's next.
            sight: of the frame; it may be left out for one in main memory.

        Raises:
            DeviceError: the frame is not in main memory, and has no sight.
        """
        sight = sight or FrameSight(frame)
        self._elapsed_s += self._clock(frame.time_s)
        if self._shape != (frame.height, frame.width):
            self._bars, self._shape = None, (frame.height, frame.width)
        within, edges = without_border_lines(frame, sight)
        black = [math.isfinite(edge) for edge in edges]
        if not any(black):
            view = _levels(frame, sight.view())
            if self._bars != NONE:
                self._give_up(NONE, view)
            self._view, self._fades_in = view, False
        elif self._is_due(black) or self._comes_up(frame, sight):
            self._moved = False
            luma = continued(sight.luma(), within)
            view = _levels(frame, view_of(luma))
            lines = look(frame, luma, self._black_up_to(frame, edges, view))
            self._follow(lines, view, self._elapsed_s, black)
            self._view, self._elapsed_s = view, 0.0
        self._black = black
        return _area(frame, self._bars or NONE)

    def _is_due(self, black: list[bool]) -> bool:
        """Whether a frame is looked at whole: bars that have just moved may move on."""
        new = self._bars is None or black != self._black
        return new or self._moved or self._elapsed_s >= _LOOK_S

    def _black_up_to(self, frame: Frame, edges: list[float], view: Floats) -> float:
        """How far over black a bar's luma goes, at 8 bits; see `look`.

        Beside pure black the first light of a picture that fades in tells, however little it is.
        """
        noise, depth = _noise_of_bars(edges), frame.format.depth
        light = float(np.percentile(view, 99)) - sample_range(frame).black / (1 << (depth - 8))
        first = self._fades_in and noise == 0 and _FIRST_LIGHT[0] <= light <= _FIRST_LIGHT[1]
        return noise - 1 if first else noise

    def _comes_up(self, frame: Frame, sight: Sight) -> bool:
        """Whether a picture that fades in is brighter than when it was last looked at."""
        if not self._fades_in or self._view is None:
            return False
        return float(_levels(frame, sight.view()).mean() - self._view.mean()) > _RISES

    def _follow(self, lines: Lines, view: Floats, elapsed_s: float, black: list[bool]) -> None:
        if lines.is_black:  # black altogether: what comes up may be another picture
            self._bars = None if self._bars == NONE else self._bars
            self._fades_in = self._bars is None
            return
        known, found = self._bars, find_bars(lines)
        self._fades_in &= self._view is None or self._brightens(view, lines.black, elapsed_s)
        if known is None or self._fades_in:
            if not self._fades_in or self._stay_behind(found, view, lines.black):
                self._bars, self._moved = found, self._fades_in and self._view is not None
        elif self._is_lit(found, view, elapsed_s, black) or has_picture(
            lines, known.sides, found.sides
        ):
            self._give_up(found, view)
        else:
            self._consider(lines, found, view, elapsed_s, appeared=black != self._black)

    def _stay_behind(self, found: Bars, view: Floats, black: float) -> bool:
        """Whether bars are black beside a picture that fades in, and no darker part of it."""
        if not any(found.sides) or self._shape is None:
            return True
        picture = float(view[~_covered(found, self._shape)].mean()) - black
        top, bottom, left, right = found.sides
        each = (top, 0, 0, 0), (0, bottom, 0, 0), (0, 0, left, 0), (0, 0, 0, right)
        parts = [view[_covered(Bars(*side, clear=True), self._shape)] for side in each]
        most = max(float(np.median(part)) - black for part in parts if part.size)
        return picture >= _LEAST_LIGHT and most <= _MOST_IN_BAR * picture

    def _brightens(self, view: Floats, black: float, elapsed_s: float) -> bool:
        """Whether the picture has more light than at the last look, as where it fades in."""
        if self._view is None or self._shape is None:
            return False
        picture = ~_covered(self._bars or NONE, self._shape)  # text that appears in bars is no fade
        before, now = (float(seen[picture].mean()) - black for seen in (self._view, view))
        return now > (1 + _FADES_PER_S * elapsed_s) * before

    def _is_lit(self, found: Bars, view: Floats, elapsed_s: float, black: list[bool]) -> bool:
        """Whether a known bar's border is black no more, all at once, or has not been for a while.

        There may be no other sign of it, where the picture is nearly black there.
        """
        known = self._bars or NONE
        sides = zip(known.sides, found.sides, black, strict=True)
        lit = any(bar > other + _EVEN and not dark for bar, other, dark in sides)
        self._lit_s = self._lit_s + elapsed_s if lit else 0.0
        return self._lit_s >= _LIT_S or (lit and self._turns_at_once(known, found, view))

    def _give_up(self, found: Bars, view: Floats) -> None:
        known = self._bars or NONE
        if any(known.sides) and not self._turns_at_once(known, found, view):
            self._doubt_s = min(2 * self._doubt_s, _LONGEST_DOUBT_S)
        self._take(found)

    def _take(self, bars: Bars) -> None:
        if self._bars is not None and self._bars.sides != bars.sides:
            self._moved = True
        self._bars, self._candidate = bars, None

    def _consider(
        self, lines: Lines, found: Bars, view: Floats, elapsed_s: float, *, appeared: bool
    ) -> None:
        """Take other bars than those known when they are clear, or have been there long enough."""
        known = self._bars or NONE
        if all(new <= old + 1 for new, old in zip(found.sides, known.sides, strict=True)):
            if _is_same_kind(found, known) and _open(lines, known, found):
                self._take(found)
            self._candidate = None  # the same, or fewer in a picture that has become darker
            return
        grows = _is_same_kind(found, known) and self._doubt_s == _STEADY_S
        if self._candidate is None or not _is_near(found.sides, self._candidate, grows=grows):
            self._candidate_s = 0.0
        self._candidate = found.sides
        self._candidate_s += elapsed_s
        at_once = (found.clear or appeared) and self._doubt_s == _STEADY_S
        at_once = at_once or self._turns_at_once(known, found, view)
        needed_s = _GROWING_S if grows else self._doubt_s
        if at_once or self._candidate_s >= needed_s:
            top, bottom, left, right = map(max, found.sides, known.sides)
            self._take(Bars(top, bottom, left, right, clear=found.clear))

    def _turns_at_once(self, before: Bars, after: Bars, view: Floats) -> bool:
        """Whether most of what only one of two shapes covers changed its light since the last look.

        What moves into bars does so little by little, and from one side.
        """
        top, bottom, left, right = (
            one != other for one, other in zip(before.sides, after.sides, strict=True)
        )
        if self._view is None or self._shape is None or not ((top and bottom) or (left and right)):
            return False
        changed = _covered(before, self._shape) != _covered(after, self._shape)
        change = (view - self._view)[changed]
        return bool(change.size and abs(float(np.median(change))) > _AT_ONCE)


def _covered(bars: Bars, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which of a frame's pixels that are looked at for changes lie in bars."""
    height, width = shape
    y, x = spread(height)[:, np.newaxis], spread(width)
    within_rows = (y >= bars.top) & (y < height - bars.bottom)
    covered: npt.NDArray[np.bool_] = ~(within_rows & (x >= bars.left) & (x < width - bars.right))
    return covered


def _is_same_kind(found: Bars, known: Bars) -> bool:
    """Whether bars are even pairs at the sides at which known ones are: these open, or close."""
    kinds = [[bool(side) for side in bars.sides] for bars in (found, known)]
    top, bottom, left, right = found.sides
    even = max(abs(top - bottom), abs(left - right)) <= _EVEN
    return kinds[0] == kinds[1] and even


def _open(lines: Lines, known: Bars, found: Bars) -> bool:
    """Whether there is picture, for it is no text, between bars and others that are narrower."""
    height, width = lines.bright.shape
    uncovered = (
        lines.rows[found.top : known.top],
        lines.rows[height - known.bottom : height - found.bottom],
        lines.columns[found.left : known.left],
        lines.columns[width - known.right : width - found.right],
    )
    more = [len(part) for part, side in zip(uncovered, known.sides, strict=True) if side]
    if min(more, default=0) <= _EVEN:
        return False
    return found.clear or all(part.mean() > _MOST_OF_TEXT for part in uncovered if part.size)


def _is_near(sides: tuple[int, ...], others: tuple[int, ...], *, grows: bool) -> bool:
    """Whether bars are the same but for what coding changes, or more of the same if they grow."""
    more = [side - other for side, other in zip(sides, others, strict=True)]
    return min(more) >= -_EVEN and (grows or max(more) <= _EVEN)


def _noise_of_bars(edges: list[float]) -> float:
    """How far over black the noise of bars goes, by that of the edges, at 8 bits.

    The darkest edge is a bar, if one is. Its twin may have a little more noise, by coding.
    """
    top, bottom, left, right = edges
    twins = min(max(top, bottom), max(left, right))
    darkest = min(edges)
    return twins if twins <= darkest + _TWINS_APART else darkest


def _levels(frame: Frame, luma: Plane) -> Floats:
    """A frame's luma at 8 bits."""
    layout = frame.format
    word = np.float32(1 << (layout.shift + layout.depth - 8))
    levels: Floats = luma.astype(np.float32) / word
    return levels


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
