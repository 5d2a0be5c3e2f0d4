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

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range
from tapetum.realtime.temporal import FrameClock

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]

_MOST_NOISE = 10
"""Levels over black, at 8 bits, over which no pixel is taken for a noisy black one."""
_MOST_LIFT = 2
"""Levels, at 8 bits, by which a bar may be over black all along."""
_MARGIN = 1.5
"""Levels, at 8 bits, by which a picture is brighter than the brightest of a bar's noise."""
_MOST_TINT = 4
"""Mean distance from grey of a bar's chroma, at 8 bits: a dark purple wall is no bar."""
_EMPTY = 0.005
"""Part of a line's pixels that may be brighter than black in a bar."""
_STEP = 0.1
"""Where a bar ends, so much of a line is brighter, against the brighter lines of the picture."""
_WEAK_STEP = 0.01
"""The same, as a share of the line, where a pair of bars ends alike: the picture is dark there."""
_FLAT = 0.3
"""Levels, at 8 bits, by which a bar may be brighter at its end than at its begin: a scene fades."""
_TEXT = 0.14
"""Part of a bar's pixels that may be text: two lines of subtitles."""
_RINGING = 10
"""Lines before an edge in which coding leaves traces of it: blocks of 8, and what smooths them."""
_SHARP = 3
"""Lines in which an edge is passed."""
_TRACES = 0.2
"""What is bright in traces of an edge, against what is bright behind it."""
_EDGE_LIGHT = 0.4
"""Where the light of the picture's first lines, against the black, is reached, the bar ends."""
_SMALLEST = 0.01
"""Narrower bars, against the frame, count for nothing."""
_SMALLEST_PICTURE = 0.1
_UNEVEN = 0.02
"""Difference of the two bars of a pair, against the frame."""
_CLEAR_STEP = 0.6
"""A step with which a pair of bars is believed at once, and one bar at all."""
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


class _Bars(NamedTuple):
    """Lines at each side of a frame that are bars, and how clearly their edges stand out."""

    top: int
    bottom: int
    left: int
    right: int
    clear: bool

    @property
    def sides(self) -> tuple[int, int, int, int]:
        return self[:4]


_NONE = _Bars(0, 0, 0, 0, clear=True)


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
        self._bars: _Bars | None = None
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
        edges = _edges_black_up_to(frame)
        black = [math.isfinite(edge) for edge in edges]
        if not any(black):
            if self._bars != _NONE:
                self._give_up(_NONE)
        elif self._bars is None or black != self._black or self._elapsed_s >= _LOOK_S:
            # The darkest edge is a bar, if one is, and tells how far its noise goes.
            lines = _lines(frame, min(edges))
            self._follow(lines, self._elapsed_s, appeared=black != self._black)
            self._elapsed_s = 0.0
        self._black = black
        return _area(frame, self._bars or _NONE)

    def _follow(self, lines: _Lines, elapsed_s: float, *, appeared: bool) -> None:
        if lines.rows.max() <= _EMPTY:  # black altogether: what comes up may be another picture
            self._bars = None if self._bars == _NONE else self._bars
            return
        if self._bars is None:
            self._bars = _find(lines)
        elif _has_picture(lines, self._bars):
            self._give_up(_find(lines))
        else:
            self._consider(_find(lines), elapsed_s, appeared=appeared)

    def _give_up(self, found: _Bars) -> None:
        if self._bars is not None and any(self._bars.sides):
            self._doubt_s = min(2 * self._doubt_s, _LONGEST_DOUBT_S)
        self._bars, self._candidate = found, None

    def _consider(self, found: _Bars, elapsed_s: float, *, appeared: bool) -> None:
        """Take other bars than those known when they are clear, or have been there long enough."""
        known = self._bars or _NONE
        if all(new <= old + 1 for new, old in zip(found.sides, known.sides, strict=True)):
            self._candidate = None  # the same, or fewer in a picture that has become darker
            return
        if self._candidate != found.sides:
            self._candidate, self._candidate_s = found.sides, 0.0
        self._candidate_s += elapsed_s
        at_once = (found.clear or appeared) and self._doubt_s == _STEADY_S
        if at_once or self._candidate_s >= self._doubt_s:
            top, bottom, left, right = map(max, found.sides, known.sides)
            self._bars = _Bars(top, bottom, left, right, clear=found.clear)
            self._candidate = None


