"""What asks a process to stop: Ctrl-C, SIGTERM, and a terminal that closes."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def _hang_ups() -> Iterator[signal.Signals]:
    """What a terminal that closes sends: SIGHUP, or on Windows SIGBREAK."""
    if hasattr(signal, "SIGHUP"):
        yield signal.SIGHUP
    elif hasattr(signal, "SIGBREAK"):
        yield signal.SIGBREAK


HANG_UPS = tuple(_hang_ups())
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, *HANG_UPS)


def heard_stop_signals() -> list[signal.Signals]:
    """Those to take notice of: not SIGHUP where it is ignored, as under nohup."""
    deaf = [number for number in HANG_UPS if signal.getsignal(number) is signal.SIG_IGN]
    return [number for number in STOP_SIGNALS if number not in deaf]


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """Hold back what asks to stop, from this thread and from processes that it starts.

    They begin with the signals blocked, and unblock them when they have their own handlers.
    Windows cannot hold signals back, and sends them to no process that is starting.
    """
    if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker  # which most commands do without

        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            resource_tracker.ensure_running()  # the first call unblocks two of the signals
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        yield


def leave_stopping_to_parent(grace_s: int) -> None:
    """Go on in a worker process after what asks to stop, for so long after SIGTERM.

    Ctrl-C and SIGHUP reach every process of a terminal, SIGTERM every process of a service. Windows
    has neither SIGTERM nor alarms: what ends a process there ends it at once.
    """
    for number in (signal.SIGINT, *HANG_UPS):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(grace_s))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def leave_closed_terminal() -> None:
    """Write what is still to be said to nowhere, if the terminal is gone: it would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with suppress(OSError):  # not open
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                os.dup2(nowhere, stream)
    os.close(nowhere)
