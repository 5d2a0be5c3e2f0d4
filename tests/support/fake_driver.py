"""Compiles stand-ins for NVIDIA's libraries, and runs commands and Python with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.command_line import environment
from support.compiled import compiled

SOURCE = Path(__file__).with_name("fake_cuda_driver.cpp")
CODECS = Path(__file__).with_name("fake_nvcodecs.cpp")


def fake_driver(*, codecs: bool = False) -> dict[str, str]:
    """The environment of a process that finds the stand-in; the test skips without g++.

    Args:
        codecs: whether there are stand-ins for NVDEC and NVENC too.
    """
    flags = ("-std=c++17", "-shared", "-fPIC", "-pthread", "-Wall", "-Wextra", "-Werror")
    libraries = [driver := compiled("libcuda.so.1", *flags, SOURCE)]
    if codecs:
        names = "libnvcuvid.so.1", "libnvidia-encode.so.1"
        libraries += [compiled(name, *flags, CODECS, driver) for name in names]
    folders = [str(library.parent) for library in libraries]
    before = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": os.pathsep.join([*folders, *([before] if before else [])])}


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
