"""Finds the black bars of one frame by itself: see `black_bars`, which follows them in a stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.bar_edges import (
    CLEAR_STEP,
    EMPTY,
    RINGING,
    TEXT,
    UNEVEN,
    bars_at_ends,
    flat,
    if_black,
    is_pair,
    pair_by_light,
    rise,
    shorter_pair,
    standing_out,
    steepest,
    to_light,
)
from tapetum.realtime.cpu.compiled import kernel
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Pixels = TypeVar("Pixels", Plane, Mask)

_MOST_NOISE = 10
"""Levels over black, at 8 bits, over which no pixel is taken for a noisy black one."""
_MOST_LIFT = 2
"""Levels, at 8 bits, by which a bar may be over black all along."""
_MARGIN = 1.5
"""Levels, at 8 bits, by which a picture is brighter than the brightest of a bar's noise."""
_MOST_TINT = 4
"""Mean distance from grey of a bar's chroma, at 8 bits: a dark purple wall is no bar."""
_END = 0.03
"""Part of a bar's line, at either end of it, to which no text reaches."""
_BARE_STEP = 0.5
"""A step at the ends of lines alone with which a pair of bars is believed: a circle has none."""
_MOST_BESIDE_TEXT = 0.5
"""Part of the frame that bars may take which are seen at the ends of lines alone."""
_END_SPECKS = 0.02
"""Part of the pixels there that may be brighter than black, by noise."""
_MOST_AT_BORDER = 0.45
"""Part of a frame's outermost lines that text may take."""
_MOST_TEXT = 2 * TEXT
"""Part of a bar's pixels that may be text by any measure."""


class Bars(NamedTuple):
    """Lines at each side of a frame that are bars, and how clearly their edges stand out."""

    top: int
    bottom: int
    left: int
    right: int
    clear: bool

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """The lines, without the rest."""
        return self[:4]


NONE = Bars(0, 0, 0, 0, clear=True)


class Lines(NamedTuple):
    """Of each row and column of a frame, the pixels that are brighter than black.

    Attributes:
        bright: (H, W) whether each pixel is.
        shining: (H, W) whether each pixel is brighter than any noise on black.
        luma: (H, W) as it lies in the frame.
        word: that of one level at 8 bits.
        black: the level of black, at 8 bits.
        top: the luma up to which a pixel is black.
        rows: (H,) their share.
        columns: (W,) their share.
        row_levels: (H,) mean luma at 8 bits, of which brighter pixels are not more than the others.
        column_levels: (W,) the same of each column.
        row_light: (H,) mean luma at 8 bits.
        column_light: (W,) the same of each column.
    """

    bright: Mask
    shining: Mask
    luma: Plane
    word: int
    black: float
    top: int
    rows: Floats
    columns: Floats
    row_levels: Floats
    column_levels: Floats
    row_light: Floats
    column_light: Floats

    @property
    def turned(self) -> Lines:
        """The same frame with its columns as rows."""
        return self._replace(
            bright=self.bright.T,
            shining=self.shining.T,
            luma=self.luma.T,
            rows=self.columns,
            columns=self.rows,
            row_levels=self.column_levels,
            column_levels=self.row_levels,
            row_light=self.column_light,
            column_light=self.row_light,
        )

    @property
    def is_black(self) -> bool:
        """Whether the frame is black altogether."""
        return bool(self.rows.max() <= EMPTY)


