"""A host in C for the plugins' client: tests/support/plugin_host.c, compiled and run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from support.command_line import ROOT

NATIVE = ROOT / "realtime" / "tapetum" / "realtime" / "plugins" / "native"
SUPPORT = ROOT / "tests" / "support"
I420 = 1


def built_host(folder: Path, *more: str) -> Path:
    """tests/support/plugin_host.c with the client, compiled strictly, and what more is linked."""
    program = folder / "plugin_host"
    sources = [SUPPORT / "plugin_host.c", NATIVE / "tapetum_client.c"]
    strict = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    words = ["gcc", *strict, f"-I{NATIVE}", *map(str, sources), *more, "-pthread"]
    subprocess.run([*words, "-o", str(program)], check=True)
    return program


class Run:
    """A host that ran: its frames, which of them it said were enhanced, and what it logged."""

    def __init__(self, flags: list[bool], pixels: bytes, log: str, slowest_ms: float) -> None:
        self.flags = flags
        self.pixels = pixels
        self.log = log.splitlines()
        self.slowest_ms = slowest_ms


def run_host(
    host: Path,
    frames: bytes,
    size: tuple[int, int],
    *,
    layout: int = I420,
    python: Path | str = sys.executable,
    patience_ms: int = 90_000,
    pause_ms: int = 0,
    model: str = "grid",
    options: Sequence[str] = (),
    limits: Sequence[str] = (),
    errors: int = subprocess.PIPE,
) -> Run:
    """A host that hands frames over, one behind the other.

    Args:
        host: what `built_host` made.
        frames: packed, one behind the other.
        size: width and height.
        layout: `tapetum_format` of the client.
        python: what the client starts.
        patience_ms: how long a call may take.
        pause_ms: between two calls.
        model: name or file.
        options: of plugin_host.c.
        limits: of `prlimit`, under which it runs.
        errors: descriptor of its standard error.
    """
    given, made = host.parent / "given", host.parent / "made"
    given.write_bytes(frames)
    words = [layout, *size, patience_ms, pause_ms, model, given, made, *options]
    limited = ["prlimit", *limits, "--"] if limits else []
    done = subprocess.run(
        [*limited, str(host), *map(str, words)],
        env=os.environ | {"TAPETUM_PYTHON": str(python)},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    slowest_ms = max(float(ms) for _, ms in lines)
    return Run([flag == "1" for flag, _ in lines], made.read_bytes(), done.stderr or "", slowest_ms)


def dark(count: int, seed: int = 1) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(16, 60, count, dtype=np.uint8)


def children(pid: int) -> list[int]:
    """Of all of a process's threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]
