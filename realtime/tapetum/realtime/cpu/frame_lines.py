"""The lines of a frame as bars are looked for in them: how bright, and how much of each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

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
    noisy = noisy_black(frame)
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
        over(at_ends(luma_line), (at_ends(line_of(plane)) for plane in chroma))
        if np.count_nonzero(luma_line > noisy) <= MOST_AT_BORDER * len(luma_line)
        else math.inf
        for luma_line, line_of in border
    ]


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


def look(frame: Frame, black_up_to: float) -> Lines:
    """Look at a frame; `black_up_to` is how far over black a bar's luma goes, at 8 bits."""
    layout, levels = frame.format, sample_range(frame)
    samples, pitch = sample_rows(frame.planes[0])
    level = levels.black + int((black_up_to + MARGIN) * (1 << (layout.depth - 8)))
    top = level << layout.shift | ((1 << layout.shift) - 1)
    bright = np.empty((frame.height, frame.width), np.bool_)
    rows, columns = (np.zeros((3, size), np.int64) for size in bright.shape)
    _count(samples, pitch, top, bright, rows, columns)
    word = 1 << (layout.shift + layout.depth - 8)
    axes = (rows, frame.width), (columns, frame.height)
    return Lines(
        bright,
        frame.planes[0] > noisy_black(frame),
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
