"""Files of measurements: whole or not at all, and never in the place of a device."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tapetum.benchmarks.bench.result import COLUMNS, write_csv
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import write_json, write_whole


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_json({"a": 1}, pipe)
    reader.join(10)
    assert pipe.is_fifo()
    assert read == ['{\n "a": 1\n}\n']


def test_a_link_is_followed(tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(file)
    write_csv({"results": [], "complete": True}, link)
    assert link.is_symlink()
    assert file.read_bytes() == ",".join(COLUMNS).encode() + b"\r\n"


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_text("before")
    with pytest.raises(BenchmarkError, match="folder cannot be written: Is a directory"):
        write_json({}, folder)
    monkeypatch.setattr(Path, "replace", _full)
    with pytest.raises(BenchmarkError, match="file cannot be written: No space left"):
        write_whole("after", file)
    assert file.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [file, folder]


def _full(_file: Path, _target: Path) -> None:
    raise OSError(28, "No space left on device")
