"""The enhancer of a live stream: the best mode that is ready and in time, for each frame."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tapetum.gan.model import Model, find_model
from tapetum.realtime.choices import Device
from tapetum.realtime.enhancer import (
    check_cpu_device,
    checked_strength,
    make_enhancer,
)
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.governor import Governor
from tapetum.realtime.live.rung import Loader, Rung
from tapetum.realtime.protocols import FrameEnhancer

PASSTHROUGH = "passthrough"
"""The cheapest mode: frames as they come."""

_STALL_BUDGETS = 4
"""A frame that takes this many budgets is not waited for."""
_CLOSE_TIMEOUT_S = 1.0


class Ladder:
    """A `FrameEnhancer` that never makes a stream wait: modes from the best to passthrough.

    Each mode is loaded, and runs, in a thread of its own. It gets frames only when it has shown on
    one that nobody waits for that it is quick enough, and again when the picture changes its size.
    Until then, and while it is stuck, a cheaper mode takes its place.

    Attributes:
        governor: what decides on the mode.
        frames_by_mode: frames that each mode made.
        mode: the mode that made the last frame.
    """

    def __init__(
        self,
        loaders: Mapping[str, Loader],
        *,
        strength: float = 1.0,
        budget_ms: float = 50.0,
        former: Ladder | None = None,
    ) -> None:
        """Begin to load all modes.

        Args:
            loaders: from a mode's name to what loads it, the best first; passthrough is added.
            strength: from 0 to 1.
            budget_ms: how long a frame may be with us.
            former: the stream's ladder before, which gets no more frames. Modes that have the
                same loader in both go on as they are: they stand in while the others load.

        Raises:
            ValueError: `strength` or `budget_ms` is out of its range.
        """
        self._strength = checked_strength(strength)
        self.governor = Governor((*loaders, PASSTHROUGH), budget_ms=budget_ms)
        self.frames_by_mode: Counter[str] = Counter()
        self.mode = PASSTHROUGH
        self._closed = False
        self._handed_over: set[str] = set()
        shared = {} if former is None else former._hand_over(loaders)
        # The cheapest first, which is the quickest to be there.
        cheapest_first = reversed(list(loaders))
        self._rungs = {name: shared.get(name) or Rung(loaders[name]) for name in cheapest_first}

    @property
    def description(self) -> str:
        """All modes, like "grid, then passthrough"."""
        return ", then ".join(self.governor.modes)

    @property
    def running(self) -> str:
        """What of the current mode runs where, like "grid on CPU, OpenVINO f32"."""
        rung = self._rungs.get(self.mode)
        return self.mode if rung is None else rung.description

    @property
    def strength(self) -> float:
        """From 0 (the picture as it is, which no model is asked for) to 1.

        It may be set at any time, by any thread.
        """
        return self._strength

    @strength.setter
    def strength(self, strength: float) -> None:
        self._strength = checked_strength(strength)

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame in the current mode, or in a cheaper one.

        Raises:
            TapetumError: a model cannot be loaded or run.
        """
        since_s = time.monotonic() if frame.arrival_time_s is None else frame.arrival_time_s
        enhanced = self._enhanced(frame)
        latency_ms = (time.monotonic() - since_s) * 1000
        if self.mode in (self.governor.mode, *self._rungs):
            self.governor.record(latency_ms, made_by=self.mode, disturbed=self._disturbed)
        self.frames_by_mode[self.mode] += 1
        return enhanced

    def reset(self) -> None:
        """Forget the past: the next frame starts a new scene."""
        for rung in self._rungs.values():
            rung.reset()

    def close(self) -> None:
        """End the threads; what is still at work after a second is left to end by itself.

        Modes that another ladder took over go on. Calling it again does nothing.
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

    def _hand_over(self, loaders: Mapping[str, Loader]) -> dict[str, Rung]:
        rungs = self._rungs.items()
        shared = {name: rung for name, rung in rungs if rung.load == loaders.get(name)}
        self._handed_over |= set(shared)
        return shared

    def _enhanced(self, frame: Frame) -> Frame:
        modes, index = self.governor.modes, self.governor.index
        for name in modes[:index]:
            self._rungs[name].forget()  # left for a cheaper one: it has to show itself again
        for name in modes[index:-1]:
            rung = self._rungs[name]
            enhanced = self._made_by(name, rung, frame) if rung.idle else None
            if enhanced is not None:
                self.mode = name
                return enhanced
        self.mode = PASSTHROUGH
        return frame

    def _made_by(self, name: str, rung: Rung, frame: Frame) -> Frame | None:
        """What a mode makes of the frame; None if it may not have it, or does not answer."""
        if rung.is_outdated(frame):
            return self._made_anew(name, rung, frame)
        if not self._proven(name, rung, frame):
            return None
        if self._strength == 0:
            return frame  # the picture as it is takes no work
        enhanced = rung.ask(frame, self._strength, self._timeout_s)
        if enhanced is None:
            self._reject(name, rung)
        return enhanced

    def _made_anew(self, name: str, rung: Rung, frame: Frame) -> Frame | None:
        """The same where the picture has changed its size, so that the mode has to prove itself.

        The cheapest one may do so on a frame that is waited for, because without it the picture is
        dark; but no longer than makes a frame late. The others do so beside it.
        """
        enhanced = None
        if rung.proven and name == self._cheapest:
            enhanced = rung.ask(frame, self._strength, self.governor.limit_ms / 1000)
        if enhanced is None:
            rung.forget()
        return enhanced

    def _proven(self, name: str, rung: Rung, frame: Frame) -> bool:
        """Whether a mode may have the frame; the wanted one may have it to show its speed."""
        if rung.proven:
            return True
        if rung.is_hopeless(frame, self._timeout_s * 1000):
            self._reject(name, rung)
            return False
        if rung.took_ms is None:
            if name in (self.governor.mode, self._cheapest):
                rung.try_out(frame)
            return False
        verdict = rung.judge(self.governor.limit_ms)
        if verdict == "too slow":
            self._reject(name, rung)
        elif verdict == "quick" and name == self.governor.mode:
            self.governor.begin()
        return verdict == "quick"

    def _reject(self, name: str, rung: Rung) -> None:
        rung.forget()
        if name == self.governor.mode:
            self.governor.stall()

    @property
    def _disturbed(self) -> bool:
        """Whether a better mode than the one that made the frame is at work beside it."""
        better = self.governor.modes[: self.governor.modes.index(self.mode)]
        return any(self._rungs[name].busy for name in better)

    @property
    def _cheapest(self) -> str:
        """The cheapest mode that enhances."""
        return self.governor.modes[-2]

    @property
    def _timeout_s(self) -> float:
        return _STALL_BUDGETS * self.governor.budget_ms / 1000


def ladder_for(
    model: str | Path = "grid",
    *,
    strength: float = 1.0,
    device: Device = "auto",
    budget_ms: float = 50.0,
    former: Ladder | None = None,
) -> Ladder:
    """The modes for a model: itself, itself on reduced frames, `grid`, passthrough.

    `grid` has no reduced mode, nor has a checkpoint, which is no ONNX file.

    Args:
        model: `grid`, `unet`, or a model file.
        strength: from 0 to 1.
        device: `auto` or `cpu`; `cuda` is for files.
        budget_ms: how long a frame may be with us.
        former: the stream's ladder before, of which `grid` goes on, see `Ladder`.

    Raises:
        ModelError: there is no such model.
        DeviceError: live video does not run on the device.
        ValueError: a number is out of its range.
    """
    found = find_model(model)
    check_cpu_device(device)
    loaders: dict[str, Loader] = {Path(model).stem: _ModelLoader(model, device)}
    if _has_reduced_mode(found):
        loaders[f"{Path(model).stem}-reduced"] = lambda: _reduced(found)
    loaders.setdefault("grid", _ModelLoader("grid", device))
    return Ladder(loaders, strength=strength, budget_ms=budget_ms, former=former)


@dataclass(frozen=True, slots=True)
class _ModelLoader:
    """Loads a model; two of the same model are equal."""

    model: str | Path
    device: Device

    def __call__(self) -> FrameEnhancer:
        return make_enhancer(self.model, device=self.device)


def _has_reduced_mode(model: Model) -> bool:
    """Whether a model is an ONNX network from pictures of any size to pictures."""
    if model.is_checkpoint:
        return False
    description = model.description
    return description.kind == "unet" and description.fixed_size is None


def _reduced(model: Model) -> FrameEnhancer:
    from tapetum.realtime.cpu.reduced_unet import make_reduced_unet

    return make_reduced_unet(model)
