"""How a stream begins and ends to take noise out: by steps that its sinks' pictures can bear."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tapetum.realtime.live.look_pace import STEP_LEVELS, TAKEN_LEVELS, LookPace
from tapetum.realtime.live.noise_pace import NoisePace

LIFT = 14.0
"""Levels by which a very noisy picture gets brighter without its noise, at twice the strength."""


class NoisyStream:
    """A picture whose mean luma moves with the noise alone.

    Attributes:
        levels: of the pictures so far.
    """

    def __init__(self) -> None:
        self.pace = LookPace()
        self.noise = NoisePace(self.pace)
        self.levels = [0.0]

    def show(self, *, restores: bool, taken: bool) -> None:
        """Show one more picture, which a recording gets or misses."""
        self.noise.lift = LIFT * self.noise.next_part(restores=restores)
        self.pace.position = self.noise.lift
        self.levels.append(self.noise.lift)
        if taken:
            self.pace.stay_near([self.pace.position])


def test_no_step_is_left_for_pictures_that_a_recording_misses() -> None:
    stream = NoisyStream()
    stream.pace.stay_near([0.0])
    for _ in range(40):
        stream.show(restores=True, taken=False)
    assert 0 < stream.levels[-1] <= TAKEN_LEVELS


def test_a_part_that_stays_is_the_very_same_so_that_pictures_may_rest() -> None:
    stream = NoisyStream()
    stream.pace.stay_near([0.0])
    for _ in range(10):
        stream.show(restores=True, taken=False)
    assert stream.noise.next_part(restores=True) is stream.noise.next_part(restores=True)


@pytest.mark.parametrize("misses", [1, 4])
def test_all_noise_comes_out_and_back_however_many_pictures_are_missed(misses: int) -> None:
    stream = NoisyStream()
    for restores in (True, False):
        stream.levels = stream.levels[-1:]
        for number in range(40 * misses):
            stream.show(restores=restores, taken=number % misses == 0)
        assert stream.noise.part == float(restores)
        assert not stream.noise.is_leaving
        steps = [abs(later - sooner) for sooner, later in pairwise(stream.levels)]
        assert max(steps) <= STEP_LEVELS + 1e-6


def test_what_is_not_yet_known_is_tried_by_a_small_step() -> None:
    stream = NoisyStream()
    stream.show(restores=True, taken=True)
    assert stream.noise.lift < STEP_LEVELS
