"""`tapetum plugin`: into the real program, and out of it again."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.command_line import tapetum

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


def has_frei0r() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    shown = subprocess.run(["ffmpeg", "-filters"], capture_output=True, check=False)
    return b" frei0r " in shown.stdout


@pytest.mark.slow
@needs_compiler
@pytest.mark.skipif(not has_frei0r(), reason="needs an ffmpeg with frei0r")
def test_frei0r_is_installed_makes_pictures_bright_and_is_removed(tmp_path: Path) -> None:
    folder = str(tmp_path / "frei0r")
    installed = tapetum("plugin", "install", "frei0r", FREI0R_PATH=folder)
    assert installed.returncode == 0, installed.stderr
    assert "frei0r: installed" in tapetum("plugin", "list", FREI0R_PATH=folder).stdout
    checked = tapetum("plugin", "check", "frei0r", FREI0R_PATH=folder)
    assert "made a dark picture bright" in checked.stdout, checked.stderr
    gone = tapetum(
        "plugin", "check", "frei0r", FREI0R_PATH=folder, TAPETUM_PYTHON=str(tmp_path / "gone")
    )
    assert gone.returncode == 1
    assert "left the dark picture as it was" in gone.stderr
    assert f"cannot start {tmp_path / 'gone'}" in gone.stderr
    assert tapetum("plugin", "uninstall", "frei0r", FREI0R_PATH=folder).returncode == 0
    assert list((tmp_path / "frei0r").iterdir()) == []


@pytest.mark.parametrize("command", ["check", "uninstall"])
def test_what_is_not_installed_is_one_line(tmp_path: Path, command: str) -> None:
    answer = tapetum("plugin", command, "frei0r", FREI0R_PATH=str(tmp_path))
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert str(tmp_path / "tapetum.so") in line


def test_without_a_compiler_one_line_says_so(tmp_path: Path) -> None:
    answer = tapetum("plugin", "install", "frei0r", FREI0R_PATH=str(tmp_path), CC="no-such-cc")
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert "C compiler" in line
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_host_is_one_line() -> None:
    answer = tapetum("plugin", "install", "winamp")
    assert answer.returncode == 2
    assert "there is frei0r" in answer.stderr
