"""Where bars end, by the light of a frame's lines, or by what of each is brighter than black."""

from __future__ import annotations

import numpy as np

from tapetum.realtime.cpu.frame_lines import (
    EMPTY,
    RINGING,
    SHARP,
    Floats,
    black_of,
    quantile_of,
)

_STEP = 0.1
"""Where a bar ends, so much of a line is brighter, against the brighter lines of the picture."""
_WEAK_STEP = 0.01
"""The same, as a share of the line, where a pair of bars ends alike: the picture is dark there."""
_FLAT = 0.3
"""Levels, at 8 bits, by which a bar may be brighter at its end than at its begin: a scene fades."""
_TEXT = 0.14
"""Part of a bar's pixels that may be text: two lines of subtitles."""
_TRACES = 0.2
"""What is bright in traces of an edge, against what is bright behind it."""
_EDGE_LIGHT = 0.4
"""Where the light of the picture's first lines, against the black, is reached, the bar ends."""
_BLACK = 1.0
"""Levels, at 8 bits, by which bars that are less sure may be over black, in the mean."""
LEAST_RISE = 3.0
"""Levels, at 8 bits, by which light rises at an edge that is seen by that alone."""
_BLOCK, BLURRED = 12, 16
"""Lines behind a bar's end in which coarse coding may leave traces, and those with the edge."""
_WEAK_LIGHT = 0.1
"""The light of such traces, against that behind the edge."""
_SMALLEST = 0.01
"""Narrower bars, against the frame, have to be pure."""
SMALLEST_PICTURE = 0.1
"""Part of the frame that is picture, at least, between two bars."""
UNEVEN = 0.02
"""Difference of the two bars of a pair, against the frame."""
CLEAR_STEP = 0.6
"""A step with which a pair of bars is believed at once, and one bar at all."""
_STRAIGHT_STEP, _MOST_OF_LINE = 0.3, 0.6
"""Part of what is bright behind a straight edge that begins in one line of it; or the part of the
line that begins in all of the edge's lines, over which coding spreads it."""


def is_straight(luma: Floats, edge: int) -> bool:
    """Whether most of what is bright right behind an edge begins there, much of it in one line.

    In a circle, or in a scene that an arch frames or that fades, it grows line by line.

    Args:
        luma: (H, N) of some pixels of each row.
        edge: the row at which the picture begins.
    """
    behind = luma[edge : edge + SHARP]
    if not behind.size:
        return False
    black = quantile_of(luma[:edge].ravel(), 0.5)
    level = black + _EDGE_LIGHT * (float(behind.mean()) - black)
    shares = (luma[max(0, edge - SHARP) : edge + SHARP] > level).mean(axis=1)
    least, most = float(shares[:SHARP].min()), float(shares[-SHARP:].max())
    begins = np.diff(shares).max() >= _STRAIGHT_STEP * most or most - least >= _MOST_OF_LINE
    return bool(begins and least <= most / 2)


def if_black(light: Floats, black: float, first: int, last: int) -> tuple[int, int]:
    """Bars that are less sure, such as one without a twin, if black throughout: no wall is."""
    is_black = [
        bar.size > 0 and float(bar.mean()) <= black + _BLACK
        for bar in (light[:first], light[len(light) - last :])
    ]
    return first * is_black[0], last * is_black[1]


def by_light(light: Floats, black: float, *, traces: float = _FLAT) -> tuple[int, int] | None:
    """A pair of bars by the light of their lines alone, where coding left traces in all of them.

    Where one goes on in a picture that is black beside it, the other's edge tells.
    """
    count = len(light)
    ends = light, light[::-1]
    dim = [quantile_of(end[:SHARP], 0.5) for end in ends]
    if any(abs(level - black) > _BLACK for level in dim):
        return None
    dark = [int(np.argmax(end > level + traces)) for end, level in zip(ends, dim, strict=True)]
    if min(dark) < SHARP:
        return None
    bars = [up_to_light(end, lines) for end, lines in zip(ends, dark, strict=True)]
    usual = quantile_of(light[bars[0] : count - bars[1]], 0.5) if sum(bars) < count else black
    least = max(LEAST_RISE, CLEAR_STEP * (usual - black))
    rises = [
        rise_at(end, bar, black_of(end[:bar])) >= least for end, bar in zip(ends, bars, strict=True)
    ]
    if is_pair(bars[0], bars[1], count) and any(rises):
        return bars[0], bars[1]
    short = int(bars[1] < bars[0])
    return (bars[short],) * 2 if rises[short] else None


