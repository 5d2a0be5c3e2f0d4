"""Tables in Markdown, and the rows in which a figure stands beside its target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MISSING = "not measured"

TARGET_HEAD = ("target", "at most", "measured", "of the target", "met")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def target_row(label: str, limit: float, unit: str, value: float | None) -> list[str]:
    """A row under `TARGET_HEAD`; None was not measured, and infinity never reached."""
    bound = f"{limit:g} {unit}"
    if value == math.inf:
        return [label, bound, "never", "", "no"]
    if value is None:
        return [label, bound, MISSING, "", ""]
    share = f"{100 * value / limit:.3g} %" if limit else ""
    return [label, bound, f"{value:.4g}", share, "yes" if value <= limit else "no"]
