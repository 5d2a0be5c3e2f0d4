"""Tables of what `tapetum bench` does not measure: flicker, memory and training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tapetum.benchmarks.json_file import Figures, read_figures
from tapetum.benchmarks.machine import machine_line
from tapetum.benchmarks.markdown_table import MISSING, TARGET_HEAD, table, target_row

_FLICKER_TARGET_LEVELS = 0.5


def flicker_table(results: Path) -> str:
    """The flicker that `quality-*.json` hold, each clip's before enhancing in brackets."""
    rows = [
        target_row(
            f"`{run['model']}`, {clip['clip']} ({clip['flicker'][0]} before)",
            _FLICKER_TARGET_LEVELS,
            "8-bit levels",
            clip["flicker"][1],
        )
        for run in map(read_figures, sorted(results.glob("quality-*.json")))
        for clip in run["clips"]
    ]
    return table(TARGET_HEAD, rows) if rows else MISSING


def recorded_table(results: Path) -> str:
    """The memory and the training speed that `cpu.json` holds."""
    path = results / "cpu.json"
    if not path.exists():
        return MISSING
    figures = read_figures(path)
    rows = [(label, text(figures.get(part))) for label, part, text in _ROWS]
    return f"{machine_line(figures['machine'])}\n\n{table(('', ''), rows)}"


def _memory(part: Figures | None) -> str:
    if part is None:
        return MISSING
    repeated = f"{part['peak_of_repeated_mb']} MB for a clip {part['repeats']} times as long"
    return f"{part['peak_mb']} MB; {repeated}"


def _training(part: list[Figures] | None) -> str:
    if part is None:
        return MISSING
    return "; ".join(
        f"{run['recipe']}: {run['photos_per_s']} photos/s, batch"
        f" {run['settings']['optimizer']['batch']}"
        for run in part
    )


_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("peak memory, 1080p", "peak_memory", _memory),
    ("training on a CPU, bf16, all cores", "training", _training),
)
