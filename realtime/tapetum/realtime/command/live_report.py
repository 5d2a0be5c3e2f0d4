"""What a person reads while a live stream runs: one line that changes, and what happens."""

from __future__ import annotations

from typing import Self

from rich.console import Console

from tapetum.realtime.live.summary import LiveStatus, LiveSummary


class LiveReport:
    """Writes to a console, with a status line where it is a terminal; use it in a `with`."""

    def __init__(self, console: Console, *, quiet: bool = False, keys: str = "") -> None:
        """Make a report.

        Args:
            console: where it is written.
            quiet: say only what the user should know.
            keys: what the keys of a window do.
        """
        self._console = console
        self._keys = keys
        self._quiet = quiet
        self._line = console.status("starting") if console.is_terminal and not quiet else None
        self._mode: str | None = None

    def start(self, description: str) -> None:
        """Say what is about to run."""
        if not self._quiet:
            self._say(description)
        if self._keys and not self._quiet:
            self._say(f"keys: {self._keys}")

    def notice(self, line: str) -> None:
        """Say what the user should know, also when quiet."""
        self._say(f"note: {line}")

    def status(self, status: LiveStatus) -> None:
        """Show the state; a change of mode gets a line of its own."""
        if self._line is not None:
            self._line.update(str(status))
        if status.mode != self._mode and not self._quiet:
            self._say(f"mode: {status.runs_on}")
        self._mode = status.mode

    def finish(self, summary: LiveSummary) -> None:
        """Say what was done."""
        if self._quiet:
            return
        latency = summary.latency_ms
        self._say(
            f"{summary.frames} frames, {summary.dropped} dropped, {summary.fps:.1f} fps, added"
            f" latency p50 {latency['p50']:.1f} p99 {latency['p99']:.1f} ms"
        )

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._line is not None:
            self._line.stop()

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)
