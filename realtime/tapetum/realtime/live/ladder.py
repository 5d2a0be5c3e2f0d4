"""The enhancer of a live stream: for each frame the best that is ready and in time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhancer import (
    checked_strength,
)
from tapetum.realtime.errors import DeviceError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.governor import DOWN_SHARE, Governor
from tapetum.realtime.live.grid_stream import GridStream, Kernels, Look
from tapetum.realtime.live.look_pace import LookPace
from tapetum.realtime.live.modes import PASSTHROUGH, START, START_PAUSES_S, efforts, leniency
from tapetum.realtime.live.picture_look import Easing, look_as_grid
from tapetum.realtime.live.rung import Loader, Rung

if TYPE_CHECKING:
    pass

_PREDICTION_LIMIT_MS = 1000 / 3
"""A grid model that answers less often than three times a second is too slow."""
_FAR_TOO_MUCH = 2
"""Times what a frame may cost that say at once, by one measurement, that a model is too slow."""
_STALL_BUDGETS = 4
"""A frame that takes this many budgets is not waited for."""
_CLOSE_TIMEOUT_S = 1.0
_LOADING_S = 2.0
"""A stream begins without its model when that has loaded for so long."""
_NO_EFFECT, _SOME_EFFECT = 0.02, 0.1
"""Shares of the effect up to which a picture is called well lit, and from which no more."""
_DUE_SHARE = 0.9
"""A frame that comes so little too early is made: sources are not exact."""


class Ladder:
    """A `FrameEnhancer` that makes no stream wait, and none dark: modes from the best down.

    Heavy models are loaded, and run, in threads of their own. One gets frames only when it has
    shown on some that nobody waits for that it is quick enough, and again when the picture
    changes its size. Until then, and while it is stuck, the everyday model takes its place, of
    which ever cheaper modes follow: they are as bright, and going from one to another is not seen.

    Attributes:
        governor: what decides on the mode.
        frames_by_mode: frames that each mode made.
        mode: the mode that made the last frame.
        well_lit: whether pictures stay as they are because they are well lit.
    """

    def __init__(
        self,
        everyday: tuple[str, Loader],
        heavy: Mapping[str, Loader] | None = None,
        *,
        strength: float = 1.0,
        denoise: Denoise = "off",
        budget_ms: float = 50.0,
        aim: Aim = ALWAYS,
        replaceable: Collection[str] = (),
        former: Ladder | None = None,
        on_notice: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Begin to load all models.

        Args:
            everyday: name and loader of a grid model, cheap enough for every frame.
            heavy: names and loaders of better models, the best first.
            strength: from 0 to 2.
            denoise: how much noise grid models take out: `auto`, `off`, or from 0 to 1.
            budget_ms: how long a frame may be with us.
            aim: when pictures are made bright, and how bright.
            replaceable: those of `heavy` that are given up, with a notice, where they fail: a GPU
                can go in the middle of a stream.
            former: the stream's ladder before, which gets no more frames. Models that have the
                same loader in both go on as they are, and so does the brightness.
            on_notice: called with a line when a model turns out to be too slow here.

        Raises:
            ValueError: `strength` or `budget_ms` is out of its range.
        """
        heavy = heavy or {}
        self._strength = checked_strength(strength)
        self._everyday, load = everyday
        self._efforts = efforts(self._everyday, restores=denoise != "off")
        self.governor = Governor(
            (*heavy, *self._efforts),
            budget_ms=budget_ms,
            leniency=leniency(f"{self._everyday}-curve"),
        )
        self._start = Governor(
            tuple(START_PAUSES_S),
            budget_ms=budget_ms,
            leniency=leniency(START),
        )
        self.frames_by_mode: Counter[str] = Counter()
        self.mode = START
        self.well_lit = False
        self._on_notice = on_notice
        self._replaceable = frozenset(replaceable)
        self._too_slow: dict[str, float] = {}
        self._lost: dict[str, str] = {}
        self._made_s = time.monotonic()
        self._began_s = 0.0
        stream = GridStream(aim, denoise=denoise) if former is None else former._stream
        self._stream: GridStream = stream
        self._aim = aim
        self._easing = Easing(stream.pace)
        self._last: tuple[Frame, Frame] | None = None
        self._closed = False
        self._handed_over: set[str] = set()
        loaders = {**heavy, self._everyday: load}
        shared = {} if former is None else former._hand_over(loaders)
        # The cheapest first, which is the quickest to be there.
        self._rungs = {
            name: shared.get(name) or Rung(name, loaders[name], restores=denoise != "off")
            for name in reversed(loaders)
        }
        self._tell_aim()

    @property
    def description(self) -> str:
        """All models, like "unet, then unet-reduced, then grid"."""
        return ", then ".join(self.models)

    @property
    def models(self) -> tuple[str, ...]:
        """What a viewer may choose from: the best first."""
        models = self.governor.modes[: self._everyday_index + 1]
        return tuple(name for name in models if name not in self._lost)

    @property
    def pace(self) -> LookPace:
        """How far the brightness may move from frame to frame."""
        return self._stream.pace

    @property
    def is_starting(self) -> bool:
        """Whether no model has made a frame yet."""
        return self.mode in START_PAUSES_S

    @property
    def running(self) -> str:
        """What of the current mode runs where, like "grid on CPU, OpenVINO f32"."""
        if self.mode in self._rungs:
            return self._rungs[self.mode].description
        if self.mode not in self.governor.modes:
            curve = "a simple curve, until a model is there"
            what = "nothing" if self.mode == PASSTHROUGH else curve
            return f"{what} ({self.mode})"
        return f"{self._rungs[self._everyday].description} ({self.mode})"

    @property
    def note(self) -> str:
        """Why the picture is not the best that was asked for, in a person's words, or nothing."""
        wanted = self.governor.wanted
        if self.mode in START_PAUSES_S:
            return "starting"
        if self.mode == PASSTHROUGH:
            return "strength 0: the picture as it is"
        simpler = self.governor.modes.index(self.mode) > self._everyday_index
        if wanted in self._too_slow and self.mode != wanted:
            line = _slow_line(wanted, self._too_slow[wanted], self._running_model)
            return f"{line}, simpler: this machine is busy" if simpler else line
        if simpler:
            return "this machine is busy: simpler picture"
        if self._lost or self.mode == wanted:
            return next(reversed(self._lost.values()), "")
        other = wanted in self._replaceable and self._is_for_cpu
        cpu = "strengths over 1 and a brightness are for the CPU"
        why = cpu if other else f"{wanted} is being prepared"
        return f"{why}; {self.mode} runs"

    @property
    def strength(self) -> float:
        """From 0 (the picture as it is, which no model is asked for) to 1.

        It may be set at any time, by any thread.
        """
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._strength = checked_strength(strength)

    @property
    def aim(self) -> Aim:
        """When pictures are made bright, and how bright.

        It may be set at any time, by any thread; models go on, and the brightness moves smoothly.
        """
        return self._aim

    @aim.setter
    def aim(self, aim: Aim) -> None:
        if aim != self._aim:
            self._aim = aim
            self._tell_aim()

    def wait_for_model(self) -> None:
        """Wait for the everyday model, until 2 s after the ladder was made at most.

        Before a stream begins that is the quickest way to its model: frames take turns with what
        loads, on a busy machine so slowly that neither gets on.

        Raises:
            TapetumError: the model cannot be loaded.
        """
        left_s = max(0.0, self._made_s + _LOADING_S - time.monotonic())
        self._rungs[self._everyday].wait_until_loaded(left_s)

    def skips(self) -> bool:
        """Whether a frame that came just now shall be left out, for want of time.

        Frames that are left out leave time for what loads, for encoders and for other streams:
        each that is made is younger then.
        """
        if self.mode == PASSTHROUGH:
            return False
        if self.mode in START_PAUSES_S:
            pause_s = START_PAUSES_S[self._start.mode]
        else:
            effort = self._efforts.get(self.governor.mode)
            pause_s = 0.0 if effort is None else effort.pause_s
        return time.monotonic() - self._began_s < _DUE_SHARE * pause_s

    def choose_next(self) -> None:
        """Take the next of `models` as the best one from now on, at a viewer's wish."""
        models = self.models
        wanted = models[(models.index(self.governor.wanted) + 1) % len(models)]
        self.governor.choose(wanted)
        self._too_slow.clear()
        self._on_notice(f"{wanted} is wanted" if len(models) > 1 else f"{wanted} is the only model")

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame in the current mode, or in a cheaper one.

        Raises:
            TapetumError: a model cannot be loaded or run.
        """
        self._began_s = time.monotonic()
        enhanced = self._enhanced(frame)
        took_ms = (time.monotonic() - self._began_s) * 1000
        if self.mode in START_PAUSES_S:
            self._start.record(took_ms)
        elif self.mode in self.governor.modes and not self._stream.is_leaving:
            self.governor.record(took_ms, made_by=self.mode, disturbed=self._disturbed)
        self.frames_by_mode[self.mode] += 1
        return enhanced

    def close(self) -> None:
        """End the threads; what is still at work after a second is left to end by itself.

        Models that another ladder took over go on. Calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        own = [rung for name, rung in self._rungs.items() if name not in self._handed_over]
        for rung in own:
            rung.close(0)
        end_s = time.monotonic() + _CLOSE_TIMEOUT_S
        for rung in own:
            rung.close(max(0.0, end_s - time.monotonic()))

    def _tell_aim(self) -> None:
        for rung in self._rungs.values():
            rung.aim = self._aim
        self._stream.change_aim(self._aim)

    def _hand_over(self, loaders: Mapping[str, Loader]) -> dict[str, Rung]:
        rungs = self._rungs.items()
        shared = {name: rung for name, rung in rungs if rung.load == loaders.get(name)}
        self._handed_over |= set(shared)
        return shared

    def _enhanced(self, frame: Frame) -> Frame:
        if self._strength == 0:
            self.mode, self.well_lit = PASSTHROUGH, False
            return frame
        self._stream.look_at(frame)
        kernels = self._rungs[self._everyday].kernels_for(frame)
        if kernels is None:
            self.mode = self._start.mode
            return self._stream.guessed(frame.in_memory, strength=self._strength)
        self._introduce(frame)
        for name in self.governor.modes[: min(self.governor.index, self._everyday_index)]:
            self._rungs[name].forget()  # left for a cheaper one: it has to show itself again
        picture = self._heavy_picture(frame)
        if picture is None:
            return self._by_grid(frame.in_memory, kernels)
        mode = self.mode
        if not self._easing.is_over:
            before = self._by_grid(frame.in_memory, kernels)
            picture = self._easing.mixed(before, picture.in_memory)
            self.mode = mode
        self._last = frame, picture  # what was shown, which others go on from
        return picture

    def _introduce(self, frame: Frame) -> None:
        """Have each model that may be wanted show once what a frame of this size costs here.

        Whatever runs meanwhile: on a busy machine that may be a cheap mode for long, and who waits
        for a model wants to hear soon why it does not come.
        """
        first = self.governor.modes.index(self.governor.wanted)
        for name in reversed(self.governor.modes[first : self._everyday_index]):
            rung = self._rungs[name]
            if name in self._replaceable or name in self._too_slow or rung.proven:
                continue  # a GPU's would build what it runs for each size
            cost_ms = rung.cost_for(frame)
            if cost_ms is None:
                try:
                    if rung.idle:
                        rung.measure(frame, self._stream.scene)
                except TapetumError as error:
                    self._give_up(name, error)
                return  # one after the other
            if cost_ms > _FAR_TOO_MUCH * self._affordable_ms(rung):
                self._too_slow[name] = cost_ms
                self._on_notice(_slow_line(name, cost_ms, self._running_model))

    def _affordable_ms(self, rung: Rung) -> float:
        """What a frame of a model may cost."""
        return _PREDICTION_LIMIT_MS if rung.predicts else DOWN_SHARE * self.governor.budget_ms

    @property
    def _running_model(self) -> str:
        """The model whose pictures are shown now, whatever the effort."""
        return self.mode if self.mode in self._rungs else self._everyday

    def _heavy_picture(self, frame: Frame) -> Frame | None:
        """The frame as the best heavy model that is in time makes it, and `mode` set to it."""
        for name in self._heavy:
            try:
                if self._has_look(name, frame):
                    break
                picture = self._picture_by(name, frame)
            except TapetumError as error:
                self._give_up(name, error)
                continue
            if picture is not None:
                return picture
        if self._last is not None:
            self._continue_from(*self._last)
            self._last = None
            self._easing = Easing(self._stream.pace)
        return None

    def _continue_from(self, before: Frame, after: Frame) -> None:
        """Go over smoothly from what was shown; not where it went with its device."""
        try:
            look = look_as_grid(before.in_memory, after.in_memory)
        except DeviceError:
            return
        self._stream.continue_from(look)

    @property
    def _heavy(self) -> list[str]:
        """The heavy models that may run now, the best first."""
        names = self.governor.modes[self.governor.index : self._everyday_index]
        gone = self._replaceable if self._is_for_cpu else self._lost
        return [name for name in names if name not in gone]

    @property
    def _is_for_cpu(self) -> bool:
        """Whether what is wanted is what only the CPU does."""
        return self._strength > 1 or self._aim.brightness is not None

    def _has_look(self, name: str, frame: Frame) -> bool:
        """Whether a grid model said something of this scene; one that is idle is asked."""
        rung = self._rungs[name]
        idle = rung.idle
        if not rung.predicts:
            return False
        if idle:
            self._ask_for_look(name, rung, frame)
        return self._is_usable(rung)

    def _picture_by(self, name: str, frame: Frame) -> Frame | None:
        """What a model of whole pictures makes of a frame, if it is in time."""
        rung = self._rungs[name]
        if rung.predicts or not rung.idle:
            return None
        picture = self._made_by(name, rung, frame)
        if picture is not None:
            self.mode = name
            self._take_need(rung.needed)
        return picture

    def _give_up(self, name: str, error: TapetumError) -> None:
        """Go on without a model whose device failed: the stream is worth more than it.

        Raises:
            TapetumError: `error`, of a model that nothing stands in for.
        """
        if name not in self._replaceable:
            raise error
        place = self.governor.modes.index
        instead = next(mode for mode in self.models if place(mode) > place(name))
        self._lost[name] = f"{name} is given up: {error}; {instead} runs instead"
        if place(self.governor.wanted) <= place(name):
            self.governor.choose(instead)
        self._on_notice(self._lost[name])

    def _by_grid(self, frame: Frame, kernels: Kernels) -> Frame:
        """Apply the grid of the best grid model that is in time, and set `mode` to it."""
        now_s = time.monotonic()
        look = self._heavy_look()
        effort_name = self.governor.modes[max(self.governor.index, self._everyday_index)]
        effort = self._efforts[effort_name]
        self.mode = effort_name if look is None else look.name
        if look is None and self._stream.is_due(self._everyday, effort, now_s):
            look = self._rungs[self._everyday].predict(frame)
        if look is not None:
            self._stream.take(look, now_s)
            self._take_need(look.needed)
        if effort.restores and not self._rungs[self._everyday].restores(frame):
            effort = replace(effort, restores=False)
        return self._stream.enhanced(frame, effort=effort, strength=self._strength, kernels=kernels)

    def _take_need(self, needed: float) -> None:
        self.well_lit = stays_well_lit(self.well_lit, needed)

    def _heavy_look(self) -> Look | None:
        """What the best heavy grid model that is in time said of this scene."""
        for name in self._heavy:
            rung = self._rungs[name]
            if rung.predicts and self._is_usable(rung):
                return rung.look
        return None

    def _is_usable(self, rung: Rung) -> bool:
        return rung.proven and rung.scene == self._stream.scene

    def _ask_for_look(self, name: str, rung: Rung, frame: Frame) -> None:
        if self._proven(name, rung, frame, _PREDICTION_LIMIT_MS, _PREDICTION_LIMIT_MS):
            new_scene = rung.scene != self._stream.scene
            if new_scene or rung.age_s >= _PREDICTION_LIMIT_MS / 1000:
                rung.try_out(frame, self._stream.scene)

    def _made_by(self, name: str, rung: Rung, frame: Frame) -> Frame | None:
        """What a model makes of the frame; None if it may not have it, or does not answer."""
        if rung.is_outdated(frame):
            rung.forget()  # shown on another size: the everyday model goes on meanwhile
        hopeless_ms = 1000 * self._timeout_s
        if not self._proven(name, rung, frame, self.governor.limit_ms, hopeless_ms):
            return None
        enhanced = rung.ask(frame, self._strength, self._timeout_s)
        if enhanced is None:
            self._reject(name, rung, hopeless_ms)
        return enhanced

    def _proven(
        self, name: str, rung: Rung, frame: Frame, limit_ms: float, hopeless_ms: float
    ) -> bool:
        """Whether a model is in use; the wanted one may have the frame to show its speed."""
        if rung.proven:
            return True
        if rung.is_hopeless(frame, hopeless_ms):
            self._reject(name, rung, rung.cost_for(frame) or 0.0)
            return False
        if rung.took_ms is None:
            # A grid model's frames wait for nobody: one may stand in for a better model that loads.
            if name == self.governor.mode or rung.predicts:
                rung.try_out(frame, self._stream.scene)
            return False
        verdict = rung.judge(limit_ms)
        if verdict == "too slow":
            self._reject(name, rung, rung.cost_for(frame) or 0.0)
        elif verdict == "quick":
            self._too_slow.pop(name, None)
            if name == self.governor.mode:
                self.governor.begin()
        return verdict == "quick"

    def _reject(self, name: str, rung: Rung, cost_ms: float) -> None:
        rung.forget()
        if name != self.governor.mode:
            return
        self.governor.stall()
        if name not in self._too_slow:
            self._on_notice(_slow_line(name, cost_ms, self._running_model))
        self._too_slow[name] = cost_ms

    @property
    def _disturbed(self) -> bool:
        """Whether a better model than the one that made the frame is at work beside it."""
        better = self.governor.modes[: self.governor.modes.index(self.mode)]
        return any(self._rungs[name].busy for name in better if name in self._rungs)

    @property
    def _everyday_index(self) -> int:
        return self.governor.modes.index(self._everyday)

    @property
    def _timeout_s(self) -> float:
        return _STALL_BUDGETS * self.governor.budget_ms / 1000


def stays_well_lit(before: bool, needed: float) -> bool:
    """Whether a picture is to be called well lit; what is near the limit stays what it was.

    Args:
        before: whether the one before was.
        needed: share of the model's effect that it needs, 0 to 1.
    """
    return needed <= (_SOME_EFFECT if before else _NO_EFFECT)


def _slow_line(model: str, cost_ms: float, mode: str) -> str:
    return f"{model} needs about {float(f'{cost_ms:.2g}'):.0f} ms a frame here; {mode} runs"
