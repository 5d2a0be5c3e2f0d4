"""`tapetum bench compare`, and runs that were stopped."""

from __future__ import annotations

import copy
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support.command_line import environment
from support.made_runs import made_run

from tapetum.benchmarks.bench.comparison import compare, only_in_one
from tapetum.benchmarks.bench.result import SCHEMA, read_run
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow


def test_a_real_change_is_significant_and_a_small_one_is_not() -> None:
    quiet = made_run([10, 10.05, 9.95])
    (slower,) = compare(quiet, made_run([11, 11.05, 10.95]))
    assert slower.verdict == "slower"
    assert slower.percent == pytest.approx(10, abs=1)
    assert slower.percent_ci95[0] < slower.percent < slower.percent_ci95[1]
    assert slower.fails(5)
    assert not slower.fails(15)
    (faster,) = compare(made_run([11, 11.05, 10.95]), quiet)
    assert faster.verdict == "faster"
    assert not faster.fails(0)
    (same,) = compare(quiet, made_run([10.01, 9.98, 10.02]))
    assert same.verdict == "the same"


def test_noise_between_repeats_is_not_taken_for_a_change() -> None:
    (change,) = compare(made_run([10, 13, 9]), made_run([11, 14, 10]))
    assert change.percent > 5
    assert change.verdict == "the same"
    assert change.hides(5)
    assert not change.hides(100)


def test_one_repeat_proves_nothing() -> None:
    (change,) = compare(made_run([10]), made_run([20]))
    assert change.verdict == "too few repeats"
    assert not change.fails(5)


def test_different_things_are_not_compared() -> None:
    small, large = made_run([10] * 3), made_run([10] * 3, size="1280x720")
    with pytest.raises(BenchmarkError, match=r"no measurement in common: .*96x64.*1280x720"):
        compare(small, large)
    many = copy.deepcopy(large)
    many["results"] = [large["results"][0] | {"subject": f"model {i}"} for i in range(5)]
    with pytest.raises(BenchmarkError, match=r"model 2, \S+ 1280x720, latency; and 2 more$"):
        compare(small, many)
    other = copy.deepcopy(small)
    other["results"][0]["scenario"] = "multi-stream x2"
    with pytest.raises(BenchmarkError, match=r"one has single-stream, .*the other multi-stream x2"):
        compare(small, other)
    with pytest.raises(BenchmarkError, match="2 cores and a CPU with 8 cores"):
        compare(small, made_run([10] * 3, cores=8))
    both = copy.deepcopy(small)
    both["results"] += large["results"]
    assert len(compare(small, both)) == 1
    assert [key.size for key in only_in_one(small, both)] == ["1280x720"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A run, and one that is a fifth slower."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(made_run([10, 10.05, 9.95])))
    after.write_text(json.dumps(made_run([12, 12.05, 11.95])))
    return before, after


def test_the_exit_status_is_for_ci(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = map(str, files)
    assert run_command(["bench", "compare", before, after]) == 0
    said = capsys.readouterr().out
    assert "slower" in said
    assert "ran as" not in said
    assert run_command(["bench", "compare", before, after, "--fail-above", "5%"]) == 1
    assert "error: slower by more than 5 %: single-stream, grid" in capsys.readouterr().err
    assert run_command(["bench", "compare", before, after, "--fail-above", "25"]) == 0
    for wrong in ("lots", "nan", "-1"):
        assert run_command(["bench", "compare", before, after, f"--fail-above={wrong}"]) == 2


def test_a_change_of_what_ran_and_an_early_end_are_told(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run = json.loads(files[1].read_text()) | {"complete": False}
    run["results"][0]["runs_on"] = "CPU, but f32"
    files[1].write_text(json.dumps(run))
    assert run_command(["bench", "compare", *map(str, files)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "latency ran as CPU before and as CPU, but f32 after" in said
    assert "note: after was stopped early" in said


def test_ci_is_told_of_what_is_too_noisy_to_say(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = files
    assert run_command(["bench", "compare", str(before), str(before), "--fail-above", "5%"]) == 0
    assert "too noisy" not in capsys.readouterr().out
    after.write_text(json.dumps(made_run([9, 10, 14])))
    assert run_command(["bench", "compare", *map(str, files), "--fail-above", "5%"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note: single-stream, grid, synthetic 96x64, latency: too noisy, it may be +" in said


def test_ci_is_not_passed_by_measuring_too_little(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    files[1].write_text(json.dumps(made_run([20])))
    assert run_command(["bench", "compare", *map(str, files), "--fail-above", "5%"]) == 1
    assert "fewer than 3 repeats" in capsys.readouterr().err


def test_files_that_are_no_runs_are_named(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, other = tmp_path / "text.json", tmp_path / "other.json"
    text.write_text("no")
    other.write_text("{}")
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps({"schema_version": 99, "results": []}))
    for file, said in (
        (tmp_path / "nowhere.json", "No such file"),
        (text, "is not JSON"),
        (other, "is no result"),
        (newer, "schema version 99"),
    ):
        assert run_command(["bench", "compare", str(files[0]), str(file)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert str(file) in line
        assert said in line


def test_files_that_are_not_whole_are_named(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.loads(files[0].read_text())
    (result,) = whole["results"]
    for damaged, said in (
        ({name: value for name, value in whole.items() if name != "machine"}, "lacks machine"),
        (whole | {"results": [{"scenario": "single-stream"}]}, "lacks subject"),
        (whole | {"results": [result | {"samples_ms": []}]}, "has 0 entries"),
        (whole | {"results": [result | {"samples_ms": [[1.0], []]}]}, "has 0 entries"),
        (whole | {"results": [result | {"yardsticks_ms": [0.2]}]}, "a repeat has no yardstick"),
        (whole | {"results": "none"}, "results is no array"),
        (whole | {"results": [result | {"samples_ms": [[1.0, "2"]]}]}, "is no number"),
        (whole | {"results": [result | {"yardsticks_ms": 0.2}]}, "is no array or null"),
        (whole | {"machine": []}, "machine is no object"),
    ):
        files[1].write_text(json.dumps(damaged))
        for arguments in (["compare", str(files[0])], ["report"]):
            assert run_command(["bench", *arguments, str(files[1])]) == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert f"{files[1]} is" in line
            assert said in line


def test_a_stopped_run_keeps_what_it_has(tmp_path: Path) -> None:
    path, table = tmp_path / "run.json", tmp_path / "run.csv"
    command = [sys.executable, "-m", "tapetum.realtime", "bench", "--scenario", "single-stream"]
    sizes = ["--size", "96x64", "--seconds", "0.1", "--samples", "90"]
    long = ["--scenario", "paced", "--rate", "1", "--repeats", "3"]
    with subprocess.Popen(
        [*command, *sizes, *long, "--json", str(path), "--csv", str(table)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s and not (
            path.exists() and len(read_run(path)["results"]) >= 1
        ):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    kept = read_run(path)
    assert kept["complete"] is False
    assert kept["stopped_by"] == "stopped by SIGINT"
    assert [result["scenario"] for result in kept["results"]] == ["single-stream"]
    assert kept["wall_s"] > 0
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(kept)
    with table.open() as file:
        assert [row["run_complete"] for row in csv.DictReader(file)] == ["False"]
    assert "single-stream, synthetic: latency, ms" in shown
    assert "note: this is not all, the run ended early: stopped by SIGINT" in shown
