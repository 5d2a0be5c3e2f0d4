"""How a stream begins and ends to take noise out: by steps that its sinks' pictures can bear."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tapetum.realtime.live.look_pace import STEP_LEVELS, TAKEN_LEVELS, LookPace
from tapetum.realtime.live.noise_pace import NoisePace

LIFT = 14.0
"""Levels by which a very noisy picture gets brighter without its noise, at twice the strength."""
ROUNDING = 1e-6


class NoisyStream:
    """A picture whose mean luma moves with the noise alone.

    Attributes:
        levels: of the pictures so far.
    """

    def __init__(self, lift: Callable[[int], float] = lambda _number: LIFT) -> None:
        self.pace = LookPace()
        self.noise = NoisePace(self.pace)
        self.levels = [0.0]
        self._lift = lift

    def show(self, *, restores: bool, taken: bool = True) -> None:
        """Show one more picture, which a recording gets or misses."""
        lift = self._lift(len(self.levels))
        if self.noise.begins(restores=restores) and not self.noise.is_settled:
            self.noise.go_on(lift)
        self.pace.position = self.noise.part * lift
        self.levels.append(self.pace.position)
        if taken:
            self.pace.stay_near([self.pace.position])

    def largest_step(self) -> float:
        return max(abs(later - sooner) for sooner, later in pairwise(self.levels))


def test_no_step_is_left_for_pictures_that_a_recording_misses() -> None:
    stream = NoisyStream()
    stream.pace.stay_near([0.0])
    for _ in range(40):
        stream.show(restores=True, taken=False)
    assert 0 < stream.levels[-1] <= TAKEN_LEVELS + ROUNDING


@pytest.mark.parametrize("misses", [1, 4])
def test_all_noise_comes_out_and_back_however_many_pictures_are_missed(misses: int) -> None:
    stream = NoisyStream()
    for restores in (True, False):
        for number in range(40 * misses):
            stream.show(restores=restores, taken=number % misses == 0)
        assert stream.noise.part == float(restores)
        assert stream.noise.is_settled
        assert not stream.noise.is_leaving
    assert stream.largest_step() <= STEP_LEVELS + ROUNDING


def test_what_noise_does_may_grow_all_at_once() -> None:
    """As more of it becomes known: at the beginning of a stream, on the way or at its end."""
    stream = NoisyStream(lambda number: 2.0 if number < 5 else 8.0 if number < 12 else LIFT)
    for _ in range(60):
        stream.show(restores=True)
    assert stream.noise.part == 1
    assert stream.largest_step() <= STEP_LEVELS + ROUNDING


def test_a_picture_without_noise_rests_and_begins_anew_when_it_gets_some() -> None:
    stream = NoisyStream()
    for _ in range(30):
        assert stream.noise.begins(restores=True)
        stream.noise.find_none()
        assert stream.noise.rests
    stream.show(restores=True)
    assert not stream.noise.rests
    assert 0 < stream.levels[-1] <= STEP_LEVELS + ROUNDING
