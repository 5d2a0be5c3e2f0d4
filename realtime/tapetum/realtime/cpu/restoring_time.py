"""The restoring stage over time: where a picture rests, its frames are averaged.

State is an estimate of every plane, and for each cell of 2x2 pixels how many frames it rests on.
A cell that moves starts anew, so that nothing leaves a trail.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fetched_ahead import fetch_row
from tapetum.realtime.cpu.fixed_point import (
    TABLE_SHIFT,
    Fixed,
    Samples,
    fetch_samples,
    halve_rows,
    read_row,
    spread_row,
)
from tapetum.realtime.cpu.wide_changes import WIDE, spread_blocks

ONE_FRAME = 8
"""The unit of `Evidence`."""
MOST_FRAMES = 16
"""An estimate rests on so many frames at most, and follows what changes unseen."""
_MOST_CHANGE = 2047
"""Changes of more, 16 levels of 8 bits, count as so much: they are motion in any noise."""
_SHARE_BITS = 15
_MEAN_FIRM, _MEAN_SURE = 2.5, 4.5
"""Deviations of a mean change, with its sign, at which it may be, and is, motion."""
_SIZE_FIRM, _SIZE_SURE = 1.5, 2.3
"""The same for the mean size of changes."""

Evidence = npt.NDArray[np.uint8]
"""(h, w) how many frames a cell's estimate rests on, in eighths."""
Planes = tuple[Fixed, Fixed, Fixed]
"""(h, w) each: Y, U and V at half size, fixed-point."""
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
    rows: tuple[int, int],
) -> None:
    """Find what moves; update the evidence, and say how much of the new frame to take.

    Four measures of change, each in units of what noise alone would make of it: the mean change
    of luma and of both chroma planes, which shows faint and wide motion, the mean size of changes,
    which shows fine motion, and the change of whole blocks. The largest counts.

    Args:
        frame: the new frame.
        estimate: what was known before.
        last: luma of the frame before. A cell like it is skipped: it says nothing new.
        wide: changes of blocks, of `compare_wide`.
        luma_noise: (256,) deviation by luma.
        chroma_noise: (2,) deviations.
        leans: of `binomial_lean` and `wide_lean`.
        evidence: updated.
        share: (h, w) filled with the new frame's share, 32767 for all.
        rows: of cells that are looked at: the first, and that after the last.
    """
    height, width = frame[0].shape
    first, end = rows
    changes = np.empty((5, 3, width), np.int16)  # of Y, U and V; of Y in size; and whether new
    sums, means = np.empty(width + 2, np.int16), np.empty((5, width), np.int16)
    wide_means, quiet = np.empty(width, np.float32), np.empty(width, np.float32)
    motion, counts = np.empty(width, np.float32), np.empty(width, np.float32)
    table = np.float32(1) / luma_noise
    for row in range(max(first - 2, -1), end):
        _change_row(frame, estimate, last, min(row + 1, height - 1), (row + 1) % 3, changes)
        if row < first:
            continue
        _mean_row(changes, (row + 2) % 3 if row > 0 else row % 3, row % 3, sums, means)
        if row % WIDE == 0 or row == first:
            spread_blocks(wide, row // WIDE, wide_means)
        _look_up(frame[0], row, table, quiet)
        _decide(means, wide_means, evidence, row, quiet, chroma_noise, leans, motion)
        _take_note(motion, means, counts, evidence, share, row)


# Kernels count references to each slice, by two atomic steps; parts do not, and so slice.


@part
def _change_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Planes, estimate: Planes, last: Fixed, row: int, slot: int, changes: Fixed
) -> None:
    """Fill a slot with how a row changed."""
    for plane in range(3):
        _subtract(frame[plane][row], estimate[plane][row], changes[plane, slot])
    _compare(changes[0, slot], frame[0][row], last[row], changes[3, slot], changes[4, slot])


