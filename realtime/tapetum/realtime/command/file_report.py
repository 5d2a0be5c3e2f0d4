"""What `tapetum enhance` says of one file: to a person on stderr, to a program as JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.realtime.counted import counted

if TYPE_CHECKING:
    from rich.console import Console

    from tapetum.realtime.progress import EnhanceResult, Started

_MOST_NOTES = 7
"""Lines of notes, beside the first, the last and a warning."""


class FileReport:
    """What a person reads on stderr: one line at the start, notices, one line at the end."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console = console
        self.quiet = quiet
        self._said: set[str] = set()

    def start(self, started: Started) -> None:
        """Say what is about to run."""
        if not self.quiet:
            self._say(started.description)
        self._note(started.notices)

    def line(self, line: str) -> None:
        """Say one line, unless there shall be none."""
        if not self.quiet:
            self._say(line)

    def finish(self, result: EnhanceResult) -> None:
        """Say what was done, and what was wrong."""
        self._note(result.notices)
        if not result.intact:
            self._say(f"warning: {result.input_path} is damaged; what it holds was enhanced")
        if not self.quiet:
            self._say(_summary(result))

    def _note(self, notices: tuple[str, ...]) -> None:
        """Say what has not been said; of a file that is damaged in many ways not every one."""
        new = [notice for notice in dict.fromkeys(notices) if notice not in self._said]
        if self.quiet or not new:
            return
        room = max(0, _MOST_NOTES - len(self._said))
        self._said.update(new)
        for notice in new[:room]:
            self._say(f"note: {notice}")
        if len(new) > room:
            self._say(f"note: and {len(new) - room} more; --json tells all")

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False)


def _summary(result: EnhanceResult) -> str:
    size_mb = result.size_bytes / 1e6
    if result.media_s == 0:
        return f"{result.output_path}: {size_mb:.2f} MB in {result.elapsed_s:.1f} s"
    frames = counted(result.frames, "frame")
    return (
        f"{result.output_path}: {frames}, {size_mb:.2f} MB in"
        f" {result.elapsed_s:.1f} s, {result.fps:.1f} fps, {result.speed:.2f}x real time"
    )


def result_as_json(result: EnhanceResult) -> dict[str, object]:
    """What `--json` prints of a file."""
    fields = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(result).items()
    }
    pace = {"fps": round(result.fps, 2), "speed": round(result.speed, 3)}
    return fields | pace | {"intact": result.intact}
