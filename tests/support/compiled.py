"""What tests compile, once for all processes of a run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

_FOLDER = "TAPETUM_TESTS_COMPILED"


def share_what_is_compiled(config: pytest.Config) -> None:
    """Name a folder for it, to this run's other processes too, until the run ends."""
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist was told already
        folder = tempfile.mkdtemp(prefix="tapetum-compiled-")
        os.environ[_FOLDER] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder))


def made_once(name: str, given: tuple[str, ...], make: Callable[[Path], object]) -> Path:
    """A file called `name` that `make` writes of `given`, unless it is there already."""
    key = hashlib.sha256("\0".join(given).encode()).hexdigest()[:16]
    target = Path(os.environ[_FOLDER], key, name)
    target.parent.mkdir(exist_ok=True)
    with FileLock(target.with_name("lock")):
        if not target.exists():
            part = target.with_name("part")
            make(part)
            part.rename(target)
    return target


def compiled(name: str, *arguments: str | Path) -> Path:
    """A file called `name` that g++ makes of `arguments`; the test skips without g++.

    Raises:
        CalledProcessError: g++ says why.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile what stands for a GPU's parts")
    command = (compiler, *map(str, arguments))

    def compile_it(target: Path) -> None:
        subprocess.run([*command, "-o", target], check=True, capture_output=True, text=True)

    return made_once(name, command, compile_it)
