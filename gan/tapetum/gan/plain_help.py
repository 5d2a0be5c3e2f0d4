"""Help that says nothing of a flag's type: what takes no value has none to name."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class _PlainFlags:
    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's own are private
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False):
                param.metavar = ""
        return params


class PlainCommand(_PlainFlags, TyperCommand):
    """A command with plain help."""


class PlainGroup(_PlainFlags, TyperGroup):
    """Commands under one name, with plain help."""


def with_plain_help(app: typer.Typer) -> typer.Typer:
    """The app itself, all of whose commands and groups have plain help."""
    for command in app.registered_commands:
        command.cls = PlainCommand
    for group in app.registered_groups:
        group.cls = PlainGroup
        if group.typer_instance is not None:
            with_plain_help(group.typer_instance)
    app.info.cls = PlainGroup
    return app


def run_alone(command: Any) -> None:  # noqa: ANN401 - any function that Typer takes
    """Run a module's one command, with the arguments of the process, and exit."""
    app = typer.Typer(add_completion=False)
    app.command(cls=PlainCommand)(command)
    app()
