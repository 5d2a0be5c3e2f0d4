"""How far the look of a stream may move from one picture to the next: too little to be seen.

The limit is one of pictures, not of time: at 7 pictures a second half a second has four of them,
and what is spread over it by time alone moves by steps. Nor does it depend on why the look moves:
another mode, another model, a network that looks again. Two things may move it faster: a change
of the picture's own light, which it has to follow, and a viewer's wish.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np

from tapetum.gan.model_kinds import CELLS, LEVELS
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_axis import Floats
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.temporal import FrameClock, guide_view, is_cut

STEP_LEVELS = 0.7
"""Mean luma moves by this at most from picture to picture, of 255 levels, while its light rests."""
APART_LEVELS = 1.7
"""And by this together with a small change of light."""
GRID_LEVELS = 1.4
"""And by this from one grid to the next for pictures that are brightened elsewhere. The rest of two
levels is what a picture's noise does."""
TAKEN_LEVELS = 0.7
"""And by this from a picture that a sink took to the next that it takes, however many it missed.
The rest of two levels is for what light does meanwhile, and for steps that come out larger."""
_RESTS_LEVELS = 4.0
"""Light that changes by less in `_SETTLED_S` rests: things move, and leaves."""
_SETTLED_S = 1.0
"""Time constant in which a change of light is followed."""
_WISH_LEVELS = 255.0
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_LEVELS = np.arange(LEVELS, dtype=np.float32).reshape(-1, 1, 1)
_NO_SHARES = np.zeros((2, LEVELS, CELLS, CELLS), np.float32)


class LookPace:
    """Says how much of each step one stream's look may take.

    Attributes:
        position: where the steps have led so far, in levels of mean luma; it may be set to what
            was measured of a picture, with the light that it had.
    """

    def __init__(self, step_levels: float = STEP_LEVELS) -> None:
        """Start with a light that rests.

        Args:
            step_levels: the most that one step moves the mean luma.
        """
        self.position = 0.0
        self._step_levels = step_levels
        self._light = 0.0
        self._unsettled = 0.0
        self._taken: list[float] = []

    def follow_light(self, change: float, elapsed_s: float) -> None:
        """Take note that the next picture is so much brighter by the look of the last one.

        Args:
            change: in levels of mean luma.
            elapsed_s: time between the two.
        """
        self._light = change
        self._unsettled = self._unsettled * math.exp(-elapsed_s / _SETTLED_S) + change

    def follow_wish(self) -> None:
        """Let the look move as fast as it likes: a viewer wants another one."""
        self._unsettled = _WISH_LEVELS

    def stay_near(self, positions: Iterable[float]) -> None:
        """Keep the next steps near those positions, at which sinks got their last pictures."""
        self._taken = [*positions]

    def share(self, step: float) -> float:
        """How much of a step may be taken, from 0 to 1; it is taken.

        Args:
            step: how much brighter the picture becomes by it, in levels of mean luma.
        """
        freely = max(0.0, abs(self._unsettled) - _RESTS_LEVELS)
        most = self._step_levels
        if step * self._light > 0:  # both add up
            most = max(0.0, min(most, APART_LEVELS - abs(self._light)))
        most += freely
        down, up = most, most
        if self._taken:
            # Of a noisy picture light is known roughly: with it and without, steps stay near. What
            # is too far away already, as after a change of light, goes no further.
            places = self.position, self.position + self._light
            down = min(most, max(0.0, min(places) - max(self._taken) + TAKEN_LEVELS + freely))
            up = min(most, max(0.0, min(self._taken) + TAKEN_LEVELS + freely - max(places)))
        taken = min(max(step, -down), up)
        self.position += taken
        return 1.0 if taken == step else taken / step


class _Pixels:
    """Some of a picture's pixels, for what grids make of them; see `PacedLook.look_at`."""

    def __init__(self, luma: Floats) -> None:
        """Take (N, N) pixels, Y about in [0, 1]."""
        place = _level_place(luma)
        self._luma = luma
        self._below = np.minimum(place.astype(np.intp), LEVELS - 2)[np.newaxis]
        self._upper = place - self._below[0]
        self._lowest, self._highest = np.minimum(luma, 0), np.maximum(luma, 1)

    def mean_luma(self, grid: Floats) -> float:
        """What a grid makes of their mean luma, in levels of 255, clipped as by `apply_grid`."""
        across = _cells_of(len(self._luma))
        planes = across @ grid[:2] @ across.T
        gain, offset = (
            (1 - self._upper) * np.take_along_axis(plane, self._below, 0)[0]
            + self._upper * np.take_along_axis(plane, self._below + 1, 0)[0]
            for plane in planes
        )
        return 255 * float(np.clip(gain * self._luma + offset, self._lowest, self._highest).mean())


