"""The ladder of modes: loading, stalls, strength and errors, with enhancers that really enhance."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.ladder_parts import Brightener, brightening, dark, warmed_up
from support.live_parts import wait_until

from tapetum.realtime import SyntheticSource, make_enhancer
from tapetum.realtime.errors import EngineError, ModelError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import PASSTHROUGH, Ladder, ladder_for
from tapetum.realtime.live.rung import Rung

pytestmark = pytest.mark.slow


def test_frames_pass_through_while_the_model_loads() -> None:
    loaded = threading.Event()

    def load() -> Brightener:
        loaded.wait(20)
        return Brightener(50)

    ladder = Ladder({"slow": load})
    assert brightening(ladder) == 0
    assert (ladder.mode, ladder.running) == (PASSTHROUGH, PASSTHROUGH)
    loaded.set()
    assert brightening(warmed_up(ladder, "slow")) == 50
    assert ladder.running == "plus 50"
    assert ladder.frames_by_mode[PASSTHROUGH] >= 1
    ladder.close()


def test_a_cheaper_mode_stands_in_for_one_that_loads() -> None:
    loaded = threading.Event()

    def load() -> Brightener:
        loaded.wait(20)
        return Brightener(50)

    ladder = Ladder({"slow": load, "quick": lambda: Brightener(20)}, budget_ms=5000)
    assert brightening(warmed_up(ladder, "quick")) == 20
    assert ladder.governor.mode == "slow"
    loaded.set()
    assert brightening(warmed_up(ladder, "slow")) == 50
    ladder.close()


def test_a_model_that_hangs_is_left_for_a_cheaper_one_and_comes_back() -> None:
    hanging = Brightener(50)
    ladder = Ladder({"slow": lambda: hanging, "quick": lambda: Brightener(20)}, budget_ms=200)
    warmed_up(ladder, "slow")
    wait_until(lambda: brightening(ladder) == 50)
    hanging.go_on.clear()
    assert brightening(ladder) in (0, 20)  # 0: the quick one is still being warmed up
    assert ladder.governor.mode == "quick"
    assert brightening(warmed_up(ladder, "quick")) == 20
    hanging.go_on.set()
    ladder.governor.choose("slow")
    assert brightening(warmed_up(ladder, "slow")) == 50
    ladder.close()


def test_no_frame_waits_for_a_mode_that_is_too_slow() -> None:
    """It shows that it is on frames that a cheaper mode makes."""
    modes = {
        "slow": lambda: Brightener(50, takes_s=0.3),
        "slower": lambda: Brightener(40, takes_s=0.4),
        "quick": lambda: Brightener(20),
    }
    ladder = Ladder(modes, budget_ms=200)

    def settled() -> bool:
        ladder(dark())
        return ladder.governor.mode == ladder.mode == "quick"

    wait_until(settled)
    assert ladder.frames_by_mode["slow"] == ladder.frames_by_mode["slower"] == 0
    ladder.governor.choose("slow")
    assert brightening(ladder) == 20
    wait_until(settled)
    assert ladder.frames_by_mode["slow"] == 0
    ladder.close()


def test_a_mode_that_two_ladders_share_goes_on_while_the_next_model_loads() -> None:
    loaded, made = threading.Event(), list[Brightener]()

    def quick() -> Brightener:
        made.append(Brightener(20))
        return made[-1]

    def slow() -> Brightener:
        loaded.wait(20)
        return Brightener(50)

    former = Ladder({"one": lambda: Brightener(30), "quick": quick}, budget_ms=5000)
    former.governor.choose("quick")
    warmed_up(former, "quick")
    ladder = Ladder({"slow": slow, "quick": quick}, budget_ms=5000, former=former)
    former.close()
    assert brightening(ladder) == 20
    loaded.set()
    assert brightening(warmed_up(ladder, "slow")) == 50
    assert len(made) == 1
    ladder.close()


def test_the_strength_changes_at_once() -> None:
    ladder = warmed_up(Ladder({"one": lambda: Brightener(50)}, budget_ms=5000), "one")
    ladder.strength = 0.5
    assert brightening(ladder) == 25
    with pytest.raises(ValueError, match="strength"):
        ladder.strength = 1.5
    ladder.close()


def test_a_picture_as_it_is_waits_for_no_model() -> None:
    model = Brightener(50)
    ladder = Ladder({"plus": lambda: model}, budget_ms=1000)
    warmed_up(ladder, "plus")
    model.go_on.clear()
    ladder.strength = 0.0
    assert ladder(frame := dark()) is frame
    assert ladder.mode == "plus"
    model.go_on.set()
    ladder.strength = 1.0
    assert brightening(ladder) == 50
    ladder.close()


def test_an_error_of_the_model_reaches_the_stream() -> None:
    breaking = Brightener(50)
    ladder = warmed_up(Ladder({"one": lambda: breaking}, budget_ms=5000), "one")
    breaking.broken = True
    with pytest.raises(EngineError, match="out of order"):
        ladder(dark())
    ladder.close()


def test_a_frame_that_waited_too_long_before_us_counts_as_late() -> None:
    ladder = warmed_up(Ladder({"one": lambda: Brightener(50)}, budget_ms=1000), "one")
    for _ in range(25):
        ladder(replace(dark(), arrival_time_s=0.0))
    assert ladder.governor.mode == PASSTHROUGH
    ladder.close()


def test_a_model_file_makes_what_it_makes_of_a_file(gain_model: Path) -> None:
    ladder = warmed_up(ladder_for(gain_model, budget_ms=5000), "gain")
    assert ladder.governor.modes == ("gain", "grid", PASSTHROUGH)
    frame = dark()
    expected = make_enhancer(gain_model)(frame)
    assert np.array_equal(ladder(frame).planes[0], expected.planes[0])
    ladder.close()


def test_an_unknown_model_is_refused_before_anything_is_loaded() -> None:
    before = threading.active_count()
    with pytest.raises(ModelError, match="unknown model gird"):
        ladder_for("gird")
    assert threading.active_count() == before


def test_one_slow_trial_is_no_verdict() -> None:
    rung = Rung(lambda: Brightener(1))
    verdicts = []
    for took_ms in (60.0, 70.0, 20.0):
        rung.took_ms = took_ms
        verdicts.append(rung.judge(50))
    assert verdicts == ["unclear", "unclear", "quick"]
    proven = [rung.proven]
    rung.forget()
    assert [*proven, rung.proven] == [True, False]
    for expected in ("unclear", "unclear", "too slow"):
        rung.took_ms = 60.0
        assert rung.judge(50) == expected
    rung.close(20)


class Busy(Brightener):
    """Takes processor time."""

    def __call__(self, frame: Frame) -> Frame:
        until_s = time.thread_time() + self._takes_s
        while time.thread_time() < until_s:
            pass
        return super().__call__(frame)


@pytest.mark.parametrize(("made", "hopeless"), [(Busy, True), (Brightener, False)])
def test_what_a_frame_cost_is_remembered_but_not_what_it_waited(
    made: type[Brightener], hopeless: bool
) -> None:
    """A process that slept, as one that was suspended, has learned nothing of a mode's cost."""
    rung = Rung(lambda: made(1, takes_s=0.3))
    wait_until(lambda: rung.idle)
    for _ in range(2):  # the first frame of a size may compile something
        assert not rung.is_hopeless(dark(), 200)
        assert rung.ask(dark(), 1.0, timeout_s=20) is not None
    rung.forget()
    assert rung.is_hopeless(dark(), 200) is hopeless
    (larger,) = SyntheticSource(128, 64, frames=1)
    assert not rung.is_hopeless(larger, 200)
    rung.close(20)


def test_a_mode_that_cost_far_too_much_is_not_tried_again_at_once() -> None:
    """Choosing it falls to the next one within the same frame, and nothing is late meanwhile."""
    calls = list[int]()

    class Counted(Busy):
        def __call__(self, frame: Frame) -> Frame:
            calls.append(frame.width)
            return super().__call__(frame)

    modes = {"slow": lambda: Counted(50, takes_s=0.5), "quick": lambda: Brightener(20)}
    ladder = Ladder(modes, budget_ms=100)

    def settled() -> bool:
        ladder(dark())
        return ladder.governor.mode == ladder.mode == "quick"

    wait_until(settled)
    count = len(calls)
    ladder.governor.choose("slow")
    ladder(dark())
    assert ladder.governor.mode == "quick"
    assert len(calls) == count
    ladder.close()
