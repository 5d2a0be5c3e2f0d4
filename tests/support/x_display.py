"""A real X display that nobody sees, by Xvfb; tests skip where there is none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def x_display(size: str = "640x480") -> Iterator[str]:
    """The name of a display of a size."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("needs Xvfb: apt-get install xvfb")
    options = ["-displayfd", "1", "-screen", "0", f"{size}x24"]
    with subprocess.Popen([xvfb, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as x:
        assert x.stdout is not None
        try:
            yield f":{int(x.stdout.readline())}"
        finally:
            x.terminate()
