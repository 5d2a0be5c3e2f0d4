"""What lies in black bars: text, clocks and logos, which undo none, or picture, which does."""

from __future__ import annotations

import numpy as np

from tapetum.realtime.cpu.frame_lines import (
    EMPTY,
    MOST_AT_BORDER,
    RINGING,
    SHARP,
    Floats,
    Lines,
    Mask,
    at_ends,
    black_of,
)
from tapetum.realtime.frame import Plane

Sides = tuple[int, int, int, int]
"""Lines at the top, bottom, left and right of a frame that are bars."""

_END_SPECKS = 0.02
"""Part of the pixels at the ends of a bar's lines that may be brighter than black, by noise."""
_PIECES, _MOST_FILLED = 16, 0.5
"""Pieces of a bar along its length, and the part of them that a stamp or logo takes, at most."""
_SHINING = 0.3
"""Part of the pixels brighter than black that shine, of text: what is dim is no text."""
_MOST_TEXT = 0.28
"""Part of a bar's pixels that may be text by any measure."""
_MOST_LIT = 0.4
"""The same that may be brighter than black, with what coding leaves about text."""
_MOST_OF_EDGE = 0.8
"""Part of a line that begins at the edge of a bar without a twin that holds text."""
_LEAST_WITH_TEXT, _MOST_WITH_TEXT = 0.04, 0.35
"""Part of the frame that such a bar takes."""
_BLACK = 1.0
"""Levels, at 8 bits, by which a bar without a twin is over black, at most."""
_STEP = 0.5
"""Part of the light behind the edge of such a one that is there at once."""
_EDGE_LIGHT = 0.4
"""Part of that at which the edge is."""


def has_picture(lines: Lines, bars: Sides, found: Sides) -> bool:
    """Whether there is more in a bar than text, and traces of the picture beside it.

    Args:
        lines: a frame.
        bars: of frames before.
        found: of this frame by itself; what lies beside these is no end of a line of text.
    """
    height, width = lines.bright.shape
    top, bottom, left, right = bars
    most = [max(sides) for sides in zip(bars, found, strict=True)]
    rows, columns = slice(most[0], height - most[1]), slice(most[2], width - most[3])
    regions = [
        (
            pixels[:top, columns],
            pixels[height - bottom :, columns][::-1],
            pixels[rows, :left].T,
            pixels[rows, width - right :].T[::-1],
        )
        for pixels in (lines.bright, lines.shining)
    ]
    return any(
        side and bright.size and is_picture(bright, shining)
        for side, bright, shining in zip(bars, *regions, strict=True)
    )


def is_picture(bright: Mask, shining: Mask) -> bool:
    """Whether lines from a frame's border inwards hold more than overlays: text, a clock, a logo.

    These stay off one end of the lines at least, or off the picture beside them.

    Args:
        bright: which pixels are brighter than black.
        shining: which are so much brighter that it is no trace of coding.
    """
    lines = len(bright)
    inner = lines - min(RINGING, lines // 2)  # coding leaves traces of the picture behind that
    outer = lines - min(2 * RINGING, lines // 2)  # and weak ones behind that
    if float(shining.mean()) > _MOST_TEXT:
        return True
    both = at_ends(bright[:outer]).mean(axis=0), at_ends(shining[:inner]).mean(axis=0)
    specks = max(float(end.mean()) for ends in both for end in np.split(ends, 2))
    border = shining[: max(1, inner // 10)].mean(axis=1)
    if specks <= _END_SPECKS and float(border.max()) <= MOST_AT_BORDER:
        return False
    return not _is_overlay(bright[:outer], shining, inner)


def _is_overlay(bright: Mask, shining: Mask, inner: int) -> bool:
    """Whether what lies in a bar takes a part of its length alone, or ends before the picture.

    Args:
        bright: which of the bar's pixels are brighter than black, but for those near its end.
        shining: which are so much brighter that it is no trace of coding, up to its end.
        inner: lines of it in which even of these there are no traces of the picture.
    """
    pieces = [np.array_split(pixels, _PIECES, axis=1) for pixels in (bright, shining[:inner])]
    filled = [
        max(float(dim.mean()), float(light.mean())) > _END_SPECKS
        for dim, light in zip(*pieces, strict=True)
    ]
    if sum(filled) <= _MOST_FILLED * _PIECES:
        return True
    is_text = float(shining[: len(bright)].sum()) >= _SHINING * float(bright.sum())
    empty = shining[len(shining) // 2 :].mean(axis=1) <= EMPTY
    return is_text and bool((empty[1:] & empty[:-1]).any())


def bars_with_text(lines: Lines, across: slice, shares: Floats) -> tuple[int, int]:
    """Bars that may hold text, as captions or a ticker are put below a picture; 0 where none is.

    Nothing but its edge tells one without a twin from a picture that is black there, with lights:
    nearly all of a line passes it at once, in nearly all of its light, and nothing else comes near.
    """
    bright, shining = lines.bright[:, across], lines.shining[:, across]
    luma = lines.luma[:, across]
    first, last = (
        _with_text(bright[::way], shining[::way], luma[::way], shares[::way], lines)
        for way in (1, -1)
    )
    return first, last


def _with_text(bright: Mask, shining: Mask, luma: Plane, shares: Floats, lines: Lines) -> int:
    """Rows of a bar at the beginning of an axis that may hold text and is clearly one; else 0."""
    count = len(shares)
    edge = int(np.argmax(shares >= _MOST_OF_EDGE))
    if not _LEAST_WITH_TEXT * count <= edge <= _MOST_WITH_TEXT * count:
        return 0
    if shares[edge : edge + SHARP].min() < _MOST_OF_EDGE:
        return 0
    light = luma[: edge + 2 * RINGING].mean(axis=1, dtype=np.float32) / lines.word
    black = black_of(light[:edge])
    light = light[edge:] - black
    if black > lines.black + _BLACK or light[: SHARP + 1].max() < _STEP * light[RINGING:].mean():
        return 0
    inner = edge - SHARP
    margin = max(2, inner // _PIECES)
    clear = shares[:margin].max() <= EMPTY and shining[inner - margin : inner].mean() <= EMPTY
    outer = edge - min(2 * RINGING, edge // 2)  # coding leaves traces of the picture behind that
    is_text = float(shining[:outer].sum()) >= _SHINING * float(bright[:outer].sum())
    is_text &= shining[:inner].mean() <= _MOST_TEXT and bright[:inner].mean() <= _MOST_LIT
    traces = int(np.argmax(light[: SHARP + 1] >= _EDGE_LIGHT * light[: SHARP + 1].max()))
    return edge + traces if clear and is_text else 0
