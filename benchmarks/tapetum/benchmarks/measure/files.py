"""The files that measurements are kept and shown in: JSON, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.whole_file import write_whole

Figures = Mapping[str, Any]
"""What was measured, by name."""


def read_json(path: Path, *, remedy: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """What a JSON file holds.

    Args:
        path: the file.
        remedy: how the error ends that says that it is not JSON.

    Raises:
        BenchmarkError: it is missing, or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path} is not JSON{remedy}") from error


def read_figures(path: Path) -> Figures:
    """What a command of this package measured and wrote.

    Raises:
        BenchmarkError: the file is missing, or is not JSON.
    """
    figures: Figures = read_json(path, remedy=": measure again")
    return figures


def recorded_figures(path: Path) -> Figures:
    """The same, and nothing where nobody has run the command yet.

    Raises:
        BenchmarkError: the file is not JSON.
    """
    return read_figures(path) if path.exists() else {}


def write_json(value: Any, path: Path) -> None:  # noqa: ANN401 - whatever was measured
    """Write a JSON file, whole or not at all; numbers that follow each other share a line.

    Raises:
        BenchmarkError: it cannot be written.
    """
    text = _LIST_OF_NUMBERS.sub(_on_one_line, json.dumps(value, indent=1))
    write_whole(path, f"{text}\n", error=BenchmarkError)


_LIST_OF_NUMBERS = re.compile(r"\[\n[-+.\deE,\s]+\]")
"""A line break in JSON is never part of a string."""


def _on_one_line(match: re.Match[str]) -> str:
    return re.sub(r"\s+", "", match[0])
