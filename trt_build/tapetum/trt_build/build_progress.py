"""How far TensorRT is with an engine, and how it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BuildPhase:
    """A phase of a build; phases lie within one another.

    Attributes:
        name: TensorRT's own name of it.
        parent: name of the phase around it, or None.
        step: steps done.
        steps: steps in all.
    """

    name: str
    parent: str | None
    step: int
    steps: int


OnPhase = Callable[[BuildPhase], None]


def progress_monitor(trt: Any, on_phase: OnPhase, stop: threading.Event) -> Any:  # noqa: ANN401
    """A TensorRT `IProgressMonitor` that reports phases and cancels once `stop` is set.

    TensorRT calls it on threads of its own; an exception of `on_phase` would end the process
    there, so it is for the callback to raise none.
    """

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc] # a class that is known only now
        def __init__(self) -> None:
            super().__init__()
            self._phases: dict[str, BuildPhase] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._report(BuildPhase(phase_name, parent_phase, 0, num_steps))

        def step_complete(self, phase_name: str, step: int) -> bool:
            phase = self._phases[phase_name]
            self._report(BuildPhase(phase_name, phase.parent, step + 1, phase.steps))
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            phase = self._phases.pop(phase_name)
            on_phase(BuildPhase(phase_name, phase.parent, phase.steps, phase.steps))

        def _report(self, phase: BuildPhase) -> None:
            self._phases[phase.name] = phase
            on_phase(phase)

    return Monitor()
