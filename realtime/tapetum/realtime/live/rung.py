"""One mode of a ladder: an enhancer that is loaded, and runs, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from tapetum.realtime.background import Background
from tapetum.realtime.frame import Frame
from tapetum.realtime.protocols import FrameEnhancer
from tapetum.realtime.synthetic_source import SyntheticSource

Verdict = Literal["quick", "too slow", "unclear"]

_TRIALS = 3

Loader = Callable[[], FrameEnhancer]

_LOADING = threading.Lock()
"""Models load one after the other. OpenVINO's Python module deadlocks when two threads are the
first to run a network in a process: its one-time set-up gives Python's lock away and back."""


class Rung:
    """One mode: an enhancer that is loaded and runs in the background.

    Attributes:
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
        self._load = load
        self._enhancer: FrameEnhancer | None = None
        self._compiled = False
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

    def judge(self, budget_ms: float, *, hopeless_ms: float) -> Verdict:
        """Judge the frame that it was tried out with; a quick one makes it `proven`.

        On a busy machine one frame may be slow by chance: there are several trials, unless one
        took longer than `hopeless_ms`.
        """
        took_ms, self.took_ms = self.took_ms or 0.0, None
        self.proven = took_ms <= budget_ms
        if self.proven:
            return "quick"
        self._slow_trials += 1
        return "too slow" if took_ms > hopeless_ms or self._slow_trials >= _TRIALS else "unclear"

    def forget(self) -> None:
        """Take what is known of its speed for outdated."""
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
            enhancer = self._load()
            _use_once(enhancer)
        self._enhancer = enhancer

        def enhance(question: tuple[Frame, float]) -> Frame:
            frame, enhancer.strength = question
            began_s = time.monotonic()
            enhanced = enhancer(frame)
            if self._compiled:
                self.took_ms = (time.monotonic() - began_s) * 1000
            self._compiled = True  # for frames of this size, by the first one
            return enhanced

        return enhance


def _use_once(enhancer: FrameEnhancer) -> None:
    (frame,) = SyntheticSource(64, 64, frames=1)
    enhancer(frame)
    enhancer.reset()
