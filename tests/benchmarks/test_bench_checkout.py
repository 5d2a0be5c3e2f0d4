"""The commit in the results of `tapetum bench`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tapetum.benchmarks.measure.machine import commit_of

AUTHOR = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *AUTHOR, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file in a checkout of one commit, which has a tag."""
    path = tmp_path / "code.py"
    path.write_text("x = 1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", path.name)
    git(tmp_path, "commit", "--quiet", "-m", "One")
    git(tmp_path, "tag", "-a", "v1", "-m", "v1")
    return path


def test_a_clean_checkout_is_its_commit(code: Path) -> None:
    assert commit_of(code) == git(code.parent, "rev-parse", "HEAD")
    code.with_name("run.json").touch()  # what git does not track is no change
    assert commit_of(code) == git(code.parent, "rev-parse", "HEAD")


def test_local_changes_are_said(code: Path) -> None:
    code.write_text("x = 2\n")
    assert commit_of(code) == f"{git(code.parent, 'rev-parse', 'HEAD')}-dirty"


def test_an_installed_package_has_no_commit(code: Path) -> None:
    installed = code.with_name("installed.py")
    installed.touch()
    assert commit_of(installed) is None
