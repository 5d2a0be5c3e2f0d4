"""Runs the `tapetum` command in a process of its own, as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    """The environment of a child process that finds the packages where this one does."""
    folders = [str(ROOT / name) for name in ("gan", "realtime", "trt_build", "benchmarks", "tests")]
    plain = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)} | plain


def tapetum(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `tapetum ARGUMENTS...` and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "tapetum.realtime", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment() | variables,
    )


def python(code: str) -> str:
    """What a fresh Python prints when it runs `code`."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment(),
    ).stdout
