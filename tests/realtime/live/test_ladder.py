"""The ladder of modes: loading, stalls, load, strength and errors; always bright."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from support.command_line import ROOT
from support.ladder_parts import Brightener, brightening, dark, luma, warmed_up
from support.live_parts import wait_until

from tapetum.realtime import FileSource, SyntheticSource, make_enhancer
from tapetum.realtime.aim import Aim
from tapetum.realtime.errors import EngineError, ModelError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.governor import Governor
from tapetum.realtime.live.ladder import Ladder
from tapetum.realtime.live.model_ladder import ladder_for
from tapetum.realtime.live.modes import PASSTHROUGH, START
from tapetum.realtime.live.rung import Loader, Rung
from tapetum.realtime.live.summary import LiveStatus

DARK_ROOM = ROOT / "samples" / "dark_room.mp4"
LARGEST_STEP = 2.0
"""Levels of mean luma from frame to frame that nobody sees."""

pytestmark = pytest.mark.slow


@pytest.fixture
def gain(gain_model: Path) -> tuple[str, Loader]:
    """An everyday model: three times as bright."""
    return "gain", lambda: make_enhancer(gain_model)


def dark_room(count: int) -> list[Frame]:
    with FileSource(DARK_ROOM) as source:
        return list(islice(source, count))


def held_back(load_now: Loader) -> tuple[threading.Event, Loader]:
    """A loader that waits for the event."""
    loaded = threading.Event()

    def load() -> Brightener:
        loaded.wait(20)
        return load_now()  # type: ignore[return-value] # any enhancer will do

    return loaded, load


def test_a_stream_starts_bright_and_goes_over_to_the_model_without_a_step(
    gain: tuple[str, Loader],
) -> None:
    loaded, load = held_back(gain[1])
    ladder = Ladder(("gain", load), budget_ms=5000)
    frame = dark_room(1)[0]
    levels = [luma(ladder(frame))]
    assert (ladder.mode, ladder.note) == (START, "starting")
    assert levels[0] > luma(frame) + 20
    loaded.set()
    expected = luma(gain[1]()(frame))
    wait_until(lambda: levels.append(luma(ladder(frame))) or levels[-1] == expected)  # type: ignore[func-returns-value]
    assert ladder.mode == "gain"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= LARGEST_STEP
    assert min(levels) > luma(frame) + 20
    ladder.close()


def test_all_modes_of_a_grid_model_are_of_one_brightness() -> None:
    frames = dark_room(12)
    ladder = warmed_up(ladder_for(budget_ms=60_000), "grid", frames[0])
    levels = dict[str, float]()
    shown = list[float]()
    for mode in (*ladder.governor.modes, "grid"):
        ladder.governor.choose(mode)
        for frame in islice(cycle([*frames, *reversed(frames)]), 48):
            shown.append(luma(ladder(frame)))
            assert ladder.mode == mode
        levels[mode] = shown[-1]
    paces = ["grid-curve", "grid-curve-15-fps", "grid-curve-8-fps"]
    assert list(levels) == ["grid", "grid-4", "grid-held", *paces]
    assert max(levels.values()) - min(levels.values()) < 2.5  # of 100: what no one sees
    # A recording that gets every second frame only shall show no step either.
    steps = [abs(later - sooner) for sooner, later in zip(shown, shown[2:], strict=False)]
    assert max(steps) <= LARGEST_STEP
    ladder.close()


def test_another_aim_moves_the_brightness_smoothly_and_no_model_loads_again() -> None:
    """As when the page's slider is dragged."""
    frames = dark_room(12)
    ladder = warmed_up(ladder_for(budget_ms=60_000), "grid", frames[0])
    shown = list[float]()
    for aim in (Aim(brightness=0.5), Aim(brightness=0.25), Aim()):
        ladder.aim = aim
        for frame in islice(cycle([*frames, *reversed(frames)]), 96):
            shown.append(luma(ladder(frame)))
            assert ladder.mode == "grid"
        assert ladder.aim == aim
    bright, dim, automatic = (shown[i] for i in (95, 191, 287))
    assert bright == pytest.approx(16 + 219 * 0.5, abs=12)
    assert dim == pytest.approx(16 + 219 * 0.25, abs=12)
    assert dim < automatic < bright
    steps = [abs(later - sooner) for sooner, later in pairwise(shown)]
    assert max(steps) < 12  # of 75 that it moves
    ladder.close()


