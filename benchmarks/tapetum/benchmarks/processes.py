"""Runs commands as whole processes and reports their time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessCost:
    """What one process took, by the operating system's own accounting."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run_process(command: list[str]) -> ProcessCost:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return ProcessCost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def tapetum(*arguments: str | Path) -> list[str]:
    """The command that runs `tapetum` in this Python."""
    return [sys.executable, "-m", "tapetum.realtime", *map(str, arguments)]
