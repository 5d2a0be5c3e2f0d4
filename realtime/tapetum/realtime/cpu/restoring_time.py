"""The restoring stage over time: where a picture rests, its frames are averaged.

State is an estimate of every plane, and for each cell of 2x2 pixels how many frames it rests on.
A cell that moves starts anew, so that nothing leaves a trail.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import TABLE_SHIFT, Fixed, Samples, read_row, spread_row

ONE_FRAME = 8
"""The unit of `Evidence`."""
MOST_FRAMES = 16
"""An estimate rests on so many frames at most, and follows what changes unseen."""
WIDE = 4
"""Cells across and down over which faint, wide changes are looked for."""
_SHARE_BITS = 15
_MEAN_FIRM, _MEAN_SURE = 2.5, 4.5
"""Deviations of a mean change, with its sign, at which it may be, and is, motion."""
_SIZE_FIRM, _SIZE_SURE = 1.5, 2.3
"""The same for the mean size of changes."""

Evidence = npt.NDArray[np.uint8]
"""(h, w) how many frames a cell's estimate rests on, in eighths."""
Planes = npt.NDArray[np.int16]
"""(3, h, w) Y, U and V at half size, fixed-point."""
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


def binomial_lean(whiteness: float) -> float:
    """Deviation of a 3x3 binomial mean of noise of deviation 1.

    It is 3/8 for white noise; measured, it is about double for what a codec leaves.
    """
    return 0.375 + 0.4 * (1 - whiteness)


def wide_lean(whiteness: float) -> float:
    """Deviation of a mean of `WIDE` x `WIDE` cells, binomially averaged with its neighbours."""
    return binomial_lean(whiteness) * (0.25 + 0.5 * (1 - whiteness))


@kernel
def mean_wide_changes(frame: Fixed, estimate: Fixed, wide: Floats) -> None:
    """Fill (h / WIDE, w / WIDE) with binomial means of the mean change of WIDE x WIDE cells."""
    height, width = frame.shape
    rows, columns = wide.shape
    means = np.empty((rows + 2, columns + 2), np.float32)
    line = np.empty(width, np.int32)
    for row in range(rows):
        line[:] = 0
        last = min(WIDE * (row + 1), height)
        for y in range(WIDE * row, last):
            for x in range(width):
                line[x] += np.int32(frame[y, x]) - np.int32(estimate[y, x])
        for column in range(columns):
            total, right = np.int32(0), min(WIDE * (column + 1), width)
            for x in range(WIDE * column, right):
                total += line[x]
            count = (last - WIDE * row) * (right - WIDE * column)
            means[row + 1, column + 1] = np.float32(total) / np.float32(count)
    means[0], means[rows + 1] = means[1], means[rows]
    means[:, 0], means[:, columns + 1] = means[:, 1], means[:, columns]
    two, sixteenth = np.float32(2), np.float32(1 / 16)
    for row in range(rows):
        above, here, below = means[row], means[row + 1], means[row + 2]
        for x in range(columns):
            total = above[x] + above[x + 2] + below[x] + below[x + 2]
            total += two * (above[x + 1] + below[x + 1] + here[x] + here[x + 2])
            wide[row, x] = (total + two * two * here[x + 1]) * sixteenth


