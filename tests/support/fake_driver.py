"""Compiles stand-ins for NVIDIA's libraries, and runs commands and Python with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import environment

SOURCE = Path(__file__).with_name("fake_cuda_driver.cpp")
CODECS = Path(__file__).with_name("fake_nvcodecs.cpp")


def fake_driver(folder: Path, *, codecs: bool = False) -> dict[str, str]:
    """The environment of a process that finds the stand-in; the test skips without g++.

    Args:
        folder: where it is compiled.
        codecs: whether there are stand-ins for NVDEC and NVENC too.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile a stand-in for NVIDIA's driver")
    driver = folder / "libcuda.so.1"
    flags = ("-std=c++17", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror")
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(driver)], check=True)
    if codecs:
        both = folder / "libnvcuvid.so.1"
        subprocess.run([compiler, *flags, str(CODECS), "-o", str(both), str(driver)], check=True)
        shutil.copy(both, folder / "libnvidia-encode.so.1")
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
