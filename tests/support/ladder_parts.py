"""Enhancers that really enhance, and can be made to hang, and the frames for them."""

from __future__ import annotations

import threading
import time

import numpy as np
from support.live_parts import wait_until

from tapetum.realtime import SyntheticSource
from tapetum.realtime.errors import EngineError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.ladder import Ladder


def dark(width: int = 96) -> Frame:
    (frame,) = SyntheticSource(width, 64, frames=1)
    return frame


class Brightener:
    """Adds to luma, scaled by the strength; can be made to hang, and to fail."""

    def __init__(self, amount: int, *, takes_s: float = 0.0) -> None:
        self.strength = 1.0
        self._takes_s = takes_s
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken = False
        self._amount = amount

    @property
    def description(self) -> str:
        return f"plus {self._amount}"

    def __call__(self, frame: Frame) -> Frame:
        self.go_on.wait(20)
        time.sleep(self._takes_s)
        if self.broken:
            raise EngineError("out of order")
        luma, *chroma = frame.planes
        more = np.uint8(self.strength * self._amount)
        return frame.with_planes((luma + more, *chroma))

    def reset(self) -> None:
        """Do nothing."""


def luma(frame: Frame) -> float:
    """Mean luma in levels."""
    return float(frame.planes[0].mean())


def brightening(ladder: Ladder, width: int = 96) -> int:
    """By how much the ladder brightens the first pixel of a frame."""
    frame = dark(width)
    return int(ladder(frame).planes[0][0, 0]) - int(frame.planes[0][0, 0])


def warmed_up(ladder: Ladder, mode: str, frame: Frame | None = None) -> Ladder:
    """The ladder as soon as that mode makes its frames."""
    picture = dark() if frame is None else frame

    def in_mode() -> bool:
        ladder(picture)
        return ladder.mode == mode

    wait_until(in_mode)
    return ladder
