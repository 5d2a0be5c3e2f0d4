"""Finds figures in a card's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Card = Mapping[str, Any]
"""A card's file, as `result_file` reads it."""


def figures(card: Card, part: str) -> Any:  # noqa: ANN401 - JSON
    """The figures of a part; None where it was not measured."""
    return card["parts"][part]["figures"] if part in card["parts"] else None


def rows(card: Card, part: str, **wanted: str) -> list[dict[str, Any]]:
    """The rows of a part that have these values."""
    return [
        row
        for row in figures(card, part) or ()
        if all(row[name] == value for name, value in wanted.items())
    ]


def row(card: Card, part: str, **wanted: str) -> dict[str, Any] | None:
    """The row of a part that has these values; None where there is none."""
    found = rows(card, part, **wanted)
    return found[0] if found else None
