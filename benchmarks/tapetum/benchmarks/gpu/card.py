"""The file of a card's figures: one part for each thing that was measured, with what it ran on.

`gpu_schema.json` describes it. A part that is measured again replaces the older one, but for rows
of the same GPU, driver and libraries that were not measured again: it may take several commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import read_json
from tapetum.benchmarks.measure.machine import machine
from tapetum.benchmarks.measure.nvml import gpu_facts, gpu_reading, library_versions

SCHEMA_VERSION = 1
_NAMES = ("kernel", "network", "direction", "codec", "format", "size", "backend", "unit")
"""What tells the rows of a part apart; all else in them was measured."""
SCHEMA = Path(__file__).with_name("gpu_schema.json")


def file_name(gpu_name: str) -> str:
    """The file of a card in the folder of results, like "gpu-nvidia-h200.json"."""
    return f"gpu-{re.sub(r'[^a-z0-9]+', '-', gpu_name.lower()).strip('-')}.json"


def new_result(gpu: dict[str, Any]) -> dict[str, Any]:
    """A file of a card of which nothing is known yet."""
    return {"schema_version": SCHEMA_VERSION, "gpu": gpu, "parts": {}}


def add_part(result: dict[str, Any], part: str, measured: dict[str, Any]) -> None:
    """Put a part into a card's file, with the older rows that stay."""
    older = result["parts"].get(part)
    result["parts"][part] = measured if older is None else _joined(older, measured)


def _joined(older: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    rows = measured["figures"]
    same = all(older[name] == measured[name] for name in ("gpu", "libraries"))
    if not (same and isinstance(rows, list)):
        return measured
    again = {_identity(row) for row in rows}
    kept = [row for row in older["figures"] if _identity(row) not in again]
    if not kept:
        return measured
    command = f"{older['command']} && {measured['command']}"
    return measured | {"command": command, "figures": kept + rows}


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _NAMES)


def read_result(path: Path) -> dict[str, Any]:
    """Read a card's file.

    Raises:
        BenchmarkError: it is missing, or none that this version can read.
    """
    result = read_json(path, remedy=": measure again")
    if not isinstance(result, dict) or result.get("schema_version") != SCHEMA_VERSION:
        raise BenchmarkError(f"{path} is no result of version {SCHEMA_VERSION}: measure again")
    return result


def measured_part(command: str, measure: Callable[[], Any]) -> dict[str, Any]:
    """Figures with what they were measured on, and how the card fared before and after.

    Args:
        command: as it was typed.
        measure: gives the figures.

    Raises:
        BenchmarkError: there is no GPU.
    """
    before = gpu_reading()
    figures = measure()
    return {
        "command": command,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": gpu_facts(),
        "machine": machine(),
        "libraries": library_versions(),
        "reading": {"before": before, "after": gpu_reading()},
        "figures": figures,
    }