@part
def _mean_row(changes: Fixed, above: int, here: int, sums: Fixed, means: Fixed) -> None:
    """Fill `means` with binomial sums of changes in the rows of three slots."""
    for plane in range(5):
        _add_rows(changes[plane, above], changes[plane, here], changes[plane, (here + 1) % 3], sums)
        _add_columns(sums, means[plane])


@part
def _look_up(plane: Fixed, row: int, table: Floats, quiet: Floats) -> None:
    """Fetch a row's entries of a table by luma."""
    luma = plane[row]
    for x in range(quiet.size):
        quiet[x] = table[np.uint16(luma[x]) >> np.uint16(TABLE_SHIFT)]


@part
def _decide(  # noqa: PLR0917 - numba takes no keyword-only arguments
    means: Fixed,
    wide: Floats,
    evidences: Evidence,
    row: int,
    quiet: Floats,
    chroma_noise: Floats,
    leans: tuple[np.float32, np.float32],
    motion: Floats,
) -> None:
    """Weigh a row's measures of change, in sixteenths, against the noise: motion from 0 to 1."""
    evidence, y, u, v, size = evidences[row], means[0], means[1], means[2], means[3]
    sixteenth, low, one = np.float32(1 / 16), np.float32(0), np.float32(1)
    per_u = sixteenth / (chroma_noise[0] * leans[0])
    per_v = sixteenth / (chroma_noise[1] * leans[0])
    per_mean, per_wide = sixteenth / leans[0], one / leans[1]
    per_step = np.float32(1 / (_MEAN_SURE - _MEAN_FIRM))
    per_size = np.float32(1 / (_SIZE_SURE - _SIZE_FIRM))
    # The size of white noise is 0.8 deviations.
    of_size, one_frame = np.float32(1.25 / 16), np.float32(ONE_FRAME)
    # LLVM makes SIMD of a loop of eight arrays at most.
    for x in range(motion.size):
        # Deviation of one frame, by that of its difference from the estimate.
        frames = np.float32(evidence[x])
        # The sum is never 0; that it is 8 at least spares numba's test.
        doubt = np.sqrt(frames / max(frames + one_frame, one_frame))
        chroma = max(abs(np.float32(u[x])) * per_u, abs(np.float32(v[x])) * per_v)
        luma = max(abs(np.float32(y[x])) * per_mean, wide[x] * per_wide) * quiet[x]
        mean = (max(chroma, luma) * doubt - np.float32(_MEAN_FIRM)) * per_step
        fine = np.float32(size[x]) * of_size * quiet[x] * doubt
        fine = (fine - np.float32(_SIZE_FIRM)) * per_size
        motion[x] = min(max(mean, fine, low), one)


@part
def _take_note(  # noqa: PLR0917 - numba takes no keyword-only arguments
    motion: Floats,
    means: Fixed,
    counts: Floats,
    evidences: Evidence,
    shares: Fixed,
    row: int,
) -> None:
    """Set a row's evidence and share by its motion, from 0 to 1."""
    news, evidence, share = means[4], evidences[row], shares[row]
    one, most = np.float32(ONE_FRAME), np.float32(MOST_FRAMES * ONE_FRAME)
    all_taken = np.float32(ONE_FRAME * ((1 << _SHARE_BITS) - 1))
    for x in range(share.size):
        # Where nothing was sent since the last frame, and nothing moves, all stays as it is.
        count = np.float32(evidence[x]) * (np.float32(1) - motion[x]) + one
        is_new = max(np.float32(news[x]), motion[x] - np.float32(0.5)) > np.float32(0)
        counts[x] = min(count, most) if is_new else np.float32(0)
    for x in range(share.size):
        taken = all_taken / max(counts[x], one)
        share[x] = np.int16(np.int32(taken)) if counts[x] > np.float32(0) else np.int16(0)
    for x in range(share.size):
        count = counts[x] if counts[x] > np.float32(0) else np.float32(evidence[x])
        evidence[x] = np.uint8(np.int32(count + np.float32(0.5)))


