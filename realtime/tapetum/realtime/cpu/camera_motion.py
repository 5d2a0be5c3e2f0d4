"""The restoring stage with a moving camera: by how much a picture moved against what was known.

One shift for all of the picture, as a hand that shakes or a camera that turns makes it. Blocks of
luma at an eighth of the size say roughly where they came from; then the shift is made finer at an
eighth, a quarter and half of the size, each time by what explains most of the change along the
gradients of what was known (Lucas and Kanade, "An iterative image registration technique", 1981),
where blocks that disagree count less. It holds only if blocks that have texture, all over the
picture, differ less by it, and by as much as their texture says that they must.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.fixed_point import Fixed, halve_plane
from tapetum.realtime.cpu.followed_blocks import BLOCK, NOWHERE, block_difference

REACH = 3
"""Samples at an eighth of the size by which a shift may differ from the last one."""
_SIZES = 3
"""Half, a quarter and an eighth of the size."""
_STEPS = 2, 1, 1
"""How often a shift is made finer at each of these."""
_TIMES = 3
"""How often blocks are weighed anew for that."""
_MOST_BLOCKS = 200
"""Blocks that are looked at, about, at each size."""
_SAME_PLACES = 8
"""Frames that are looked at in the same places."""
_LEAST, _LEAST_TO_START = 0.1, 0.2
"""Pixels up to which a picture rests; and one that rested before."""
_WHOLE = 1 / 32
"""Pixels from whole ones up to which a shift is taken for whole: it is known no better, and what is
moved by whole pixels loses no detail."""
_AT_REST, _EVERY = 15, 3
"""After so many frames at rest, one frame of so many is looked at."""
_FEWEST, _FEWEST_SMALL = 12, 4
"""Blocks with texture that a shift needs; and blocks at a smaller size."""
_TEXTURE = 0.75
"""Mean square of a gradient, by that of noise, from which a block has texture."""
_AGREED, _AGREED_NEAR = 0.5, 0.2
"""Share of what these must gain by a shift that they gain, at least; and by one of up to a sample,
of which fine texture gains less, and pictures that are not alike nothing."""
_MOST_GAIN = 4.0
"""What one of them counts for, by their median, at most."""
_SURE_DEVIATIONS = 6.0
"""A shift that is measured is so many deviations of its own error, at least."""
_AREAS = 3
"""Areas across and down of a picture, of which half must have such blocks."""
_ROOM = 16
"""Samples of a line that a block has for itself and its neighbours."""

Floats = npt.NDArray[np.float32]
Deviations = npt.NDArray[np.float64]
Places = npt.NDArray[np.int32]
"""(n, 2) first rows and columns of blocks."""


class _Size(NamedTuple):
    """Luma at one size.

    Attributes:
        frame: of the new frame.
        known: what was known.
        places: of blocks all over it.
    """

    frame: Fixed
    known: Fixed
    places: Places


class CameraMotion:
    """Measures how pictures moved against what was known of them, for luma of one size."""

    def __init__(self, shape: tuple[int, int]) -> None:
        """Start at rest.

        Args:
            shape: of luma at half size.
        """
        self._smaller = list[tuple[Fixed, Fixed]]()
        for _ in range(_SIZES - 1):
            shape = -(-shape[0] // 2), -(-shape[1] // 2)
            self._smaller.append((np.empty(shape, np.int16), np.empty(shape, np.int16)))
        self._last: Deviations = np.zeros(2)
        self._rested = self._looked = 0
        self._places = list[Places]()

    def __call__(self, frame: Fixed, known: Fixed, noise: float) -> Deviations | None:
        """(2,) rows and columns of pixels from where the picture came; None where it rests.

        Args:
            frame: (h, w) luma of the new frame at half size, fixed-point.
            known: (h, w) what was known.
            noise: deviation of the frame's noise, fixed-point units.
        """
        self._rested += 1
        if self._rested > _AT_REST and self._rested % _EVERY:
            return None
        planes = [(frame, known), *self._smaller]
        for larger, smaller in pairwise(planes):
            for plane, half in zip(larger, smaller, strict=True):
                halve_plane(plane, half)
        if self._looked % _SAME_PLACES == 0:
            texture = _texture(planes[-1][1])
            self._places = [
                block_places(plane.shape, texture, BLOCK >> (_SIZES - 1 - number))
                for number, (plane, _) in enumerate(planes)
            ]
        self._looked += 1
        sizes = [
            _Size(frame, known, places)
            for (frame, known), places in zip(planes, self._places, strict=True)
        ]
        self._last = _measured(sizes, self._last, noise)
        if not self._last.any():
            return None
        self._rested = 0
        pixels = 2 * self._last
        whole: Deviations = np.rint(pixels)
        return np.where(np.abs(pixels - whole) < _WHOLE, whole, pixels)


def _measured(sizes: Sequence[_Size], last: Deviations, noise: float) -> Deviations:
    """The shift in cells; 0 where the picture rests, or nothing is sure."""
    rest: Deviations = np.zeros(2)
    shift, sums = _roughly(sizes[-1], last, noise), np.empty((0, 9), np.float32)
    for number, size in reversed(list(enumerate(sizes))):
        for _ in range(_STEPS[number]):
            sums = _sums(size, shift / (1 << number))
            if len(sums) < _FEWEST_SMALL:
                return rest
            shift = shift + finer_shift(sums) * (1 << number)
    least = _LEAST if last.any() else _LEAST_TO_START
    is_sure = 2 * np.abs(shift).max() >= least
    return shift if is_sure and _is_sure(sums, shift, sizes[0].frame.shape, noise) else rest


def _texture(known: Fixed) -> Fixed:
    """(h, w) by how much samples differ from those below and to the right."""
    texture: Fixed = np.abs(np.diff(known, axis=0, append=known[-1:]))
    texture += np.abs(np.diff(known, axis=1, append=known[:, -1:])) >> 1
    return texture


def block_places(shape: tuple[int, ...], texture: Fixed, side: int) -> Places:
    """Where blocks are in a plane, a sample from its edges: all over it, each where texture is.

    Args:
        shape: of the plane.
        texture: (h, w) of the picture, at a size of its own.
        side: its samples across and down a block.
    """
    rows, columns = (max((length - 2) // BLOCK, 0) for length in shape)
    every = max(math.ceil((rows * columns / _MOST_BLOCKS) ** 0.5 - 0.3), 1)
    down, across = rows // every, columns // every
    used = texture[: down * every * side, : across * every * side]
    parts = used.reshape(down, every, side, across, every, side).sum(axis=(2, 5), dtype=np.int32)
    parts = parts.swapaxes(1, 2).reshape(down, across, every * every)
    best = parts.argmax(axis=2)
    row = np.arange(down)[:, np.newaxis] * every + best // every
    column = np.arange(across) * every + best % every
    return (np.stack([row, column], axis=-1).reshape(-1, 2) * BLOCK + 1).astype(np.int32)


def _roughly(size: _Size, last: Deviations, noise: float) -> Deviations:
    """A shift, in cells, to whole samples of an eighth of the size: that of most blocks."""
    scale = 1 << (_SIZES - 1)
    guess = np.rint(last / scale).astype(np.int32)
    excess = np.zeros((2 * REACH + 1, 2 * REACH + 1), np.float32)
    compare_blocks(*size, guess, np.float32(noise / scale), excess)
    # Where no block says anything, as at the edge of what is looked at, it is the guess.
    best = np.array(np.unravel_index(int(np.argmin(excess)), excess.shape)) - REACH
    shift: Deviations = (guess + (best if excess.any() else 0)).astype(np.float64)
    return shift * scale


def _sums(size: _Size, shift: Deviations) -> Floats:
    """`add_gradients` of the blocks that come from within the plane."""
    first = size.places + np.floor(shift).astype(np.int32) - 1
    inside = (first >= 0) & (first + BLOCK + 2 < size.known.shape)
    places = size.places[inside.all(axis=1)]
    sums = np.empty((len(places), 9), np.float32)
    add_gradients(size.frame, size.known, places, shift.astype(np.float32), sums)
    return sums


def finer_shift(sums: Floats) -> Deviations:
    """What explains most of the change of all blocks, each by how much of it is left.

    Args:
        sums: (n, 9) of `add_gradients`.

    Returns:
        (2,) rows and columns of samples, up to one of each.
    """
    own = np.ascontiguousarray(sums[:, 2:8].T, np.float64)
    weights, shift = np.ones(own.shape[1]), np.zeros(2)
    for _ in range(_TIMES):
        down, both, across, by_down, by_across, _ = (own @ weights).tolist()
        whole = down * across - both * both
        if whole <= 1e-3 * down * across:  # all edges go one way
            return np.zeros(2)
        y = (across * by_down - both * by_across) / whole
        x = (down * by_across - both * by_down) / whole
        shift = np.array([y, x])
        left = np.array([y * y, 2 * y * x, x * x, -2 * y, -2 * x, 1]) @ own
        left /= max(_median(left), 1.0)
        weights = 1 / (1 + left * left)
    limited: Deviations = np.clip(shift, -1, 1)
    return limited


def _median(values: Deviations) -> float:
    """The upper median: many times quicker than numpy's, which looks for NaN."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])


