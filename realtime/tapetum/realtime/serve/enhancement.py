"""How a page wants its picture enhanced, and what else the server says about that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiortc.mediastreams import MediaStreamTrack

from tapetum.realtime.aim import Aim
from tapetum.realtime.choices import Denoise, Device
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.live.track import EnhancedTrack


@dataclass(frozen=True, slots=True)
class Enhancement:
    """How pictures are to be enhanced.

    Attributes:
        model: a model's name or file.
        strength: from 0 to 2.
        aim: when pictures are made bright, and how bright.
        denoise: `auto`, `off`, or from 0 to 1.
        latency_budget_ms: how long a live frame may be with us.
        device: `auto` or `cpu`, or a GPU such as `cuda`.
        on_notice: called with a line, in any thread, when something is new of the GPU.
    """

    model: str | Path
    strength: float
    aim: Aim
    denoise: Denoise
    latency_budget_ms: float
    device: Device = "auto"
    on_notice: Callable[[str], None] = field(default=lambda _line: None, compare=False)

    def track(self, incoming: MediaStreamTrack) -> EnhancedTrack:
        """The track of the newest frames of another one, enhanced.

        Raises:
            ModelError: there is no such model.
        """
        return EnhancedTrack(
            incoming,
            model=self.model,
            strength=self.strength,
            when_dark=self.aim.when_dark,
            brightness=self.aim.brightness,
            device=self.device,
            denoise=self.denoise,
            latency_budget_ms=self.latency_budget_ms,
            on_notice=self.on_notice if is_cuda(self.device) else lambda _line: None,
        )

    def take_over(self, track: EnhancedTrack, before: Enhancement) -> None:
        """Have a track that enhances as `before` go on like this from the next frame on.

        Raises:
            ModelError: there is no such model.
        """
        if self.model != before.model:
            track.change_model(self.model, self.aim)
        track.ladder.aim = self.aim
        track.ladder.strength = self.strength
