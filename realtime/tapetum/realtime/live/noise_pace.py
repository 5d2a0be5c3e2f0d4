"""How a live stream begins to take noise out, and leaves that: by steps too small to see.

A curve that is steep and bends makes the mean of a noisy picture darker than that of the same one
without noise, by some levels in the dark: so much the picture would jump.
"""

from __future__ import annotations

from tapetum.realtime.live.look_pace import LookPace

_STEP = 1 / 8
"""Part of the way that one frame goes, at most."""
_WATCHED = 16
"""So many frames at the end of the way are measured still: by then more noise is known."""


class NoisePace:
    """How much of the way between a noisy picture and one without noise a stream has gone.

    Frames on the way are mixed of both, as they are drawn. So a frame's mean luma is that of the
    noisy one and `part` of what was measured between the two: whatever noise does to a curve, as
    where that is clipped at black, no step is larger than the pace has room for.

    Attributes:
        part: of the picture without noise in the last frame, 0 to 1.
        is_leaving: whether noise is taken out only to leave that by small steps.
    """

    def __init__(self, pace: LookPace) -> None:
        """Start with all noise left in.

        Args:
            pace: of the stream's brightness, which this is a part of.
        """
        self.part = 0.0
        self.is_leaving = False
        self._pace = pace
        self._restores = False
        self._shown: float | None = None
        self._watched = 0
        self._has_noise = True

    def begins(self, *, restores: bool) -> bool:
        """Whether noise is to be taken out of the next frame.

        Args:
            restores: whether it is wished; where it was, it is left by small steps.
        """
        if self.is_settled:
            self._shown = None  # what is not measured may have changed
        self._restores = restores
        self.is_leaving = self.part > 0 and not restores
        return restores or self.part > 0

    @property
    def is_settled(self) -> bool:
        """Whether frames are shown as they are drawn, all with their noise or all without."""
        if self.part == 0:
            return not self._restores
        return self.part == 1 and self._restores and self._watched >= _WATCHED

    @property
    def rests(self) -> bool:
        """Whether a frame that comes again would be made in the same way."""
        return self.is_settled or not self._has_noise

    def go_on(self, lift: float) -> float:
        """The `part` of a frame, where this is not settled.

        Args:
            lift: how much brighter the frame is without its noise, in levels of mean luma, of 255.
        """
        self._has_noise = True
        part = min(self.part + _STEP, 1.0) if self._restores else max(self.part - _STEP, 0.0)
        shown = self.part * lift if self._shown is None else self._shown
        step = part * lift - shown
        share = self._pace.share(step)
        if share < 1 and lift:
            part = min(max((shown + share * step) / lift, 0.0), 1.0)
        self.part, self._shown = part, part * lift
        self._watched = self._watched + 1 if part == 1 else 0
        return part

    def find_none(self) -> None:
        """Take note that a frame has no noise to be taken out: what comes begins the way anew."""
        self.part, self._shown, self._watched, self._has_noise = 0.0, 0.0, 0, False
