"""The governor as a state machine, with a clock that the tests turn."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapetum.realtime.live.governor import FIRST_PATIENCE_S, Governor, percentile_95

MODES = ("unet", "grid", "curve")
FRAME_S = 1 / 30


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def governed(clock: Clock, budget_ms: float = 50) -> Governor:
    return Governor(MODES, budget_ms=budget_ms, clock=clock)


def run(governor: Governor, clock: Clock, latency_ms: float, seconds: float) -> list[str]:
    """Modes after each frame of a 30 fps stream whose frames all take `latency_ms`."""
    modes = []
    for _ in range(round(seconds / FRAME_S)):
        clock.now_s += FRAME_S
        governor.record(latency_ms)
        modes.append(governor.mode)
    return modes


def test_it_stays_in_the_best_mode_while_that_is_quick() -> None:
    clock = Clock()
    assert set(run(governed(clock), clock, 20, 60)) == {"unet"}


def test_it_steps_down_before_the_budget_is_passed() -> None:
    clock = Clock()
    modes = run(governed(clock), clock, 45, 1)
    assert modes[:3] == ["unet", "grid", "grid"]


def test_one_slow_frame_changes_nothing() -> None:
    clock = Clock()
    governor = governed(clock)
    run(governor, clock, 10, 1)
    governor.record(500)
    assert set(run(governor, clock, 10, 2)) == {"unet"}


def test_a_mode_too_slow_to_give_many_frames_is_left_all_the_same() -> None:
    clock = Clock()
    governor = governed(clock)
    for _ in range(2):
        clock.now_s += 0.3
        governor.record(150)
    assert governor.mode == "grid"


def test_a_frame_that_slept_with_the_machine_changes_nothing() -> None:
    clock = Clock()
    governor = governed(clock)
    run(governor, clock, 10, 5)
    clock.now_s += 3600
    governor.record(3_600_000)
    assert set(run(governor, clock, 10, 5)) == {"unet"}


def test_frames_that_take_longer_than_the_window_are_late_all_the_same() -> None:
    clock = Clock()
    governor = governed(clock, budget_ms=500)
    for _ in range(2):
        clock.now_s += 1.8
        governor.record(1800)
    assert governor.mode == "grid"


def test_two_late_frames_are_a_verdict_at_once_unless_something_disturbed_them() -> None:
    """Of 20 frames, two late ones are over the 95th percentile whatever the others take."""
    modes = dict[bool, list[str]]()
    for disturbed in (False, True):
        clock = Clock()
        governor = governed(clock)
        modes[disturbed] = []
        for latency_ms in (10, 60, 10, 60, *(10 for _ in range(16))):
            clock.now_s += FRAME_S
            governor.record(latency_ms, disturbed=disturbed)
            modes[disturbed].append(governor.mode)
    assert modes[False][2:4] == ["unet", "grid"]
    assert modes[True][18:] == ["unet", "grid"]


def test_a_stall_steps_down_at_once() -> None:
    governor = governed(Clock())
    governor.stall()
    assert governor.mode == "grid"


def test_a_late_stand_in_becomes_the_mode_and_a_quick_one_changes_nothing() -> None:
    """`unet` is being prepared, which makes `grid` late, or does not."""
    clock = Clock()
    governor = Governor(("unet", "reduced", "grid", "curve"), budget_ms=50, clock=clock)
    for _ in range(60):
        clock.now_s += FRAME_S
        governor.record(10, made_by="grid")
    assert governor.mode == "unet"
    governor.stall()
    for _ in range(300):
        clock.now_s += FRAME_S
        governor.record(10, made_by="grid")
    assert governor.mode == "reduced"  # not up: nobody has seen how quick it is itself
    for _ in range(2):
        clock.now_s += FRAME_S
        governor.record(60, made_by="grid")
    assert governor.mode == "grid"
    with pytest.raises(ValueError, match="other is no mode: choose from unet, "):
        governor.record(10, made_by="other")


def test_it_does_not_step_below_the_last_mode() -> None:
    clock = Clock()
    governor = governed(clock)
    assert run(governor, clock, 900, 20)[-1] == "curve"
    governor.stall()
    assert governor.mode == "curve"


def test_it_steps_up_only_after_all_was_well_for_a_while() -> None:
    clock = Clock()
    governor = governed(clock)
    governor.stall()
    assert set(run(governor, clock, 5, FIRST_PATIENCE_S - 0.5)) == {"grid"}
    assert run(governor, clock, 5, 1)[-1] == "unet"


def test_between_the_two_thresholds_it_neither_rises_nor_falls() -> None:
    clock = Clock()
    governor = governed(clock)
    governor.stall()
    assert set(run(governor, clock, 30, 120)) == {"grid"}


def test_attempts_that_do_not_last_become_rare() -> None:
    """`unet` is always too slow here, and `grid` always quick."""
    clock = Clock()
    governor = governed(clock)
    attempts: list[float] = []
    mode = governor.mode
    while clock.now_s < 100 + 600:
        clock.now_s += FRAME_S
        governor.record(100 if governor.mode == "unet" else 5)
        if governor.mode == "unet" != mode:
            attempts.append(clock.now_s)
        mode = governor.mode
    pauses = [round(later - sooner) for sooner, later in pairwise(attempts)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 10
    assert pauses[-1] > 55


def test_a_mode_that_never_lasts_does_not_keep_a_cheaper_one_away() -> None:
    """`unet` was tried many times in vain; then `grid` is late for a moment."""
    clock = Clock()
    governor = governed(clock)
    while clock.now_s < 100 + 600:
        clock.now_s += FRAME_S
        governor.record(100 if governor.mode == "unet" else 5)
    run(governor, clock, 5, 2)
    assert governor.mode == "grid"
    assert run(governor, clock, 100, 0.1)[-1] == "curve"
    assert run(governor, clock, 5, FIRST_PATIENCE_S + 1)[-1] == "grid"


def test_the_user_chooses_the_best_mode() -> None:
    clock = Clock()
    governor = governed(clock)
    governor.choose("grid")
    assert set(run(governor, clock, 1, 60)) == {"grid"}
    governor.choose("unet")
    assert governor.mode == "unet"
    with pytest.raises(ValueError, match="other is no mode: choose from unet, "):
        governor.choose("other")


@pytest.mark.parametrize(
    ("modes", "budget_ms"), [((), 50), (MODES, 0), (MODES, float("nan")), (MODES, 1e21)]
)
def test_nonsense_is_refused(modes: tuple[str, ...], budget_ms: float) -> None:
    with pytest.raises(ValueError, match=r"mode|budget"):
        Governor(modes, budget_ms=budget_ms)


latencies = st.lists(
    st.tuples(st.floats(0, 400), st.floats(0.001, 2), st.booleans()), min_size=1, max_size=200
)


@given(frames=latencies)
def test_it_moves_one_step_at_a_time_within_its_modes(
    frames: list[tuple[float, float, bool]],
) -> None:
    clock = Clock()
    governor = governed(clock)
    for latency_ms, passed_s, stalls in frames:
        before = governor.index
        clock.now_s += passed_s
        if stalls:
            governor.stall()
        else:
            governor.record(latency_ms)
        assert 0 <= governor.index < len(MODES)
        assert abs(governor.index - before) <= 1
        if governor.index < before:
            assert latency_ms <= 0.5 * governor.budget_ms
            assert not stalls


@given(
    costs_ms=st.tuples(st.floats(1, 300), st.floats(1, 300)),
    budget_ms=st.floats(10, 200),
)
def test_it_settles_in_a_mode_that_is_in_time(
    costs_ms: tuple[float, float], budget_ms: float
) -> None:
    """Whatever the modes cost: after 3 s frames are late only in the rare attempts to rise."""
    clock = Clock()
    governor = governed(clock, budget_ms)
    cost = dict(zip(MODES, (*costs_ms, 0.1), strict=True))
    late = 0
    for index in range(30 * 30):
        clock.now_s += FRAME_S
        latency_ms = cost[governor.mode]
        governor.record(latency_ms)
        late += latency_ms > budget_ms and index > 90
    assert late <= 5 * 2  # up to five attempts in 27 s, each ended by its second late frame


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=100))
def test_the_percentile_leaves_at_most_a_twentieth_above(values: list[float]) -> None:
    p95 = percentile_95(values)
    assert p95 in values
    assert sum(value > p95 for value in values) <= len(values) / 20


def test_a_mode_that_leaves_frames_out_may_take_longer_for_each() -> None:
    clock = Clock()
    governor = Governor(MODES, budget_ms=50, leniency={"curve": 3.0, "grid": 2.0}, clock=clock)
    assert run(governor, clock, 70, 0.5)[-1] == "grid"  # up to 80 ms
    assert run(governor, clock, 110, 0.5)[-1] == "curve"  # up to 120 ms
    assert set(run(governor, clock, 110, 10)) == {"curve"}
    assert "grid" in run(governor, clock, 70, 10)


def test_a_mode_that_needs_another_processor_may_be_tried_however_late_the_current_one_is() -> None:
    clock = Clock()
    governor = governed(clock)
    assert governor.may_rise_to("unet")  # it was never in it
    governor.refuse("unet")  # it was tried, and too slow
    waits_s = []
    for _ in range(3):
        begin_s = clock.now_s
        while not governor.may_rise_to("unet"):
            clock.now_s += 1
        waits_s.append(clock.now_s - begin_s)
        governor.refuse("unet")
    assert waits_s == [2 * FIRST_PATIENCE_S, 4 * FIRST_PATIENCE_S, 8 * FIRST_PATIENCE_S]
    governor.stall()
    run(governor, clock, 45, 2)
    assert governor.mode == "curve"
    clock.now_s += 60
    governor.rise_to("unet")
    assert governor.mode == "unet"
    governor.stall()
    assert not governor.may_rise_to("unet")


def test_no_mode_is_tried_that_is_better_than_the_chosen_one() -> None:
    governor = governed(Clock())
    governor.choose("grid")
    assert governor.may_rise_to("grid")
    assert not governor.may_rise_to("unet")


@pytest.mark.parametrize(
    ("now", "gone", "then"),
    [
        ("unet", "unet", "grid"),
        ("unet", "grid", "unet"),
        ("grid", "unet", "grid"),
        ("curve", "grid", "curve"),
    ],
)
def test_a_mode_that_is_removed_leaves_the_others_in_their_places(
    now: str, gone: str, then: str
) -> None:
    clock = Clock()
    governor = governed(clock)
    while governor.mode != now:
        governor.stall()
    governor.remove(gone)
    assert governor.modes == tuple(mode for mode in MODES if mode != gone)
    assert governor.mode == then
    assert governor.wanted == governor.modes[0]
    run(governor, clock, 10, 200)
    assert governor.mode == governor.wanted
    with pytest.raises(ValueError, match="is no mode"):
        governor.remove(gone)
