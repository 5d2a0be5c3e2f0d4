"""`tapetum evaluate` on real photos made here."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest

from tapetum.benchmarks.evaluate.contact_sheet import contact_sheet
from tapetum.benchmarks.evaluate.evaluation import INPUT, PhotoSet, evaluate
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.errors import DataError
from tapetum.gan.metrics import photo_niqe
from tapetum.gan.photos import read_photo
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Two dark photos and their well-lit twins."""
    rng = np.random.default_rng(0)
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
    for place in range(2):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        photo = cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "high" / f"{place}.png"), photo)
        cv2.imwrite(str(tmp_path / "low" / f"{place}.png"), (photo * 0.2).astype(np.uint8))
    return tmp_path / "low", tmp_path / "high"


def test_the_model_comes_nearer_to_the_reference_than_the_input(pairs: tuple[Path, Path]) -> None:
    before, after = (evaluate(model, [PhotoSet(*pairs)], []) for model in (INPUT, "grid"))
    dark, bright = before.photos[0], after.photos[0]
    assert dark.psnr_db is not None
    assert bright.psnr_db is not None
    assert bright.psnr_db > dark.psnr_db + 3
    assert [photo.photo for photo in bright.photos] == ["0.png", "1.png"]


def test_what_is_left_as_it_is_has_its_colors_and_no_change(pairs: tuple[Path, Path]) -> None:
    (kept,) = evaluate(INPUT, [PhotoSet(pairs[1])], []).photos
    assert kept.kept_db == kept.least_kept_db == 60
    assert kept.hue_degrees == 0
    assert kept.saturation == 1
    (changed,) = evaluate("grid", [PhotoSet(pairs[0])], []).photos
    assert changed.least_kept_db <= changed.kept_db < 30
    assert changed.hue_degrees is not None
    assert 0 < changed.hue_degrees < 90