def _is_sure(sums: Floats, shift: Deviations, shape: tuple[int, ...], noise: float) -> bool:
    """Whether a shift explains what differs at rest, all over the picture, and noise does not."""
    of_noise = noise * noise
    own = sums[sums[:, 2] + sums[:, 4] > _TEXTURE * of_noise * BLOCK * BLOCK]
    if len(own) < _FEWEST:
        return False
    (y, x), after, at_rest = shift, own[:, 7], own[:, 8]
    # What a block of this texture must gain by the shift, none of them far more than most.
    gains = own[:, 2] * y * y + 2 * own[:, 3] * y * x + own[:, 4] * x * x
    gains = np.minimum(gains, np.maximum(after, at_rest))
    gains = np.minimum(gains, _MOST_GAIN * _median(gains))
    gained = np.minimum(np.maximum(at_rest - after, -gains), gains)
    agreed = _AGREED if np.abs(shift).max() > 1 else _AGREED_NEAR
    if gains.sum() < _SURE_DEVIATIONS**2 * of_noise or gained.sum() < agreed * gains.sum():
        return False
    rows, columns = (own[gained > 0, :2] * np.array([_AREAS / side for side in shape])).T.astype(
        int
    )
    reached = np.bincount(rows * _AREAS + columns)
    return 2 * int(np.count_nonzero(reached)) >= _AREAS * _AREAS


