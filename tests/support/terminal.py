"""Commands in a terminal that can be closed, and those that do not mind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.command_line import environment

_OWN = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""
"""Makes standard input's terminal that of the session, and runs a module there."""


class Terminal:
    """A terminal, and the process that runs in it."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen

    def wait_for(self, text: bytes) -> None:
        """Read on until the process shows something; OSError where it ends without."""
        shown = b""
        while text not in shown:
            shown = shown[-len(text) :] + os.read(self._screen, 1000)

    def close(self) -> int:
        """Close it, and return the process's exit status."""
        os.close(self._screen)
        return self.process.wait(timeout=60)


@contextmanager
def terminal(module: str, *arguments: str | Path) -> Iterator[Terminal]:
    """Run a module in a terminal of its own, which the block is to close."""
    screen, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _OWN, module, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment() | {"TERM": "xterm"},  # with a progress bar
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()


@contextmanager
def nohup() -> Iterator[None]:
    """Processes that the block starts ignore that their terminal closes, as under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which children inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
