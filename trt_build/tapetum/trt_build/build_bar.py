"""The progress bar of `tapetum build`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tapetum.trt_build.build_progress import BuildPhase


class BuildBar:
    """Draws a build's phases on a terminal, and nothing elsewhere; use it in a `with`."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("Preparing the network", total=None)

    def __call__(self, phase: BuildPhase) -> None:
        """Show a phase: the outermost moves the bar, those within it name the work."""
        if phase.parent is None:
            self._bar.update(self._task, completed=phase.step, total=phase.steps)
        else:
            self._bar.update(self._task, description=phase.name)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