def test_figures_and_a_sheet_are_written(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    figures, sheet = tmp_path / "figures.json", tmp_path / "sheet.png"
    arguments = ["evaluate", "grid", "--pairs", *map(str, pairs), "--photos", str(pairs[0])]
    assert run_command([*arguments, "--json", str(figures), "--sheet", str(sheet)]) == 0
    written = json.loads(figures.read_text())
    assert written["model"] == "grid"
    assert written["machine"]["cores"] >= 1
    paired, alone = written["photos"]
    assert paired["count"] == alone["count"] == 2
    assert alone["psnr_db"] is None
    assert alone["hue_degrees"] == pytest.approx(paired["hue_degrees"])
    assert {"kept_db", "saturation"} <= alone["photos"][0].keys()
    assert paired["niqe"] == pytest.approx(alone["niqe"])
    assert 0 < paired["noise_levels"] < 20
    assert paired["psnr_aligned_db"] > paired["psnr_db"] - 1
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape[1] > 500


def test_what_is_scored_is_what_enhance_writes(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    """Odd sizes, grey, alpha and 16 bits included."""
    photo = cv2.imread(str(pairs[0] / "0.png"), cv2.IMREAD_UNCHANGED)
    assert photo is not None
    alpha = np.full((*photo.shape[:2], 1), 200, np.uint8)
    odd = {
        "cut.jpg": photo[:191, :193],
        "grey.png": photo[..., 1],
        "alpha.png": np.concatenate((photo, alpha), axis=2),
        "deep.png": photo.astype(np.uint16) * 257,
    }
    for name, picture in odd.items():
        cv2.imwrite(str(pairs[0] / name), picture)
    result = evaluate("grid", [PhotoSet(pairs[0])], [])
    written = tmp_path / "written.png"
    for outcome, score in result.shown:
        assert run_command(["enhance", str(outcome.path), str(written), "--overwrite"]) == 0
        bright = read_photo(written)
        assert np.array_equal(outcome.enhanced, bright), outcome.path.name
        assert score.niqe == photo_niqe(bright)


def test_a_sheet_is_full_of_pictures_with_their_names(pairs: tuple[Path, Path]) -> None:
    sets = [PhotoSet(*pairs), PhotoSet(pairs[1])]
    sheet = np.asarray(contact_sheet(evaluate(INPUT, sets, [])))
    white = (sheet == 255).all(axis=2)
    longest = max(len(list(rows)) for blank, rows in groupby(white.all(axis=1)) if blank)
    assert longest < 16, "a blank band"
    assert white.all(axis=0).sum() < 16


def test_nothing_to_measure_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["evaluate", "grid"]) == 2
    assert "--pairs" in capsys.readouterr().err


def test_missing_references_are_named_before_anything_is_measured(
    pairs: tuple[Path, Path],
) -> None:
    measured: list[str] = []
    sets = [PhotoSet(pairs[0]), PhotoSet(*pairs)]
    for left, more in ((1, ""), (0, ", as are 1 more references")):
        (pairs[1] / f"{left}.png").unlink()
        expected = rf"high/{left}\.png is missing{more}: each photo in .*low needs one"
        with pytest.raises(DataError, match=expected):
            evaluate(INPUT, sets, [], on_progress=lambda name, *_: measured.append(name))
    pairs[1].rmdir()
    with pytest.raises(DataError, match="high is not a folder"):
        evaluate(INPUT, sets, [])
    assert not measured


def test_a_photo_is_no_reference_of_itself(pairs: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match=r"0\.png and its reference are the same picture"):
        evaluate(INPUT, [PhotoSet(pairs[0], pairs[0])], [])


@pytest.mark.parametrize("level", [0, 40, 255])
def test_a_flat_photo_is_named(pairs: tuple[Path, Path], level: int) -> None:
    cv2.imwrite(str(pairs[0] / "1.png"), np.full((192, 256, 3), level, np.uint8))
    with pytest.raises(DataError, match=r"1\.png cannot be judged: .* is flat; leave it out"):
        evaluate(INPUT, [PhotoSet(pairs[0])], [])


def test_folders_are_shown_as_they_are_named(
    pairs: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bracketed = pairs[0].rename(tmp_path / "[red]")
    monkeypatch.chdir(bracketed)
    assert run_command(["evaluate", INPUT, "--photos", "."]) == 0
    assert "[red]" in capsys.readouterr().out


def test_a_reference_of_another_size_is_named(pairs: tuple[Path, Path]) -> None:
    cv2.imwrite(str(pairs[1] / "1.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(DataError, match=r"1\.png has 256x192 pixels, but its reference is 10x10"):
        evaluate(INPUT, [PhotoSet(*pairs)], [])


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (
            ["--photos", "{low}", "--sheet", "{low}/absent/look.png"],
            1,
            "look.png cannot be written",
        ),
        (["--photos", "{low}", "--json", "{low}/absent/x.json"], 1, "there is no folder"),
        (["--photos", "{low}", "--json", "{low}"], 1, "low cannot be written: it is a folder"),
        (["--photos", "{low}", "--json", "{low}/0.png"], 1, "0.png would be one of the photos"),
        (["--photos", "{low}", "--sheet", "{low}/x.png"], 1, "x.png would be one of the photos"),
        (["--photos", "{low}", "--json", "x.png", "--sheet", "x.png"], 2, "name one file"),
        (["--photos", "{low}", "--sheet", "{low}/look.jpg"], 2, "--sheet writes a PNG"),
        (["--clip", "clip.mp4", "--sheet", "look.png"], 2, "--sheet shows photos"),
    ],
)
def test_an_output_that_cannot_be_is_refused_in_a_line_before_anything_is_measured(
    pairs: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    status: int,
    message: str,
) -> None:
    arguments = [option.format(low=pairs[0]) for option in options]
    assert run_command(["evaluate", INPUT, *arguments]) == status
    output, errors = capsys.readouterr()
    assert not output
    assert message in errors
    assert errors.count("\n") == 1


def test_a_photo_too_small_to_judge_is_named(pairs: tuple[Path, Path]) -> None:
    cv2.imwrite(str(pairs[0] / "1.png"), np.zeros((96, 100, 3), np.uint8))
    with pytest.raises(DataError, match=r"1\.png is too small for NIQE"):
        evaluate(INPUT, [PhotoSet(pairs[0])], [])


def test_a_clip_too_short_for_flicker_is_named(pairs: tuple[Path, Path]) -> None:
    with pytest.raises(BenchmarkError, match=r"0\.png has 1 frames, too few to measure flicker"):
        evaluate(INPUT, [], [pairs[0] / "0.png"])
