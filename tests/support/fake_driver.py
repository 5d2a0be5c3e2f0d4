"""Compiles a stand-in for NVIDIA's driver, and runs commands and Python with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import environment

SOURCE = Path(__file__).with_name("fake_cuda_driver.cpp")


def fake_driver(folder: Path) -> dict[str, str]:
    """The environment of a process that finds the stand-in; the test skips without g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile a stand-in for NVIDIA's driver")
    target = folder / "libcuda.so.1"
    flags = ("-std=c++17", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(target)], check=True)
    before = os.environ.get("LD_LIBRARY_PATH")
    paths = os.pathsep.join([str(folder), *([before] if before else [])])
    return {"LD_LIBRARY_PATH": paths}


def python_with(driver: dict[str, str], code: str, **variables: str) -> str:
    """What a fresh Python prints when it runs `code` with the stand-in."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=environment() | driver | variables,
    ).stdout
