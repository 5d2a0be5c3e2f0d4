"""Lines right at a frame's border that are lit, beside bars and without any."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from tapetum.realtime import ColorInfo, Frame
from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.black_bars import BarFinder

HEIGHT, WIDTH = 240, 320
Planes = list[np.ndarray]


def barred(top: int, left: int) -> Planes:
    """A lit picture with noise between bars."""
    rng = np.random.default_rng(11)
    luma = np.full((HEIGHT, WIDTH), 16, np.uint8)
    rows, columns = slice(top, HEIGHT - top), slice(left, WIDTH - left)
    luma[rows, columns] = rng.integers(30, 60, luma[rows, columns].shape)
    return [luma, *(np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8) for _ in range(2))]


def white_rows(planes: Planes) -> None:
    planes[0][:3] = 235


def white_columns(planes: Planes) -> None:
    planes[0][:, :3] = 235


def green_rows(planes: Planes) -> None:
    planes[0][-4:] = 145
    planes[1][-2:], planes[2][-2:] = 54, 34


def head_switching(planes: Planes) -> None:
    planes[0][-8:, 60:] = np.random.default_rng(12).integers(16, 160, (8, WIDTH - 60))


def half_a_line(planes: Planes) -> None:
    planes[0][:2, WIDTH // 2 :] = 200


def data_in_a_line(planes: Planes) -> None:
    planes[0][:2, ::16] = planes[0][:2, 1::16] = 200


BORDERS = [white_rows, white_columns, green_rows, head_switching, half_a_line, data_in_a_line]


def area_of(planes: Planes) -> Area | None:
    color = ColorInfo(matrix=1, range=1, primaries=1, transfer=1)
    return BarFinder()(Frame(tuple(planes), "yuv420p", time_base=Fraction(1, 25), color=color))


@pytest.mark.parametrize("draw", BORDERS)
@pytest.mark.parametrize(("top", "left"), [(30, 0), (0, 40), (30, 40)])
def test_bars_are_found_behind_lit_lines_at_the_border(
    draw: Callable[[Planes], None], top: int, left: int
) -> None:
    planes = barred(top, left)
    draw(planes)
    assert area_of(planes) == Area(top, HEIGHT - top, left, WIDTH - left)


@pytest.mark.parametrize("draw", BORDERS)
def test_lit_lines_at_the_border_of_a_whole_picture_make_no_bars(
    draw: Callable[[Planes], None],
) -> None:
    planes = barred(0, 0)
    draw(planes)
    assert area_of(planes) is None


def test_a_dark_room_behind_a_lit_line_has_no_bar() -> None:
    """It fades in from black, and only the frame's last line is lit."""
    planes = barred(0, 0)
    fade = np.clip((np.arange(HEIGHT)[::-1, np.newaxis] - 20) / 100, 0, 1)
    planes[0] = (16 + (planes[0] - 16) * fade).astype(np.uint8)
    planes[0][-2:] = 120
    assert area_of(planes) is None
