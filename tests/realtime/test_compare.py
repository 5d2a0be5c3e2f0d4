"""Before/after pictures on planes, for every pixel format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tapetum.realtime import Comparison, SyntheticSource
from tapetum.realtime.compare import Direction, direction, side_by_side, wipe
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.pixel_format import PIXEL_FORMATS, pixel_format

TURN_LEFT = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
TURN_RIGHT = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
HALF_TURN = (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)


class Inverter:
    """An enhancer whose effect cannot be overlooked."""

    strength = 1.0
    description = "inverter"

    def __call__(self, frame: Frame) -> Frame:
        return frame.with_planes(tuple(np.invert(plane) for plane in frame.planes))

    def reset(self) -> None:
        """Nothing to forget."""


def pair(width: int, height: int, format_name: str = "yuv420p") -> tuple[Frame, Frame]:
    (frame,) = SyntheticSource(width, height, frames=1, format_name=format_name)
    return frame, Inverter()(frame)


@pytest.mark.parametrize("format_name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size", [(64, 36), (33, 21), (1, 1), (2, 3)])
def test_side_by_side_has_the_planes_of_a_frame_of_its_size(
    format_name: str, size: tuple[int, int]
) -> None:
    before, after = pair(*size, format_name)
    both = side_by_side(before, after)
    expected = pixel_format(format_name).plane_shapes(both.width, both.height)
    assert tuple(plane.shape for plane in both.planes) == expected
    for plane, left, right in zip(both.planes, before.planes, after.planes, strict=True):
        half = plane.shape[1] // 2
        np.testing.assert_array_equal(plane[:, : left.shape[1]], left)
        np.testing.assert_array_equal(plane[:, half : half + right.shape[1]], right)


@pytest.mark.parametrize("format_name", sorted(PIXEL_FORMATS))
@pytest.mark.parametrize("size", [(64, 36), (33, 21), (1, 1), (2, 3)])
def test_wipe_keeps_the_shape_and_shows_the_original_on_the_left(
    format_name: str, size: tuple[int, int]
) -> None:
    before, after = pair(*size, format_name)
    wiped = wipe(before, after)
    assert [plane.shape for plane in wiped.planes] == [plane.shape for plane in before.planes]
    if size == (64, 36):
        np.testing.assert_array_equal(wiped.planes[0][:, :30], before.planes[0][:, :30])
        np.testing.assert_array_equal(wiped.planes[0][:, 34:], after.planes[0][:, 34:])


@pytest.mark.parametrize(
    ("format_name", "color_range", "white"),
    [("yuv420p", 1, 235), ("yuv420p", 2, 255), ("yuv420p10le", 1, 940), ("p010le", 1, 940 << 6)],
)
def test_the_divider_is_white(format_name: str, color_range: int, white: int) -> None:
    before, after = pair(640, 20, format_name)
    before = replace(before, color=ColorInfo(range=color_range))
    luma, *chroma = wipe(before, after, position=0.25).planes
    columns = np.flatnonzero((luma == white).all(axis=0))
    assert list(columns) == [160, 161] or list(columns) == [158, 159]
    gray = np.flatnonzero((chroma[0] == chroma[0][0, columns[0] // 2]).all(axis=0))
    assert gray.size


def test_the_divider_moves_with_time_and_starts_in_the_middle() -> None:
    stage = Comparison(Inverter(), "wipe")
    places = []
    for frame in SyntheticSource(640, 8, frames=60):
        luma = stage(frame).planes[0]
        places.append(int(np.flatnonzero((luma == 235).all(axis=0))[0]))
    assert abs(places[0] - 320) <= 2
    assert places == sorted(places)
    assert places[-1] > 500


def test_the_comparison_keeps_time_and_colour() -> None:
    color = ColorInfo(1, 1, 1, 1)
    frames = list(SyntheticSource(frames=3, color=color))
    shown = [Comparison(Inverter(), "side-by-side")(frame) for frame in frames]
    assert [frame.pts for frame in shown] == [0, 1, 2]
    assert {frame.color for frame in shown} == {color}


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="'split'"):
        Comparison(Inverter(), "split")  # type: ignore[arg-type] # a user's mistake


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (None, Direction()),
        (HALF_TURN, Direction(backward=True)),
        (TURN_LEFT, Direction(vertical=True)),
        (TURN_RIGHT, Direction(vertical=True, backward=True)),
    ],
)
def test_the_display_matrix_says_where_left_is(
    matrix: tuple[int, ...] | None, expected: Direction
) -> None:
    assert direction(matrix) == expected


@pytest.mark.parametrize("format_name", sorted(PIXEL_FORMATS))
def test_a_rotated_video_is_compared_as_it_is_shown(format_name: str) -> None:
    before, after = pair(33, 21, format_name)
    both = side_by_side(before, after, along=Direction(vertical=True, backward=True))
    expected = pixel_format(format_name).plane_shapes(both.width, both.height)
    assert tuple(plane.shape for plane in both.planes) == expected
    np.testing.assert_array_equal(both.planes[0][:21], after.planes[0])
    np.testing.assert_array_equal(both.planes[0][-1], before.planes[0][-1])
    wiped = wipe(before, after, along=Direction(vertical=True))
    np.testing.assert_array_equal(wiped.planes[0][:8], before.planes[0][:8])
    np.testing.assert_array_equal(wiped.planes[0][-8:], after.planes[0][-8:])
