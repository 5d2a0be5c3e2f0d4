"""A picture that changes its size: modes have to prove themselves anew, and it does not go dark."""

from __future__ import annotations

import threading

import pytest
from support.ladder_parts import Brightener, brightening, dark, warmed_up
from support.live_parts import wait_until

from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import PASSTHROUGH, Ladder
from tapetum.realtime.live.rung import Rung

pytestmark = pytest.mark.slow

LARGE = 192


class HangsOnLarge(Brightener):
    """Answers for a large frame when it may go on; notes the widths that it was given."""

    def __init__(self, amount: int) -> None:
        super().__init__(amount)
        self.widths = list[int]()
        self.large_may_end = threading.Event()

    def __call__(self, frame: Frame) -> Frame:
        self.widths.append(frame.width)
        if frame.width == LARGE:
            self.large_may_end.wait(20)
        return super().__call__(frame)


def in_best_mode(best: Brightener, *, budget_ms: float) -> Ladder:
    """A ladder in its best mode, whose cheaper one has proven itself before."""
    loading = threading.Event()

    def load() -> Brightener:
        loading.wait(20)
        return best

    ladder = Ladder({"best": load, "quick": lambda: Brightener(20)}, budget_ms=budget_ms)
    warmed_up(ladder, "quick")
    loading.set()
    return warmed_up(ladder, "best")


def test_a_cheaper_mode_stands_in_until_the_best_one_has_proven_itself_anew() -> None:
    best = HangsOnLarge(50)
    ladder = in_best_mode(best, budget_ms=5000)
    dark_frames = ladder.frames_by_mode[PASSTHROUGH]
    for _ in range(5):  # of which the best mode gets one, and nobody waits for it
        assert brightening(ladder, LARGE) == 20
    wait_until(lambda: best.widths.count(LARGE) == 1)
    assert ladder.governor.mode == "best"
    best.large_may_end.set()
    assert brightening(warmed_up(ladder, "best", LARGE), LARGE) == 50
    assert ladder.frames_by_mode[PASSTHROUGH] == dark_frames
    ladder.close()


def test_what_was_shown_on_a_small_frame_says_nothing_of_a_large_one() -> None:
    rung = Rung(lambda: Brightener(1))
    wait_until(lambda: rung.idle)
    for _ in range(2):  # the first frame of a size may compile something, and does not count
        assert not rung.is_outdated(dark(LARGE))
        assert rung.ask(dark(), 1.0, timeout_s=20) is not None
    assert [rung.is_outdated(dark()), rung.is_outdated(dark(LARGE))] == [False, True]
    assert rung.judge(limit_ms=20_000) == "quick"
    assert [rung.is_outdated(dark()), rung.is_outdated(dark(LARGE))] == [False, True]
    rung.forget()
    assert not rung.is_outdated(dark(LARGE))
    rung.close(20)


def test_the_only_mode_goes_on_without_a_dark_frame() -> None:
    ladder = warmed_up(Ladder({"one": lambda: Brightener(50)}, budget_ms=5000), "one")
    for width in (LARGE, 96, 128, LARGE):
        for _ in range(3):
            assert brightening(ladder, width) == 50
    assert ladder.governor.mode == "one"
    ladder.close()


def test_the_only_mode_is_waited_for_no_longer_than_makes_a_frame_late() -> None:
    one = HangsOnLarge(50)
    ladder = warmed_up(Ladder({"one": lambda: one}, budget_ms=200), "one")
    for _ in range(5):
        assert brightening(ladder, LARGE) == 0
    assert one.widths.count(LARGE) == 1
    assert ladder.governor.mode == "one"  # one slow frame, which may have compiled something
    one.large_may_end.set()
    assert brightening(warmed_up(ladder, "one", LARGE), LARGE) == 50
    ladder.close()
