"""The lines of a frame as bars are looked for in them: how bright, and how much of each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.exposure import quantile
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.sample_range import sample_range

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Pixels = TypeVar("Pixels", Plane, Mask)

_MOST_NOISE = 10
"""Levels over black, at 8 bits, over which no pixel is taken for a noisy black one."""
_MOST_LIFT = 2
"""Levels, at 8 bits, by which a bar may be over black all along."""
MARGIN = 1.5
"""Levels, at 8 bits, by which a picture is brighter than the brightest of a bar's noise."""
_MOST_TINT = 4
"""Mean distance from grey of a bar's chroma, at 8 bits: a dark purple wall is no bar."""
RINGING = 10
"""Lines before an edge in which coding leaves traces of it: blocks of 8, and what smooths them."""
SHARP = 3
"""Lines in which an edge is passed."""
EMPTY = 0.005
"""Part of a line's pixels that may be brighter than black in a bar."""
_END = 0.03
"""Part of a bar's line, at either end of it, to which no text reaches."""
MOST_AT_BORDER = 0.45
"""Part of a frame's outermost lines that text may take."""
_BORDER_ROWS, _BORDER_COLUMNS = 24, 48
"""One of so many of a frame's rows, and of its columns, may be no picture at each side."""
VIEW_SIDE = 64
"""Rows, and columns, of which some pixels are looked at for changes."""


class Sight(Protocol):
    """What is seen of a frame, in whatever memory it lies: as little as has to be asked for."""

    def border(self, area: Area) -> tuple[Plane, ...]:
        """The top, bottom, left and right line of an area's luma, as they lie in the frame.

        Args:
            area: at each of its sides the frame ends, or `lines_at_border` more of it follow.
        """

    def chroma_border(self, area: Area) -> tuple[tuple[Plane, ...], ...]:
        """The same of its chroma, each of as many planes; U and V may be interleaved."""

    def view(self) -> Plane:
        """Luma where `spread` rows and columns meet, as it lies in the frame."""

    def luma(self) -> Plane:
        """All luma."""


class FrameSight:
    """A `Sight` of a frame in main memory."""

    def __init__(self, frame: Frame) -> None:
        """Take a frame.

        Raises:
            DeviceError: it is not in main memory.
        """
        sample_rows(frame.planes[0])
        self._frame = frame

    def border(self, area: Area) -> tuple[Plane, ...]:
        """See `Sight`; the area may be any."""
        luma = self._frame.planes[0][area.top : area.bottom, area.left : area.right]
        return luma[0], luma[-1], luma[:, 0], luma[:, -1]

    def chroma_border(self, area: Area) -> tuple[tuple[Plane, ...], ...]:
        """See `Sight`; the area may be any."""
        _, *chroma = area.cut(self._frame).planes
        wide = 2 if self._frame.format.semi_planar else 1
        return (
            tuple(plane[0] for plane in chroma),
            tuple(plane[-1] for plane in chroma),
            tuple(plane[:, :wide].reshape(-1) for plane in chroma),
            tuple(plane[:, -wide:].reshape(-1) for plane in chroma),
        )

    def view(self) -> Plane:
        """See `Sight`."""
        return view_of(self._frame.planes[0])

    def luma(self) -> Plane:
        """See `Sight`."""
        return self._frame.planes[0]


@lru_cache(maxsize=16)
def spread(size: int) -> npt.NDArray[np.intp]:
    """Lines of an axis that are looked at for changes; the outermost are among them."""
    return np.linspace(0, size - 1, min(size, VIEW_SIDE)).astype(np.intp)


def view_of(luma: Plane) -> Plane:
    """Luma where `spread` rows and columns meet."""
    rows, columns = (spread(size) for size in luma.shape)
    return luma.take(rows, 0).take(columns, 1)