@kernel
def learn(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: Samples, share: Fixed, across: int, down: int, estimate: Fixed, half: Fixed
) -> None:
    """Move an estimate towards a frame's samples, by the share of each sample's cell.

    Args:
        source: the frame's plane.
        share: from `weigh_evidence`.
        across: 1 where a cell is two samples wide, else 0.
        down: 1 where a cell is two samples high, else 0.
        estimate: updated, fixed-point.
        half: filled as by `halve` with the result, while that is at hand; empty for nothing.
    """
    height, width = estimate.shape
    new, shares = np.empty(width, np.int16), np.empty(width, np.int16)
    products = np.empty(width, np.int16)
    for row in range(height):
        fetch_samples(source, row + 1)
        fetch_row(estimate, row + 1)
        if row % (1 + down) == 0:
            _share_row(share, row >> down, across, shares)
        _learn_row(source, row, new, shares, products, estimate)
        if half.size > 0 and (row % 2 == 1 or row + 1 == height):
            halve_rows(estimate, row // 2, half)


@part
def _share_row(share: Fixed, row: int, across: int, shares: Fixed) -> None:
    """Give each sample the share of its cell."""
    cells = share[row]
    if across == 0:
        for x in range(shares.size):
            shares[x] = cells[x]
    else:
        spread_row(cells, shares)
    for x in range(shares.size):
        # 32767 counts as 32768, so that all is all; as a number of 16 bits it is negative.
        shares[x] = np.int16(shares[x] + np.int16(shares[x] >> np.int16(14)))


@part
def _learn_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    source: Samples, row: int, new: Fixed, shares: Fixed, products: Fixed, estimates: Fixed
) -> None:
    """Add (new - estimate) * share, rounded: from the halves of products, each one instruction."""
    estimate = estimates[row]
    read_row(source, row, new)
    for x in range(new.size):
        way = np.int16(new[x] - estimate[x])
        product = np.int32(np.int32(way) * np.int32(shares[x]))
        products[x] = np.int16(product >> np.int32(16))
    for x in range(new.size):
        old, taken = estimate[x], shares[x]
        low = np.uint16(np.uint16(new[x] - old) * np.uint16(taken))
        # Its two bits on top, halved and rounded up.
        more = np.uint16(np.uint16(low >> np.uint16(14)) & np.uint16(1))
        more = np.uint16(more + np.uint16(low >> np.uint16(15)))
        step = np.int16(np.int16(products[x] * np.int16(2)) + np.int16(more))
        estimate[x] = new[x] if taken < np.int16(0) else np.int16(old + step)


@part
def _subtract(a: Fixed, b: Fixed, out: Fixed) -> None:
    """Differences, cut off where sixteen of them would not fit."""
    for x in range(out.size):
        change = np.int16(a[x] - b[x])
        out[x] = min(max(change, np.int16(-_MOST_CHANGE)), np.int16(_MOST_CHANGE))


@part
def _compare(change: Fixed, a: Fixed, b: Fixed, size: Fixed, is_new: Fixed) -> None:
    """The sizes of changes, and whether two rows differ."""
    for x in range(size.size):
        size[x] = abs(change[x])
    for x in range(size.size):
        is_new[x] = np.int16(1) if a[x] != b[x] else np.int16(0)


@part
def _add_rows(above: Fixed, here: Fixed, below: Fixed, sums: Fixed) -> None:
    """Binomial sums of three rows, with the edges repeated on either side."""
    for x in range(here.size):
        outer = np.int16(above[x] + below[x])
        sums[x + 1] = np.int16(outer + np.int16(here[x] * np.int16(2)))
    sums[0], sums[here.size + 1] = sums[1], sums[here.size]


@part
def _add_columns(sums: Fixed, out: Fixed) -> None:
    for x in range(out.size):
        outer = np.int16(sums[x] + sums[x + 2])
        out[x] = np.int16(outer + np.int16(sums[x + 1] * np.int16(2)))
