"""A real X display that nobody sees, by Xvfb; tests skip where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

_COUNT = count()


@contextmanager
def x_display(size: str = "640x480") -> Iterator[str]:
    """The name of a display of a size."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("needs Xvfb: apt-get install xvfb")
    # A number of this process's own: one that ends takes the socket of the next away with it.
    name = f":{100 + 10 * (os.getpid() % 5000) + next(_COUNT) % 10}"
    options = [name, "-displayfd", "1", "-screen", "0", f"{size}x24"]
    with subprocess.Popen([xvfb, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as x:
        assert x.stdout is not None
        try:
            x.stdout.readline()  # it is ready
            yield name
        finally:
            x.terminate()
