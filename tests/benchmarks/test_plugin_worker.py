"""The plugins' measurements: that they measure what they say."""

from __future__ import annotations

import shutil
from fractions import Fraction

import pytest

from tapetum.benchmarks.experiments.plugin_client import Bytes
from tapetum.benchmarks.experiments.plugin_worker import Watched, hand_over, kill_workers
from tapetum.realtime import Enhancer
from tapetum.realtime.frame import ColorInfo, Frame, Plane

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
]


def test_no_frame_is_torn_by_twenty_kills() -> None:
    figures = kill_workers(20, busy=0, limit_s=45)
    assert figures["torn"] == 0
    assert int(str(figures["kills"])) > 0
    assert 0 < int(str(figures["enhanced"])) < int(str(figures["frames"]))


def test_handing_over_is_measured_beside_the_same_enhancing() -> None:
    figures = hand_over((320, 240), rounds=3)
    assert figures["over_ms"] == pytest.approx(
        figures["by_worker_ms"] - figures["inside_ms"], abs=0.002
    )


class Host:
    """What a stream may do to a frame; only the last two are right."""

    def __init__(self, does: str) -> None:
        self._does = does
        self._enhancer = Enhancer("grid", denoise="off")
        self._before: tuple[Plane, ...] | None = None

    def __call__(self, planes: list[Bytes], time_ns: int) -> tuple[bool, float]:
        if self._does == "left as it was":
            return False, 0.001
        color = ColorInfo(matrix=6, range=1)
        frame = Frame(tuple(planes), "yuv420p", time_ns, Fraction(1, 10**9), color)
        self._enhancer.reset()
        bright = self._enhancer.enhance_frame(frame).planes
        if self._does == "the frame before":
            bright, self._before = self._before or bright, bright
        rows = planes[0].shape[0]
        if self._does == "torn":
            rows //= 2
        elif self._does == "torn in its last row":
            rows -= 1
        planes[0][:rows] = bright[0][:rows]
        for plane, made in zip(planes[1:], bright[1:], strict=True):
            plane[...] = made
        return self._does != "said to be left", 0.001


@pytest.mark.parametrize(
    ("does", "exchanges", "torn"),
    [
        ("torn", False, 4),
        ("torn", True, 4),
        ("torn in its last row", True, 4),
        ("said to be left", True, 4),
        ("the frame before", False, 3),
        ("the frame before", True, 0),
        ("left as it was", False, 0),
        ("whole", False, 0),
    ],
)
def test_what_tears_a_frame_is_found(does: str, exchanges: bool, torn: int) -> None:
    watched = Watched(Host(does), exchanges=exchanges)
    for number in range(4):
        watched.hand_over(number)
    assert watched.torn == torn
    assert watched.enhanced == (0 if "left" in does else 4)
    assert len(watched.calls_ms) == 4
