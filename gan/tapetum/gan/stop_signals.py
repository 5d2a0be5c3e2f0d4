"""What asks a process to stop: Ctrl-C, SIGTERM, and a terminal that closes."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heard_stop_signals() -> list[signal.Signals]:
    """Those to take notice of: not SIGHUP where it is ignored, as under nohup."""
    deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in STOP_SIGNALS if not (deaf and number == signal.SIGHUP)]


def leave_closed_terminal() -> None:
    """Write what is still to be said to nowhere, if the terminal is gone: it would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        with suppress(OSError):  # not open
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                os.dup2(nowhere, stream)
    os.close(nowhere)
