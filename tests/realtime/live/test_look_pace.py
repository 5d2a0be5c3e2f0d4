"""How far a stream's brightness moves from picture to picture, however rarely pictures come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.ladder_parts import luma
from support.live_parts import StallingSink

from tapetum.realtime import MemorySink, SinkPlace, SyntheticSource
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.grid_stream import Effort, GridStream, Kernels, Look
from tapetum.realtime.live.look_pace import (
    APART_LEVELS,
    STEP_LEVELS,
    TAKEN_LEVELS,
    LookPace,
    PacedLook,
    luma_shares,
    mean_luma,
)
from tapetum.realtime.live.outputs import Output
from tapetum.realtime.serve.lighting import Lighting

Grid = npt.NDArray[np.float32]

KERNELS = Kernels(thumbnail, apply_grid, look_up, partial(Restorer, sparing=True), GridTables)
LARGEST_STEP = 2.0
SPATIAL, CURVE = Effort(frames=1), Effort(frames=1, flat=True)
RATES = [Fraction(30), Fraction(10), Fraction(3), Fraction(1), Fraction(1, 2)]
"""Pictures a second."""


def dark(brightness: float = 0.1) -> Frame:
    (frame,) = SyntheticSource(160, 96, frames=1, brightness=brightness)
    return frame


def gain(factor: float, right: float | None = None) -> Grid:
    """A grid that brightens a picture, or its right half by another factor."""
    grid = identity_grid()
    grid[0] = factor
    grid[0, ..., 8:] = right or factor
    return grid


def shown(
    rate: Fraction, moments: Iterable[tuple[Frame, Grid, Effort]], *, name: str = "one"
) -> list[float]:
    """Mean luma of pictures that come so many times a second, each looked at by a model."""
    stream, levels = GridStream(), list[float]()
    for number, (frame, grid, effort) in enumerate(moments):
        timed = replace(frame, pts=number, time_base=1 / rate)
        stream.look_at(timed)
        stream.take(Look(name, grid, thumbnail(timed)), float(number / rate))
        enhanced = stream.enhanced(timed, effort=effort, strength=1, kernels=KERNELS)
        levels.append(luma(enhanced))
    return levels


def largest_step(levels: list[float]) -> float:
    return max(abs(later - sooner) for sooner, later in pairwise(levels))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "look",
    [
        lambda number: (gain(3 + number // 30 % 2), SPATIAL),
        lambda number: (gain(3 + number // 30 % 2), CURVE),
        lambda number: [(gain(2, right=6), SPATIAL), (gain(4, right=2), CURVE)][number // 30 % 2],
    ],
    ids=["another grid", "another curve", "another mode"],
)
def test_no_picture_jumps_in_steady_light_however_rarely_they_come(
    rate: Fraction, look: Callable[[int], tuple[Grid, Effort]]
) -> None:
    levels = shown(rate, [(dark(), *look(number)) for number in range(120)])
    assert max(levels) - min(levels) > 5, "the looks differ, or this shows nothing"
    assert largest_step(levels) <= LARGEST_STEP


@pytest.mark.parametrize("rate", RATES)
def test_what_is_wanted_is_reached(rate: Fraction) -> None:
    levels = shown(rate, [(dark(), gain(3 if number < 2 else 4), SPATIAL) for number in range(120)])
    expected = luma(dark().with_planes(apply_grid(dark(), gain(4))))
    assert levels[-1] == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("rate", RATES)
def test_a_light_that_is_switched_on_is_followed_at_once(rate: Fraction) -> None:
    """The look of the dark would burn the bright picture out for seconds."""
    moments = [(dark(0.05), gain(4), SPATIAL)] * 10 + [(dark(0.4), gain(1), SPATIAL)] * 60
    levels = shown(rate, moments)
    assert levels[11] == pytest.approx(luma(dark(0.4)), abs=20)
    assert levels[-1] == pytest.approx(luma(dark(0.4)), abs=0.5)


def test_mean_luma_is_what_the_kernels_make() -> None:
    frame = dark()
    grid = gain(2, right=4)
    grid[1] = 0.05
    black, span = 16, 219
    y = (frame.planes[0].astype(np.float32) - black) / span
    small = y.reshape(32, 3, 32, 5).mean(axis=(1, 3))
    made = luma(frame.with_planes(apply_grid(frame, grid)))
    assert mean_luma(grid, luma_shares(small)) * span / 255 + black == pytest.approx(made, abs=1.5)


def test_a_wish_is_followed_at_once_and_a_small_change_of_light_leaves_less_room() -> None:
    pace = LookPace()
    assert pace.share(10 * STEP_LEVELS) == pytest.approx(0.1)
    pace.follow_light(1.5, 1 / 30)
    assert pace.share(1.0) == pytest.approx(APART_LEVELS - 1.5)
    assert pace.share(-1.0) == pytest.approx(STEP_LEVELS)
    pace.follow_wish()
    assert pace.share(100.0) == 1


def test_a_recording_that_misses_frames_holds_the_look_near_the_last_that_it_got() -> None:
    """Its pictures would jump by all that was shown between them."""
    pace = LookPace()
    for _ in range(20):
        pace.stay_near([0.0])
        pace.share(5.0)
    assert pace.position == pytest.approx(TAKEN_LEVELS)
    pace.stay_near([pace.position])
    assert pace.share(5.0) == pytest.approx(STEP_LEVELS / 5)


class SlowRecording:
    """An output, on a clock of its own, whose sink takes one frame of several.

    Attributes:
        levels: of the frames that it got.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rate: Fraction) -> None:
        self.levels: list[float] = []
        self._behind = False
        self._now_s = 0.0
        self._interval_s = float(1 / rate)
        monkeypatch.setattr("tapetum.realtime.live.outputs.time.monotonic", lambda: self._now_s)
        monkeypatch.setattr(Output, "is_behind", property(lambda _output: self._behind))
        self.output = Output(SinkPlace("slow", MemorySink(), in_caller=True))

    def write(self, frame: Frame, position: float, *, takes: bool) -> None:
        self._now_s += self._interval_s
        self._behind = not takes
        self.output.write(frame, position)
        if takes:
            self.levels.append(luma(frame))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("misses", [4, 20])
