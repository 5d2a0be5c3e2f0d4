"""Turns what asks the process to stop into `Stopped`, which is raised in the main thread."""

from __future__ import annotations

import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

from tapetum.gan.stop_signals import STOP_SIGNALS, heard_stop_signals, leave_closed_terminal

_AGAIN_S = 0.01
"""How long after it was swallowed `Stopped` is raised again."""
_HAS_ALARM = hasattr(signal, "SIGALRM")


class Stopped(BaseException):
    """The user or the system asked the process to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.exit_status = 128 + signal_number


class StopSignals:
    """Raises `Stopped` at the first stop signal; later ones do not disturb the clean-up.

    Python runs a signal's handler wherever the main thread is: also in a function that C calls
    back, as LLVM does when it has compiled a kernel, or in a `__del__`. What is raised there, C
    cannot pass on; Python only tells of it (`sys.unraisablehook`), and the work goes on, or fails
    by what the function did not do. So `Stopped` is then raised again a moment later (but not on
    Windows, which has no alarms), and a block that was asked to stop ends by `Stopped`, whatever
    else it ends by.
    """

    def __init__(self) -> None:
        self._signal_number: int | None = None
        self._before: dict[int, Any] = {}
        self._tell_unraisable = sys.unraisablehook

    def __enter__(self) -> Self:
        self._tell_unraisable, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        self._before = {
            number: signal.signal(number, self._stop) for number in heard_stop_signals()
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if sys.platform != "win32" and _HAS_ALARM and signal.SIGALRM in self._before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._tell_unraisable
        if self._signal_number is not None and not isinstance(error, Stopped):
            raise Stopped(self._signal_number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._signal_number = number
        for other in STOP_SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        leave_closed_terminal()
        raise Stopped(number)

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        if self._signal_number is None:
            self._tell_unraisable(unraisable)
            return
        swallowed = isinstance(unraisable.exc_value, Stopped) and _HAS_ALARM
        if sys.platform != "win32" and swallowed:
            before = signal.signal(signal.SIGALRM, self._raise_again)
            self._before.setdefault(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)

    def _raise_again(self, _number: int, _frame: FrameType | None) -> None:
        if self._signal_number is not None:
            raise Stopped(self._signal_number)
