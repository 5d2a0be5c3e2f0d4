"""Too little memory, and no compiler: one line, and nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import environment, python, tapetum
from support.photos import dark_colors

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")


def limited(limit_kb: int, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Run `tapetum ARGUMENTS...` with so much address space."""
    command = [sys.executable, "-m", "tapetum.realtime", *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f'ulimit -v {limit_kb}; exec "$@"', "limited", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(),
    )


def test_a_video_under_a_low_limit_is_refused_in_one_line(short_clip: Path, tmp_path: Path) -> None:
    run = limited(1_048_576, "enhance", short_clip, tmp_path / "out.mp4")
    assert run.returncode == 1
    assert run.stderr.startswith("error: this process may use 1.07 GB of memory (ulimit -v)")
    assert len(run.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    ["live --source CLIP --sink null", "enhance - -", "serve --port 0"],
    ids=["live", "pipe", "serve"],
)
def test_a_stream_under_a_low_limit_is_refused_in_one_line(command: str, short_clip: Path) -> None:
    """Numba's compiler ended the process, with a line of its own."""
    words = [str(short_clip) if word == "CLIP" else word for word in command.split()]
    run = limited(1_048_576, *words)
    assert run.returncode == 1
    assert run.stderr.startswith("error: this process may use 1.07 GB of memory (ulimit -v)")
    assert len(run.stderr.splitlines()) == 1
    assert run.stdout == ""


@pytest.mark.slow
def test_a_photo_of_100_megapixels_takes_less_than_a_gigabyte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000_000)
    photo = tmp_path / "in.jpg"
    Image.fromarray(np.tile(np.full((100, 100, 3), 30, np.uint8), (100, 100, 1))).save(photo)
    command = ["-m", "tapetum.realtime", "enhance", str(photo), str(tmp_path / "out.jpg")]
    # Of a small process's child: a child begins with as much as its parent has.
    peak = python(
        "import resource, subprocess, sys\n"
        f"subprocess.run([sys.executable, *{command!r}], check=True, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    assert int(peak) * unit_bytes < 1e9
    with Image.open(tmp_path / "out.jpg") as bright:
        assert bright.size == (10_000, 10_000)


def test_a_photo_under_a_very_low_limit_is_one_line(tmp_path: Path) -> None:
    Image.fromarray(np.tile(dark_colors(), (2, 2, 1))).save(tmp_path / "in.png")
    run = limited(300_000, "enhance", tmp_path / "in.png", tmp_path / "out.png")
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.splitlines()[-1].startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_without_numbas_compiler_one_line_says_so(short_clip: Path, tmp_path: Path) -> None:
    run = tapetum("enhance", short_clip, tmp_path / "out.mp4", NUMBA_DISABLE_JIT="1")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: NUMBA_DISABLE_JIT is set")
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())
