"""Frames turned as FFmpeg's display matrix says, against numbers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tapetum.realtime import SyntheticSource
from tapetum.realtime.media.turning import turnable_format, turned
from tapetum.realtime.pixel_format import PIXEL_FORMATS

PLANE = [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("x_from_x", "y_from_x", "x_from_y", "y_from_y", "shown"),
    [
        (0, -1, 1, 0, [[3, 6], [2, 5], [1, 4]]),  # 90 degrees counter-clockwise
        (-1, 0, 0, -1, [[6, 5, 4], [3, 2, 1]]),
        (0, 1, -1, 0, [[4, 1], [5, 2], [6, 3]]),
        (-1, 0, 0, 1, [[3, 2, 1], [6, 5, 4]]),  # mirrored
        (1, 0, 0, -1, [[4, 5, 6], [1, 2, 3]]),
        (0, 1, 1, 0, [[1, 4], [2, 5], [3, 6]]),
        (0, -1, -1, 0, [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_every_turn_and_mirror_image(
    x_from_x: int, y_from_x: int, x_from_y: int, y_from_y: int, shown: list[list[int]]
) -> None:
    (frame,) = SyntheticSource(3, 2, frames=1, format_name="yuv444p")
    frame = replace(frame, planes=(np.array(PLANE, np.uint8),) * 3)
    matrix = (x_from_x, y_from_x, 0, x_from_y, y_from_y, 0, 0, 0, 1)
    for plane in turned(frame, matrix).planes:
        assert plane.tolist() == shown


def test_turnable_formats_are_planar_and_keep_depth_and_range() -> None:
    for name, layout in PIXEL_FORMATS.items():
        turnable = PIXEL_FORMATS[turnable_format(name)]
        assert turnable.chroma_x == turnable.chroma_y <= layout.chroma_x
        assert not turnable.semi_planar
        assert (turnable.depth, turnable.full_range) == (layout.depth, layout.full_range)