@kernel
def weigh_evidence(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Planes,
    estimate: Planes,
    last: Fixed,
    wide: Floats,
    luma_noise: Floats,
    chroma_noise: Floats,
    leans: tuple[np.float32, np.float32],
    evidence: Evidence,
    share: Fixed,
) -> None:
    """Find what moves; update the evidence, and say how much of the new frame to take.

    Four measures of change, each in units of what noise alone would make of it: the mean change
    of luma and of both chroma planes, which shows faint and wide motion, the mean size of changes,
    which shows fine motion, and the mean change over `WIDE` cells. The largest counts.

    Args:
        frame: the new frame.
        estimate: what was known before.
        last: luma of the frame before. A cell like it is skipped: it says nothing new.
        wide: from `mean_wide_changes`.
        luma_noise: (256,) deviation by luma.
        chroma_noise: (2,) deviations.
        leans: of `binomial_lean` and `wide_lean`.
        evidence: updated.
        share: (h, w) filled with the new frame's share, 32767 for all.
    """
    height, width = frame.shape[1:]
    changes = np.empty((4, 3, width), np.int16)  # of Y, U and V; and of Y since the frame before
    sums = np.empty(width + 2, np.int32)
    means = np.empty((5, width), np.float32)
    wide_means = np.empty(width, np.float32)
    doubt, quiet = np.empty(width, np.float32), np.empty(width, np.float32)
    tables = _doubts(), np.float32(1) / luma_noise
    for row in range(-1, height):
        slot = (row + 1) % 3
        _subtract_rows(frame, estimate, last, min(row + 1, height - 1), changes[:, slot])
        if row < 0:
            continue
        above, here = (row + 2) % 3 if row > 0 else row % 3, row % 3
        for plane in range(4):
            rows = changes[plane]
            _add_rows(rows[above], rows[here], rows[slot], plane == 3, sums)
            _add_columns(sums, means[plane])
        _add_rows(changes[0, above], changes[0, here], changes[0, slot], True, sums)
        _add_columns(sums, means[4])
        _widen(wide[row // WIDE], wide_means)
        _look_up(evidence[row], frame[0, row], tables, doubt, quiet)
        _decide(means, wide_means, doubt, quiet, chroma_noise, leans, evidence[row], share[row])


@part
def _subtract_rows(frame: Planes, estimate: Planes, last: Fixed, row: int, changes: Planes) -> None:
    for plane in range(3):
        _subtract(frame[plane, row], estimate[plane, row], changes[plane])
    _subtract(frame[0, row], last[row], changes[3])


@part
def _doubts() -> Floats:
    """By evidence: deviation of one frame, by that of its difference from the estimate."""
    doubts = np.empty(MOST_FRAMES * ONE_FRAME + 1, np.float32)
    for count in range(doubts.size):
        frames = np.float32(max(count, ONE_FRAME)) / np.float32(ONE_FRAME)
        doubts[count] = np.float32(1) / np.sqrt(np.float32(1) + np.float32(1) / frames)
    return doubts


@part
def _widen(means: Floats, wide: Floats) -> None:
    """Give each mean to its `WIDE` cells."""
    for x in range(wide.size // WIDE):
        for cell in range(WIDE):
            wide[x * WIDE + cell] = means[x]
    for x in range(wide.size // WIDE * WIDE, wide.size):
        wide[x] = means[means.size - 1]


@part
def _look_up(
    evidence: npt.NDArray[np.uint8],
    luma: Fixed,
    tables: tuple[Floats, Floats],
    doubt: Floats,
    quiet: Floats,
) -> None:
    """Fetch a row's entries of both tables: by evidence, and by luma."""
    for x in range(doubt.size):
        doubt[x] = tables[0][evidence[x]]
        quiet[x] = tables[1][np.uint16(luma[x]) >> np.uint16(TABLE_SHIFT)]


@part
def _decide(  # noqa: PLR0917 - numba takes no keyword-only arguments
    means: Floats,
    wide: Floats,
    doubt: Floats,
    quiet: Floats,
    chroma_noise: Floats,
    leans: tuple[np.float32, np.float32],
    evidence: npt.NDArray[np.uint8],
    share: Fixed,
) -> None:
    """Weigh a row's measures of change against the noise, and set its evidence and share."""
    per_u = np.float32(1) / (chroma_noise[0] * leans[0])
    per_v = np.float32(1) / (chroma_noise[1] * leans[0])
    per_mean, per_wide = np.float32(1) / leans[0], np.float32(1) / leans[1]
    per_size = np.float32(_MEAN_SURE - _MEAN_FIRM) / np.float32(_SIZE_SURE - _SIZE_FIRM)
    y, u, v, since, size = means[0], means[1], means[2], means[3], means[4]
    low, high = np.float32(0), np.float32(1)
    motion = np.empty(share.size, np.float32)
    # Short loops, of few arrays each: LLVM makes SIMD of those alone.
    for x in range(share.size):
        motion[x] = max(abs(u[x]) * per_u, abs(v[x]) * per_v)
    for x in range(share.size):
        mean = max(abs(y[x]) * per_mean, abs(wide[x]) * per_wide)
        motion[x] = max(motion[x], mean * quiet[x]) * doubt[x] - np.float32(_MEAN_FIRM)
    for x in range(share.size):
        # The size of white noise is 0.8 deviations. Its steps are laid over those of means.
        fine = size[x] * quiet[x] * doubt[x] * np.float32(1.25) - np.float32(_SIZE_FIRM)
        motion[x] = max(motion[x], fine * per_size) * np.float32(1 / (_MEAN_SURE - _MEAN_FIRM))
    for x in range(share.size):
        motion[x] = min(max(motion[x], low), high)
    _take_note(motion, since, evidence, share)


@part
def _take_note(
    motion: Floats, since: Floats, evidence: npt.NDArray[np.uint8], share: Fixed
) -> None:
    """Set a row's evidence and share by its motion, from 0 to 1."""
    one, most = np.float32(ONE_FRAME), np.float32(MOST_FRAMES * ONE_FRAME)
    none, all_taken = np.float32(0), np.float32(ONE_FRAME * ((1 << _SHARE_BITS) - 1))
    news, counts = np.empty(share.size, np.float32), np.empty(share.size, np.float32)
    for x in range(share.size):
        # Where nothing was sent since the last frame, and nothing moves, all stays as it is.
        news[x] = max(since[x], motion[x] - np.float32(0.5))
    for x in range(share.size):
        count = np.float32(evidence[x]) * (np.float32(1) - motion[x]) + one
        counts[x] = min(count, most)
    for x in range(share.size):
        taken = all_taken / counts[x] if news[x] > none else none
        share[x] = np.int16(np.int32(taken))
    for x in range(share.size):
        count = counts[x] if news[x] > none else np.float32(evidence[x])
        evidence[x] = np.uint8(np.int32(count + np.float32(0.5)))


@kernel
def learn(source: Samples, share: Fixed, across: int, down: int, estimate: Fixed) -> None:
    """Move an estimate towards a frame's samples, by the share of each sample's cell.

    Args:
        source: the frame's plane.
        share: from `weigh_evidence`.
        across: 1 where a cell is two samples wide, else 0.
        down: 1 where a cell is two samples high, else 0.
        estimate: updated, fixed-point.
    """
    height, width = estimate.shape
    new, shares = np.empty(width, np.int16), np.empty(width, np.int16)
    half, bits = np.int32(1 << (_SHARE_BITS - 1)), np.int32(_SHARE_BITS)
    for row in range(height):
        read_row(source, row, new)
        if across == 0:
            shares[:] = share[row >> down]
        else:
            spread_row(share[row >> down], shares)
        for x in range(width):
            old = np.int32(estimate[row, x])
            # 32767 counts as 32768, so that all is all.
            taken = np.int32(np.int32(shares[x]) + np.int32(shares[x] >> np.int16(14)))
            way = np.int32(np.int32(np.int32(new[x]) - old) * taken)
            estimate[row, x] = np.int16(old + np.int32(np.int32(way + half) >> bits))


@part
def _subtract(a: Fixed, b: Fixed, out: Fixed) -> None:
    for x in range(out.size):
        out[x] = np.int16(np.int32(a[x]) - np.int32(b[x]))


@part
def _add_rows(above: Fixed, here: Fixed, below: Fixed, sizes: bool, sums: Ints) -> None:
    """Binomial sums of three rows, or of their sizes, with the edges repeated on either side."""
    two = np.int32(2)
    if sizes:
        for x in range(here.size):
            outer = np.int32(np.int32(abs(np.int32(above[x]))) + np.int32(abs(np.int32(below[x]))))
            sums[x + 1] = np.int32(outer + np.int32(two * np.int32(abs(np.int32(here[x])))))
    else:
        for x in range(here.size):
            outer = np.int32(np.int32(above[x]) + np.int32(below[x]))
            sums[x + 1] = np.int32(outer + np.int32(two * np.int32(here[x])))
    sums[0], sums[here.size + 1] = sums[1], sums[here.size]


@part
def _add_columns(sums: Ints, means: Floats) -> None:
    for x in range(means.size):
        outer = np.int32(sums[x] + sums[x + 2])
        total = np.int32(outer + np.int32(np.int32(2) * sums[x + 1]))
        means[x] = np.float32(total) * np.float32(1 / 16)