def edges_black_up_to(frame: Frame) -> list[float]:
    """For the top, bottom, left and right line, how far over black its luma goes, at 8 bits.

    Infinite where a line is brighter than bars with their noise are, or has a colour. Text may
    reach all with its shadow, or with what coding makes of it: then the lines' ends tell.
    """
    layout, levels = frame.format, sample_range(frame)
    word = 1 << (layout.shift + layout.depth - 8)
    black = levels.black / (1 << (layout.depth - 8))
    noisy = math.floor((black + _MOST_NOISE) * word)  # compared to whole numbers, without floats
    luma, chroma = frame.planes[0], frame.planes[1:]
    wide = 2 if layout.semi_planar else 1

    def over(luma_line: Plane, chroma_lines: Iterable[Plane]) -> float:
        place = len(luma_line) * 99 // 100
        if np.count_nonzero(luma_line > noisy) >= len(luma_line) - place:
            return math.inf  # as most are, and this is asked of every frame
        over_black = luma_line.astype(np.float32) / word - black
        if over_black.mean() > _MOST_LIFT + 2 * over_black.std():
            return math.inf  # darkness with a little light: noise on black is as wide as it is high
        tints = (np.abs(line.astype(np.float32) / word - 128).mean() for line in chroma_lines)
        most = float(np.partition(luma_line, place)[place]) / word - black
        return max(most, 0.0) if all(tint <= _MOST_TINT for tint in tints) else math.inf

    border: list[tuple[Plane, Callable[[Plane], Plane]]] = [
        (luma[0], lambda plane: plane[0]),
        (luma[-1], lambda plane: plane[-1]),
        (luma[:, 0], lambda plane: plane[:, :wide].reshape(-1)),
        (luma[:, -1], lambda plane: plane[:, -wide:].reshape(-1)),
    ]
    found = [over(luma_line, map(line_of, chroma)) for luma_line, line_of in border]
    if any(map(math.isfinite, found)):
        return found
    return [
        over(_at_ends(luma_line), (_at_ends(line_of(plane)) for plane in chroma))
        if np.count_nonzero(luma_line > noisy) <= _MOST_AT_BORDER * len(luma_line)
        else math.inf
        for luma_line, line_of in border
    ]


def _at_ends(line: Pixels) -> Pixels:
    """The two ends of lines, which lie along the last axis, beside each other."""
    part = max(2, round(_END * line.shape[-1]))
    return np.concatenate([line[..., :part], line[..., -part:]], axis=-1)


def look(frame: Frame, black_up_to: float) -> Lines:
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
    noisy = (levels.black + (_MOST_NOISE << (layout.depth - 8))) << layout.shift
    return Lines(
        bright,
        frame.planes[0] > noisy,
        frame.planes[0],
        word,
        levels.black / (1 << (layout.depth - 8)),
        top,
        *((counts[0] / across).astype(np.float32) for counts, across in axes),
        *((counts[1] / (across * word)).astype(np.float32) for counts, across in axes),
        *((counts[2] / (across * word)).astype(np.float32) for counts, across in axes),
    )


