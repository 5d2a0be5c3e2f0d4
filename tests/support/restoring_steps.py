"""The steps of the restoring stage in plain float64, on whole planes, as they are described."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.restoring_space import LEAST_REMAINS
from tapetum.realtime.cpu.restoring_time import MOST_FRAMES
from tapetum.realtime.cpu.wide_changes import (
    BEND,
    FLAT,
    MOST_BEND,
    MOST_GRADIENT,
    MOST_STEP,
    MOST_UNTOLD,
    RIDGE,
    SCATTER,
    SINGLE,
    STIR,
    STIRRED,
    TEXTURED,
    UNEVEN,
    UNTOLD,
    WIDE,
)

Array = npt.NDArray[Any]


def around(plane: Array) -> Array:
    """(3, 3, H, W): the plane, moved by one sample in each direction; its edges are repeated."""
    padded = np.pad(plane, 1, "edge")
    height, width = plane.shape
    moved = [[padded[y : y + height, x : x + width] for x in range(3)] for y in range(3)]
    return np.array(moved)


BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16


def binomial(plane: Array) -> Array:
    """The 3x3 binomial mean around each sample."""
    return np.tensordot(BINOMIAL, around(plane), 2)


def halved(plane: Array, down: int = 1, across: int = 1) -> Array:
    """Means of two rows and two columns; a lone last one counts twice."""
    rows, columns = plane.shape
    even = np.pad(plane, ((0, rows % 2 * down), (0, columns % 2 * across)), "edge")
    blocks = even.reshape(
        even.shape[0] // (1 + down), 1 + down, even.shape[1] // (1 + across), 1 + across
    )
    means: Array = blocks.mean(axis=(1, 3))
    return means


def blocks(cells: Array) -> Array:
    """Binomial means of the means of WIDE x WIDE cells."""
    height, width = cells.shape
    rows, columns = -(-height // WIDE), -(-width // WIDE)
    means = np.array(
        [
            [
                cells[WIDE * y : WIDE * (y + 1), WIDE * x : WIDE * (x + 1)].mean()
                for x in range(columns)
            ]
            for y in range(rows)
        ]
    )
    return binomial(means)


def middles(plane: Array) -> Array:
    """The cell in the middle of each block."""
    places = [
        [(first + min(first + WIDE, side)) // 2 for first in range(0, side, WIDE)]
        for side in plane.shape
    ]
    return plane[np.ix_(*places)]


def spread(of_blocks: Array, shape: tuple[Any, ...]) -> Array:
    """Each block's value for its cells."""
    return of_blocks.repeat(WIDE, 0).repeat(WIDE, 1)[: shape[0], : shape[1]]


def wide_changes(  # noqa: PLR0917 - as the kernel
    frame: Array, known: Array, noise: Array, measured: Array, lean: float, told: float
) -> Array:
    """Changes of blocks: of their mean, or what a shift of texture counts for.

    Args:
        frame: (h, w) luma of the frame at half size.
        known: (h, w) the estimate.
        noise: (h, w) deviation of luma in one frame.
        measured: (h, w) the same without single levels.
        lean: deviation of a wide mean of noise of deviation 1.
        told: how far texture is told from noise.
    """
    change = frame.astype(float) - known
    step, deviation = np.clip(change, -MOST_STEP, MOST_STEP), middles(noise)
    along = []
    for steep in gradients(known):
        # A binomial mean has 2.25 times the squared weights of an even one.
        expected = np.sqrt(2.25 * blocks(steep**2) + RIDGE * deviation**2) / WIDE**2
        along.append(np.abs(blocks(steep * step)) / expected)
    scatter = np.maximum(SCATTER * np.sqrt(left_by_a_shift(step, known)) / deviation, 1)
    square, steepness = blocks(step**2), sum(blocks(steep**2) for steep in gradients(known))
    stirred = STIR * np.minimum(square, steepness / STIRRED) / deviation
    shift = np.maximum(np.max(along, axis=0) / scatter, stirred) * lean
    shift *= texture_told_there(noise, measured, told)
    wide: Array = np.maximum(np.abs(blocks(change)), shift)
    return wide


def gradients(known: Array) -> list[Array]:
    """Across and down, limited."""
    near = around(known.astype(float))
    both = near[1, 2] - near[1, 0], near[2, 1] - near[0, 1]
    return [np.clip(one, -MOST_GRADIENT, MOST_GRADIENT) for one in both]


def left_by_a_shift(step: Array, known: Array) -> Array:
    """Mean square in blocks of what differs, without what a shift across or down explains."""
    explained = [
        blocks(steep * step) ** 2 / np.maximum(blocks(steep**2), 1e-9) for steep in gradients(known)
    ]
    left: Array = np.maximum(blocks(step**2) - np.max(explained, axis=0), 0)
    return left