@kernel
def compare_blocks(  # noqa: PLR0917 - numba takes no keyword-only arguments
    frame: Fixed,
    known: Fixed,
    places: Places,
    guess: npt.NDArray[np.int32],
    noise: np.float32,
    excess: Floats,
) -> None:
    """Add up how much worse than where it fits best each block fits at each place around a guess.

    Args:
        frame: the new frame.
        known: what was known.
        places: of blocks of the frame.
        guess: (2,) rows and columns.
        noise: deviation of the frame's noise.
        excess: (2 REACH + 1, 2 REACH + 1) added to, by each block up to 1.
    """
    side, even = 2 * REACH + 1, np.int64(0)
    found, one = np.empty(side * side, np.float32), np.float32(1)
    floor = max(noise * np.float32(BLOCK * BLOCK // 2), one)
    for block in range(places.shape[0]):
        row, column = np.int64(places[block, 0]), np.int64(places[block, 1])
        lowest, highest, total = np.float32(np.inf), np.float32(0), np.float32(0)
        for place in range(side * side):
            down = np.int64(guess[0]) + place // side - REACH
            across = np.int64(guess[1]) + place % side - REACH
            differs = np.float32(block_difference(frame, known, row, column, down, across, even))
            lowest, highest = min(lowest, differs), max(highest, differs)
            found[place] = differs
            total += differs
        if highest == np.float32(NOWHERE):
            continue
        mean = max(total / np.float32(side * side) - lowest, np.float32(0)) + floor
        for place in range(side * side):
            excess[place // side, place % side] += min((found[place] - lowest) / mean, one)


@kernel
def add_gradients(frame: Fixed, known: Fixed, places: Places, shift: Floats, sums: Floats) -> None:
    """Fill `sums` with what tells how blocks moved beyond a shift.

    Args:
        frame: the new frame.
        known: what was known.
        places: of blocks, all of which the shift leaves within the plane.
        shift: (2,) rows and columns from where they came.
        sums: (n, 9) filled: row and column of the block; sums of squared gradients down, of
            products of both, of squares across; of gradients times change, down and across; of
            changes squared, and of those that there would be at rest.
    """
    whole_y, whole_x = np.floor(shift[0]), np.floor(shift[1])
    part_y, part_x = shift[0] - whole_y, shift[1] - whole_x
    down, across = int(whole_y) - 1, int(whole_x) - 1
    # Blocks lie side by side in a line, each in a room of its own: long loops are SIMD.
    width, count = np.uint64(places.shape[0] * _ROOM), BLOCK + 3
    there, old = np.zeros(width + _ROOM, np.int16), np.zeros(width + _ROOM, np.int16)
    ahead, seen = np.empty((2, width), np.float32), np.empty((3, width), np.float32)
    gradients, totals = np.zeros((4, width), np.float32), np.zeros((7, width), np.float32)
    for y in range(count):
        _fetch(known, places, y + down, across, count, there)
        _interpolate_across(there, part_x, ahead[y % 2])
        if y > 0:
            _interpolate_down(ahead[1 - y % 2], ahead[y % 2], part_y, seen[y % 3])
        if y < 3:  # the first of three rows that are seen, and the second
            continue
        _fetch(frame, places, y - 3, 0, BLOCK, there)
        _fetch(known, places, y - 3, 0, BLOCK, old)
        above, here, below = seen[(y + 1) % 3], seen[(y + 2) % 3], seen[y % 3]
        _differ(there, old, above, here, below, gradients)
        _add_products(gradients, totals)
    for block in range(places.shape[0]):
        sums[block, 0], sums[block, 1] = np.float32(places[block, 0]), np.float32(places[block, 1])
        for place in range(totals.shape[0]):
            total = np.float32(0)
            for x in range(block * _ROOM, block * _ROOM + BLOCK):
                total += totals[place, x]
            sums[block, place + 2] = total


@part
def _fetch(  # noqa: PLR0917 - numba takes no keyword-only arguments
    plane: Fixed, places: Places, down: int, across: int, count: int, line: Fixed
) -> None:
    """Fill the rooms of a line with one row of each block."""
    for block in range(places.shape[0]):
        row, first = np.uint64(places[block, 0] + down), np.uint64(places[block, 1] + across)
        room = np.uint64(block * _ROOM)
        for x in range(np.uint64(count)):
            line[room + x] = plane[row, first + x]


@part
def _interpolate_across(there: Fixed, part_x: np.float32, line: Floats) -> None:
    for x in range(line.size):
        here = np.float32(there[x])
        line[x] = here + (np.float32(there[x + 1]) - here) * part_x


@part
def _interpolate_down(upper: Floats, lower: Floats, part_y: np.float32, line: Floats) -> None:
    for x in range(line.size):
        line[x] = upper[x] + (lower[x] - upper[x]) * part_y


@part
def _differ(  # noqa: PLR0917 - numba takes no keyword-only arguments
    new: Fixed, old: Fixed, above: Floats, here: Floats, below: Floats, gradients: Floats
) -> None:
    """Fill four lines with gradients down and across, and with changes by a shift and at rest."""
    half, last = np.float32(0.5), here.size - 2
    down, across, change, rest = gradients[0], gradients[1], gradients[2], gradients[3]
    for x in range(last):
        down[x] = (below[x + 1] - above[x + 1]) * half
    for x in range(last):
        across[x] = (here[x + 2] - here[x]) * half
    for x in range(last):
        change[x] = np.float32(new[x]) - here[x + 1]
    for x in range(last):
        rest[x] = np.float32(new[x]) - np.float32(old[x])


@part
def _add_products(gradients: Floats, totals: Floats) -> None:
    """Add the products of gradients and changes that `add_gradients` is asked for."""
    down, across, change, rest = gradients[0], gradients[1], gradients[2], gradients[3]
    _add_product(down, down, totals[0])
    _add_product(down, across, totals[1])
    _add_product(across, across, totals[2])
    _add_product(down, change, totals[3])
    _add_product(across, change, totals[4])
    _add_product(change, change, totals[5])
    _add_product(rest, rest, totals[6])


@part
def _add_product(one: Floats, other: Floats, totals: Floats) -> None:
    for x in range(totals.size):
        totals[x] += one[x] * other[x]
