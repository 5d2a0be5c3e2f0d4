"""Reads the JSON files that measurements were written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench.errors import BenchmarkError


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
    except ValueError as error:
        raise BenchmarkError(f"{path} is not JSON{remedy}") from error
