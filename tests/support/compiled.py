"""What tests have g++ make, once for all processes of a run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
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


def compiled(name: str, *arguments: str | Path) -> Path:
    """A file called `name` that g++ makes; the test skips without g++.

    Args:
        name: the same arguments make the same file, which may be there already.
        arguments: flags and sources, which do not change during a run.

    Raises:
        CalledProcessError: g++ says why.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile what stands for a GPU's parts")
    command = [compiler, *map(str, arguments)]
    key = hashlib.sha256("\0".join(command).encode()).hexdigest()[:16]
    target = Path(os.environ[_FOLDER], key, name)
    target.parent.mkdir(exist_ok=True)
    with FileLock(target.with_name("lock")):
        if not target.exists():
            part = target.with_name("part")
            subprocess.run([*command, "-o", str(part)], check=True, capture_output=True, text=True)
            part.rename(target)
    return target
