"""A picture that changes its size: models have to prove themselves anew, and it stays bright."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from support.ladder_parts import Brightener, brightening, dark, warmed_up
from support.live_parts import wait_until

from tapetum.realtime import make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.model_ladder import ladder_for
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


def test_the_everyday_model_stands_in_until_the_best_one_has_proven_itself_anew(
    gain_model: Path,
) -> None:
    best = HangsOnLarge(50)
    everyday = ("gain", lambda: make_enhancer(gain_model))
    ladder = warmed_up(Ladder(everyday, {"best": lambda: best}, budget_ms=5000), "best")
    for _ in range(5):  # of which the best model gets one, and nobody waits for it
        assert brightening(ladder, LARGE) > 20
        assert ladder.mode == "gain"
    wait_until(lambda: best.widths.count(LARGE) == 1)
    assert ladder.governor.mode == "best"
    best.large_may_end.set()
    warmed_up(ladder, "best", dark(LARGE))
    ladder.close()


def test_what_was_shown_on_a_small_frame_says_nothing_of_a_large_one() -> None:
    rung = Rung("one", lambda: Brightener(1))
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


def test_the_everyday_model_goes_on_whatever_the_size(gain_model: Path) -> None:
    ladder = warmed_up(ladder_for(gain_model, budget_ms=5000), "gain")
    for width in (LARGE, 96, 128, LARGE):
        for _ in range(3):
            assert brightening(ladder, width) > 20
            assert ladder.mode == "gain"
    ladder.close()
