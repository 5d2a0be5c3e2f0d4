"""Documents of which a command writes the figures, and people the rest."""

from __future__ import annotations

from pathlib import Path

from tapetum.benchmarks.bench.errors import BenchmarkError

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
