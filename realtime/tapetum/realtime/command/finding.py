"""What `tapetum doctor` says of the things that it looked at, and how that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "problem"]
"""`absent`: not there, and the main job does without. `problem`: the main job suffers."""
_MARKS = {"ok": "[green]ok[/]", "absent": "[yellow]--[/]", "problem": "[red]!![/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        value: what was found, in a few words.
        state: whether that is good.
        remedy: what to do about it, or an empty string.
    """

    name: str
    value: str
    state: State = "ok"
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one subject."""

    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that `examine` found."""

    sections: tuple[Section, ...]

    @property
    def healthy(self) -> bool:
        """Whether `tapetum enhance` works on this machine."""
        findings = [finding for section in self.sections for finding in section.findings]
        return all(finding.state != "problem" for finding in findings)


def show(diagnosis: Diagnosis) -> None:
    """Print a diagnosis as a table."""
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
