"""How a live stream begins to take noise out, and leaves that: by steps too small to see.

A curve that is steep and bends makes the mean of a noisy picture darker than that of the same one
without noise, by some levels in the dark: so much the picture would jump.
"""

from __future__ import annotations

from tapetum.realtime.live.look_pace import LookPace

_STEP, _FIRST_STEP = 1 / 8, 1 / 32
"""Parts of the change from frame to frame: the most, and the first of a way, after which it is
known what a step does. While the pace leaves no room, as where a sink misses frames, none
is taken."""
_GROWN = (8, 16)
"""So many frames after the last step it is measured again: by then more noise is known."""


class NoisePace:
    """How much of the way between a noisy picture and one without noise a stream has gone.

    Attributes:
        part: of the change of mean luma, 0 to 1.
        is_leaving: whether noise is taken out only to leave that by small steps.
        lift: how much brighter a frame became by what was taken out of it, in levels of mean luma,
            of 255; set it where `is_to_measure`.
    """

    def __init__(self, pace: LookPace) -> None:
        """Start with all noise left in.

        Args:
            pace: of the stream's brightness, which this is a part of.
        """
        self.part = 0.0
        self.is_leaving = False
        self._pace = pace
        self.lift = 0.0
        self._restores = False
        self._rested = 0

    def next_part(self, *, restores: bool) -> float:
        """The part of the next frame; the very object of the one before if it is the same."""
        before = self.part
        if before == float(restores):
            self.is_leaving = False
            return before
        turns = restores != self._restores
        self._restores = restores
        way = (_FIRST_STEP if turns else _STEP) * (1 if restores else -1)
        lift = self.lift / before * way if before > 0 else 0.0
        share = self._pace.share(lift)
        if share > 0:
            self.part = min(max(before + share * way, 0.0), 1.0)
            self.lift += share * lift
            self._rested = 0
        self.is_leaving = self.part > 0 and not restores
        return self.part

    def is_to_measure(self) -> bool:
        """Whether `lift` is to be measured of this frame."""
        self._rested += 1
        return self._rested == 1 or self._rested in _GROWN


def weight_for(part: float) -> float:
    """The weight of the restored picture in one that goes so far: what noise does is square."""
    return float(1 - (1 - part) ** 0.5)
