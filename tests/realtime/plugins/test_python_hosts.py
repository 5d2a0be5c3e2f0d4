"""The examples of docs/python_hosts.md, each where its library is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.command_line import ROOT, environment

pytestmark = pytest.mark.slow

_BLOCK = re.compile(r"^```python needs (\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = _BLOCK.findall((ROOT / "docs" / "python_hosts.md").read_text())


@pytest.mark.parametrize(("library", "code"), EXAMPLES, ids=[library for library, _ in EXAMPLES])
def test_the_example_runs(library: str, code: str, short_clip: Path, tmp_path: Path) -> None:
    """In a Python of its own: these libraries have threads, and warnings, that are not ours."""
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copy(short_clip, tmp_path / "dark.mp4")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment() | {"HOME": os.environ.get("HOME", str(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
