"""RGB images through the restoring stage: with chroma at half size, and its finest detail beside.

Chroma is restored at half size, as that of most video is, and what changed there is added to each
pixel's own. Between half size and full, what is as small as the noise is taken out; colours that
differ by more, such as the edges of a lamp, stay as they are. Where nothing is restored, no pixel
is changed at all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import FIXED_BITS, Fixed
from tapetum.realtime.cpu.plane_rows import read_only
from tapetum.realtime.cpu.restoring_space import WHOLE, FineChroma
from tapetum.realtime.cpu.rgb import (
    BLUE_FROM_U,
    COLOR,
    HALF,
    KB,
    KG,
    KR,
    MIDDLE,
    RED_FROM_V,
    SCALE,
    TIME_BASE,
    PixelRows,
    RgbImage,
)
from tapetum.realtime.frame import Frame

_DEPTH = 10
_FORMAT = f"yuv420p{_DEPTH}le"

_EDGE = 0.5
"""Step of restored chroma to a sample beside it, in tolerances, from which all detail stays; from
half of it on, some does."""

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint16]


class RestoredPixels(NamedTuple):
    """What a kernel needs to restore an image; of luma and chroma in levels of 10 bits.

    Attributes:
        luma: (H, W) as restored; empty where nothing is.
        seen: (2, h, w) chroma at half size, of the image's first and last channel's difference.
        made: (2, h, w) the same restored.
        weight: (h, w) of `FineChroma`.
        tolerance: (2,) of `FineChroma`, in levels.
    """

    luma: Words
    seen: tuple[Words, Words]
    made: tuple[Words, Words]
    weight: Fixed
    tolerance: Floats


_NO_WORDS = read_only(np.empty((0, 0), np.uint16))
UNRESTORED = RestoredPixels(
    _NO_WORDS,
    (_NO_WORDS, _NO_WORDS),
    (_NO_WORDS, _NO_WORDS),
    read_only(np.empty((0, 0), np.int16)),
    np.zeros(2, np.float32),
)
"""An image that is taken as it is."""


class Lift(NamedTuple):
    """Room for a row of chroma at half size, which is enlarged.

    Attributes:
        narrow: (2, w + 2) rows of half size between their repeated ends.
        shares: (w,) by how much detail is taken out of cells, from 0 to 1.
        weight: (W,) the same of pixels.
        seen: (2, W) each plane as seen, at full size.
        change: (2, W) how it changed.
    """

    narrow: Floats
    shares: Floats
    weight: Floats
    seen: Floats
    change: Floats


def half_chroma_frame(pixels: PixelRows, *, time_s: float | None = None) -> Frame:
    """An image as the frame that is restored: full-range BT.709 YUV 4:2:0 of 10 bits.

    A chroma sample is the mean of its four pixels; those beyond an odd edge count as those at it.
    """
    size = pixels.height, pixels.width
    half_size = -(-pixels.height // 2), -(-pixels.width // 2)
    luma = np.empty(size, np.uint16)
    first, last = (np.empty(half_size, np.uint16) for _ in range(2))
    first_weight, last_weight = (KR, KB) if pixels.red_first else (KB, KR)
    factors = (RED_FROM_V, BLUE_FROM_U) if pixels.red_first else (BLUE_FROM_U, RED_FROM_V)
    _to_half_chroma(pixels, first_weight, last_weight, *factors, luma, first, last)
    u, v = (last, first) if pixels.red_first else (first, last)
    pts = None if time_s is None else round(time_s / TIME_BASE)
    return Frame((luma, u, v), _FORMAT, pts=pts, time_base=TIME_BASE, color=COLOR)


def restored_pixels(
    seen: Frame, restored: Frame, fine: FineChroma, *, red_first: bool
) -> RestoredPixels:
    """What restoring made of the frame of an image.

    Args:
        seen: from `half_chroma_frame`.
        restored: the same restored, of as many bits.
        fine: what is taken out at full size.
        red_first: whether the image's first channel is red.
    """
    ends = [2, 1] if red_first else [1, 2]
    step = 1 << (FIXED_BITS - _DEPTH)
    before, after = ([read_only(frame.planes[end]) for end in ends] for frame in (seen, restored))
    return RestoredPixels(
        read_only(restored.planes[0]),
        (before[0], before[1]),
        (after[0], after[1]),
        read_only(fine.weight),
        np.array([fine.tolerance[end - 1] / step for end in ends], np.float32),
    )


@kernel
def _to_half_chroma(  # noqa: PLR0917 - numba takes no keyword-only arguments
    pixels: PixelRows,
    first_weight: np.float32,
    last_weight: np.float32,
    first_factor: np.float32,
    last_factor: np.float32,
    luma: Words,
    first: Words,
    last: Words,
) -> None:
    width, length = pixels.width, pixels.width * pixels.channels
    sums = np.zeros((3, width + 1), np.float32)  # what is not a number would stay so
    to_first = SCALE / (np.float32(4) * first_factor)
    to_last = SCALE / (np.float32(4) * last_factor)
    top, middle = np.float32(1023), MIDDLE + HALF
    for row in range(first.shape[0]):
        for line in range(2):
            y = min(2 * row + line, pixels.height - 1)
            samples = pixels.samples[y * pixels.pitch : y * pixels.pitch + length]
            if pixels.channels == 3:
                _add_three(samples, line, first_weight, last_weight, sums, luma[y])
            else:
                _add_four(samples, line, first_weight, last_weight, sums, luma[y])
        for channel in range(3):
            sums[channel, width] = sums[channel, width - 1]
        one, between, other = sums[0], sums[1], sums[2]
        new_first, new_last = first[row], last[row]
        for x in range(new_first.size):
            a = one[2 * x] + one[2 * x + 1]
            b = between[2 * x] + between[2 * x + 1]
            c = other[2 * x] + other[2 * x + 1]
            y_sum = first_weight * a + KG * b + last_weight * c
            new_first[x] = np.int32(min((a - y_sum) * to_first + middle, top))
            new_last[x] = np.int32(min((c - y_sum) * to_last + middle, top))


# Two of one kind, each with a step that LLVM knows.


@part
def _add_three(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: RgbImage,
    line: int,
    first_weight: np.float32,
    last_weight: np.float32,
    sums: Floats,
    luma: Words,
) -> None:
    """Write a row's luma, and its channels into their sums: over them for the first of two rows."""
    first, middle, last = sums[0], sums[1], sums[2]
    kept = np.float32(line)
    for x in range(np.uint64(luma.size)):
        place = np.uint64(3) * x
        a = np.float32(samples[place])
        b = np.float32(samples[place + np.uint64(1)])
        c = np.float32(samples[place + np.uint64(2)])
        luma[x] = np.int32((first_weight * a + KG * b + last_weight * c) * SCALE + HALF)
        first[x] = kept * first[x] + a
        middle[x] = kept * middle[x] + b
        last[x] = kept * last[x] + c


