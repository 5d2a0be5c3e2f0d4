"""What a grid becomes before any pixel is seen, kept for the next frame that it is applied to."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from tapetum.realtime.cpu.grid_axis import Floats

_Made = TypeVar("_Made")


class GridTables:
    """Keeps one stream's tables for as long as its grid is the same array, which nobody changes.

    Example:
        tables = GridTables()
        for frame in stream:  # whose grid seldom changes
            planes = apply_grid(frame, grid, tables=tables)
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._kept: dict[str, tuple[Floats, Hashable, Any]] = {}

    def __call__(self, name: str, grid: Floats, kind: Hashable, make: Callable[[], _Made]) -> _Made:
        """What was made of the same grid before, else what is made now.

        Args:
            name: what it is; one of a name is kept.
            grid: of which it is made.
            kind: all else that it depends on.
            make: makes it.
        """
        kept = self._kept.get(name)
        if kept is None or kept[0] is not grid or kept[1] != kind:
            kept = self._kept[name] = grid, kind, make()
        made: _Made = kept[2]
        return made