@kernel
def _count(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: Plane,
    pitch: int,
    top: int,
    bright: Mask,
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


def find_bars(lines: Lines) -> Bars:
    """The bars of a frame by itself.

    Rows and columns are looked at within each other's bars, for a window box.
    """
    height, width = lines.bright.shape
    top, bottom, left, right = 0, 0, 0, 0
    rows_step = columns_step = 1.0
    for _ in range(2):
        within = lines.bright[:, left : width - right]
        rows = lines.rows if not left + right else within.mean(axis=1, dtype=np.float32)
        top, bottom, rows_step = bars_at_ends(rows)
        within = lines.bright[top : height - bottom]
        columns = lines.columns if not top + bottom else within.mean(axis=0, dtype=np.float32)
        left, right, columns_step = bars_at_ends(columns)
    top, bottom = flat(lines.row_levels, top), flat(lines.row_levels[::-1], bottom)
    left, right = flat(lines.column_levels, left), flat(lines.column_levels[::-1], right)
    top, bottom = to_light(lines.row_light, top), to_light(lines.row_light[::-1], bottom)
    left, right = to_light(lines.column_light, left), to_light(lines.column_light[::-1], right)
    top, bottom = standing_out(lines.row_light, top, bottom, rows_step)
    left, right = standing_out(lines.column_light, left, right, columns_step)
    if not is_pair(top, bottom, height):
        found = _seen_otherwise(lines, slice(left, width - right))
        top, bottom = found or if_black(lines.row_light, lines.black, top, bottom)
    if not is_pair(left, right, width):
        found = _seen_otherwise(lines.turned, slice(top, height - bottom))
        left, right = found or if_black(lines.column_light, lines.black, left, right)
    pairs = (top, bottom, height), (left, right, width)
    even = all(abs(one - other) <= UNEVEN * size + 2 for one, other, size in pairs)
    clear = even and min(rows_step, columns_step) >= CLEAR_STEP
    return Bars(top, bottom, left, right, clear=clear)


def _seen_otherwise(lines: Lines, across: slice) -> tuple[int, int] | None:
    """A pair of bars that the share of bright pixels in whole rows does not show.

    Args:
        lines: a frame.
        across: its columns that are no bars.
    """
    if found := _beside_text(_Bare.of(lines, across)):
        return found
    light = lines.luma[:, across].mean(axis=1, dtype=np.float32) / np.float32(lines.word)
    found = shorter_pair(lines.bright[:, across].mean(axis=1, dtype=np.float32))
    if found and all(if_black(light, lines.black, *found)):
        return found
    return pair_by_light(light, lines.black)


class _Bare(NamedTuple):
    """The rows of a frame as their two ends show them, to which text does not reach.

    Attributes:
        shares: as of `Lines`, of the ends.
        each: (H, 2) the same of either end.
        levels: the same.
        light: the same.
        bright: of the whole rows.
        shining: of the whole rows.
    """

    shares: Floats
    each: Floats
    levels: Floats
    light: Floats
    bright: Mask
    shining: Mask

    @classmethod
    def of(cls, lines: Lines, across: slice) -> _Bare:
        """Rows of a frame, within some of its columns."""
        bright, shining = lines.bright[:, across], lines.shining[:, across]
        luma = _at_ends(lines.luma[:, across])
        each = _at_ends(bright).reshape(len(bright), 2, -1).mean(axis=2, dtype=np.float32)
        levels = np.minimum(luma, lines.top).mean(axis=1, dtype=np.float32) / lines.word
        light = luma.mean(axis=1, dtype=np.float32) / lines.word
        return cls(each.mean(axis=1), each, levels, light, bright, shining)


def _beside_text(bare: _Bare) -> tuple[int, int] | None:
    """A pair of bars whose edges are seen at the rows' ends alone, because there is text."""
    first, last, _ = bars_at_ends(bare.shares)
    first = flat(bare.levels, first, blurred=RINGING)
    last = flat(bare.levels[::-1], last, blurred=RINGING)
    first = to_light(bare.light, first, most=RINGING)
    last = to_light(bare.light[::-1], last, most=RINGING)
    steps = steepest(bare.each, first), steepest(bare.each[::-1], last)
    count = len(bare.shares)
    if not is_pair(first, last, count) or min(steps) < _BARE_STEP:
        return None
    rises = rise(bare.light, first), rise(bare.light[::-1], last)
    if first + last > _MOST_BESIDE_TEXT * count or min(rises) < _MARGIN:
        return None
    upside_down = bare.bright[::-1], bare.shining[::-1]
    above = _is_picture(bare.bright[:first], bare.shining[:first])
    below = _is_picture(upside_down[0][:last], upside_down[1][:last])
    return None if above or below else (first, last)


def has_picture(lines: Lines, bars: Bars) -> bool:
    """Whether there is more in a bar than text, and traces of the picture beside it."""
    height, width = lines.bright.shape
    rows, columns = slice(bars.top, height - bars.bottom), slice(bars.left, width - bars.right)
    regions = [
        (
            pixels[: bars.top, columns],
            pixels[height - bars.bottom :, columns][::-1],
            pixels[rows, : bars.left].T,
            pixels[rows, width - bars.right :].T[::-1],
        )
        for pixels in (lines.bright, lines.shining)
    ]
    return any(
        side and _is_picture(bright, shining)
        for side, bright, shining in zip(bars.sides, *regions, strict=True)
    )


def _is_picture(bright: Mask, shining: Mask) -> bool:
    """Whether lines from a frame's border inwards hold more than text, which stays off the ends.

    Args:
        bright: which pixels are brighter than black.
        shining: which are so much brighter that it is no trace of coding.
    """
    lines = len(bright)
    inner = lines - min(RINGING, lines // 2)  # coding leaves traces of the picture behind that
    outer = lines - min(2 * RINGING, lines // 2)  # and weak ones behind that
    at_ends = _at_ends(bright[:outer]).mean(axis=0), _at_ends(shining[:inner]).mean(axis=0)
    specks = max(float(end.mean()) for ends in at_ends for end in np.split(ends, 2))
    border = shining[: max(1, inner // 10)].mean(axis=1)
    return (
        specks > _END_SPECKS
        or float(border.max()) > _MOST_AT_BORDER
        or float(shining.mean()) > _MOST_TEXT
    )
