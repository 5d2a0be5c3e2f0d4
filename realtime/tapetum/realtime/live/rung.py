"""A model of a ladder: it loads, and runs, in a thread of its own, and shows how quick it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.background import Background
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.global_curve import apply_curve
from tapetum.realtime.live.governor import LONGEST_PATIENCE_S
from tapetum.realtime.live.grid_stream import Kernels, Look
from tapetum.realtime.live.live_device import TakesAnyMemory
from tapetum.realtime.protocols import (
    AimingEnhancer,
    FrameEnhancer,
    SizingEnhancer,
    SparingEnhancer,
)
from tapetum.realtime.synthetic_source import SyntheticSource

if TYPE_CHECKING:
    from tapetum.realtime.cpu.grid_enhancer import GridEnhancer

Verdict = Literal["quick", "too slow", "unclear"]

_TRIALS = 3
_SMALL_PIXELS = 320 * 180
_FAR_MORE = 1.5
"""What small pictures cost says of larger ones that they cost as much a pixel, within this."""
_BELIEVED_S = LONGEST_PATIENCE_S
"""How long what a model cost is taken for what it costs."""

Size = tuple[int, int]
Loader = Callable[[], FrameEnhancer]

_LOADING = threading.Lock()
"""Models load one after the other. OpenVINO's Python module deadlocks when two threads are the
first to run a network in a process: its one-time set-up gives Python's lock away and back."""


