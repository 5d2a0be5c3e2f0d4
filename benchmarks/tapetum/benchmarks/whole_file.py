"""Writes the files that measurements are kept and shown in: whole, or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tapetum.benchmarks.bench.errors import BenchmarkError


def write_whole(text: str, path: Path) -> None:
    """Write a text file; what was there before stays if that fails.

    Raises:
        BenchmarkError: it cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text)  # a pipe or a device: a file in its place would destroy it
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("w", newline="") as file:
            file.write(text)
        beside.replace(path)
    finally:
        with suppress(OSError):  # it is gone where all went well
            beside.unlink()
