"""`tapetum doctor`: prints what `tapetum.realtime.command.doctor` finds."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from tapetum.realtime.command.exit_status import FAILED

if TYPE_CHECKING:
    from tapetum.realtime.command.doctor import Diagnosis
    from tapetum.realtime.command.finding import Finding

_MARKS = {"ok": "[green]ok[/]", "absent": "[yellow]--[/]", "problem": "[red]!![/]"}


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout instead.")
    ] = False,
) -> None:
    """Say what works on this machine, what does not, and what to do about it.

    `ok` works, `--` is not there and `tapetum enhance` does without, `!!` must be mended. Exit
    status: 0 if `tapetum enhance` works on this machine, else 1.
    """
    from tapetum.realtime.command.doctor import examine

    diagnosis = examine()
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(diagnosis) | {"healthy": diagnosis.healthy}))
    else:
        _print(diagnosis)
    if not diagnosis.healthy:
        raise typer.Exit(FAILED)


def _print(diagnosis: Diagnosis) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for section in diagnosis.sections:
        table.add_row("", f"[bold]{section.title}[/]", "")
        for finding in section.findings:
            table.add_row(_MARKS[finding.state], finding.name, _text(finding))
    console = Console(highlight=False)
    console.print(table)
    console.print(_verdict(diagnosis))


def _text(finding: Finding) -> str:
    from rich.markup import escape

    remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
    return escape(f"{finding.value}{remedy}")


def _verdict(diagnosis: Diagnosis) -> str:
    if diagnosis.healthy:
        return "\n[green]tapetum enhance works on this machine.[/]"
    return "\n[red]tapetum enhance does not work here until what is marked !! is mended.[/]"
