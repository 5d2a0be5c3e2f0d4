"""The comparison of what takes noise out: on recordings whose truth is known."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tapetum.benchmarks.evaluate import recordings, restoring
from tapetum.benchmarks.evaluate.recordings import FRAMES, Conditions, record
from tapetum.benchmarks.evaluate.restoring import (
    RestoringScore,
    filtered,
    restoring_tables,
    score_restoring,
)
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.simulation.clips import write_clip
from tapetum.realtime.command.cli import run_command

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg program")


@pytest.fixture(scope="module")
def lit_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A well-lit clip in which a bright square moves over soft waves."""
    path = tmp_path_factory.mktemp("lit") / "lit.mkv"
    y, x = np.mgrid[:96, :160].astype(float)
    waves = 120 + 50 * np.sin(x / 19) + 30 * np.sin(y / 13)
    pictures = []
    for step in range(FRAMES):
        picture = np.repeat(waves[..., np.newaxis], 3, axis=2).astype(np.uint8)
        picture[30:60, 10 + 3 * step : 40 + 3 * step] = (230, 180, 90)
        pictures.append(picture)
    write_clip(pictures, path)
    return path


def test_a_recording_is_the_truth_and_noise_around_it(lit_clip: Path) -> None:
    recording = record(lit_clip, Conditions("", 0.05, 200))
    assert len(recording.noisy) == len(recording.truth) == FRAMES
    noise = np.mean(
        [
            frame.planes[0] - truth.planes[0] / 16
            for frame, truth in zip(recording.noisy, recording.truth, strict=True)
        ],
        axis=0,
    )
    assert recording.truth[0].format_name == "yuv420p12le"
    assert abs(noise.mean()) < 0.3  # gamma bends the mean a little
    assert 0.05 < noise.std() < 1


def test_clean_conditions_leave_rounding_alone(lit_clip: Path) -> None:
    recording = record(lit_clip, Conditions("", 0.05, np.inf))
    for frame, truth in zip(recording.noisy, recording.truth, strict=True):
        for plane, exact in zip(frame.planes, truth.planes, strict=True):
            np.testing.assert_allclose(plane, exact / 16, atol=0.54)


def test_a_clip_that_is_too_short_is_refused(short_clip: Path) -> None:
    with pytest.raises(BenchmarkError, match="12 frames"):
        record(short_clip, recordings.CONDITIONS[0])


@needs_ffmpeg
@pytest.mark.slow
def test_what_moves_in_a_dark_room_comes_nearer_to_the_truth(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor's noise alone: it was taken for a codec's, and moving detail smoothed with it."""
    monkeypatch.setattr(restoring, "CONDITIONS", recordings.CONDITIONS[:1])
    monkeypatch.setattr(restoring, "FILTERS", {})
    clip = shared_data / "video" / "day_bedroom_960x540.mp4"
    without, own = score_restoring(clip, "grid")
    assert without.moving_psnr_db is not None
    assert own.moving_psnr_db is not None
    assert own.moving_psnr_db > without.moving_psnr_db + 2


@needs_ffmpeg
def test_a_filter_that_does_nothing_changes_nothing(lit_clip: Path) -> None:
    frames = record(lit_clip, Conditions("", 0.05, 200)).noisy
    for frame, same in zip(frames, filtered(frames, "null"), strict=True):
        for plane, other in zip(frame.planes, same.planes, strict=True):
            np.testing.assert_array_equal(plane.astype(np.uint16) << 2, other)
    with pytest.raises(BenchmarkError, match="no_such"):
        filtered(frames, "no_such")


@needs_ffmpeg
@pytest.mark.slow
def test_every_way_is_scored(lit_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "CONDITIONS", recordings.CONDITIONS[:1])
    scores = score_restoring(lit_clip, "grid")
    by_way = {score.way: score for score in scores}
    assert list(by_way) == ["nothing", "tapetum", *restoring.FILTERS]
    nothing, ours = by_way["nothing"], by_way["tapetum"]
    assert ours.psnr_db > nothing.psnr_db + 2
    assert ours.temporal_noise < 0.5 * nothing.temporal_noise
    assert ours.kilobytes < nothing.kilobytes
    assert abs(nothing.ghosting) < 3
    assert [table.row_count for table in restoring_tables(scores)] == [len(scores)]


def test_a_trail_is_measured_as_its_share() -> None:
    truth = [np.full((40, 60), 50.0, np.float32) for _ in range(20)]
    for step, plane in enumerate(truth):
        plane[10:20, 2 * step : 2 * step + 12] = 150
    frames = [np.rint(0.8 * own + 0.2 * past) for own, past in zip(truth[3:], truth, strict=False)]
    errors = {at: frames[at - 3] - truth[at] for at in range(12, 20)}
    moving = {at: restoring.where_it_moves(truth, at) for at in errors}
    assert restoring._ghosting(errors, truth, moving) == pytest.approx(0.2, abs=0.01)


@needs_ffmpeg
@pytest.mark.slow
def test_the_command_writes_the_figures(
    lit_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "CONDITIONS", recordings.CONDITIONS[:1])
    monkeypatch.setattr(restoring, "FILTERS", {"hqdn3d": ("hqdn3d",)})
    figures = tmp_path / "noise.json"
    assert run_command(["evaluate", "--noise", str(lit_clip), "--json", str(figures)]) == 0
    rows = json.loads(figures.read_text())["noise"]
    assert [row["way"] for row in rows] == ["nothing", "tapetum", "hqdn3d"]


def test_each_recording_has_a_table_of_its_own() -> None:
    row = RestoringScore("a.mp4", "noisy", "nothing", 30, 40, 0.9, None, 30, 1, 0, 5)
    rows = [row, replace(row, way="tapetum"), replace(row, conditions="clean")]
    assert [table.row_count for table in restoring_tables(rows)] == [2, 1]