@part
def _add_four(  # noqa: PLR0917 - numba takes no keyword-only arguments
    samples: RgbImage,
    line: int,
    first_weight: np.float32,
    last_weight: np.float32,
    sums: Floats,
    luma: Words,
) -> None:
    first, middle, last = sums[0], sums[1], sums[2]
    kept = np.float32(line)
    for x in range(np.uint64(luma.size)):
        place = np.uint64(4) * x
        a = np.float32(samples[place])
        b = np.float32(samples[place + np.uint64(1)])
        c = np.float32(samples[place + np.uint64(2)])
        luma[x] = np.int32((first_weight * a + KG * b + last_weight * c) * SCALE + HALF)
        first[x] = kept * first[x] + a
        middle[x] = kept * middle[x] + b
        last[x] = kept * last[x] + c


@part
def restore_row(  # noqa: PLR0917 - numba takes no keyword-only arguments
    restored: RestoredPixels, row: int, lift: Lift, luma: Floats, first: Floats, last: Floats
) -> None:
    """Restore one row of pixels.

    Args:
        restored: the image's.
        row: which.
        lift: room.
        luma: (W,) levels of 10 bits; set.
        first: (W,) the first channel's chroma, in levels of 10 bits over grey; changed.
        last: (W,) the last channel's.
    """
    line = restored.luma[row]
    for x in range(luma.size):
        luma[x] = np.float32(line[x])
    near, last_row = row >> 1, restored.weight.shape[0] - 1
    far = min(max(near + (1 if row % 2 else -1), 0), last_row)
    shares, cells = lift.shares, restored.weight[near]
    for x in range(cells.size):
        shares[x] = np.float32(cells[x]) * np.float32(1 / WHOLE)
    for end in range(2):
        seen, made = restored.seen[end], restored.made[end]
        _lift(seen[near], seen[far], made[near], made[far], lift.narrow)
        _enlarge(lift.narrow[0], lift.seen[end])
        _enlarge(lift.narrow[1], lift.change[end])
        _spare_edges(made[near], made[far], restored.tolerance[end], lift.narrow, shares)
    for x in range(luma.size // 2):
        lift.weight[2 * x] = shares[x]
        lift.weight[2 * x + 1] = shares[x]
    if luma.size % 2:
        lift.weight[luma.size - 1] = shares[shares.size - 1]
    _restore_chroma(lift, restored.tolerance, first, last)


@part
def _lift(near: Words, far: Words, near_made: Words, far_made: Words, narrow: Floats) -> None:
    """Blend two rows of chroma at half size, as seen, over grey; and their change."""
    before, change, width = narrow[0], narrow[1], near.size
    three, quarter = np.float32(3), np.float32(0.25)
    for x in range(width):
        total = three * np.float32(near[x]) + np.float32(far[x])
        new = three * np.float32(near_made[x]) + np.float32(far_made[x])
        before[x + 1] = total * quarter - MIDDLE
        change[x + 1] = (new - total) * quarter
    for ends in (before, change):
        ends[0], ends[width + 1] = ends[1], ends[width]


@part
def _spare_edges(
    near: Words, far: Words, tolerance: np.float32, narrow: Floats, shares: Floats
) -> None:
    """Lessen the shares of a row's cells beside which the colour changes: it would bleed."""
    down, beside, width = narrow[0], narrow[1], near.size
    for x in range(width):
        down[x] = abs(np.float32(far[x]) - np.float32(near[x]))
    for x in range(width - 1):
        across = np.float32(near[x + 1]) - np.float32(near[x])
        slant = np.float32(far[x + 1]) - np.float32(near[x])
        other = np.float32(near[x + 1]) - np.float32(far[x])
        beside[x + 1] = max(abs(across), abs(slant), abs(other))
    beside[0] = beside[width] = np.float32(0)
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    per_step = two / (np.float32(_EDGE) * tolerance)
    for x in range(width):
        step = max(down[x], beside[x], beside[x + 1])
        shares[x] *= min(max(two - step * per_step, zero), one)


@part
def _restore_chroma(lift: Lift, tolerance: Floats, first: Floats, last: Floats) -> None:
    """Change a row's chroma as half size does, and take out the noise of its detail."""
    zero, one, two = np.float32(0), np.float32(1), np.float32(2)
    per_first, per_last = one / tolerance[0], one / tolerance[1]
    for x in range(first.size):
        of_first = first[x] - lift.seen[0, x]
        of_last = last[x] - lift.seen[1, x]
        # All of a small difference is noise, and nothing of a large one, in either channel.
        size = max(abs(of_first) * per_first, abs(of_last) * per_last)
        noise = min(max(two - size, zero), one) * lift.weight[x]
        first[x] += lift.change[0, x] - noise * of_first
        last[x] += lift.change[1, x] - noise * of_last


@part
def _enlarge(narrow: Floats, wide: Floats) -> None:
    """Enlarge a row by two, bilinearly; it lies between its repeated ends."""
    near, far = np.float32(0.75), np.float32(0.25)
    for x in range(wide.size // 2):
        here = near * narrow[x + 1]
        wide[2 * x] = here + far * narrow[x]
        wide[2 * x + 1] = here + far * narrow[x + 2]
    if wide.size % 2:
        end = narrow.size - 2
        wide[wide.size - 1] = near * narrow[end] + far * narrow[end - 1]