def standing_out(light: Floats, first: int, last: int, step: float) -> tuple[int, int]:
    """Two bars, or none where light rises at no edge of theirs, but fades in behind it.

    A slow rise passes the bound on black somewhere: steps of quantised luma make an edge of that.

    Args:
        light: of each line.
        first: lines of the one.
        last: lines of the other.
        step: of `bars_at_ends`; 0 for the edges of a dim picture.
    """
    ends = [end for end in ((light, first), (light[::-1], last)) if end[1]]
    picture = light[first : len(light) - last]
    if not ends or not picture.size:
        return first, last
    usual = quantile_of(picture, 0.9)
    share = _STEP if step else _WEAK_STEP
    for lines, edge in ends:
        black = black_of(lines[:edge])
        if rise_at(lines, edge, black) >= share * (usual - black):
            return first, last
    return 0, 0


def rise_at(light: Floats, edge: int, black: float) -> float:
    """Levels by which the lines right behind an edge are brighter than the black before it."""
    behind = light[edge : edge + SHARP]
    return float(behind.max()) - black if behind.size else 0.0


def is_pair(first: int, last: int, count: int) -> bool:
    """Whether two bars of an axis of so many lines are about as wide."""
    return first > 0 and last > 0 and abs(first - last) <= UNEVEN * count + 2


def bars_at_ends(shares: Floats) -> tuple[int, int, float]:
    """Lines of bars at both ends of an axis, and the smaller of their steps.

    Bars come in pairs. One alone, which a black sky over a bright street may look like, has to be
    pure and has to end in a clear step.
    """
    count = len(shares)
    bright = shares[shares > EMPTY]
    if not bright.size:
        return 0, 0, 1.0
    usual = quantile_of(bright, 0.9)
    first, first_step = _end(shares, usual)
    last, last_step = _end(shares[::-1], usual)
    if not first and not last:
        first = last = _dim_pair(shares)
        first_step = last_step = 0.0
    elif abs(first - last) > UNEVEN * count + 2:
        first, last = _paired(shares, first, last)
        first_step = last_step = min(first_step, last_step)
    if first + last > (1 - SMALLEST_PICTURE) * count:
        return 0, 0, 1.0
    if abs(first - last) > UNEVEN * count + 2:
        first = first if _is_pure(shares[:first], first_step) else 0
        last = last if _is_pure(shares[::-1][:last], last_step) else 0
    return first, last, min(first_step, last_step)


