"""Stops a training run between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from tapetum.gan.stop_signals import STOP_SIGNALS, heard_stop_signals, leave_closed_terminal

_INSISTENT = (signal.SIGINT, signal.SIGTERM)
"""Whose second coming acts at once. A terminal that closes may send its SIGHUP twice."""


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
    """Notes the first Ctrl-C, SIGTERM or SIGHUP; a second Ctrl-C or SIGTERM acts at once.

    A SIGHUP that is ignored, as under nohup, stays so. Outside the main thread, where Python hears
    no signals, nothing is noted.

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
            self._before = {n: signal.signal(n, self._note) for n in heard_stop_signals()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore(STOP_SIGNALS)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        leave_closed_terminal()
        if not self.requested:
            self.requested, self.signal_number = True, number
        self._restore(_INSISTENT)

    def _restore(self, numbers: Iterable[int]) -> None:
        for number in self._before.keys() & set(numbers):
            signal.signal(number, self._before.pop(number))  # type: ignore[arg-type]  # what signal() returned