def texture_told_there(noise: Array, measured: Array, told: float) -> Array:
    """How far texture is told from noise in each block: from single levels wholly."""
    share = 1 - middles(measured) / middles(noise)
    there: Array = np.maximum(told, np.minimum(SINGLE * share, 1))
    return there


def flatness(frame: Array, known: Array, noise: Array, measured: Array, told: float) -> Array:
    """1 of a block that is flat, and 0 where it is full of texture; as for `wide_changes`."""
    near, deviation = around(frame.astype(float)), middles(noise)
    bends = sum(
        np.abs(2 * near[1, 1] - one - other)
        for one, other in ((near[1, 0], near[1, 2]), (near[0, 1], near[2, 1]))
    )
    most = MOST_BEND * spread(deviation, frame.shape)
    step = np.clip(frame.astype(float) - known, -MOST_STEP, MOST_STEP)
    untold = np.minimum(
        UNTOLD * np.sqrt(left_by_a_shift(step, known)), MOST_UNTOLD * middles(measured)
    )
    noise_there = np.maximum(deviation, untold)
    bent = blocks(np.minimum(bends, most)) / (BEND * noise_there)
    more = UNEVEN * (1 - texture_told_there(noise, measured, told))
    flat: Array = 1 - np.clip((bent - FLAT - more) / (TEXTURED - FLAT), 0, 1)
    return flat


def motion(  # noqa: PLR0917 - as the kernels
    change: Array,
    wide: Array,
    noise: Array,
    chroma_noise: Array,
    frames: Array,
    leans: tuple[float, float],
) -> Array:
    """How much each cell moves, from 0 to 1.

    Args:
        change: (3, h, w) the frame less the estimate.
        wide: of `wide_changes`.
        noise: (h, w) deviation of luma in one frame.
        chroma_noise: (2,) of U and V.
        frames: (h, w) that the estimate rests on.
        leans: deviations of a binomial and of a wide mean of noise of deviation 1.
    """
    expected = np.sqrt(1 + 1 / frames)
    means = [
        np.abs(binomial(change[0])) / (noise * leans[0]),
        spread(wide, noise.shape) / (noise * leans[1]),
        np.abs(binomial(change[1])) / (chroma_noise[0] * leans[0]),
        np.abs(binomial(change[2])) / (chroma_noise[1] * leans[0]),
    ]
    by_mean = (np.max(means, axis=0) / expected - 2.5) / (4.5 - 2.5)
    by_size = (binomial(np.abs(change[0])) / (0.8 * noise * expected) - 1.5) / (2.3 - 1.5)
    moved: Array = np.clip(np.maximum(by_mean, by_size), 0, 1)
    return moved


def evidence_after(moved: Array, frames: Array) -> Array:
    """The frames that an estimate rests on with one more frame."""
    after: Array = np.minimum((1 - moved) * frames + 1, MOST_FRAMES)
    return after


def remaining(frames: Array) -> Array:
    """The share of noise that remains when so many frames are averaged."""
    share: Array = np.maximum(1 / np.sqrt(frames), LEAST_REMAINS)
    return share


def smoothed(plane: Array, tolerance: Array) -> Array:
    """Redescending differences flow between neighbours, by the tolerance of the upper, left one."""
    new = plane.astype(float)
    for down, across, weight in ((0, 1, 2), (1, 0, 2), (1, 1, 1), (1, -1, 1)):
        height, width = plane.shape[0] - down, plane.shape[1] - abs(across)
        upper = np.s_[:height, max(-across, 0) : max(-across, 0) + width]
        lower = np.s_[down : down + height, max(across, 0) : max(across, 0) + width]
        way = plane[lower].astype(float) - plane[upper]
        size, allowed = np.abs(way), tolerance[:height, :width]
        flow = np.sign(way) * np.minimum(size, np.maximum(2 * allowed - size, 0)) * weight / 16
        new[upper] += flow
        new[lower] -= flow
    return new


def relit(plane: Array, black: float, gain: float) -> Array:
    """A plane in another light."""
    brighter: Array = black + (plane - black) * gain
    return brighter


def enlarged(change: Array, shape: tuple[Any, ...]) -> Array:
    """Twice as many rows and columns, bilinear, of which `shape` is cut."""
    for axis in (0, 1):
        ends = [(1, 1) if axis == i else (0, 0) for i in (0, 1)]
        padded = np.moveaxis(np.pad(change, ends, "edge"), axis, 0)
        before = (3 * padded[1:-1] + padded[:-2]) / 4
        after = (3 * padded[1:-1] + padded[2:]) / 4
        change = np.stack([before, after], 1).reshape(-1, padded.shape[1])
        change = np.moveaxis(change, 0, axis)
    cut: Array = change[: shape[0], : shape[1]]
    return cut
