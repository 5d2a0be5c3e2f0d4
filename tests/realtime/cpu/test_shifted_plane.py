"""Planes seen from beside, against the same spline in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tapetum.realtime.cpu.shifted_plane import shift_evidence, shift_plane, spline_taps

Array = npt.NDArray[Any]
TOP = 32767
SHAPES = [(12, 20), (37, 50), (3, 5), (1, 1), (1, 70), (70, 1)]
SHIFTS = [(0.0, 0.0), (0.5, -0.25), (-1.3, 2.7), (6.0, -9.0), (-40.2, 90.9)]


def along(plane: Array, shift: float, axis: int) -> Array:
    """A plane some samples on: by Catmull and Rom's spline, its edges repeated."""
    places = np.arange(plane.shape[axis]) + shift
    whole = np.floor(places).astype(int)
    t = (places - whole).reshape((-1, 1) if axis == 0 else (1, -1))
    before, here, there, after = (
        plane.take(np.clip(whole + step, 0, plane.shape[axis] - 1), axis=axis)
        for step in (-1, 0, 1, 2)
    )
    slope, slope_there = (there - before) / 2, (after - here) / 2
    cubic = 2 * here - 2 * there + slope + slope_there
    square = 3 * there - 3 * here - 2 * slope - slope_there
    splined: Array = here + t * (slope + t * (square + t * cubic))
    return splined


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_planes_are_shifted_by_parts_of_samples(
    shape: tuple[int, int], shift: tuple[float, float]
) -> None:
    plane = np.random.default_rng(1).integers(0, TOP + 1, shape).astype(np.int16)
    out = np.empty_like(plane)
    shift_plane(plane, np.array(shift), out)
    expected = np.clip(along(plane.astype(float), shift[0], 0), 0, TOP)
    expected = np.clip(along(expected, shift[1], 1), 0, TOP)
    np.testing.assert_allclose(out, expected, atol=6)  # taps of 14 bits, of 15-bit samples


def test_whole_shifts_change_no_sample() -> None:
    plane = np.random.default_rng(2).integers(0, TOP + 1, (30, 40)).astype(np.int16)
    out = np.empty_like(plane)
    shift_plane(plane, np.array([3.0, -5.0]), out)
    assert (out[:27, 5:] == plane[3:, :35]).all()


@pytest.mark.parametrize("part", [0.0, 0.1, 0.49, 0.5, 0.77, 0.999])
def test_taps_leave_an_even_plane_as_it_is(part: float) -> None:
    assert int(spline_taps(part).sum()) == 1 << 14
    plane, out = np.full((9, 11), 12345, np.int16), np.empty((9, 11), np.int16)
    shift_plane(plane, np.array([part, -part]), out)
    assert (out == plane).all()


@pytest.mark.parametrize("shift", [(0, 0), (1, -2), (-3, 4), (50, 0), (0, -90)])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_known_beyond_the_edges(shape: tuple[int, int], shift: tuple[int, int]) -> None:
    evidence = np.random.default_rng(3).integers(8, 129, shape).astype(np.uint8)
    out = np.empty_like(evidence)
    shift_evidence(evidence, *shift, out)
    expected = np.zeros_like(evidence)
    for row, column in np.ndindex(shape):
        y, x = row + shift[0], column + shift[1]
        if 2 <= y < shape[0] - 2 and 2 <= x < shape[1] - 2:
            expected[row, column] = evidence[y, x]
    assert (out == expected).all()