def test_a_brightness_is_refused_for_a_model_that_gives_no_grid() -> None:
    with pytest.raises(ModelError, match="brightness is for grid models; unet is none"):
        ladder_for("unet", aim=Aim(brightness=0.5))


def test_a_machine_without_any_time_left_gets_fewer_frames_and_none_darker() -> None:
    frames = dark_room(12)
    ladder = warmed_up(ladder_for(budget_ms=60_000), "grid", frames[0])
    hurried = ladder_for(budget_ms=0.001, former=ladder)
    ladder.close()
    levels, skipped = [], 0
    for frame in [*frames, *reversed(frames)]:
        while hurried.skips():
            skipped += 1
            time.sleep(0.01)
        levels.append(luma(hurried(frame)))
    assert hurried.governor.mode == "grid-curve-8-fps"
    assert hurried.note == "this machine is busy: simpler picture"
    assert skipped > 24
    assert min(levels) > luma(frames[0]) + 20
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= LARGEST_STEP
    hurried.close()


def test_a_start_on_a_full_machine_leaves_frames_out_for_the_model_to_come(
    gain: tuple[str, Loader],
) -> None:
    loaded, load = held_back(gain[1])
    ladder = Ladder(("gain", load), budget_ms=0.001)
    wait_until(lambda: ladder(dark()) is not None and ladder.mode == "start-8-fps")
    assert ladder.skips()
    assert ladder.note == "starting"
    time.sleep(1 / 8)
    assert not ladder.skips()
    loaded.set()
    ladder.wait_for_model()
    wait_until(lambda: ladder(dark()) is not None and ladder.mode == "gain")
    ladder.close()


def test_a_stream_waits_for_its_model_before_it_begins_but_not_for_long(
    gain: tuple[str, Loader],
) -> None:
    loaded = threading.Event()
    ladder = Ladder(("slow", lambda: (loaded.wait(20), Brightener(50))[1]))
    began_s = time.monotonic()
    ladder.wait_for_model()
    assert 1 < time.monotonic() - began_s < 20
    loaded.set()
    ladder.close()
    ready = Ladder(gain)
    ready.wait_for_model()
    ready(dark())
    assert ready.mode == "gain"
    ready.close()


def test_a_well_lit_picture_is_said_to_be_until_the_light_falls() -> None:
    scene = dark_room(1)[0]
    (lit,) = SyntheticSource(scene.width, scene.height, frames=1, brightness=0.6)
    ladder = warmed_up(ladder_for(budget_ms=60_000), "grid", lit)
    said = [ladder.well_lit]
    assert luma(ladder(lit)) == pytest.approx(luma(lit), abs=1)
    assert LiveStatus(30, 5, 6, 0, "grid", "", False, well_lit=True).caption.endswith(
        "well lit, left as it is"
    )
    ladder(scene)
    assert [*said, ladder.well_lit] == [True, False]
    ladder.close()


@pytest.mark.parametrize("effort", ["grid-4", "grid-held", "grid-curve"])
def test_a_cut_gets_a_grid_of_its_own_at_once(effort: str) -> None:
    """The last grid of a dark scene would burn a bright one out."""
    scene = dark_room(2)
    (pattern,) = SyntheticSource(scene[0].width, scene[0].height, frames=1)
    bright = scene[0].with_planes(tuple(pattern.planes))
    expected = luma(make_enhancer("grid")(bright))
    ladder = warmed_up(ladder_for(budget_ms=60_000), "grid", scene[0])
    ladder.governor.choose(effort)
    for frame in scene * 12:
        ladder(frame)
    assert luma(ladder(bright)) == pytest.approx(expected, abs=3)
    ladder.close()


def test_lateness_that_a_simpler_picture_does_not_cure_changes_nothing() -> None:
    """As when a camera hands frames over late, or a disk holds the loop up."""
    frame = dark()
    ladder = warmed_up(ladder_for(budget_ms=5000), "grid")
    for _ in range(25):
        ladder(replace(frame, capture_time_s=0.0, arrival_time_s=0.0))
    assert ladder.governor.mode == "grid"
    ladder.close()


def test_a_cheaper_mode_stands_in_for_one_that_loads(gain: tuple[str, Loader]) -> None:
    loaded = threading.Event()

    def load() -> Brightener:
        loaded.wait(20)
        return Brightener(50)

    ladder = warmed_up(Ladder(gain, {"slow": load}, budget_ms=5000), "gain")
    assert (ladder.governor.mode, ladder.note) == ("slow", "slow is being prepared; gain runs")
    loaded.set()
    assert brightening(until_settled(warmed_up(ladder, "slow"), 50)) == 50
    assert ladder.running == "plus 50"
    ladder.close()


