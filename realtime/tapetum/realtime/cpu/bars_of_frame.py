"""Finds the black bars of one frame by itself: see `black_bars`, which follows them in a stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tapetum.realtime.cpu.bar_contents import bars_with_text, is_picture
from tapetum.realtime.cpu.bar_edges import (
    BLURRED,
    CLEAR_STEP,
    LEAST_RISE,
    SMALLEST_PICTURE,
    UNEVEN,
    bars_at_ends,
    by_light,
    flat_part,
    if_black,
    is_pair,
    is_straight,
    rise,
    rise_at,
    shorter_pair,
    standing_out,
    steepest,
    up_to_light,
)
from tapetum.realtime.cpu.frame_lines import (
    MARGIN,
    RINGING,
    SHARP,
    Floats,
    Lines,
    Mask,
    at_ends,
    black_of,
)
from tapetum.realtime.frame import Plane

_BARE_STEP = 0.5
"""A step at the ends of lines alone with which a pair of bars is believed: a circle has none."""
_MOST_BESIDE_TEXT = 0.5
"""Part of the frame that bars may take which are seen at the ends of lines alone."""
_MOST_ABOUT_OVERLAYS = 0.77
"""Part of the frame that bars may take which are seen by what most of their lines is: a phone's
upright video in a wide frame takes so much of it."""
_OVERLAID = (0.65, 0.4, 0.2)
"""Parts of a line that text or a logo may take: a ticker takes half of it."""
_TRACES_OF_TEXT = 3.5
"""Levels, at 8 bits, that coding leaves of text in the black about it."""
_SOME = 200
"""Pixels by which a line is judged."""
_FRAME, _FRAMED, _FRAME_LIGHT = 6, 0.2, 2.0
"""Lines behind a bar's end in which a thin frame around the picture lies with its traces; the part
of it that may be dim; and its light against the picture's behind it."""
_LEAST_ALONE = 0.08
"""Part of the frame that a bar without a twin takes which may hold text."""
_ROUNDS = 2
"""How often rows are looked at anew within the bars of columns, and these within theirs."""


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


def find_bars(lines: Lines) -> Bars:
    """The bars of a frame by itself.

    Rows and columns are looked at within each other's bars, for a window box.
    """
    height, width = lines.bright.shape
    turned = lines.turned
    top, bottom, rows_step = _pair(lines, 0, 0)
    left, right, columns_step = _pair(turned, top, bottom)
    for _ in range(_ROUNDS if left + right else 0):
        rows, (top, bottom, rows_step) = (top, bottom), _pair(lines, left, right)
        if rows == (top, bottom):
            break
        left, right, columns_step = _pair(turned, top, bottom)
    pairs = (top, bottom, height), (left, right, width)
    even = all(abs(one - other) <= UNEVEN * size + 2 for one, other, size in pairs)
    clear = even and min(rows_step, columns_step) >= CLEAR_STEP
    return Bars(top, bottom, left, right, clear=clear)


def _pair(lines: Lines, before: int, behind: int) -> tuple[int, int, float]:
    """The first rows of a frame that are a bar, the last ones, and the smaller of their steps.

    Args:
        lines: a frame.
        before: its first columns, which are a bar.
        behind: its last ones.
    """
    height, width = lines.bright.shape
    across = slice(before, width - behind)
    shares = lines.rows
    if before + behind:
        shares = lines.bright[:, across].mean(axis=1, dtype=np.float32)
    first, last, step = bars_at_ends(shares)
    first, last = flat_part(lines.row_levels, first), flat_part(lines.row_levels[::-1], last)
    first, last = up_to_light(lines.row_light, first), up_to_light(lines.row_light[::-1], last)
    first, last = standing_out(lines.row_light, first, last, step)
    if not is_pair(first, last, height) or step < CLEAR_STEP:
        first, last = _otherwise(lines, across, shares, first, last)
    luma = lines.luma[:, across]
    if first:
        first += _frame_line(luma[first : first + BLURRED], lines)
    if last:
        last += _frame_line(luma[::-1][last : last + BLURRED], lines)
    if first + last > (1 - SMALLEST_PICTURE) * height:
        return 0, 0, 1.0
    return first, last, step


def _otherwise(
    lines: Lines, across: slice, shares: Floats, first: int, last: int
) -> tuple[int, int]:
    """Bars by all other means, where two that were found are no pair or not clear."""
    paired = is_pair(first, last, len(shares))
    with_text = bars_with_text(lines, across, shares)
    if is_pair(*with_text, len(shares)):
        return with_text
    found = None if paired else _seen_otherwise(lines, across, shares)
    known = max(first, last) if paired else max(found or (0, 0))
    found = _about_overlays(lines, across, shares, known) or found
    if found or paired:
        return found or (first, last)
    first, last = if_black(lines.row_light, lines.black, first, last)
    if first or last or all(with_text) or max(with_text) < _LEAST_ALONE * len(shares):
        return first, last
    return with_text


