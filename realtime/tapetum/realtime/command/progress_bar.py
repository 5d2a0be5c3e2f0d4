"""The command line's progress bar: frames, frames per second, speed and time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress

from tapetum.realtime.counted import counted
from tapetum.realtime.progress import Building, Progress

if TYPE_CHECKING:
    from tapetum.realtime.batch.parallel import CrewProgress

_SHOWN_NAMES = 3


class ProgressBar:
    """Draws `Progress` on a terminal, and nothing where `console` is none; use it in a `with`."""

    def __init__(self, console: Console, *, visible: bool = True) -> None:
        self._visible = visible
        self._bar = RichProgress(
            TextColumn("{task.fields[job]}{task.fields[frames]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            console=console,
            disable=not (visible and console.is_terminal),
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("enhance", total=None, job="", frames="", pace="")

    def begin(self, job: str) -> None:
        """Start anew for one file of many; `job` says which, and how long all will take."""
        self._bar.reset(self._task, total=None, job=f"{job}  ", frames="", pace="")

    def __call__(self, progress: Progress) -> None:
        """Show how far the job is."""
        self._bar.update(
            self._task,
            completed=progress.frames,
            total=progress.total_frames,
            frames=_frames(progress),
            pace=_pace(progress),
        )

    def crew(self, progress: CrewProgress) -> None:
        """Show how far several workers are."""
        left = "" if progress.left_s is None else f"  {format_time(progress.left_s)} left in all"
        names = ", ".join(progress.current[:_SHOWN_NAMES])
        more = len(progress.current) - _SHOWN_NAMES
        files = counted(progress.total_files, "file")
        workers = counted(len(progress.paces), "worker")
        self._bar.update(
            self._task,
            completed=progress.files,
            total=progress.total_files,
            job=f"{progress.files} of {files}, {workers}  ",
            frames=f"{names} and {more} more" if more > 0 else names,
            pace=f"{progress.fps:.1f} fps in all{left}",
        )

    def build(self, building: Building) -> None:
        """Show how far an engine is that is built before the first frame."""
        if not building.phase and self._visible:
            text = f"building {building.description}"
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._bar.update(
            self._task,
            completed=building.step,
            total=building.steps or None,
            frames=f"building an engine: {building.phase}",
        )

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


def _frames(progress: Progress) -> str:
    total = "" if progress.total_frames is None else f"/{progress.total_frames}"
    return f"frame {progress.frames}{total}"


def _pace(progress: Progress) -> str:
    left = "" if progress.eta_s is None else f"  {format_time(progress.eta_s)} left"
    return f"{progress.fps:.1f} fps  {progress.speed:.2f}x real time{left}"


def format_time(seconds: float) -> str:
    """Seconds as [H:]MM:SS, rounded."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
