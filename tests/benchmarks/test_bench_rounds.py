"""`tapetum bench` measures in rounds, and knows how quick the machine is meanwhile."""

from __future__ import annotations

import threading
import time
from itertools import cycle
from typing import Any

import pytest
from support.made_runs import made_run

from tapetum.benchmarks.bench.comparison import compare
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.subjects import EMPTY, Subject, network_on_cpu
from tapetum.benchmarks.bench.suite import Plan, run_suite
from tapetum.benchmarks.bench.tables import notes
from tapetum.benchmarks.bench.trial import Settings, Trial, Turn, takes_part, turns
from tapetum.benchmarks.measure.frames import Input
from tapetum.benchmarks.measure.machine import ResourceMeter
from tapetum.benchmarks.measure.sampling import (
    Effort,
    Pace,
    by_yardstick,
    one_repeat,
    unsteady_percent,
    yardstick_ms,
)


class Named(Trial):
    """A trial that takes its time."""

    def __init__(self, name: str, most_repeats: int | None = None, takes_s: float = 0) -> None:
        super().__init__(Key(name, "", "", "1x1", ""), subject(EMPTY))
        self.most_repeats = most_repeats
        self.takes_s = takes_s

    def repeat(self) -> None:
        time.sleep(self.takes_s)

    def result(self) -> Result:
        return Result(self.key, "", [[1.0]])


def test_all_trials_have_their_turn_before_one_has_another() -> None:
    order = [(turn.round, turn.trial.key.scenario) for turn in turns([Named("a"), Named("b")], 2)]
    assert order == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]


def test_long_trials_are_spread_over_the_rounds() -> None:
    def rounds_of(most: int | None, rounds: int) -> list[int]:
        return [number for number in range(rounds) if takes_part(most, number, rounds)]

    assert rounds_of(None, 3) == [0, 1, 2]
    assert rounds_of(4, 3) == [0, 1, 2]
    assert rounds_of(4, 8) == [0, 2, 4, 6]
    assert rounds_of(4, 10) == [0, 3, 5, 8]
    assert rounds_of(1, 5) == [0]


def test_what_is_left_is_known_after_the_first_round() -> None:
    left: list[float | None] = []
    for turn in turns([Named("long", takes_s=0.2), Named("short")], 3):
        turn.trial.repeat()
        left.append(turn.left_s)
    assert left[:2] == [None, None]
    assert left[2] == pytest.approx(0.4, abs=0.1)
    assert left[4] == pytest.approx(0.2, abs=0.1)
    assert left[5] == pytest.approx(0, abs=0.1)


def test_a_turn_says_what_is_due() -> None:
    trial = Named("a")
    assert next(turns([trial], 1)) == Turn(0, trial, None)


def test_every_repeat_has_an_enhancer_of_its_own() -> None:
    made: list[int] = []

    def make() -> Any:
        made.append(len(made))
        return lambda frame: frame

    settings = Settings(Effort(0.05, 6, 3, warm_up_s=0.1))
    idle = Subject(EMPTY, make, "nowhere", network_on_cpu("grid", whole_frame=False))
    run = run_suite(Plan(("single-stream",), (idle,), (Input(None, (32, 32)),), settings))
    (result,) = run["results"]
    assert len(result["samples_ms"]) == len(result["yardsticks_ms"]) == 3
    assert len(made) == 2 + 1 + 3  # two for the checks, one to warm up, one for each repeat


def test_threads_are_those_of_what_was_measured_and_not_of_what_came_after() -> None:
    meter, ended = ResourceMeter(), threading.Event()
    others = [threading.Thread(target=ended.wait) for _ in range(3)]
    with meter.running():
        for other in others:
            other.start()
    ended.set()
    for other in others:
        other.join()
    assert meter.read().threads >= 4


def test_the_yardstick_tells_nothing_of_many_cores() -> None:
    grid, unet = (network_on_cpu("grid", whole_frame=whole) for whole in (False, True))
    one_core = [Subject("", pytest.fail, "", network).on_one_core for network in (grid, unet, None)]
    assert one_core == [True, False, False]


def test_a_user_at_a_terminal_is_told_what_runs() -> None:
    told: list[str] = []
    settings = Settings(Effort(0.05, 4, 2, warm_up_s=0.1))
    plan = Plan(("single-stream",), (subject(EMPTY),), (Input(None, (32, 32)),), settings)
    run_suite(plan, tell=told.append)
    first, second = told[-2:]
    assert told[0] == "checking what comes out, synthetic 32x32"
    assert first == "round 1 of 2: single-stream, empty, synthetic 32x32, latency"
    assert second.startswith("round 2 of 2, about 0:00:0")


def test_the_yardstick_is_read_between_slices_that_count() -> None:
    pace = Pace()
    calls: list[int] = []
    samples_ms = one_repeat(calls.append, cycle([1]), Effort(0.3, 1, 1), pace)
    assert len(samples_ms) < len(calls)  # some settle after each reading
    assert 0.01 < pace.ms < 100
    pace.add([1e6] * 100)
    assert pace.ms == 1e6


def test_the_yardstick_is_a_short_piece_of_work() -> None:
    yardstick_ms()
    began_s = time.perf_counter()
    reading_ms = yardstick_ms()
    assert 0 < reading_ms < 1000 * (time.perf_counter() - began_s)


def paced_run(medians_ms: list[float], yardsticks_ms: list[float]) -> dict[str, Any]:
    """A run whose machine took so long for the yardstick in each repeat."""
    run = made_run(medians_ms)
    run["results"][0]["yardsticks_ms"] = yardsticks_ms
    return run


def test_a_slow_machine_is_not_taken_for_a_slow_program() -> None:
    quick = paced_run([10, 10, 10], [0.2, 0.2, 0.2])
    slow = paced_run([12, 15, 12], [0.24, 0.3, 0.24])
    (change,) = compare(quick, slow)
    assert change.before_ms == pytest.approx(10, abs=0.1)
    assert change.after_ms > 11.5
    assert change.machine_percent == pytest.approx(20)
    assert change.percent == pytest.approx(0, abs=1)
    assert change.verdict == "the same"
    (slower,) = compare(quick, paced_run([12, 12, 12], [0.2, 0.2, 0.2]))
    assert (slower.machine_percent, slower.verdict) == (0, "slower")
    assert slower.percent == pytest.approx(20, abs=1)


def test_without_readings_milliseconds_are_compared() -> None:
    (change,) = compare(made_run([10] * 3), paced_run([12] * 3, [0.2] * 3))
    assert change.machine_percent is None
    assert change.percent == pytest.approx(20, abs=1)
    assert by_yardstick([[2.0, 4.0], [9.0]], [2.0, 3.0]) == [[1.0, 2.0], [3.0]]


def test_a_reader_is_told_that_the_machine_was_not_idle() -> None:
    steady, unsteady = paced_run([10] * 3, [0.2] * 3), paced_run([10] * 3, [0.2, 0.2, 0.3])
    assert unsteady_percent(steady["results"]) == 0
    assert unsteady_percent(made_run([10] * 3)["results"]) is None
    assert notes(steady) == []
    (note,) = notes(unsteady)
    assert note == "note: the machine was not idle: at times a fixed piece of work took 40 % longer"
