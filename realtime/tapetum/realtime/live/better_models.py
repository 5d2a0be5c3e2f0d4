"""The models of a ladder that are better than its everyday one: which of them makes a frame.

Those of a GPU come first, each with whole pictures in its memory; on the CPU there are heavy models
of whole pictures, and heavy grid models, whose grids are applied by the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from tapetum.realtime.errors import DeviceLostError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.governor import DOWN_SHARE, Governor
from tapetum.realtime.live.grid_stream import Look
from tapetum.realtime.live.rung import Rung

_PREDICTION_LIMIT_MS = 1000 / 3
"""A grid model that answers less often than three times a second is too slow."""
_FAR_TOO_MUCH = 2
"""Times what a frame may cost that say at once, by one measurement, that a model is too slow."""
_STALL_BUDGETS = 4
"""A frame that takes this many budgets is not waited for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        frame: the picture.
        scene: a number that changes at every cut.
        strength: from 0 to 2.
        shown: the model whose pictures are shown now.
    """

    frame: Frame
    scene: int
    strength: float
    shown: str

    @property
    def is_for_cpu(self) -> bool:
        """Whether it is what only the CPU does: HDR."""
        return self.frame.color.is_hdr


@dataclass(frozen=True, slots=True)
class Made:
    """A picture, and the model that made it.

    Attributes:
        name: of the model.
        picture: enhanced.
        needed: share of the model's effect that it needed.
    """

    name: str
    picture: Frame
    needed: float


class BetterModels:
    """Asks the best model that is ready and in time, as far down as the governor is.

    Attributes:
        rungs: the models by name, the best first.
        too_slow: what a frame costs, in ms, of those that are too slow here.
        lost: why the last was given up of those that were, as a line; else nothing.
    """

    def __init__(
        self,
        rungs: Mapping[str, Rung],
        governor: Governor,
        *,
        replaceable: Collection[str],
        on_notice: Callable[[str], None],
    ) -> None:
        """Take models that load.

        Args:
            rungs: the models by name, the best first, as they stand in the governor's modes.
            governor: what decides how far down to go.
            replaceable: those of a GPU, which are given up with a notice where they fail.
            on_notice: called with that, and when a model turns out to be too slow here.
        """
        self.rungs = dict(rungs)
        self.too_slow: dict[str, float] = {}
        self.lost = ""
        self._governor = governor
        self._on_gpu = frozenset(replaceable)
        self._on_notice = on_notice
        self._index = governor.index

    def is_on_gpu(self, name: str) -> bool:
        """Whether a model is a GPU's."""
        return name in self._on_gpu

    def is_busy_above(self, mode: str) -> bool:
        """Whether one that is better than a mode is at work."""
        modes = self._governor.modes
        better = modes[: modes.index(mode)]
        return any(self.rungs[name].busy for name in better if name in self.rungs)

    def prepare(self, asked: Asked) -> None:
        """Have models show what they cost that may be wanted soon, beside the one that runs.

        Raises:
            TapetumError: one failed that nothing stands in for.
        """
        if self._index != self._governor.index:
            self._index = self._governor.index
            for name in [*self.rungs][: self._index]:
                self.rungs[name].forget()  # left for a cheaper one: it has to show itself again
        self._try_gpu(asked)
        self._introduce(asked)

    def picture(self, asked: Asked) -> Made | None:
        """The frame as the best model of whole pictures makes it; None if none is in time.

        Raises:
            TapetumError: one failed that nothing stands in for.
        """
        for name in self._allowed(asked):
            if name not in self.rungs:
                continue  # it went with another one's device
            try:
                if self._has_look(name, asked):
                    return None
                picture = self._picture_by(name, asked)
            except TapetumError as error:
                self._give_up(name, error)
                continue
            if picture is not None:
                return Made(name, picture, self.rungs[name].needed)
        return None

    def look(self, asked: Asked) -> Look | None:
        """What the best heavy grid model that is in time said of this scene."""
        for name in self._allowed(asked):
            rung = self.rungs[name]
            if rung.predicts and _is_usable(rung, asked):
                return rung.look
        return None

    def _allowed(self, asked: Asked) -> list[str]:
        """The models that may run now, the best first."""
        gone = self._on_gpu if asked.is_for_cpu else ()
        return [name for name in [*self.rungs][self._governor.index :] if name not in gone]

    def _try_gpu(self, asked: Asked) -> None:
        """Have a GPU's cheaper models show themselves, one after the other.

        Beside the one that is to run, so that a step down leads to the next and not to the CPU,
        and while that is prepared, so that each is shown as soon as it is there; and the cheapest
        where the CPU stands in, however late that is: its lateness says nothing of the GPU.
        """
        names = [] if asked.is_for_cpu else [name for name in self.rungs if name in self._on_gpu]
        below = [name for name in names if self._place(name) > self._governor.index]
        if below and (
            asked.shown == self._governor.mode or not self.rungs[self._governor.mode].proven
        ):
            self._try_each(below, asked)
        elif names and not below and self._governor.may_rise_to(names[-1]):
            self._rise_to(names[-1], asked)

    def _rise_to(self, name: str, asked: Asked) -> None:
        if name == self._governor.mode:
            return
        self._try_each([name], asked)
        if name in self.rungs and self.rungs[name].proven:
            self._governor.rise_to(name)

    def _try_each(self, names: list[str], asked: Asked) -> None:
        limit_ms = DOWN_SHARE * self._governor.budget_ms
        for name in reversed(names):  # the cheapest is the first to be there
            rung = self.rungs[name]
            try:
                if not rung.proven and not self._governor.may_rise_to(name):
                    continue  # refused not long ago
                if not rung.idle:
                    return  # one after the other
                if rung.is_outdated(asked.frame):
                    rung.forget()
                if not self._proven(name, asked, limit_ms, 1000 * self._timeout_s, alone=False):
                    return
            except TapetumError as error:
                self._give_up(name, error)

    def _introduce(self, asked: Asked) -> None:
        """Have each model that may be wanted show once what a frame of this size costs here.

        Whatever runs meanwhile: on a busy machine that may be a cheap mode for long, and who waits
        for a model wants to hear soon why it does not come.
        """
        first = self._place(self._governor.wanted)
        for name in reversed([*self.rungs][first:]):
            rung = self.rungs[name]
            if name in self._on_gpu or name in self.too_slow or rung.proven:
                continue  # a GPU's would build what it runs for each size
            cost_ms = rung.cost_for(asked.frame)
            if cost_ms is None:
                if rung.idle:
                    rung.measure(asked.frame, asked.scene)
                return  # one after the other
            if cost_ms > _FAR_TOO_MUCH * self._affordable_ms(rung):
                self.too_slow[name] = cost_ms
                self._on_notice(slow_line(name, cost_ms, asked.shown))

    def _affordable_ms(self, rung: Rung) -> float:
        """What a frame of a model may cost."""
        return _PREDICTION_LIMIT_MS if rung.predicts else DOWN_SHARE * self._governor.budget_ms

    def _has_look(self, name: str, asked: Asked) -> bool:
        """Whether a grid model said something of this scene; one that is idle is asked."""
        rung = self.rungs[name]
        idle = rung.idle
        if not rung.predicts:
            return False
        if idle:
            self._ask_for_look(name, rung, asked)
        return _is_usable(rung, asked)

    def _ask_for_look(self, name: str, rung: Rung, asked: Asked) -> None:
        # A grid model's frames wait for nobody: one may stand in for a better model that loads.
        limit_ms = _PREDICTION_LIMIT_MS
        if self._proven(name, asked, limit_ms, limit_ms, alone=False):
            new_scene = rung.scene != asked.scene
            if new_scene or rung.age_s >= _PREDICTION_LIMIT_MS / 1000:
                rung.try_out(asked.frame, asked.scene)

    def _picture_by(self, name: str, asked: Asked) -> Frame | None:
        """What a model of whole pictures makes of a frame; None if it may not, or is late."""
        rung = self.rungs[name]
        if rung.predicts or not rung.idle:
            return None
        if rung.is_outdated(asked.frame):
            rung.forget()  # shown on another size: the everyday model goes on meanwhile
        hopeless_ms = 1000 * self._timeout_s
        if not self._proven(name, asked, self._governor.limit_ms, hopeless_ms):
            return None
        enhanced = rung.ask(asked.frame, asked.strength, self._timeout_s)
        if enhanced is None:
            self._reject(name, hopeless_ms, asked)
        return enhanced

    def _proven(
        self, name: str, asked: Asked, limit_ms: float, hopeless_ms: float, *, alone: bool = True
    ) -> bool:
        """Whether a model is in use; it may have the frame to show its speed.

        Args:
            name: of the model.
            asked: with the frame.
            limit_ms: what a frame of it may take.
            hopeless_ms: what a frame of it took where it is not tried again for a while.
            alone: whether only the one that the governor wants is tried.
        """
        rung = self.rungs[name]
        refused = name != self._governor.mode and not self._governor.may_rise_to(name)
        if rung.proven or refused:
            return rung.proven
        if rung.is_hopeless(asked.frame, hopeless_ms):
            self._reject(name, rung.cost_for(asked.frame) or 0.0, asked)
            return False
        if rung.took_ms is None:
            if name == self._governor.mode or not alone:
                rung.try_out(asked.frame, asked.scene)
            return False
        verdict = rung.judge(limit_ms)
        if verdict == "too slow":
            self._reject(name, rung.cost_for(asked.frame) or 0.0, asked)
        elif verdict == "quick":
            self.too_slow.pop(name, None)
            if name == self._governor.mode:
                self._governor.begin()
        return verdict == "quick"

    def _reject(self, name: str, cost_ms: float, asked: Asked) -> None:
        self.rungs[name].forget()
        if name != self._governor.mode:
            self._governor.refuse(name)
            return
        self._governor.stall()
        if name not in self.too_slow:
            self._on_notice(slow_line(name, cost_ms, asked.shown))
        self.too_slow[name] = cost_ms

    def _give_up(self, name: str, error: TapetumError) -> None:
        """Go on without a model whose device failed: the stream is worth more than it.

        With a device that is lost go all of its models, in one line.

        Raises:
            TapetumError: `error`, of a model that nothing stands in for.
        """
        if name not in self._on_gpu:
            raise error
        gone = [name]
        if isinstance(error, DeviceLostError):
            gone = [other for other in self.rungs if other in self._on_gpu]
        first = self._place(gone[0])
        for other in gone:
            del self.rungs[other]
            self._governor.remove(other)
        instead = self._governor.modes[first]
        self.lost = f"{gone[0]} is given up: {error}; {instead} runs instead"
        self._on_notice(self.lost)

    def _place(self, name: str) -> int:
        return self._governor.modes.index(name)

    @property
    def _timeout_s(self) -> float:
        return _STALL_BUDGETS * self._governor.budget_ms / 1000


def slow_line(model: str, cost_ms: float, mode: str) -> str:
    """That a model is too slow here, in a person's words."""
    return f"{model} needs about {float(f'{cost_ms:.2g}'):.0f} ms a frame here; {mode} runs"


def _is_usable(rung: Rung, asked: Asked) -> bool:
    return rung.proven and rung.scene == asked.scene
