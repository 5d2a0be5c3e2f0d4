"""What `tapetum doctor` says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "absent", "problem"]
"""`absent`: not there, and the main job does without. `problem`: the main job suffers."""


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