def test_no_recording_jumps_however_seldom_it_gets_a_picture(
    rate: Fraction, misses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of 20 at half a picture a second: what it got last was 40 seconds ago."""
    stream, recording = GridStream(), SlowRecording(monkeypatch, rate)
    for number in range(120):
        frame = replace(dark(), pts=number, time_base=1 / rate)
        position = recording.output.taken_position
        stream.pace.stay_near([] if position is None else [position])
        stream.look_at(frame)
        stream.take(Look("one", gain(3 if number < 2 else 6), thumbnail(frame)), number)
        effort = CURVE if number // 30 % 2 else SPATIAL
        enhanced = stream.enhanced(frame, effort=effort, strength=1, kernels=KERNELS)
        recording.write(enhanced, stream.pace.position, takes=number % misses == 0)
    assert recording.levels[-1] - recording.levels[0] > 3, "it moves, or this shows nothing"
    assert largest_step(recording.levels) <= LARGEST_STEP


@pytest.mark.parametrize("rate", RATES)
def test_a_sink_that_is_stuck_for_a_minute_holds_the_others_no_more(
    rate: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not one that was stopped together with the whole process, or a machine that slept."""
    recording = SlowRecording(monkeypatch, rate)
    recording.write(dark(), 7.0, takes=True)
    stuck = max(30, round(60 * rate))
    for number in range(stuck + 2):
        if number < stuck - 1:
            assert recording.output.taken_position == 7, number
        recording.write(dark(), 20.0, takes=False)
    assert recording.output.taken_position is None


@pytest.mark.parametrize("depth", [1, 4])
def test_an_output_knows_what_its_sink_got(depth: int) -> None:
    """What waits in one place is replaced by what is newer; what waits in several stays."""
    sink = StallingSink()
    output = Output(SinkPlace("slow", sink, depth=depth))
    positions = [output.taken_position]
    while not sink.frames:
        output.write(dark(), 1.0)
    for number in range(2, 20):
        output.write(dark(), float(number))
    assert output.dropped >= 14
    positions.append(output.taken_position)
    assert positions[0] is None
    assert positions[1] is not None
    assert positions[1] <= depth + 1
    sink.release.set()
    output.close()


@pytest.mark.parametrize("place", [{"in_caller": True}, {"depth": 4}], ids=["at once", "places"])
def test_a_sink_that_takes_every_frame_is_near_the_last(place: dict[str, Any]) -> None:
    """Also where the next comes late: what it was given is not replaced."""
    output = Output(SinkPlace("quick", MemorySink(), **place))
    for number in range(3):
        output.write(dark(), float(number))
        assert output.taken_position == number
    output.close()


def test_grids_for_a_page_move_by_small_steps_though_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server on a full machine answers a few times a second."""
    roots = np.full(3 * 256 * 256 + 64 * 64, 80, np.uint8)
    lighting = Lighting()
    lighting.load("grid")
    now_s, wanted = 0.0, gain(3)
    monkeypatch.setattr("tapetum.realtime.serve.lighting.time.monotonic", lambda: now_s)
    monkeypatch.setattr(
        "tapetum.realtime.cpu.grid_enhancer.GridEnhancer.aimed_grid", lambda _self, _small: wanted
    )
    luma_now = np.full((64, 64), np.float32((80 / 255) ** 2))
    levels = []
    for number in range(40):
        now_s, wanted = number / 4, gain(3 if number < 10 else 4)
        grid = np.frombuffer(lighting.grid(roots.tobytes()), "<f4").reshape(8, 8, 16, 16)
        levels.append(mean_luma(grid, luma_shares(luma_now)))
    assert levels[-1] - levels[0] > 20
    assert largest_step(levels) <= LARGEST_STEP


def test_a_look_starts_where_it_is_wanted() -> None:
    look = PacedLook()
    look.look_at(np.full((32, 32), np.float32(0.1)), 1 / 30)
    assert look.towards(gain(3)) is not None
    look.look_at(np.full((32, 32), np.float32(0.1)), 1 / 30)
    same = gain(3)
    assert look.towards(same) is same
