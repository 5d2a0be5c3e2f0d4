"""The help of every command there is, also of those that are no part of `tapetum`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support.command_line import ROOT, environment
from typer.testing import CliRunner

from tapetum.benchmarks.__main__ import app as benchmarks
from tapetum.realtime.command.cli import _app

APPS = {"tapetum": _app(), "python -m tapetum.benchmarks": benchmarks}


def commands(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of a command and of all below it."""
    yield words
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from commands(below, *words, name)


ALL = [
    (name, words) for name, app in APPS.items() for words in commands(typer.main.get_command(app))
]


@pytest.mark.parametrize(("name", "words"), ALL, ids=[" ".join((n, *w)) for n, w in ALL])
def test_no_help_speaks_of_the_type_of_a_flag(name: str, words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(APPS[name], [*words, "--help"], terminal_width=120)
    assert shown.exit_code == 0
    assert "Usage: " in shown.output
    assert "<bool>" not in shown.output


RUN = re.compile(r'^if __name__ == "__main__":', re.MULTILINE)
"""In every file that can be run."""
PROGRAMS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("gan", "realtime", "trt_build", "benchmarks", "samples", "web")
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts and RUN.search(path.read_text(encoding="utf-8"))
)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_file_that_can_be_run_has_a_help_and_refuses_what_it_does_not_know(
    program: str, tmp_path: Path
) -> None:
    parts = Path(program).with_suffix("").parts
    module = ".".join(parts[1:]) if parts[1] == "tapetum" else None
    command = [sys.executable, *(["-m", module] if module else [str(ROOT / program)])]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
            cwd=tmp_path,
        )

    helped = run("--help")
    if "No module named" in helped.stderr:
        pytest.skip(helped.stderr.splitlines()[-1])  # what makes samples has needs of its own
    assert helped.returncode == 0, helped.stderr
    assert "usage: " in (helped.stdout + helped.stderr).lower()
    refused = run("--nonsense", "a")
    assert refused.returncode == 2, refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["tapetum.gan.export_command", "tapetum.gan.train_command"])
def test_modules_that_are_commands_have_plain_help_too(module: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert "Usage: " in shown.stdout
    assert "<bool>" not in shown.stdout
