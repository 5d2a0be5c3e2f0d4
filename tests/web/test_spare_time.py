"""When the browser has no time to take noise out, by node."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from support.browser_modules import by_node

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

SCRIPT = """const answers = questions.map(({ pictures }) => {
    const spare = new module.SpareTime();
    return pictures.map(([nowMs, spentMs, isLate]) => {
        spare.next(nowMs, spentMs, isLate);
        return spare.isShort;
    });
});"""


def pictures(count: int, spent_ms: float, *, late: bool = False, start: int = 0) -> list[Any]:
    """Of a camera that gives one every 40 ms."""
    return [(40 * (start + number), spent_ms, late) for number in range(count)]


def left_out(asked: list[Any]) -> list[bool]:
    answers: list[list[bool]] = by_node("spare_time.js", SCRIPT, [{"pictures": asked}])
    return answers[0]


def test_where_there_is_time_noise_is_taken_out() -> None:
    assert not any(left_out(pictures(1000, 10)))


def test_single_pictures_that_take_long_are_forgiven() -> None:
    slow_start = pictures(3, 900) + pictures(60, 10, start=3)
    assert not any(left_out(slow_start))


@pytest.mark.parametrize(("spent_ms", "late"), [(35, False), (5, True)])
def test_it_is_left_out_where_pictures_take_too_long(spent_ms: float, late: bool) -> None:
    """Soon, and tried again after ten seconds, and then after twenty."""
    short = left_out(pictures(1000, spent_ms, late=late))
    changes = [i for i in range(1, len(short)) if short[i] != short[i - 1]]
    assert changes[0] < 12
    assert 245 <= changes[1] - changes[0] <= 255
    assert 495 <= changes[3] - changes[2] <= 505
