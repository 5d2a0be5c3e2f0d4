"""How much of a browser's camera a busy server can use: fewer pictures a second, then smaller ones.

A picture that newer ones overtake has cost the browser its encoding, and the server its packets
and its decoding, for nothing. Where many are left out the browser is asked for fewer, and that
time goes to those that are shown; once all are shown it is asked for more again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_OFTEN, _SELDOM = 0.25, 0.05
"""Shares of pictures left out above which fewer are asked for, and below which more."""
_SOON_S = 2.0
_FIRST_PATIENCE_S, _LONGEST_PATIENCE_S = 5.0, 60.0
"""How long it must be so, for fewer and for more; more that did not last waits twice as long."""
_ROOM = 1.25
"""So many times more are asked for than were shown."""
USUAL_RATE = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a browser is asked to send.

    Attributes:
        rate: pictures a second, at most; None: as many as its camera gives.
        scale: so many times less wide and less high than the camera's.
    """

    rate: int | None = None
    scale: int = 1

    @property
    def share(self) -> float:
        """Of the usual bits a second for pictures of that size."""
        return min(1.0, (self.rate or USUAL_RATE) / USUAL_RATE)


_STEPS = (Wanted(), Wanted(20), Wanted(15), Wanted(15, 2), Wanted(10, 2), Wanted(5, 2))
_SMALL_STEPS = (Wanted(), Wanted(20), Wanted(15), Wanted(10), Wanted(5))
_SMALL_PIXELS = 640 * 360
"""Pictures up to this size stay as large as they are."""


class Demand:
    """What to ask of one browser, by what becomes of its pictures.

    Attributes:
        wanted: what it is asked for now.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask for all that the camera gives.

        Args:
            clock: seconds that never run backward.
        """
        self.wanted = Wanted()
        self._clock = clock
        self._place = 0
        self._patience_s = _FIRST_PATIENCE_S
        self._rose_s = -math.inf
        self._well_since_s = self._ill_since_s = clock()

    def record(self, fps: float, left_out_per_s: float, pixels: int) -> None:
        """Take note of what became of the pictures since the last time.

        Args:
            fps: pictures a second that were shown.
            left_out_per_s: pictures a second that were not.
            pixels: of the camera's pictures.
        """
        now_s = self._clock()
        share = left_out_per_s / max(fps + left_out_per_s, 1e-3)
        if share <= _OFTEN:
            self._ill_since_s = now_s
        if share >= _SELDOM:
            self._well_since_s = now_s
        steps = _SMALL_STEPS if pixels <= _SMALL_PIXELS else _STEPS
        if now_s - self._ill_since_s >= _SOON_S:
            self._take_less(steps, fps, now_s)
        elif self._place > 0 and now_s - self._well_since_s >= self._patience_s:
            self._rose_s = now_s
            self._go(steps, self._place - 1, now_s)

    def _take_less(self, steps: tuple[Wanted, ...], fps: float, now_s: float) -> None:
        if self._place >= len(steps) - 1:
            return
        lasted = now_s - self._rose_s > _LONGEST_PATIENCE_S
        longer_s = min(2 * self._patience_s, _LONGEST_PATIENCE_S)
        self._patience_s = _FIRST_PATIENCE_S if lasted else longer_s
        less = range(self._place + 1, len(steps))
        fitting = (place for place in less if (steps[place].rate or USUAL_RATE) <= _ROOM * fps)
        self._go(steps, next(fitting, less[-1]), now_s)

    def _go(self, steps: tuple[Wanted, ...], place: int, now_s: float) -> None:
        self._place, self.wanted = place, steps[place]
        self._well_since_s = self._ill_since_s = now_s
