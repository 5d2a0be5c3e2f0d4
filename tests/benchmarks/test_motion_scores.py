"""What taking noise out does where things move in known ways."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from tapetum.benchmarks.evaluate import motion_scores
from tapetum.benchmarks.evaluate.motion_scores import motion_table, score_motions
from tapetum.benchmarks.evaluate.moved_photos import HEIGHT, MOTIONS, WIDTH, enlarged, motions_of
from tapetum.benchmarks.evaluate.recordings import CONDITIONS
from tapetum.gan.photos import Photo
from tapetum.realtime.command.cli import run_command


@pytest.fixture(scope="module")
def photo() -> Photo:
    rng = np.random.default_rng(1)
    small = rng.integers(30, 220, (20, 30, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (480, 320), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_every_motion_moves(photo: Photo) -> None:
    for name, pictures in motions_of([photo], 12):
        assert len(pictures) == 12, name
        for picture in pictures:
            assert picture.shape == (HEIGHT, WIDTH, 3), name
            assert picture.dtype == np.uint8, name
        changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(pictures)]
        assert max(changes) > 0.2, name


def test_a_pan_is_as_fast_as_it_says(photo: Photo) -> None:
    first, *_, last = MOTIONS["pan, 4 pixels"](enlarged(photo), 6)
    np.testing.assert_array_equal(last[:-5, :-20], first[5:, 20:])


def test_a_frame_in_two_is_new(photo: Photo) -> None:
    one, same, other, _ = MOTIONS["frames that come twice"](enlarged(photo), 4)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_the_crop_that_lost_most_is_found() -> None:
    where = np.ones((4, 192, 192), bool)
    before = np.full(where.shape, 4.0, np.float32)
    after = before.copy()
    after[:, 96:, :96] = 16
    worst = motion_scores._worst_gain_db(before, after, where)
    assert worst == pytest.approx(10 * np.log10(4 / 16), abs=0.1)
    assert motion_scores._worst_gain_db(before, after, ~where) is None


@pytest.mark.slow
def test_the_command_writes_the_figures(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_scores, "ALL_CONDITIONS", CONDITIONS[:1])
    few = dict(list(MOTIONS.items())[:2])
    monkeypatch.setattr("tapetum.benchmarks.evaluate.moved_photos.MOTIONS", few)
    folder, figures = tmp_path / "photos", tmp_path / "motions.json"
    folder.mkdir()
    cv2.imwrite(str(folder / "one.png"), photo)
    assert run_command(["evaluate", "--motions", str(folder), "--json", str(figures)]) == 0
    rows = json.loads(figures.read_text())["motions"]
    assert [row["motion"] for row in rows] == list(few)
    assert all(row["moving_gain_db"] > 1 for row in rows)
    assert motion_table(score_motions(folder, "grid")).row_count == 2


def test_a_folder_without_photos_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["evaluate", "--motions", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err
