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
from tapetum.realtime.cpu.restoring_space import FineChroma
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

CHROMA_STEP = np.float32(1 / 16)
"""Chroma at full size is a blend of samples in sixteenths, and so it is counted in these."""
_EDGE_STEPS = 64
"""A step of restored chroma to a sample beside it counts as four times one of a pixel's detail:
from half a tolerance on all detail stays, and from a quarter on, some does."""
_MOST_TOLERANCE = (1 << 14) - 1
"""In `CHROMA_STEP`: twice as much fits 15 bits."""
_MOST_DETAIL = (1 << 14) - 1
"""Detail of more is none of noise."""

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint16]


class Fade(NamedTuple):
    """All of what is up to a tolerance, and nothing of what is twice as much, in 16-bit integers.

    Attributes:
        tolerance: of a pixel's detail, in `CHROMA_STEP`.
        up: a power of 2 that makes it at least 1 << 14.
        per: 1 << 30 by this product, nearly.
    """

    tolerance: np.uint16
    up: np.uint16
    per: np.uint16


class RestoredPixels(NamedTuple):
    """What a kernel needs to restore an image; of luma and chroma in levels of 10 bits.

    Attributes:
        luma: (H, W) as restored; empty where nothing is.
        seen: (2, h, w) chroma at half size, of the image's first and last channel's difference.
        made: (2, h, w) the same restored.
        weight: (h, w) of `FineChroma`.
        fades: by its tolerances.
    """

    luma: Words
    seen: tuple[Words, Words]
    made: tuple[Words, Words]
    weight: Fixed
    fades: tuple[Fade, Fade]


