"""Decides how much is done for each frame, so that enhancing never makes a live picture late.

A state machine over modes from the best to the cheapest, with no thread and no clock of its own.
It looks at how long enhancing itself takes, which says how much of a processor there is for it:
lateness that comes from elsewhere, as from a slow camera or a disk that is stuck, is not cured by
a simpler picture. It steps down before the 95th percentile of that time passes the budget, and
up again after it has been short for a while. A step up that did not last makes the next one to
that mode wait twice as long, so that a machine at its limit does not flicker between two modes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

DOWN_SHARE = 0.8
"""Part of the budget that makes the governor step down: before it is late, not after."""
UP_SHARE = 0.5
"""Part of the budget under which a better mode may be tried."""
WINDOW_S = 1.0
"""Frames of this last time are judged, and the last two however slowly they come."""
_SURELY_LATE = 2
"""So many late frames put the 95th percentile of 20 over the limit whatever the others take: there
is nothing to wait for. One alone is chance, or the moment in which the machine slept."""
_ENOUGH_FRAMES = 20
_ENOUGH_S = 1.0
"""A mode that something disturbs is judged after so many frames, or after this time."""
LONGEST_BUDGET_MS = 60_000
"""Longer ones are no time that a live picture may take, but a slip of the pen."""
FIRST_PATIENCE_S = 3.0
LONGEST_PATIENCE_S = 60.0
"""How long all must be well before a step up: at first, and after steps that did not last."""


class Governor:
    """The mode that a live stream runs in.

    Attributes:
        modes: names, from the best to the cheapest; fewer where one was removed.
        budget_ms: the time that a frame may take with us.
        index: of the current mode in `modes`.
    """

    def __init__(
        self,
        modes: Sequence[str],
        *,
        budget_ms: float = 50.0,
        leniency: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start in the best mode.

        Args:
            modes: at least one name, from the best to the cheapest.
            budget_ms: over 0, up to `LONGEST_BUDGET_MS`.
            leniency: how many budgets a frame of a mode may take, where that is not one.
            clock: seconds that never run backward.

        Raises:
            ValueError: there is no mode, or no budget.
        """
        if not modes:
            raise ValueError("a governor needs at least one mode")
        if not 0 < budget_ms <= LONGEST_BUDGET_MS:
            raise ValueError(
                f"a latency budget is over 0 and up to {LONGEST_BUDGET_MS} ms; got {budget_ms:g}"
            )
        self.modes = tuple(modes)
        self.budget_ms = budget_ms
        self._leniency = leniency or {}
        self.index = 0
        self._best = 0
        self._clock = clock
        self._forget_attempts()
        self._enter(0)

    @property
    def mode(self) -> str:
        """The name of the current mode."""
        return self.modes[self.index]

    @property
    def wanted(self) -> str:
        """The name of the best mode, which is taken as soon as it can be."""
        return self.modes[self._best]

    @property
    def limit_ms(self) -> float:
        """The current mode is left when its frames take longer than this."""
        return DOWN_SHARE * self._allowed_ms

    def record(
        self, took_ms: float, *, made_by: str | None = None, disturbed: bool = False
    ) -> None:
        """Take note of one frame, and step if need be.

        Args:
            took_ms: how long enhancing it took, waiting for a processor included.
            made_by: a cheaper mode that stands in for the current one. Where that one is late,
                preparing the better one takes too much, and the current mode becomes the cheaper.
            disturbed: whether a better mode was at work beside it. That may have made it late and
                passes, so the mode is not left before there are enough frames.

        Raises:
            ValueError: there is no such mode.
        """
        stand_in = self.index if made_by is None else self._place(made_by)
        now_s = self._clock()
        self._latencies.append((now_s, took_ms))
        while len(self._latencies) > _SURELY_LATE and self._latencies[0][0] < now_s - WINDOW_S:
            self._latencies.popleft()
        p95_ms = percentile_95(latency for _, latency in self._latencies)
        if p95_ms > UP_SHARE * self._allowed_ms:
            self._well_since_s = now_s
        if p95_ms > self.limit_ms:
            if not self._maybe_chance() and (self._enough(now_s) or not disturbed):
                self._step_down(now_s, max(self.index + 1, stand_in))
        elif stand_in == self.index > self._best:
            better = self.index - 1
            if now_s - self._well_since_s >= self._patience_s[better]:
                self._rose_at_s[better] = now_s
                self._enter(better)

    def begin(self) -> None:
        """Take note that the current mode makes the frames from now on, after a preparation."""
        self._enter(self.index)

    def stall(self) -> None:
        """Take note that the current mode is too slow, without waiting for more frames of it."""
        self._step_down(self._clock(), self.index + 1)

    def may_rise_to(self, mode: str) -> bool:
        """Whether a better mode may be tried now, however late the current one is.

        For modes that need another processor; as long after it was left as any other, and none
        that is better than the one that is wanted.
        """
        place = self._place(mode)
        rested = self._clock() - self._left_at_s[place] >= self._patience_s[place]
        return rested and place >= self._best

    def rise_to(self, mode: str) -> None:
        """Take a better mode, which has shown that it is quick enough."""
        place = self._place(mode)
        self._rose_at_s[place] = self._clock()
        self._enter(place)

    def refuse(self, mode: str) -> None:
        """Take note that another mode than the current one was tried, and is too slow."""
        place = self._place(mode)
        self._left_at_s[place] = self._clock()
        self._patience_s[place] = min(2 * self._patience_s[place], LONGEST_PATIENCE_S)

    def remove(self, mode: str) -> None:
        """Do without a mode from now on, which is not the last; the next one takes its place.

        Raises:
            ValueError: there is no such mode.
        """
        place = self._place(mode)
        # Places first: other threads read them, and find none behind the last mode.
        self._best -= self._best > place
        if self.index == place:
            self._enter(place)
        self.index -= self.index > place
        self.modes = (*self.modes[:place], *self.modes[place + 1 :])
        for times in (self._patience_s, self._rose_at_s, self._left_at_s):
            del times[place]

    def choose(self, mode: str) -> None:
        """Take `mode` as the best one from now on, at a user's wish, and start in it.

        Raises:
            ValueError: there is no such mode.
        """
        self._best = self._place(mode)
        self._forget_attempts()
        self._enter(self._best)

    @property
    def _allowed_ms(self) -> float:
        return self._leniency.get(self.mode, 1.0) * self.budget_ms

    def _place(self, mode: str) -> int:
        if mode not in self.modes:
            raise ValueError(f"{mode} is no mode: choose from {', '.join(self.modes)}")
        return self.modes.index(mode)

    def _forget_attempts(self) -> None:
        """For each mode: how long all must be well before it is tried, and when it last was."""
        self._patience_s = [FIRST_PATIENCE_S for _ in self.modes]
        self._rose_at_s: list[float | None] = [None for _ in self.modes]
        self._left_at_s = [-math.inf for _ in self.modes]

    def _enough(self, now_s: float) -> bool:
        return len(self._latencies) >= _ENOUGH_FRAMES or now_s - self._entered_s >= _ENOUGH_S

    def _maybe_chance(self) -> bool:
        """Whether the frames to come may still show that the mode is quick enough."""
        late = sum(latency_ms > self.limit_ms for _, latency_ms in self._latencies)
        return late < _SURELY_LATE

    def _step_down(self, now_s: float, index: int) -> None:
        if self.index == len(self.modes) - 1:
            return
        rose_at_s, self._rose_at_s[self.index] = self._rose_at_s[self.index], None
        self._left_at_s[self.index] = now_s
        if rose_at_s is not None:
            lasted = now_s - rose_at_s > LONGEST_PATIENCE_S
            longer_s = min(2 * self._patience_s[self.index], LONGEST_PATIENCE_S)
            self._patience_s[self.index] = FIRST_PATIENCE_S if lasted else longer_s
        self._enter(index)

    def _enter(self, index: int) -> None:
        self.index = index
        self._entered_s = self._well_since_s = self._clock()
        self._latencies: deque[tuple[float, float]] = deque()


def percentile_95(values: Iterable[float]) -> float:
    """The nearest-rank 95th percentile of at least one value."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]
