"""The enhancer of a live stream: for each frame the best that is ready and in time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from tapetum.realtime.aim import ALWAYS, Aim
from tapetum.realtime.choices import Denoise
from tapetum.realtime.enhancer import (
    checked_strength,
)
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.better_models import Asked, BetterModels, Made, slow_line
from tapetum.realtime.live.governor import Governor
from tapetum.realtime.live.grid_stream import GridStream, Kernels
from tapetum.realtime.live.look_pace import LookPace
from tapetum.realtime.live.modes import (
    CURVE,
    CURVES,
    PASSTHROUGH,
    START,
    START_PAUSES_S,
    efforts,
    leniency,
)
from tapetum.realtime.live.picture_look import Easing, look_as_grid
from tapetum.realtime.live.rung import Loader, Rung

_CLOSE_TIMEOUT_S = 1.0
_LOADING_S = 2.0
"""A stream begins without its model when that has loaded for so long."""
_NO_EFFECT, _SOME_EFFECT = 0.02, 0.1
"""Shares of the effect up to which a picture is called well lit, and from which no more."""
_DUE_SHARE = 0.9
"""A frame that comes so little too early is made: sources are not exact."""


class Ladder:
    """A `FrameEnhancer` that makes no stream wait, and none dark: modes from the best down.

    Better models are loaded, and run, in threads of their own (`BetterModels`). One gets frames
    only when it has shown on some that nobody waits for that it is quick enough, and again when the
    picture changes its size. Until then, and while it is stuck, the next one takes its place, and
    at last the everyday model, of which ever cheaper modes follow. They are of one brightness, and
    from one model to another it moves by steps that are not seen.

    Attributes:
        governor: what decides on the mode.
        frames_by_mode: frames that each mode made.
        mode: the mode that made the last frame.
        well_lit: whether pictures stay as they are because they are well lit.
    """

    def __init__(
        self,
        everyday: tuple[str, Loader | None],
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
            everyday: name and loader of a grid model, cheap enough for every frame; None for a
                curve that luma suggests, where nothing runs models on the CPU.
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
        restores = denoise != "off"
        self._strength = checked_strength(strength)
        self._everyday, load = everyday
        by_model = load is not None
        self._efforts = efforts(self._everyday, restores=restores) if by_model else CURVES
        self.governor = Governor(
            (*heavy, *self._efforts),
            budget_ms=budget_ms,
            leniency=leniency(f"{self._everyday}-curve" if by_model else CURVE),
        )
        self._start = Governor(
            tuple(START_PAUSES_S),
            budget_ms=budget_ms,
            leniency=leniency(START),
        )
        self.frames_by_mode: Counter[str] = Counter()
        self.mode = START
        self.well_lit = False
        self._is_hdr = False
        self._on_notice = on_notice
        self._made_s = time.monotonic()
        self._began_s = 0.0
        stream = GridStream(aim, denoise=denoise) if former is None else former._stream
        self._stream: GridStream = stream
        self._aim = aim
        self._easing = Easing(stream.pace)
        self._last: _Shown | None = None
        self._closed = False
        self._handed_over: set[str] = set()
        loaders = {**heavy} if load is None else {**heavy, self._everyday: load}
        shared = {} if former is None else former._hand_over(loaders)
        # The cheapest first, which is the quickest to be there.
        self._rungs = {
            name: shared.get(name) or Rung(name, loaders[name], restores=restores)
            for name in reversed(loaders)
        }
        self._better = BetterModels(
            {name: self._rungs[name] for name in heavy},
            self.governor,
            replaceable=replaceable,
            on_notice=on_notice,
        )
        self._tell_aim()

    @property
    def description(self) -> str:
        """All models, like "unet, then unet-reduced, then grid"."""
        return ", then ".join(self.models)

    @property
    def models(self) -> tuple[str, ...]:
        """What a viewer may choose from: the best first."""
        return self.governor.modes[: self._everyday_index + 1]

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
        if self.mode == PASSTHROUGH:
            what = "nothing"
        elif self.mode in START_PAUSES_S:
            what = "a simple curve, until a model is there"
        elif self._everyday in self._rungs:
            what = self._rungs[self._everyday].description
        else:
            what = "a simple curve"
        return f"{what} ({self.mode})"

    @property
    def note(self) -> str:
        """Why the picture is not the best that was asked for, in a person's words, or nothing."""
        wanted = self.governor.wanted
        if self.mode in START_PAUSES_S:
            return "starting"
        if self.mode == PASSTHROUGH:
            return "strength 0: the picture as it is"
        better = self._better
        simpler = self.mode in self._efforts and self.mode != self._everyday
        if wanted in better.too_slow and self.mode != wanted:
            line = slow_line(wanted, better.too_slow[wanted], self._running_model)
            return f"{line}, simpler: this machine is busy" if simpler else line
        if simpler:
            return "this machine is busy: simpler picture"
        if better.lost or self.mode == wanted:
            return better.lost
        if better.is_on_gpu(wanted) and self._is_hdr:
            why = "HDR is for the CPU"
        elif self.governor.mode != wanted:
            why = f"{wanted} would be late now"
        else:
            why = f"{wanted} is being prepared"
        return f"{why}; {self.mode} runs"

    @property
    def strength(self) -> float:
        """From 0 (the picture as it is, which no model is asked for) to 2.

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
        if self._everyday in self._rungs:
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
        self._better.too_slow.clear()
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
            self.governor.record(
                took_ms, made_by=self.mode, disturbed=self._better.is_busy_above(self.mode)
            )
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
        self._is_hdr = frame.color.is_hdr
        self._stream.look_at(frame)
        kernels = None
        if self._everyday in self._rungs:
            kernels = self._rungs[self._everyday].kernels_for(frame)
            if kernels is None:
                self.mode = self._start.mode
                return self._stream.guessed(frame.in_memory, strength=self._strength)
        asked = Asked(frame, self._stream.scene, self._strength, self._running_model)
        self._better.prepare(asked)
        made = self._better.picture(asked)
        if self._last is not None and (made is None or made.name != self._last.name):
            self._continue_from(self._last)
            self._last = None
        return (
            self._by_everyday(asked, kernels)
            if made is None
            else self._goes_on(made, asked, kernels)
        )

    def _goes_on(self, made: Made, asked: Asked, kernels: Kernels | None) -> Frame:
        """The picture of a better model, or one on the way to it from what was shown before."""
        picture = made.picture
        if not self._easing.is_over:
            before = self._by_everyday(asked, kernels)
            picture = self._easing.mixed(before, picture.in_memory)
        self.mode = made.name
        self._take_need(made.needed)
        self._last = _Shown(made.name, asked.frame, picture)
        return picture

    def _continue_from(self, last: _Shown) -> None:
        """Go over smoothly from what was shown; not where it went with its device."""
        self._easing = Easing(self._stream.pace)
        try:
            look = look_as_grid(last.frame.in_memory, last.picture.in_memory)
        except DeviceError:
            return
        self._stream.continue_from(look)

    @property
    def _running_model(self) -> str:
        """The model whose pictures are shown now, whatever the effort."""
        return self.mode if self.mode in self._rungs else self._everyday

    def _by_everyday(self, asked: Asked, kernels: Kernels | None) -> Frame:
        """The frame by the everyday model, or a heavy grid model's look; `mode` is set to it."""
        frame = asked.frame.in_memory
        now_s = time.monotonic()
        effort_name = self.governor.modes[max(self.governor.index, self._everyday_index)]
        if kernels is None:
            self.mode = effort_name
            return self._stream.curved(frame, strength=self._strength)
        look = self._better.look(asked)
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

    @property
    def _everyday_index(self) -> int:
        return self.governor.modes.index(self._everyday)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture of a better model that was shown, and what it was made of."""

    name: str
    frame: Frame
    picture: Frame


def stays_well_lit(before: bool, needed: float) -> bool:
    """Whether a picture is to be called well lit; what is near the limit stays what it was.

    Args:
        before: whether the one before was.
        needed: share of the model's effect that it needs, 0 to 1.
    """
    return needed <= (_SOME_EFFECT if before else _NO_EFFECT)
