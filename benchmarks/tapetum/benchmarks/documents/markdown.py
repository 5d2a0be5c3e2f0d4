"""Tables in Markdown, and documents of which a command writes the figures, and people the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from tapetum.benchmarks.measure.errors import BenchmarkError

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


_START, _END = "<!-- figures: start -->", "<!-- figures: end -->"


def around_figures(document: Path) -> tuple[str, str]:
    """What stands before and after the figures of a document, its two marks included.

    Raises:
        BenchmarkError: it cannot be read, or lacks the marks.
    """
    try:
        text = document.read_text()
    except OSError as error:
        raise BenchmarkError(f"{document} cannot be read: {error.strerror}") from error
    if _START not in text or _END not in text:
        raise BenchmarkError(f"{document} has no {_START} and {_END}")
    before, after = text.split(_START)[0], text.split(_END)[1]
    return f"{before}{_START}\n", f"\n{_END}{after}"
