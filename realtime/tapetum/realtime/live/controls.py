"""What a viewer can change while a live stream runs, and how a frame shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tapetum.realtime.aim import MAX_STRENGTH
from tapetum.realtime.compare import wipe
from tapetum.realtime.frame import Frame

View = Literal["after", "before", "wipe"]
_VIEWS: dict[View, str] = {
    "after": "enhanced",
    "before": "before: not enhanced",
    "wipe": "before | enhanced",
}


@dataclass(slots=True)
class Controls:
    """The viewer's wishes; written by a window or a program, read for each frame.

    Attributes:
        view: the enhanced picture, the original, or both with a divider between them.
        divider: where the divider of `wipe` is, from 0 (left) to 1.
        strength: from 0 to 2.
        quit: whether to stop.
        next_model: how often the next mode of the ladder was asked for.
        recording: whether to record.
        snapshots: how many pictures were asked for.
    """

    view: View = "after"
    divider: float = 0.5
    strength: float = 1.0
    quit: bool = False
    next_model: int = 0
    recording: bool = False
    snapshots: int = 0

    def show(self, original: Frame, enhanced: Frame) -> Frame:
        """The picture that goes out."""
        if self.view == "before":
            return original
        if self.view == "wipe":
            return wipe(original.in_memory, enhanced.in_memory, position=self.divider)
        return enhanced

    @property
    def words(self) -> str:
        """What is shown, in words, like "enhanced, strength 100 %, recording"."""
        recording = ["recording"] if self.recording else []
        return ", ".join([_VIEWS[self.view], f"strength {self.strength:.0%}", *recording])

    def press(self, key: str) -> None:
        """Do what a key stands for; other keys do nothing."""
        action = _KEYS.get(key)
        if action is not None:
            action(self)

    def toggle(self, view: View) -> None:
        """Change to a view, or back from it."""
        self.view = "after" if self.view == view else view

    def strengthen(self, by: float) -> None:
        """Change the strength, within 0 to 2."""
        self.strength = round(min(MAX_STRENGTH, max(0.0, self.strength + by)), 2)


def _quit(controls: Controls) -> None:
    controls.quit = True


def _next_model(controls: Controls) -> None:
    controls.next_model += 1


def _record(controls: Controls) -> None:
    controls.recording = not controls.recording


def _snapshot(controls: Controls) -> None:
    controls.snapshots += 1


_KEYS = {
    "q": _quit,
    "\x1b": _quit,
    " ": lambda controls: controls.toggle("before"),
    "w": lambda controls: controls.toggle("wipe"),
    "+": lambda controls: controls.strengthen(0.1),
    "=": lambda controls: controls.strengthen(0.1),
    "-": lambda controls: controls.strengthen(-0.1),
    "m": _next_model,
    "r": _record,
    "s": _snapshot,
}

KEYS_HELP = "q quit, space before/after, w wipe, +/- strength, m model, r record, s snapshot"
"""One line about the keys."""