def _frame_line(behind: Plane, lines: Lines) -> int:
    """How many of the lines right behind a bar are a frame drawn around the picture."""
    if len(behind) < BLURRED:
        return 0
    least, most = int(_FRAMED * behind.shape[1]), behind.shape[1] // 2
    sorted_ = np.partition(behind, (least, most), axis=1).astype(np.float32) / lines.word
    frame, picture = sorted_[:_FRAME, least], sorted_[_FRAME:, most]
    bright = frame - lines.black > _FRAME_LIGHT * max(float(picture.max()) - lines.black, MARGIN)
    return int(np.flatnonzero(bright)[-1]) + 1 if bright.any() else 0


def _seen_otherwise(lines: Lines, across: slice, shares: Floats) -> tuple[int, int] | None:
    """A pair of bars that the share of bright pixels in whole rows does not show.

    Args:
        lines: a frame.
        across: its columns that are no bars.
        shares: of its rows within these, the part that is brighter than black.
    """
    if found := _beside_text(_Bare.of(lines, across)):
        return found
    light = lines.row_light
    if across.start or across.stop < lines.bright.shape[1]:
        light = lines.luma[:, across].mean(axis=1, dtype=np.float32) / np.float32(lines.word)
    found = shorter_pair(shares)
    if found and all(if_black(light, lines.black, *found)):
        return found
    return by_light(light, lines.black)


def _about_overlays(
    lines: Lines, across: slice, shares: Floats, known: int
) -> tuple[int, int] | None:
    """A pair of bars by what most of each row is: there may be a logo or a line of text in it.

    Args:
        lines: a frame.
        across: its columns that are no bars.
        shares: of its rows within these, the part that is brighter than black.
        known: rows of the wider of the bars found by other means; narrower ones are not looked for.
    """
    if max(shares[:SHARP].max(), shares[-SHARP:].max()) > max(_OVERLAID):
        return None
    every = max(1, (across.stop - across.start) // _SOME)
    luma = lines.luma[:, across][:, ::every].astype(np.float32, order="C")
    places = [int((1 - part) * luma.shape[1]) for part in _OVERLAID]
    luma = np.sort(luma, axis=1) / np.float32(lines.word)  # floats: much quicker than bytes
    for place in places:
        found = by_light(luma[:, place], lines.black, traces=_TRACES_OF_TEXT)
        if not found or min(found) <= known or sum(found) > _MOST_ABOUT_OVERLAYS * len(luma):
            continue
        ends = (luma, found[0]), (luma[::-1], found[1])
        straight = [rows for pixels, rows in ends if is_straight(pixels, rows)]
        if len(straight) == 1:  # coding blurred the other, and that one tells where both end
            found = straight[0], straight[0]
        rises = [
            rise_at(pixels[:, place], rows, black_of(pixels[:rows, place])) >= LEAST_RISE
            for (pixels, _), rows in zip(ends, found, strict=True)
        ]
        if straight and all(rises) and not _is_picture_in(lines, across, *found):
            return found
    return None


def _is_picture_in(lines: Lines, across: slice, first: int, last: int) -> bool:
    """Whether there is picture in one of two bars."""
    bright, shining = lines.bright[:, across], lines.shining[:, across]
    return is_picture(bright[:first], shining[:first]) or is_picture(
        bright[::-1][:last], shining[::-1][:last]
    )


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
        luma = at_ends(lines.luma[:, across])
        each = at_ends(bright).reshape(len(bright), 2, -1).mean(axis=2, dtype=np.float32)
        levels = np.minimum(luma, lines.top).mean(axis=1, dtype=np.float32) / lines.word
        light = luma.mean(axis=1, dtype=np.float32) / lines.word
        return cls(each.mean(axis=1), each, levels, light, bright, shining)


def _beside_text(bare: _Bare) -> tuple[int, int] | None:
    """A pair of bars whose edges are seen at the rows' ends alone, because there is text."""
    first, last, _ = bars_at_ends(bare.shares)
    first = flat_part(bare.levels, first, blurred=RINGING)
    last = flat_part(bare.levels[::-1], last, blurred=RINGING)
    first = up_to_light(bare.light, first, most=RINGING)
    last = up_to_light(bare.light[::-1], last, most=RINGING)
    steps = steepest(bare.each, first), steepest(bare.each[::-1], last)
    count = len(bare.shares)
    if not is_pair(first, last, count) or min(steps) < _BARE_STEP:
        return None
    rises = rise(bare.light, first), rise(bare.light[::-1], last)
    if first + last > _MOST_BESIDE_TEXT * count or min(rises) < MARGIN:
        return None
    upside_down = bare.bright[::-1], bare.shining[::-1]
    above = is_picture(bare.bright[:first], bare.shining[:first])
    below = is_picture(upside_down[0][:last], upside_down[1][:last])
    return None if above or below else (first, last)