def until_settled(ladder: Ladder, amount: int) -> Ladder:
    """The ladder when one look has gone over into another."""
    wait_until(lambda: brightening(ladder) == amount)
    return ladder


def test_a_model_that_hangs_is_left_for_a_cheaper_one_and_comes_back(
    gain: tuple[str, Loader],
) -> None:
    hanging = Brightener(50)
    ladder = Ladder(gain, {"slow": lambda: hanging}, budget_ms=200)
    until_settled(warmed_up(ladder, "slow"), 50)
    hanging.go_on.clear()
    levels = [luma(ladder(dark())) for _ in range(40)]
    assert ladder.governor.mode.startswith("gain")
    assert levels[0] == pytest.approx(luma(dark()) + 50, abs=4)  # the look that it had
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= LARGEST_STEP
    hanging.go_on.set()
    ladder.governor.choose("slow")
    until_settled(warmed_up(ladder, "slow"), 50)
    ladder.close()


def test_a_model_that_is_too_slow_is_named_with_what_it_costs_and_delays_no_frame(
    gain: tuple[str, Loader],
) -> None:
    notices = list[str]()
    modes: dict[str, Loader] = {
        "slow": lambda: Brightener(50, takes_s=0.3),
        "slower": lambda: Brightener(40, takes_s=0.4),
    }
    ladder = Ladder(gain, modes, budget_ms=200, on_notice=notices.append)

    def settled() -> bool:
        ladder(dark())
        return ladder.governor.mode == ladder.mode == "gain"

    wait_until(settled)
    assert ladder.frames_by_mode["slow"] == ladder.frames_by_mode["slower"] == 0
    needs = {notice.split()[0]: notice.split(" needs about ")[1] for notice in notices}
    assert sorted(needs) == ["slow", "slower"]
    assert 290 <= float(needs["slow"].split()[0]) < 3000
    assert all(need.endswith("ms a frame here; gain runs") for need in needs.values())
    assert ladder.note.startswith("slow needs about ")
    ladder.choose_next()
    assert notices[-1] == "slower is wanted"
    wait_until(settled)
    assert ladder.frames_by_mode["slower"] == 0
    ladder.close()


def test_a_busy_machine_says_too_what_a_model_costs(gain: tuple[str, Loader]) -> None:
    """However cheap the mode that it is in: a user waits for the model that was chosen."""
    notices = list[str]()
    heavy: dict[str, Loader] = {"slow": lambda: Brightener(50, takes_s=0.5)}
    ladder = Ladder(gain, heavy, budget_ms=100, on_notice=notices.append)

    def said() -> bool:
        ladder.governor.stall()
        ladder(dark())
        return bool(notices)

    wait_until(said)
    assert notices[0].startswith("slow needs about ")
    assert notices[0].endswith(" ms a frame here; gain runs")
    wait_until(lambda: ladder(dark()) is not None and ladder.mode != START)
    assert ladder.note == f"{notices[0]}, simpler: this machine is busy"
    assert ladder.frames_by_mode["slow"] == 0
    ladder.close()


def test_large_pictures_are_not_needed_to_learn_what_they_cost(gain: tuple[str, Loader]) -> None:
    """A frame of a heavy model in high definition takes seconds, in which nothing else gets on."""
    seen = set[int]()

    class Costly(Brightener):
        def __call__(self, frame: Frame) -> Frame:
            seen.add(frame.width)
            time.sleep(frame.width * frame.height * 4e-6)
            return super().__call__(frame)

    notices = list[str]()
    ladder = Ladder(gain, {"slow": lambda: Costly(50)}, budget_ms=50, on_notice=notices.append)
    (large,) = SyntheticSource(1280, 720, frames=1)
    wait_until(lambda: ladder(large) is not None and bool(notices))
    cost_ms = float(notices[0].split(" needs about ")[1].split()[0])
    assert cost_ms >= 0.9 * 1280 * 720 * 4e-3
    assert max(seen) <= 320
    ladder.close()


def test_a_quicker_model_stands_in_for_the_best_that_loads(gain_model: Path) -> None:
    loaded, load = held_back(lambda: Brightener(50))
    heavy: dict[str, Loader] = {"best": load, "gain": lambda: make_enhancer(gain_model)}
    ladder = warmed_up(Ladder(("grid", make_enhancer), heavy, budget_ms=5000), "gain")
    assert ladder.note == "best is being prepared; gain runs"
    loaded.set()
    warmed_up(ladder, "best").close()