def lines_at_border(height: int, width: int) -> tuple[int, int]:
    """Rows at the top and bottom of a frame, and columns at its sides, that may be no picture."""
    return max(4, height // _BORDER_ROWS // 2 * 2), max(4, width // _BORDER_COLUMNS // 2 * 2)


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


def edges_black_up_to(frame: Frame, sight: Sight, area: Area) -> list[float]:
    """For each line of an area's border, how far over black its luma goes, at 8 bits.

    Infinite where a line is brighter than bars with their noise are, or has a colour. Text may
    reach all with its shadow, or with what coding makes of it: then the lines' ends tell.

    Args:
        frame: in any memory.
        sight: of it.
        area: as for `Sight.border`.
    """
    layout, levels = frame.format, sample_range(frame)
    word = 1 << (layout.shift + layout.depth - 8)
    black, noisy = levels.black / (1 << (layout.depth - 8)), noisy_black(frame)

    def over(line: Plane) -> float:
        place = len(line) * 99 // 100
        if np.count_nonzero(line > noisy) >= len(line) - place:
            return math.inf  # as most are, and this is asked of every frame
        over_black = line.astype(np.float32) / word - black
        if over_black.mean() > _MOST_LIFT + 2 * over_black.std():
            return math.inf  # darkness with a little light: noise on black is as wide as it is high
        return max(float(np.partition(line, place)[place]) / word - black, 0.0)

    def is_grey(lines: Iterable[Plane]) -> bool:
        tints = (np.abs(line.astype(np.float32) / word - 128).mean() for line in lines)
        return all(tint <= _MOST_TINT for tint in tints)

    def if_grey(edges: list[float], part: Callable[[Plane], Plane]) -> list[float]:
        if not any(map(math.isfinite, edges)):
            return edges
        chroma = sight.chroma_border(area)
        return [
            edge if math.isfinite(edge) and is_grey(map(part, lines)) else math.inf
            for edge, lines in zip(edges, chroma, strict=True)
        ]

    border = sight.border(area)
    edges = if_grey([over(line) for line in border], lambda line: line)
    if any(map(math.isfinite, edges)):
        return edges
    edges = [
        over(at_ends(line))
        if np.count_nonzero(line > noisy) <= MOST_AT_BORDER * len(line)
        else math.inf
        for line in border
    ]
    return if_grey(edges, at_ends)


def noisy_black(frame: Frame) -> int:
    """The highest word of luma that noise makes of black."""
    layout = frame.format
    return sample_range(frame).black + (_MOST_NOISE << (layout.depth - 8)) << layout.shift


def at_ends(line: Pixels) -> Pixels:
    """The two ends of lines, which lie along the last axis, beside each other."""
    part = max(2, round(_END * line.shape[-1]))
    return np.concatenate([line[..., :part], line[..., -part:]], axis=-1)


def black_of(bar: Floats) -> float:
    """The light of a bar's black lines: a logo may take most of the others."""
    place = len(bar) // 5
    return float(np.partition(bar, place)[place])


def quantile_of(lines: Floats, share: float) -> float:
    """That of one value or more: see `quantile`."""
    ranked = np.sort(lines)
    return quantile(ranked, share) if len(ranked) > 1 else float(ranked[0])


def look(frame: Frame, luma: Plane, black_up_to: float) -> Lines:
    """Look at a whole frame.

    Args:
        frame: in any memory.
        luma: its, in main memory.
        black_up_to: how far over black a bar's luma goes, at 8 bits.
    """
    from tapetum.realtime.cpu.line_counts import count_lines  # for black edges alone: it compiles

    layout, levels = frame.format, sample_range(frame)
    samples, pitch = sample_rows(luma)
    level = levels.black + int((black_up_to + MARGIN) * (1 << (layout.depth - 8)))
    top = level << layout.shift | ((1 << layout.shift) - 1)
    bright = np.empty((frame.height, frame.width), np.bool_)
    rows, columns = (np.zeros((3, size), np.int64) for size in bright.shape)
    count_lines(samples, pitch, top, bright, rows, columns)
    word = 1 << (layout.shift + layout.depth - 8)
    axes = (rows, frame.width), (columns, frame.height)
    return Lines(
        bright,
        luma > noisy_black(frame),
        luma,
        word,
        levels.black / (1 << (layout.depth - 8)),
        top,
        *((counts[0] / across).astype(np.float32) for counts, across in axes),
        *((counts[1] / (across * word)).astype(np.float32) for counts, across in axes),
        *((counts[2] / (across * word)).astype(np.float32) for counts, across in axes),
    )