class _Lines(NamedTuple):
    """Of each row and column of a frame, the pixels that are brighter than black.

    Attributes:
        bright: (H, W) whether each pixel is.
        rows: (H,) their share.
        columns: (W,) their share.
        row_levels: (H,) mean luma at 8 bits, of which brighter pixels are not more than the others.
        column_levels: (W,) the same of each column.
        row_light: (H,) mean luma at 8 bits.
        column_light: (W,) the same of each column.
    """

    bright: npt.NDArray[np.bool_]
    rows: Floats
    columns: Floats
    row_levels: Floats
    column_levels: Floats
    row_light: Floats
    column_light: Floats


def _edges_black_up_to(frame: Frame) -> list[float]:
    """For the top, bottom, left and right line, how far over black its luma goes, at 8 bits.

    Infinite where a line is brighter than bars with their noise are, or has a colour.
    """
    layout, levels = frame.format, sample_range(frame)
    word = 1 << (layout.shift + layout.depth - 8)
    black = levels.black / (1 << (layout.depth - 8))
    noisy = (black + _MOST_NOISE) * word
    luma, chroma = frame.planes[0], frame.planes[1:]
    wide = 2 if layout.semi_planar else 1

    def over(luma_line: Plane, chroma_lines: list[Plane]) -> float:
        place = len(luma_line) * 99 // 100
        if np.count_nonzero(luma_line > noisy) >= len(luma_line) - place:
            return math.inf  # as most are, and this is asked of every frame
        over_black = luma_line.astype(np.float32) / word - black
        if over_black.mean() > _MOST_LIFT + 2 * over_black.std():
            return math.inf  # darkness with a little light: noise on black is as wide as it is high
        tints = (np.abs(line.astype(np.float32) / word - 128).mean() for line in chroma_lines)
        most = float(np.partition(luma_line, place)[place]) / word - black
        return max(most, 0.0) if all(tint <= _MOST_TINT for tint in tints) else math.inf

    return [
        over(luma[0], [plane[0] for plane in chroma]),
        over(luma[-1], [plane[-1] for plane in chroma]),
        over(luma[:, 0], [plane[:, :wide].reshape(-1) for plane in chroma]),
        over(luma[:, -1], [plane[:, -wide:].reshape(-1) for plane in chroma]),
    ]


def _lines(frame: Frame, black_up_to: float) -> _Lines:
    """What `_find` looks at; `black_up_to` is how far over black a bar's luma goes, at 8 bits."""
    layout, levels = frame.format, sample_range(frame)
    samples, pitch = sample_rows(frame.planes[0])
    level = levels.black + int((black_up_to + _MARGIN) * (1 << (layout.depth - 8)))
    top = level << layout.shift | ((1 << layout.shift) - 1)
    bright = np.empty((frame.height, frame.width), np.bool_)
    rows, columns = (np.zeros((3, size), np.int64) for size in bright.shape)
    _count(samples, pitch, top, bright, rows, columns)
    word = 1 << (layout.shift + layout.depth - 8)
    axes = (rows, frame.width), (columns, frame.height)
    return _Lines(
        bright,
        *((counts[0] / across).astype(np.float32) for counts, across in axes),
        *((counts[1] / (across * word)).astype(np.float32) for counts, across in axes),
        *((counts[2] / (across * word)).astype(np.float32) for counts, across in axes),
    )


