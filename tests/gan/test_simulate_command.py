"""`tapetum simulate`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from support.scene_folders import write_scenes
from typer.testing import CliRunner

from tapetum.gan.errors import DataError
from tapetum.gan.simulate_command import simulate
from tapetum.gan.simulation.pair_set import SHARD, PairSet

app = typer.Typer()
app.command()(simulate)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(folder) for folder in write_scenes(tmp_path_factory.mktemp("scenes"))]


@pytest.mark.slow
def test_a_sheet_a_set_and_clips_are_written(folders: list[str], tmp_path: Path) -> None:
    run = CliRunner().invoke
    sheet, clips, pairs = tmp_path / "look.png", tmp_path / "clips", tmp_path / "pairs"
    for arguments in (
        ["sheet", *folders, str(sheet), "--count", "1"],
        ["clips", *folders, str(clips), "--count", "1", "--size", "64", "48", "--frames", "2"],
        ["pairs", *folders, str(pairs), "--count", "1"],
    ):
        result = run(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert sheet.exists()
    assert {path.name for path in clips.iterdir()} == {
        "clip-000-dark.mkv",
        "clip-000-ideal.mkv",
    }
    assert len(PairSet(pairs)) == SHARD


def test_odd_clips_are_refused(folders: list[str], tmp_path: Path) -> None:
    arguments = ["clips", *folders, str(tmp_path), "--size", "63", "48"]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, DataError)
    assert "63x48" in str(result.exception)
