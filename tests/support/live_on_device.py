"""A live run on a (simulated) GPU that ends when what it said shows what a test waits for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.enhance_live import enhance_live
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.live.summary import LiveStatus, LiveSummary

SOURCE = "lavfi:testsrc2=size=96x64:rate=30"


class Live:
    """A live run on the device, which ends when it was told to by what it said.

    Attributes:
        notices: lines that it said.
        modes: what ran, at each report.
    """

    def __init__(self, source: Path | str, *sinks: str | SinkPlace) -> None:
        self.notices: list[str] = []
        self.modes: list[str] = []
        self._source, self._sinks = source, sinks
        self._controls = Controls()

    def run(self, until: Callable[[Live], bool]) -> LiveSummary:
        """Run until something is so, which is asked at each report."""

        def look(status: LiveStatus) -> None:
            self.modes.append(status.mode)
            if until(self):
                self._controls.quit = True

        return enhance_live(
            self._source,
            self._sinks,
            device="cuda",
            loop=True,
            latency_budget_ms=5000,
            duration_s=100,
            controls=self._controls,
            on_notice=self.notices.append,
            on_status=look,
        )

    def said(self, words: str) -> list[str]:
        """The lines with some words."""
        return [line for line in self.notices if words in line]