def flat_part(levels: Floats, bar: int, *, blurred: int = 0) -> int:
    """The lines of a bar at the beginning of an axis, or 0 if it grows brighter towards its end.

    The last few lines do not count: coding blurs an edge.
    """
    part, end = max(1, bar // 4), bar - max(3, len(levels) // 200, blurred)
    if end < 2 * part:
        return bar
    grows = float(levels[end - part : end].mean() - levels[:part].mean())
    return bar if grows <= _FLAT else 0


def up_to_light(light: Floats, bar: int, *, most: int = SHARP + 1) -> int:
    """The lines of a bar and those behind it, at most so many, that hold an edge's traces alone.

    More than that, up to a block, where nearly all of their light comes at once, behind them.
    """
    if not bar:
        return 0
    behind = light[bar : bar + BLURRED] - black_of(light[:bar])
    most_light = float(behind.max())
    edge = int(np.argmax(behind >= _EDGE_LIGHT * most_light))
    if most < edge <= _BLOCK and behind[: edge - SHARP].mean() <= _WEAK_LIGHT * most_light:
        return bar + edge
    return bar + min(edge, most)


def _dim_pair(shares: Floats) -> int:
    """Lines of a pair of bars about a picture that is dark at its edges; 0 where none is."""
    count = len(shares)
    lit = np.flatnonzero(shares > EMPTY)
    first, last = int(lit[0]), count - 1 - int(lit[-1])
    reach = max(3, count // 200)
    alike = abs(first - last) <= max(1, count // 500) and first >= 2 * _SMALLEST * count
    step = min(shares[first : first + reach].max(), shares[count - last - reach :].max())
    return min(first, last) if alike and step >= _WEAK_STEP else 0


def _is_pure(bar: Floats, step: float) -> bool:
    """Whether lines from a frame's border inwards are black but for traces of a clear edge."""
    if not bar.size or step < CLEAR_STEP:
        return False
    inner = len(bar) - min(RINGING, len(bar) // 4)
    return float(bar[:inner].max()) <= EMPTY and float(bar.max()) <= _TRACES


def rise(light: Floats, edge: int) -> float:
    """Levels by which the lines behind an edge are brighter than those before it."""
    return float(light[edge : edge + RINGING].mean()) - black_of(light[:edge])


def steepest(each: Floats, edge: int) -> float:
    """By how much of what is usual there one of the two ends of lines brightens at an edge."""
    before = each[: max(1, edge - SHARP)].max(axis=0, initial=0)
    behind = each[edge : edge + SHARP].max(axis=0, initial=0)
    usual = behind
    if edge < len(each):
        usual = np.array([quantile_of(end[edge:], 0.9) for end in each.T])
    return float(((behind - before) / np.maximum(usual, _STEP)).max())


def _end(shares: Floats, usual: float) -> tuple[int, float]:
    """Lines of the bar at the beginning of an axis, and the step at its edge; 0 where none is.

    Args:
        shares: of each line, the share of its pixels that are brighter than black.
        usual: that of a line that is full of picture.
    """
    count = len(shares)
    # Coding and scaling spread an edge over some lines.
    short, reach = (max(lines, count // 200) for lines in (SHARP, RINGING))
    empty = shares <= EMPTY
    before = np.cumsum(shares)
    begins = np.flatnonzero(empty[:-2] & empty[1:-1] & ~empty[2:]) + 2
    for line in begins[begins < 0.9 * count][::-1].tolist():
        edge, sharp = line, True
        step = float(shares[line : line + short].max()) / usual
        if step < _STEP:
            behind = shares[line : line + reach]
            edge = line + int(np.argmax(behind >= behind.max() / 2))
            sharp = bool(shares[max(0, edge - SHARP)] <= _TRACES * behind.max())
            step = float(shares[edge : edge + short].max()) / usual
        margin = empty[: max(2, line // 10)].all()
        if line < _SMALLEST * count and not _is_pure(shares[:line], step):
            continue
        if step >= _STEP and sharp and margin and before[line - 1] <= _TEXT * line:
            return edge, step
    return 0, 1.0


def _paired(shares: Floats, first: int, last: int) -> tuple[int, int]:
    """The lines of two bars of which one was found, or only a part of one, up to its text."""
    if first > last:
        return first, _twin(shares[::-1], first) or last
    return _twin(shares, last) or first, last


def shorter_pair(shares: Floats) -> tuple[int, int] | None:
    """A pair of bars of which one goes on in a picture that is black beside it.

    The clear edge of the other tells where both end.
    """
    bright = shares[shares > EMPTY]
    if not bright.size:
        return None
    usual = quantile_of(bright, 0.9)
    (short, step), (long, _) = sorted([_end(shares, usual), _end(shares[::-1], usual)])
    return (short, short) if 0 < short < long and step >= CLEAR_STEP else None


def _twin(shares: Floats, lines: int) -> int:
    """As many lines as the bar at the other end has, where they are black too, or hold text.

    The edge itself cannot be seen where the picture is black beside it, nor where text is close to
    it: then what is behind it has to be brighter throughout than any line of the text.
    """
    if shares[:lines].mean() <= EMPTY:
        return lines
    bar, behind = shares[: max(1, lines - SHARP)], shares[lines + 1 : lines + 1 + SHARP]
    is_text = bar.mean() <= _TEXT and bar[: max(2, lines // 10)].max() <= EMPTY
    return lines if is_text and behind.size and behind.min() >= 2 * bar.max() else 0