@kernel
def _count(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: Plane,
    pitch: int,
    top: int,
    bright: npt.NDArray[np.bool_],
    rows: Counts,
    columns: Counts,
) -> None:
    """Find the pixels over `top`, and count them by row and by column; and sum luma up to `top`."""
    height, width = bright.shape
    for row in range(height):
        line = samples[row * pitch : row * pitch + width]
        total, light, whole = 0, np.int64(0), np.int64(0)
        for x in range(width):
            over = line[x] > top
            level = min(np.int64(line[x]), np.int64(top))
            bright[row, x] = over
            columns[0, x] += over
            columns[1, x] += level
            columns[2, x] += np.int64(line[x])
            whole += np.int64(line[x])
            total += over
            light += level
        rows[0, row], rows[1, row], rows[2, row] = total, light, whole


def _find(lines: _Lines) -> _Bars:
    """The bars of a frame by itself.

    Rows and columns are looked at within each other's bars, for a window box.
    """
    height, width = lines.bright.shape
    top, bottom, left, right = 0, 0, 0, 0
    step = 1.0
    for _ in range(2):
        within = lines.bright[:, left : width - right]
        rows = lines.rows if not left + right else within.mean(axis=1, dtype=np.float32)
        top, bottom, rows_step = _ends(rows)
        within = lines.bright[top : height - bottom]
        columns = lines.columns if not top + bottom else within.mean(axis=0, dtype=np.float32)
        left, right, columns_step = _ends(columns)
        step = min(rows_step, columns_step)
    top, bottom = _flat(lines.row_levels, top), _flat(lines.row_levels[::-1], bottom)
    left, right = _flat(lines.column_levels, left), _flat(lines.column_levels[::-1], right)
    top, bottom = _to_light(lines.row_light, top), _to_light(lines.row_light[::-1], bottom)
    left, right = _to_light(lines.column_light, left), _to_light(lines.column_light[::-1], right)
    pairs = (top, bottom, height), (left, right, width)
    even = all(abs(one - other) <= _UNEVEN * size + 2 for one, other, size in pairs)
    return _Bars(top, bottom, left, right, clear=even and step >= _CLEAR_STEP)


def _ends(shares: Floats) -> tuple[int, int, float]:
    """Lines of bars at both ends of an axis, and the smaller of their steps.

    Bars come in pairs. One alone, which a black sky over a bright street may look like, has to be
    pure and has to end in a clear step.
    """
    count = len(shares)
    bright = shares[shares > _EMPTY]
    if not bright.size:
        return 0, 0, 1.0
    usual = float(np.percentile(bright, 90))
    first, first_step = _end(shares, usual)
    last, last_step = _end(shares[::-1], usual)
    if not first and not last:
        first = last = _dim_pair(shares)
        first_step = last_step = 0.0
    elif abs(first - last) > _UNEVEN * count + 2:
        first, last = _paired(shares, first, last)
        first_step = last_step = min(first_step, last_step)
    if first + last > (1 - _SMALLEST_PICTURE) * count:
        return 0, 0, 1.0
    if abs(first - last) > _UNEVEN * count + 2:
        first = first if _is_pure(shares[:first], first_step) else 0
        last = last if _is_pure(shares[count - last :], last_step) else 0
    return first, last, min(first_step, last_step)