def _fade(tolerance: float) -> Fade:
    """How detail fades that has a tolerance in levels of 10 bits."""
    whole = min(max(round(tolerance / float(CHROMA_STEP)), 1), _MOST_TOLERANCE)
    up = 1 << (15 - whole.bit_length())
    return Fade(np.uint16(whole), np.uint16(up), np.uint16(((1 << 30) - 1) // (whole * up)))


_NO_WORDS = read_only(np.empty((0, 0), np.uint16))
UNRESTORED = RestoredPixels(
    _NO_WORDS,
    (_NO_WORDS, _NO_WORDS),
    (_NO_WORDS, _NO_WORDS),
    read_only(np.empty((0, 0), np.int16)),
    (_fade(1), _fade(1)),
)
"""An image that is taken as it is."""


class Lift(NamedTuple):
    """Room for a row of chroma at half size, which is enlarged.

    Attributes:
        narrow: (2, w + 2) rows of half size between their repeated ends.
        steps: (w + 1,) steps from cell to cell.
        shares: (w,) by how much detail is taken out of cells, of `WHOLE`.
        weight: (W,) the same of pixels.
        seen: (2, W) each plane as seen, at full size.
        change: (2, W) how it changed.
    """

    narrow: Fixed
    steps: Words
    shares: Words
    weight: Words
    seen: Fixed
    change: Fixed


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
        (_fade(fine.tolerance[ends[0] - 1] / step), _fade(fine.tolerance[ends[1] - 1] / step)),
    )


def room_to_lift(width: int) -> Lift:
    """Room for rows of so many pixels."""
    half = (width + 1) // 2
    return Lift(
        np.empty((2, half + 2), np.int16),
        np.empty(half + 1, np.uint16),
        np.empty(half, np.uint16),
        np.empty(width, np.uint16),
        np.empty((2, width), np.int16),
        np.empty((2, width), np.int16),
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
    restored: RestoredPixels, row: int, lift: Lift, luma: Words, first: Fixed, last: Fixed
) -> None:
    """Restore one row of pixels.

    Args:
        restored: the image's.
        row: which.
        lift: room.
        luma: (W,) levels of 10 bits; set.
        first: (W,) the first channel's chroma over grey, in `CHROMA_STEP`; changed.
        last: (W,) the last channel's.
    """
    line = restored.luma[row]
    for x in range(luma.size):
        luma[x] = min(line[x], np.uint16(1023))
    near, last_row = row >> 1, restored.weight.shape[0] - 1
    far = min(max(near + (1 if row % 2 else -1), 0), last_row)
    shares, cells = lift.shares, restored.weight[near]
    for x in range(cells.size):
        shares[x] = np.uint16(cells[x])
    for end in range(2):
        seen, made = restored.seen[end], restored.made[end]
        _lift(seen[near], seen[far], made[near], made[far], lift.narrow)
        _enlarge(lift.narrow[0], lift.seen[end])
        _enlarge(lift.narrow[1], lift.change[end])
        _spare_edges(made[near], made[far], restored.fades[end], lift.steps, shares)
    weight = lift.weight
    for x in range(luma.size // 2):
        weight[2 * x] = shares[x]
        weight[2 * x + 1] = shares[x]
    if luma.size % 2:
        weight[luma.size - 1] = shares[shares.size - 1]
    _weigh_noise(lift, restored.fades, first, last)
    _restore_chroma(lift.seen[0], lift.change[0], weight, first)
    _restore_chroma(lift.seen[1], lift.change[1], weight, last)


@part
def _lift(near: Words, far: Words, near_made: Words, far_made: Words, narrow: Fixed) -> None:
    """Blend two rows of chroma at half size, as seen, over grey; and their change; in quarters."""
    before, change, width = narrow[0], narrow[1], near.size
    three, grey = np.uint16(3), np.int16(4 * MIDDLE)
    for x in range(width):
        total = np.int16(np.uint16(three * near[x]) + far[x])
        new = np.int16(np.uint16(three * near_made[x]) + far_made[x])
        before[x + 1] = np.int16(total - grey)
        change[x + 1] = np.int16(new - total)
    for ends in (before, change):
        ends[0], ends[width + 1] = ends[1], ends[width]


@part
def _spare_edges(near: Words, far: Words, fade: Fade, beside: Words, shares: Words) -> None:
    """Lessen the shares of a row's cells beside which the colour changes: it would bleed."""
    width = near.size
    for x in range(width - 1):
        slants = max(_step(near[x], far[x + 1]), _step(far[x], near[x + 1]))
        beside[x + 1] = max(_step(near[x], near[x + 1]), slants)
    beside[0] = beside[width] = np.uint16(0)
    scale = np.uint16(_EDGE_STEPS)
    for x in range(width):
        step = max(_step(near[x], far[x]), beside[x], beside[x + 1])
        shares[x] = _times(shares[x], _faded(np.uint16(step * scale), fade))


@part
def _weigh_noise(lift: Lift, fades: tuple[Fade, Fade], first: Fixed, last: Fixed) -> None:
    """Lessen the weights of a row's pixels whose detail, in either channel, is none of noise."""
    weight, by_first, by_last = lift.weight, lift.seen[0], lift.seen[1]
    for x in range(weight.size):
        of_first = np.uint16(abs(np.int16(first[x] - by_first[x])))
        of_last = np.uint16(abs(np.int16(last[x] - by_last[x])))
        noise = min(_faded(of_first, fades[0]), _faded(of_last, fades[1]))
        weight[x] = _times(weight[x], noise)


@part
def _restore_chroma(seen: Fixed, change: Fixed, weight: Words, chroma: Fixed) -> None:
    """Change a row's chroma as half size does, and take out the noise of its detail."""
    most = np.int16(_MOST_DETAIL)
    for x in range(chroma.size):
        detail = min(max(np.int16(chroma[x] - seen[x]), np.int16(-most)), most)
        product = np.int32(np.int32(np.int16(detail * np.int16(2))) * np.int32(np.int16(weight[x])))
        noise = np.int16(product >> np.int32(16))
        chroma[x] = np.int16(np.int16(chroma[x] + change[x]) - noise)


@part
def _step(a: np.uint16, b: np.uint16) -> np.uint16:
    return np.uint16(max(a, b) - min(a, b))


@part
def _faded(size: np.uint16, fade: Fade) -> np.uint16:
    """The share of a size that is noise, in 1 / 65536."""
    tolerance = fade.tolerance
    limit = np.uint16(tolerance + tolerance)
    below = min(np.uint16(max(limit, size) - size), tolerance)
    return np.uint16(_times(np.uint16(below * fade.up), fade.per) * np.uint16(4))


@part
def _times(a: np.uint16, share: np.uint16) -> np.uint16:
    """A number times a share in 1 / 65536."""
    return np.uint16(np.uint32(np.uint32(a) * np.uint32(share)) >> np.uint32(16))


@part
def _enlarge(narrow: Fixed, wide: Fixed) -> None:
    """Enlarge a row by two, bilinearly, to quarters of its unit; it lies between repeated ends."""
    three = np.int16(3)
    for x in range(wide.size // 2):
        here = np.int16(three * narrow[x + 1])
        wide[2 * x] = np.int16(here + narrow[x])
        wide[2 * x + 1] = np.int16(here + narrow[x + 2])
    if wide.size % 2:
        end = narrow.size - 2
        wide[wide.size - 1] = np.int16(np.int16(three * narrow[end]) + narrow[end - 1])
