"""Stops a training run between two steps."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Exception):  # noqa: N818 - the user's wish, no error
    """The run was asked to stop, and did so after writing a checkpoint.

    Attributes:
        step: optimiser steps done.
        exit_status: 128 and the signal's number.
    """

    def __init__(self, step: int, output: Path, signal_number: int) -> None:
        super().__init__(f"stopped at step {step}; start again to go on from {output}")
        self.step = step
        self.exit_status = 128 + signal_number


class StopRequest:
    """Notes the first Ctrl-C or SIGTERM; a second one acts at once.

    Outside the main thread, where Python hears no signals, nothing is noted.

    Attributes:
        requested: whether to stop.
        signal_number: what asked for it.
    """

    def __init__(self) -> None:
        self.requested = False
        self.signal_number: int = signal.SIGINT
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.requested, self.signal_number = True, number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned
        self._before = {}