class Building(Brightener):
    """Builds something for each size of frames, as `unet` on a GPU does, before its first one."""

    compiles_by_size = True


def test_while_the_best_on_a_gpu_is_built_each_other_is_shown_as_soon_as_it_is_there(
    gain: tuple[str, Loader],
) -> None:
    best = Building(60)
    best.go_on.clear()
    loaded, load = held_back(lambda: Brightener(50))
    heavy: dict[str, Loader] = {
        "best on cuda": lambda: best,
        "next on cuda": load,
        "last on cuda": lambda: Brightener(40),
    }
    # Models load one after the other, the cheapest first.
    ladder = Ladder(gain, heavy, replaceable=heavy, budget_ms=5000)
    warmed_up(ladder, "last on cuda")
    assert ladder.note == "best on cuda is being prepared; last on cuda runs"
    loaded.set()
    warmed_up(ladder, "next on cuda")
    best.go_on.set()
    assert brightening(until_settled(warmed_up(ladder, "best on cuda"), 60)) == 60
    ladder.close()


def test_a_model_of_a_gpu_that_is_too_slow_is_refused_once_and_the_next_shows_itself(
    gain: tuple[str, Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = list[str]()
    monkeypatch.setattr(Governor, "refuse", counting(Governor.refuse, refused))
    heavy: dict[str, Loader] = {
        "best on cuda": lambda: Brightener(60),
        "slow on cuda": lambda: Brightener(50, takes_s=1),  # a GPU holds up nobody here
        "last on cuda": lambda: Brightener(40),
    }
    ladder = Ladder(gain, heavy, replaceable=heavy, budget_ms=200)
    now_s = time.monotonic()
    ladder.governor._clock = lambda: now_s  # no patience ends
    warmed_up(ladder, "best on cuda")
    wait_until(lambda: bool(ladder(dark()) and refused), seconds=60)
    wait_until(lambda: bool(ladder(dark()) and ladder._rungs["last on cuda"].proven))
    for _ in range(20):
        ladder(dark())
    assert refused == ["slow on cuda"]
    ladder.close()


def counting(
    refuse: Callable[[Governor, str], None], refused: list[str]
) -> Callable[[Governor, str], None]:
    def counted(governor: Governor, mode: str) -> None:
        refused.append(mode)
        refuse(governor, mode)

    return counted


def test_a_slow_grid_model_is_asked_seldom_and_its_grid_applied_to_every_frame(
    gain: tuple[str, Loader], gain_model: Path
) -> None:
    heavy: dict[str, Loader] = {"gain": lambda: make_enhancer(gain_model)}
    ladder = Ladder(("grid", make_enhancer), heavy, budget_ms=5000)
    frame = dark_room(1)[0]
    levels = list[float]()
    expected = luma(gain[1]()(frame))
    wait_until(lambda: levels.append(luma(ladder(frame))) or levels[-1] == expected)  # type: ignore[func-returns-value]
    assert ladder.mode == "gain"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= LARGEST_STEP
    ladder.close()


def test_a_model_that_two_ladders_share_goes_on_while_the_next_one_loads(
    gain: tuple[str, Loader],
) -> None:
    loaded, made = threading.Event(), list[str]()

    def load_gain() -> object:
        made.append("gain")
        return gain[1]()

    def slow() -> Brightener:
        loaded.wait(20)
        return Brightener(50)

    everyday: tuple[str, Callable[[], object]] = ("gain", load_gain)
    former = warmed_up(Ladder(everyday, budget_ms=5000), "gain")  # type: ignore[arg-type]
    ladder = Ladder(everyday, {"slow": slow}, budget_ms=5000, former=former)  # type: ignore[arg-type]
    former.close()
    ladder(dark())
    assert ladder.mode == "gain"
    loaded.set()
    warmed_up(ladder, "slow")
    assert made == ["gain"]
    ladder.close()


def test_the_strength_changes_at_once(gain: tuple[str, Loader]) -> None:
    ladder = Ladder(gain, {"one": lambda: Brightener(50)}, budget_ms=5000)
    until_settled(warmed_up(ladder, "one"), 50)
    ladder.strength = 0.5
    assert brightening(ladder) == 25
    with pytest.raises(ValueError, match="strength"):
        ladder.strength = 2.1
    ladder.close()


def test_a_picture_as_it_is_waits_for_no_model(gain: tuple[str, Loader]) -> None:
    model = Brightener(50)
    ladder = Ladder(gain, {"plus": lambda: model}, budget_ms=1000)
    until_settled(warmed_up(ladder, "plus"), 50)
    model.go_on.clear()
    ladder.strength = 0.0
    assert ladder(frame := dark()) is frame
    assert ladder.mode == PASSTHROUGH
    model.go_on.set()
    ladder.strength = 1.0
    assert brightening(ladder) == 50
    ladder.close()


def test_an_error_of_the_model_reaches_the_stream(gain: tuple[str, Loader]) -> None:
    breaking = Brightener(50)
    ladder = warmed_up(Ladder(gain, {"one": lambda: breaking}, budget_ms=5000), "one")
    breaking.broken = True
    with pytest.raises(EngineError, match="out of order"):
        ladder(dark())
    ladder.close()


def test_a_device_that_is_lost_in_mid_stream_is_left_with_a_notice(
    gain: tuple[str, Loader],
) -> None:
    breaking, notices = Brightener(50), list[str]()
    ladder = Ladder(
        gain,
        {"one on cuda": lambda: breaking},
        replaceable=["one on cuda"],
        budget_ms=5000,
        on_notice=notices.append,
    )
    before = luma(warmed_up(ladder, "one on cuda")(dark()))
    breaking.broken = True
    pictures = [ladder(dark()) for _ in range(60)]
    assert ladder.mode == "gain"
    assert notices == ["one on cuda is given up: out of order; gain runs instead"]
    assert ladder.note == notices[0]  # what tells a page
    lights = [before, *map(luma, pictures)]
    assert min(lights) > luma(dark())  # no frame is left as it was
    assert max(abs(b - a) for a, b in pairwise(lights)) <= LARGEST_STEP
    assert ladder.models == ("gain",)
    ladder.mode = "one on cuda"  # as for who asks while the frame is made in which it is given up
    assert ladder.note == notices[0]
    ladder.close()


def test_a_model_file_makes_what_it_makes_of_a_file(gain_model: Path) -> None:
    ladder = warmed_up(ladder_for(gain_model, budget_ms=5000), "gain")
    assert ladder.models == ("gain",)
    frame = dark()
    expected = make_enhancer(gain_model)(frame)
    wait_until(lambda: luma(ladder(frame)) == luma(expected))
    for got, wanted in zip(ladder(frame).planes, expected.planes, strict=True):
        assert np.array_equal(got, wanted)
    ladder.close()


@pytest.mark.usefixtures("no_thread_is_left")
def test_an_unknown_model_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ModelError, match="unknown model gird"):
        ladder_for("gird")


def test_one_slow_trial_is_no_verdict() -> None:
    rung = Rung("one", lambda: Brightener(1))
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
    rung = Rung("one", lambda: made(1, takes_s=0.3))
    wait_until(lambda: rung.idle)
    for _ in range(2):  # the first frame of a size may compile something
        assert not rung.is_hopeless(dark(), 200)
        assert rung.ask(dark(), 1.0, timeout_s=20) is not None
    rung.forget()
    assert rung.is_hopeless(dark(), 200) is hopeless
    larger, smaller = (next(iter(SyntheticSource(width, 64, frames=1))) for width in (160, 64))
    assert rung.is_hopeless(larger, 200) is hopeless
    assert not rung.is_hopeless(smaller, 200)
    rung.close(20)


def test_a_model_that_cost_far_too_much_is_not_tried_again_at_once(
    gain: tuple[str, Loader],
) -> None:
    """Choosing it falls to the next one within the same frame, and nothing is late meanwhile."""
    calls = list[int]()

    class Counted(Busy):
        def __call__(self, frame: Frame) -> Frame:
            calls.append(frame.width)
            return super().__call__(frame)

    notices = list[str]()
    modes: dict[str, Loader] = {"slow": lambda: Counted(50, takes_s=0.5)}
    ladder = Ladder(gain, modes, budget_ms=100, on_notice=notices.append)

    def settled() -> bool:
        ladder(dark())
        return bool(notices)

    wait_until(settled, seconds=60)
    count = len(calls)
    ladder.governor.choose("slow")
    ladder(dark())
    assert ladder.governor.mode == "gain"
    assert len(calls) == count
    ladder.close()
