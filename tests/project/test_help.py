"""The help of every command there is, also of those that are no part of `tapetum`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from support.command_line import environment
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
