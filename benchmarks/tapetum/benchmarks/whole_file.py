"""Writes the files that measurements are kept and shown in: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.gan.whole_file import whole_file


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
            with whole_file(path.resolve()) as unfinished:
                unfinished.write_bytes(data)
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}") from error
