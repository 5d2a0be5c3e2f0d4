"""What is said of a file beside how it went."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.media import make_clip

from tapetum.realtime.command.cli import run_command
from tapetum.realtime.media.file_source import FileSource


@pytest.mark.slow
def test_a_file_that_is_damaged_in_many_ways_is_said_in_twelve_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [f"fault {number}" for number in range(20)]
    monkeypatch.setattr(FileSource, "notices", property(lambda _: list(many)))
    monkeypatch.setattr(FileSource, "damaged_frames", property(lambda _: 1))
    arguments = ["enhance", str(make_clip(tmp_path / "in.mp4")), str(tmp_path / "out.mp4")]
    assert run_command(arguments) == 3
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) <= 12
    assert any(line.endswith(" more; --json tells all") for line in lines)
    assert run_command([*arguments, "--overwrite", "--json"]) == 3
    assert set(many) <= set(json.loads(capsys.readouterr().out)["notices"])
