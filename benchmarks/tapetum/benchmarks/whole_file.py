"""Writes the files that measurements are kept and shown in: whole, or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tapetum.benchmarks.bench.errors import BenchmarkError


def write_whole(content: str | bytes, path: Path) -> None:
    """Write a file, text as UTF-8; what was there before stays if that fails.

    Raises:
        BenchmarkError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe or a device: a file in its place would destroy it
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}") from error


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        with suppress(OSError):  # it is gone where all went well
            beside.unlink()
