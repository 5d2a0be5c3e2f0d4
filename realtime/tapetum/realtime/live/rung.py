"""One mode of a ladder: an enhancer that is loaded, and runs, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tapetum.realtime.background import Background
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.governor import LONGEST_PATIENCE_S
from tapetum.realtime.protocols import FrameEnhancer
from tapetum.realtime.synthetic_source import SyntheticSource

Verdict = Literal["quick", "too slow", "unclear"]

_TRIALS = 3
_BELIEVED_S = LONGEST_PATIENCE_S
"""How long what a mode cost is taken for what it costs."""

Size = tuple[int, int]
Loader = Callable[[], FrameEnhancer]

_LOADING = threading.Lock()
"""Models load one after the other. OpenVINO's Python module deadlocks when two threads are the
first to run a network in a process: its one-time set-up gives Python's lock away and back."""


class Rung:
    """One mode: an enhancer that is loaded and runs in the background.

    Attributes:
        load: makes the enhancer.
        proven: whether it has shown that it is quick enough.
        took_ms: how long its last frame took; None before there was one that counts.
    """

    def __init__(self, load: Loader) -> None:
        """Begin to load.

        Args:
            load: makes the enhancer; called in the thread.
        """
        self.proven = False
        self.took_ms: float | None = None
        self.load = load
        self._enhancer: FrameEnhancer | None = None
        self._compiled_for: Size | None = None
        self._cost: _Cost | None = None
        self._slow_trials = 0
        self._background: Background[tuple[Frame, float], Frame] = Background(self._made)

    @property
    def description(self) -> str:
        """What of it runs where."""
        return "a model that loads" if self._enhancer is None else self._enhancer.description

    @property
    def idle(self) -> bool:
        """Whether it is loaded, and at work on nothing.

        Raises:
            TapetumError: the model cannot be loaded, or failed.
        """
        return self._background.idle

    @property
    def busy(self) -> bool:
        """Whether it loads, or is at work on a frame."""
        return self._background.busy

    def judge(self, limit_ms: float) -> Verdict:
        """Judge the frame that it was tried out with; a quick one makes it `proven`.

        On a busy machine one frame may be slow by chance: there are several trials.
        """
        took_ms, self.took_ms = self.took_ms or 0.0, None
        self.proven = took_ms <= limit_ms
        if self.proven:
            return "quick"
        self._slow_trials += 1
        return "too slow" if self._slow_trials >= _TRIALS else "unclear"

    def is_hopeless(self, frame: Frame, hopeless_ms: float) -> bool:
        """Whether a frame of this size cost more than `hopeless_ms` not long ago.

        This outlives `forget`: trying again would make other modes late to learn the same.
        """
        cost = self._cost
        return (
            cost is not None
            and cost.size == _size(frame)
            and cost.work_ms > hopeless_ms
            and time.monotonic() - cost.measured_s < _BELIEVED_S
        )

    def is_outdated(self, frame: Frame) -> bool:
        """Whether what it has shown, if anything, was on frames of another size than this."""
        shown = self.proven or self.took_ms is not None
        return shown and self._cost is not None and self._cost.size != _size(frame)

    def forget(self) -> None:
        """Take how long its frames take for outdated: it has to show itself again."""
        self.proven, self.took_ms, self._slow_trials = False, None, 0

    def try_out(self, frame: Frame) -> None:
        """Give it a frame whose answer nobody waits for."""
        self._background.ask((frame, 1.0), 0)

    def ask(self, frame: Frame, strength: float, timeout_s: float) -> Frame | None:
        """Enhance one frame; None if there is no answer in time.

        Raises:
            TapetumError: the model failed.
        """
        return self._background.ask((frame, strength), timeout_s)

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        if self._enhancer is not None:
            self._enhancer.reset()

    def close(self, timeout_s: float) -> None:
        """End the thread when its work is done; wait so long for it at most."""
        self._background.close(timeout_s)

    def _made(self) -> Callable[[tuple[Frame, float]], Frame]:
        with _LOADING:
            enhancer = self.load()
            _use_once(enhancer)
        self._enhancer = enhancer

        def enhance(question: tuple[Frame, float]) -> Frame:
            frame, enhancer.strength = question
            began_s, work_began_s = time.monotonic(), time.process_time()
            enhanced = enhancer(frame)
            size = _size(frame)
            if size == self._compiled_for:  # by the first frame of this size
                self._note(size, time.monotonic() - began_s, time.process_time() - work_began_s)
            self._compiled_for = size
            return enhanced

        return enhance

    def _note(self, size: Size, took_s: float, processor_s: float) -> None:
        self._cost = _Cost(size, 1000 * min(took_s, processor_s), time.monotonic())
        self.took_ms = 1000 * took_s


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one frame cost.

    Attributes:
        size: width and height of the frame.
        work_ms: how long it took, or the processor time of the process meanwhile if that is less:
            a process that was suspended, or kept waiting by others, says nothing of the mode.
        measured_s: when, on a clock that never runs backward.
    """

    size: Size
    work_ms: float
    measured_s: float


def _size(frame: Frame) -> Size:
    return frame.width, frame.height


def _use_once(enhancer: FrameEnhancer) -> None:
    (frame,) = SyntheticSource(64, 64, frames=1)
    enhancer(frame)
    enhancer.reset()