def _flat(levels: Floats, bar: int) -> int:
    """The lines of a bar at the beginning of an axis, or 0 if it grows brighter towards its end.

    The last few lines do not count: coding blurs an edge.
    """
    part, end = max(1, bar // 4), bar - max(3, len(levels) // 200)
    if end < 2 * part:
        return bar
    grows = float(levels[end - part : end].mean() - levels[:part].mean())
    return bar if grows <= _FLAT else 0


def _to_light(light: Floats, bar: int) -> int:
    """The lines of a bar with those behind it that hold no more than an edge's traces."""
    if not bar:
        return 0
    behind = light[bar : bar + _RINGING]
    black = float(np.median(light[:bar]))
    limit = black + _EDGE_LIGHT * (float(behind.max()) - black)
    return bar + min(int(np.argmax(behind >= limit)), _SHARP + 1)


def _dim_pair(shares: Floats) -> int:
    """Lines of a pair of bars about a picture that is dark at its edges; 0 where none is."""
    count = len(shares)
    lit = np.flatnonzero(shares > _EMPTY)
    first, last = int(lit[0]), count - 1 - int(lit[-1])
    reach = max(3, count // 200)
    alike = abs(first - last) <= max(1, count // 500) and first >= 2 * _SMALLEST * count
    step = min(shares[first : first + reach].max(), shares[count - last - reach :].max())
    return min(first, last) if alike and step >= _WEAK_STEP else 0


def _is_pure(bar: Floats, step: float) -> bool:
    return bar.size > 0 and step >= _CLEAR_STEP and float(bar.max()) <= _EMPTY


def _end(shares: Floats, usual: float) -> tuple[int, float]:
    """Lines of the bar at the beginning of an axis, and the step at its edge; 0 where none is.

    Args:
        shares: of each line, the share of its pixels that are brighter than black.
        usual: that of a line that is full of picture.
    """
    count = len(shares)
    # Coding and scaling spread an edge over some lines.
    short, reach = (max(lines, count // 200) for lines in (_SHARP, _RINGING))
    empty = shares <= _EMPTY
    before = np.cumsum(shares)
    begins = np.flatnonzero(empty[:-2] & empty[1:-1] & ~empty[2:]) + 2
    for line in begins[(begins >= _SMALLEST * count) & (begins < 0.9 * count)][::-1].tolist():
        edge, sharp = line, True
        step = float(shares[line : line + short].max()) / usual
        if step < _STEP:
            behind = shares[line : line + reach]
            edge = line + int(np.argmax(behind >= behind.max() / 2))
            sharp = bool(shares[max(0, edge - _SHARP)] <= _TRACES * behind.max())
            step = float(shares[edge : edge + short].max()) / usual
        margin = empty[: max(2, line // 10)].all()
        if step >= _STEP and sharp and margin and before[line - 1] <= _TEXT * line:
            return edge, step
    return 0, 1.0


def _paired(shares: Floats, first: int, last: int) -> tuple[int, int]:
    """The lines of two bars of which one was found, or only a part of one, up to its text."""
    if first > last:
        return first, _twin(shares[::-1], first) or last
    return _twin(shares, last) or first, last


def _twin(shares: Floats, lines: int) -> int:
    """As many lines as the bar at the other end has, where they are black too, or hold text.

    The edge itself cannot be seen where the picture is black beside it, nor where text is close to
    it: then what is behind it has to be brighter throughout than any line of the text.
    """
    if shares[:lines].mean() <= _EMPTY:
        return lines
    bar, behind = shares[: max(1, lines - _SHARP)], shares[lines + 1 : lines + 1 + _SHARP]
    is_text = bar.mean() <= _TEXT and bar[: max(2, lines // 10)].max() <= _EMPTY
    return lines if is_text and behind.size and behind.min() >= 2 * bar.max() else 0


def _has_picture(lines: _Lines, bars: _Bars) -> bool:
    """Whether there is more in a bar than text."""
    height, width = lines.bright.shape
    regions = (
        lines.bright[: bars.top],
        lines.bright[height - bars.bottom :] if bars.bottom else lines.bright[:0],
        lines.bright[:, : bars.left].T,
        lines.bright[:, width - bars.right :].T if bars.right else lines.bright[:, :0].T,
    )
    return any(region.size and _is_picture(region) for region in regions)


def _is_picture(region: npt.NDArray[np.bool_]) -> bool:
    shares = region.mean(axis=1)
    return bool(shares.mean() > 2 * _TEXT or (shares > _EMPTY).mean() > 0.9)


def _area(frame: Frame, bars: _Bars) -> Area | None:
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
