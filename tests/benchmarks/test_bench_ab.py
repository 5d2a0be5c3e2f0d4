"""`tapetum bench ab`: the statistics on made numbers, and the command on two made versions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tapetum.benchmarks.bench.ab import (
    LEAST_ROUNDS,
    Difference,
    Observations,
    differences,
    permutation_p,
    side,
    students_t,
)
from tapetum.benchmarks.bench.tables import difference_notes
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.command.cli import run_command


def noisy(seed: int, *, slower: float = 0.0, rounds: int = 10) -> npt.NDArray[np.float64]:
    """Logarithms of times that vary by 3 % with outliers, on a machine that drifts by 20 %."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.2, (rounds, 1))
    change = np.array([0, 0, np.log1p(slower)])
    return np.asarray(drift + 0.03 * rng.standard_t(3, (rounds, 3)) + change)


def test_a_permutation_test_counts_all_choices() -> None:
    apart = np.tile([0.0, 0.0, 1.0], (4, 1))
    assert permutation_p(apart) == pytest.approx(1 / 81)
    assert permutation_p(-apart) == pytest.approx(1 / 81)
    assert permutation_p(np.zeros((4, 3))) == 1
    # Of nine sums of -1, 0 or 1 and -2, 0 or 2, four are at least 2 away from 0.
    assert permutation_p(np.array([[-1.0, 1, 0], [-2.0, 0, 2]])) == pytest.approx(4 / 9)


def test_choices_that_are_drawn_say_what_all_of_them_would() -> None:
    few = noisy(3, slower=0.02, rounds=11)
    many = np.concatenate([few, np.zeros((1, 3))])  # drawn, and a round that says nothing
    assert permutation_p(many) == pytest.approx(permutation_p(few), abs=0.01)


def test_false_alarms_are_as_rare_as_said_and_ten_percent_is_found() -> None:
    alarms = [permutation_p(noisy(seed)) < 0.05 for seed in range(400)]
    assert 0.02 < np.mean(alarms) < 0.08
    found = [permutation_p(noisy(seed, slower=0.1)) < 0.05 for seed in range(100)]
    assert np.mean(found) > 0.9


def observations(**logs: npt.NDArray[np.float64]) -> Observations:
    return {name: [tuple(row) for row in np.exp(values)] for name, values in logs.items()}


def test_differences_say_how_much_how_sure_and_what_the_machine_hides() -> None:
    slower, same = differences(observations(one=noisy(1, slower=0.2), two=noisy(2)))
    assert slower.verdict == "slower"
    assert slower.percent == pytest.approx(20, abs=6)
    assert slower.percent_ci95[0] < slower.percent < slower.percent_ci95[1]
    assert slower.corrected_p == 2 * slower.p < 0.01
    assert slower.fails(5)
    assert not slower.fails(50)
    assert same.verdict == "none seen"
    assert 0.5 < same.floor_percent < 10
    (faster,) = differences(observations(one=noisy(1, slower=-0.2)))
    assert faster.verdict == "faster"
    assert not faster.fails(0)
    with pytest.raises(ValueError, match="at least 5 rounds"):
        differences(observations(one=noisy(1, rounds=LEAST_ROUNDS - 1)))


def test_students_t_is_that_of_the_tables() -> None:
    table = {4: 2.776, 9: 2.262, 29: 2.045}
    assert {n: students_t(n) for n in table} == pytest.approx(table, rel=1e-3)


def test_a_reader_is_told_of_noise_that_hides_the_limit() -> None:
    sure = Difference("grid", 10, 10.1, 1.0, (0.5, 1.5), 0.4, 1.0, 0.1, 0.5)
    unsure = Difference("file", 10, 10.1, 1.0, (-9, 11.5), 0.4, 1.0, 8.1, 3.0)
    assert len(difference_notes([sure], 5)) == 1
    _, itself, noise = difference_notes([unsure], 5)
    assert "file: the old version differs from itself by +8.1 %" in itself
    assert "file: too noisy, it may be +11.5 %" in noise


FAKE = """
import time
class SyntheticSource(list):
    def __init__(self, width, height, *, frames):
        super().__init__(range(frames))
def make_enhancer(model):
    return lambda frame: time.sleep({sleep_s})
def enhance_file(clip, output, *, model, overwrite):
    time.sleep({sleep_s})
"""


def made_version(folder: Path, sleep_s: float) -> Path:
    """A checkout of something that takes its time."""
    package = folder / "realtime" / "tapetum" / "realtime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE.format(sleep_s=sleep_s))
    return folder


@pytest.mark.slow
def test_the_command_tells_versions_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three times as slow, so that a busy machine sees it too."""
    old = made_version(tmp_path / "old", 0.01)
    new = made_version(tmp_path / "new", 0.03)
    file = tmp_path / "ab.json"
    options = ["--size", "360p", "--rounds", "6", "--fail-above", "5%", "--json", str(file)]
    assert run_command(["bench", "ab", str(old), str(new), *options]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: slower by more than 5 %: ")
    assert "grid 640x360" in said.err
    assert "slower" in said.out
    kept = json.loads(file.read_text())
    names = ["import", "first frame", "grid 640x360", "file dark_room.mp4"]
    assert list(kept["milliseconds"]) == names
    assert [each["figure"] for each in kept["differences"]] == names
    assert all(len(rounds) == 6 for rounds in kept["milliseconds"].values())
    verdicts = {each["figure"]: each["verdict"] for each in kept["differences"]}
    assert verdicts["grid 640x360"] == verdicts["file dark_room.mp4"] == "slower"


def test_versions_are_checkouts_environments_or_interpreters(tmp_path: Path) -> None:
    checkout = made_version(tmp_path / "checkout", 0)
    assert side(checkout).checkout == checkout
    assert side(checkout).environment["PYTHONPATH"].startswith(str(checkout / "gan"))
    (tmp_path / "link").symlink_to(checkout)
    assert side(tmp_path / "checkout" / ".." / "link") == side(checkout)
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert side(tmp_path / "venv").python == python
    assert side(python).checkout is None
    with pytest.raises(BenchmarkError, match="is no version of Tapetum"):
        side(tmp_path / "gone")


@pytest.mark.slow
def test_what_cannot_be_measured_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, broken = made_version(tmp_path / "old", 0), made_version(tmp_path / "new", 0)
    (broken / "realtime" / "tapetum" / "realtime" / "__init__.py").write_text("import no_such")
    assert run_command(["bench", "ab", str(old), str(broken), "--input", "none"]) == 1
    assert capsys.readouterr().err == (
        f"error: {broken} cannot be measured: ModuleNotFoundError: No module named 'no_such'\n"
    )
    assert run_command(["bench", "ab", str(old), str(old), "--input", "gone.mp4"]) == 1
    assert "gone.mp4 does not exist" in capsys.readouterr().err