class Rung:
    """One model: an enhancer that is loaded and runs in the background.

    A grid model only predicts there; its grids are applied by the stream's `GridStream`. Any
    other makes whole pictures.

    Attributes:
        load: makes the enhancer.
        proven: whether it has shown that it is quick enough.
        took_ms: how long its last frame took; None before there was one that counts.
        look: what a grid model said last.
        scene: of which scene it said that.
        needed: share of its effect that its last whole picture needed.
        aim: when it makes pictures bright, and how bright; may be set at any time.
    """

    def __init__(
        self, name: str, load: Loader, *, aim: Aim = ALWAYS, restores: bool = False
    ) -> None:
        """Begin to load.

        Args:
            name: of the model.
            load: makes the enhancer; called in the thread.
            aim: when it makes pictures bright, and how bright.
            restores: whether the stream takes noise out. What does it compiles for some seconds,
                in a thread of its own: a picture need not wait for it.
        """
        self._restorable: set[np.dtype[np.uint8] | np.dtype[np.uint16]] = set()
        self._restoring: Background[_Question, Frame] | None = None
        if restores:
            self._restoring = Background(lambda: self._made_restoring, patient=True)
        self.proven = False
        self.took_ms: float | None = None
        self.load = load
        self.aim = aim
        self.look: Look | None = None
        self.scene = -1
        self.needed = 1.0
        self._asked_s = 0.0
        self._name = name
        self._enhancer: FrameEnhancer | None = None
        self._grid: GridEnhancer | None = None
        self._kernels: Kernels | None = None
        self._compiled: set[np.dtype[np.uint8] | np.dtype[np.uint16]] = set()
        self._compiled_for: Size | None = None
        self._cost: _Cost | None = None
        self._slow_trials = 0
        self._background: Background[_Question, Frame] = Background(self._made)

    @property
    def description(self) -> str:
        """What of it runs where."""
        return "a model that loads" if self._enhancer is None else self._enhancer.description

    @property
    def predicts(self) -> bool:
        """Whether it is a grid model, as far as that is known."""
        return self._grid is not None

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

    def cost_for(self, frame: Frame) -> float | None:
        """What a frame of this size costs, in milliseconds, by the last one that counts, if any.

        Whole pictures cost by their pixels; a grid is predicted from a thumbnail.
        """
        cost = self._cost
        if cost is None:
            return None
        return cost.took_ms if self.predicts else cost.took_ms * _pixels(frame) / cost.pixels

    @property
    def age_s(self) -> float:
        """How long ago it was last given a frame that nobody waited for."""
        return time.monotonic() - self._asked_s

    def wait_until_loaded(self, timeout_s: float) -> None:
        """Wait so long for the model.

        Raises:
            TapetumError: it cannot be loaded.
        """
        self._background.wait_until_made(timeout_s)

    def kernels_for(self, frame: Frame) -> Kernels | None:
        """What applies the grids of a grid model, once it is compiled for such frames.

        Raises:
            TapetumError: the model cannot be loaded, or failed.
        """
        if frame.planes[0].dtype in self._compiled:
            return self._kernels
        if self.idle:
            self._background.ask(_Question(frame.in_memory, 1.0, -1), 0)
        return None

    def restores(self, frame: Frame) -> bool:
        """Whether what takes noise out is compiled for such frames; else it begins to be.

        Raises:
            BaseException: what it raised.
        """
        if self._restoring is None or self._kernels is None:
            return False
        if frame.planes[0].dtype in self._restorable:
            return True
        if self._restoring.idle:
            self._restoring.ask(_Question(frame, 1.0, -1), 0)
        return False

    def _made_restoring(self, question: _Question) -> Frame:
        from tapetum.realtime.cpu.restoring import warm_up

        warm_up(question.frame)
        self._restorable.add(question.frame.planes[0].dtype)
        return question.frame

    def predict(self, frame: Frame) -> Look:
        """What a grid model that is `idle` says of a frame, in the caller's thread.

        Raises:
            EngineError: the network fails or gives no usable numbers.
        """
        if self._grid is None or self._kernels is None:
            raise RuntimeError(f"{self._name} is no grid model, or not loaded")
        small = self._kernels.thumbnail(frame)
        self._grid.aim = self.aim
        grid = self._grid.aimed_grid(small)  # the stream smooths by itself, over several models
        return Look(self._name, grid, small, self._grid.most_needed())

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

        Or one of another size so much that this one would cost far more. This outlives
        `forget`: trying again would make other modes late to learn the same.
        """
        cost = self._cost
        if cost is None or time.monotonic() - cost.measured_s >= _BELIEVED_S:
            return False
        if cost.size == _size(frame):
            return cost.work_ms > hopeless_ms
        if self.predicts:
            return False
        return cost.work_ms * _pixels(frame) / cost.pixels > _FAR_MORE * hopeless_ms

    def is_outdated(self, frame: Frame) -> bool:
        """Whether what it has shown, if anything, was on frames of another size than this."""
        shown = self.proven or self.took_ms is not None
        return shown and self._cost is not None and self._cost.size != _size(frame)

    def forget(self) -> None:
        """Take how long its frames take for outdated: it has to show itself again."""
        self.proven, self.took_ms, self._slow_trials = False, None, 0

    def measure(self, frame: Frame, scene: int) -> None:
        """Have it show what a frame of this size costs.

        By small pictures where it makes whole ones: a frame of a heavy model can take seconds, in
        which nothing else gets on.
        """
        if not self.predicts:
            shrink = max(1.0, (_pixels(frame) / _SMALL_PIXELS) ** 0.5)
            width, height = (max(64, round(side / shrink / 2) * 2) for side in _size(frame))
            (frame,) = SyntheticSource(width, height, frames=1)
        self.try_out(frame, scene)

    def try_out(self, frame: Frame, scene: int) -> None:
        """Give it a frame whose answer nobody waits for."""
        self._asked_s = time.monotonic()
        self._background.ask(_Question(frame, 1.0, scene), 0)

    def ask(self, frame: Frame, strength: float, timeout_s: float) -> Frame | None:
        """Have one picture made; None if there is no answer in time.

        Raises:
            TapetumError: the model failed.
        """
        return self._background.ask(_Question(frame, strength, -1), timeout_s)

    def close(self, timeout_s: float) -> None:
        """End the thread when its work is done; wait so long for it at most."""
        self._background.close(timeout_s)
        if self._restoring is not None:
            self._restoring.close(timeout_s)

    def _made(self) -> Callable[[_Question], Frame]:
        with _LOADING:
            enhancer = self.load()
            self._begin_with(enhancer)
            if not (isinstance(enhancer, SizingEnhancer) and enhancer.compiles_by_size):
                (frame,) = SyntheticSource(64, 64, frames=1)
                self._work(enhancer, _Question(frame, 1.0, -1))
        self._enhancer = enhancer
        return lambda question: self._timed(enhancer, question)

    def _begin_with(self, enhancer: FrameEnhancer) -> None:
        from tapetum.realtime.cpu.grid_enhancer import GridEnhancer

        if isinstance(enhancer, GridEnhancer):
            self._kernels, self._grid = _load_kernels(), enhancer

    def _timed(self, enhancer: FrameEnhancer, question: _Question) -> Frame:
        began_s, work_began_s = time.monotonic(), time.process_time()
        enhanced = self._work(enhancer, question)
        took_ms = 1000 * (time.monotonic() - began_s)
        work_ms = 1000 * (time.process_time() - work_began_s)
        size = _size(question.frame)
        if size == self._compiled_for:  # by the first frame of this size
            self._cost = _Cost(size, min(took_ms, work_ms), took_ms, time.monotonic())
            self.took_ms = took_ms
        self._compiled_for = size
        return enhanced

    def _work(self, enhancer: FrameEnhancer, question: _Question) -> Frame:
        frame = question.frame
        if not isinstance(enhancer, TakesAnyMemory):
            frame = frame.in_memory
        if self._grid is None:
            enhancer.strength = question.strength
            if isinstance(enhancer, AimingEnhancer):
                enhancer.aim = self.aim
            enhanced = enhancer(frame)
            if isinstance(enhancer, SparingEnhancer):
                self.needed = enhancer.most_needed()
            return enhanced
        self.look = look = self.predict(frame)
        self.scene = question.scene
        if self._kernels is not None and frame.planes[0].dtype not in self._compiled:
            _compile(self._kernels, frame, look)
            self._compiled.add(frame.planes[0].dtype)
        return frame


@dataclass(frozen=True, slots=True)
class _Question:
    frame: Frame
    strength: float
    scene: int


@dataclass(frozen=True, slots=True)
class _Cost:
    """What one frame cost.

    Attributes:
        size: width and height of the frame.
        work_ms: how long it took, or the processor time of the process meanwhile if that is less:
            a process that was suspended, or kept waiting by others, says nothing of the model.
        took_ms: how long it took.
        measured_s: when, on a clock that never runs backward.
    """

    size: Size
    work_ms: float
    took_ms: float
    measured_s: float

    @property
    def pixels(self) -> int:
        """Of the frame."""
        return self.size[0] * self.size[1]


def _pixels(frame: Frame) -> int:
    return frame.width * frame.height


def _size(frame: Frame) -> Size:
    return frame.width, frame.height


def _load_kernels() -> Kernels:
    from tapetum.realtime.cpu.grid_kernels import apply_grid
    from tapetum.realtime.cpu.grid_tables import GridTables
    from tapetum.realtime.cpu.look_up import look_up
    from tapetum.realtime.cpu.restoring import Restorer
    from tapetum.realtime.cpu.thumbnail import thumbnail

    return Kernels(thumbnail, apply_grid, look_up, partial(Restorer, sparing=True), GridTables)


def _compile(kernels: Kernels, frame: Frame, look: Look) -> None:
    """Use every kernel once on a frame: the first use compiles it."""
    kernels.apply_grid(frame, look.grid)
    apply_curve(frame, look.grid, kernels.look_up)