class PacedLook:
    """The grid that a stream shows, which goes to the wanted one at its pace.

    Attributes:
        pace: how far it may move.
        shares: `luma_shares` of the picture that was looked at last.
    """

    def __init__(self, step_levels: float = STEP_LEVELS) -> None:
        """Start with no past; see `LookPace`."""
        self._shown: Floats | None = None
        self._strong: Floats | None = None
        self._strength = 1.0
        self.pace = LookPace(step_levels)
        self.shares = _NO_SHARES
        self._pixels: _Pixels | None = None

    @property
    def shown(self) -> Floats | None:
        """That of the last picture; None before there is one, and after a cut. It may be set."""
        return self._shown

    @shown.setter
    def shown(self, grid: Floats | None) -> None:
        self._shown = grid
        self._strong = None if grid is None else strengthened(grid, self._strength)

    def look_at(self, luma: Floats, elapsed_s: float, *, noisy: Floats | None = None) -> None:
        """Take a glance at the next picture.

        Args:
            luma: (N, N) of a small picture, Y in [0, 1].
            elapsed_s: time since the one before.
            noisy: the same of single pixels, by default no others. A mean has lost its noise, of
                which a grid that bends, or clips, makes something else.
        """
        before, self.shares = self.shares, luma_shares(luma)
        self._pixels = _Pixels(luma if noisy is None else noisy)
        if self._strong is not None:
            self.pace.follow_light(mean_luma(self._strong, self.shares - before), elapsed_s)

    def towards(self, wanted: Floats, strength: float = 1.0) -> Floats:
        """The grid for that picture: `wanted` itself, or as near to it as is not seen.

        Args:
            wanted: (8, 8, 16, 16).
            strength: from 0 to 2, at which it is seen. Another one is a viewer's wish, and no step.
        """
        if strength != self._strength:
            self._strength, self.shown = strength, self._shown
        before, strong_before, pixels = self._shown, self._strong, self._pixels
        self.shown = wanted
        if before is None or strong_before is None or self._strong is None or pixels is None:
            return wanted
        share = self.pace.share(pixels.mean_luma(self._strong) - pixels.mean_luma(strong_before))
        if share < 1:
            self.shown = nearer = before + np.float32(share) * (wanted - before)
            return nearer
        return wanted

    def as_bright(self, curve: Floats) -> Floats:
        """A curve with an offset that makes the mean luma that of what is shown."""
        if self._shown is not None and self._pixels is not None:
            change = self._pixels.mean_luma(curve) - self._pixels.mean_luma(self._shown)
            curve[1] -= np.float32(change / 255)
        return curve


class PacedGrids:
    """Grids for a stream that is brightened elsewhere: near what is wanted, and never a step.

    Pictures between two grids are more than one, so that a whole step may lie between grids. The
    browser's own modules do the same: `web/brighten/pace.js`.
    """

    def __init__(self, aim: Aim) -> None:
        """Start with no past.

        Args:
            aim: a viewer's wish at the beginning.
        """
        self._look = PacedLook(GRID_LEVELS)
        self._lit_by = aim
        self._view: Floats | None = None
        self._clock = FrameClock()

    def __call__(
        self,
        grid: Floats,
        small: Floats,
        single: Floats,
        time_s: float,
        aim: Aim,
        *,
        strength: float = 1.0,
    ) -> Floats:
        """The grid for the picture now.

        Args:
            grid: (8, 8, 16, 16) that is wanted.
            small: the picture's thumbnail, (1, 3, 256, 256) RGB in [0, 1].
            single: luma of some of its pixels, (N, N), with the noise that means have lost.
            time_s: its time.
            aim: a viewer's wish: another one is followed at once.
            strength: from 0 to 2, at which the grid will be seen.
        """
        view = guide_view(small)
        if self._view is not None and is_cut(self._view, view):
            self._look.shown = None
        if self._lit_by != aim:
            self._look.pace.follow_wish()
        self._view, self._lit_by = view, aim
        luma = np.tensordot(_LUMA, small[0, :, ::4, ::4], 1)
        self._look.look_at(luma, self._clock(time_s), noisy=single)
        return self._look.towards(grid, strength)


def mean_luma(grid: Floats, shares: Floats) -> float:
    """The mean luma, in levels of 255, that a grid makes of a picture.

    Args:
        grid: (8, 8, 16, 16), as `apply_grid` takes it.
        shares: `luma_shares` of the picture.
    """
    return 255 * float(np.vdot(grid[:2], shares))


def luma_shares(luma: Floats) -> Floats:
    """How much each of a grid's luma gains and offsets counts in the mean luma of a picture.

    Each pixel takes them from the two levels around its own and the four cells around its place,
    as `apply_grid` does.

    Args:
        luma: (N, N) of a small picture, Y in [0, 1].

    Returns:
        (2, 8, 16, 16).
    """
    side = len(luma)
    place = _level_place(luma)
    by_level: Floats = np.empty((2, LEVELS, side, side), np.float32)
    np.subtract(place, _LEVELS, out=by_level[1])
    np.abs(by_level[1], out=by_level[1])
    np.maximum(1 - by_level[1], 0, out=by_level[1])
    np.multiply(by_level[1], luma, out=by_level[0])
    across = _cells_of(side)
    shares: Floats = (across.T @ by_level @ across / luma.size).astype(np.float32)
    return shares


def _level_place(luma: Floats) -> Floats:
    """Between which of a grid's luma levels Y lies: 0 is the lowest."""
    place: Floats = np.clip(np.sqrt(np.clip(luma, 0, 1)) * LEVELS - 0.5, 0, LEVELS - 1)
    return place


@cache
def _cells_of(side: int) -> Floats:
    """(side, 16) by how much each of so many places in a row lies in each cell."""
    place = np.clip((np.arange(side) + 0.5) * CELLS / side - 0.5, 0, CELLS - 1)
    distance = np.abs(place[:, np.newaxis] - np.arange(CELLS))
    shares: Floats = np.maximum(0, 1 - distance).astype(np.float32)
    return shares
