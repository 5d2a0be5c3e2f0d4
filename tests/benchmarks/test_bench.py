"""`tapetum bench`: what it measures on, what it accepts, what it writes."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from project.test_import_direction import HEAVY, SLOW, loaded
from support.random_frames import random_frame
from support.tiny_networks import pointwise_network

from tapetum.benchmarks.bench.checks import check_output, luma_rows
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.benchmarks.bench.result import SCHEMA, read_run
from tapetum.benchmarks.bench.subjects import EMPTY, Subject
from tapetum.benchmarks.bench.suite import SCENARIOS as RUNNERS
from tapetum.benchmarks.measure.choices import SCENARIOS, parse_size
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import clip_frames, clip_path, synthetic_frames
from tapetum.benchmarks.measure.sampling import (
    WarmUp,
    bootstrap_medians,
    distribution,
    noise_percent,
    timed_calls,
    warm_up,
)
from tapetum.realtime import Frame
from tapetum.realtime.command.cli import run_command
from tapetum.realtime.cpu.grid_kernels import identity_grid

pytestmark = pytest.mark.slow

SHORT = ["--seconds", "0.1", "--samples", "4", "--repeats", "2", "--size", "96x64"]


def bench(*arguments: str | Path) -> int:
    return run_command(["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of grid and of the harness alone."""
    path = tmp_path_factory.mktemp("bench") / "run.json"
    arguments = ["--scenario", "single-stream", "--model", "grid", "--model", EMPTY]
    assert bench(*SHORT, *arguments, "--json", path, "--csv", path.with_suffix(".csv")) == 0
    return path


@pytest.fixture
def run(run_file: Path) -> dict[str, Any]:
    return read_run(run_file)


def test_a_run_fits_the_published_schema(run: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(run)
    assert run["complete"]
    assert [result["subject"] for result in run["results"]] == ["grid", EMPTY]


def test_every_sample_is_kept_and_counted(run: dict[str, Any]) -> None:
    grid = run["results"][0]
    assert len(grid["samples_ms"]) == 2
    samples = np.concatenate(grid["samples_ms"])
    assert grid["latency_ms"]["samples"] == samples.size >= 4
    assert grid["latency_ms"]["p50"] == pytest.approx(np.median(samples), abs=1e-4)
    assert grid["latency_ms"]["max"] == pytest.approx(samples.max(), abs=1e-4)


def test_stages_have_their_own_distributions_and_a_sum(run: dict[str, Any]) -> None:
    stages = run["results"][0]["stages"]
    assert list(stages["parts"]) == [
        "thumbnail",
        "engine",
        "darkness",
        "temporal filter",
        "denoise",
        "apply",
    ]
    total = sum(part["mean"] for part in stages["parts"].values())
    assert stages["sum_of_means_ms"] == pytest.approx(total, abs=1e-3)
    assert run["results"][1]["stages"] is None


def test_the_output_was_held_to_a_second_run_and_to_float64(run: dict[str, Any]) -> None:
    changed, again, parts, exact = run["results"][0]["checks"]
    assert changed["changed_percent"] > 50
    assert again["largest_difference"] == parts["largest_difference"] == 0
    assert "float64" in exact["name"]
    assert 0 < exact["largest_difference"] <= exact["tolerance"]


def test_csv_has_a_line_for_each_result(run_file: Path, run: dict[str, Any]) -> None:
    with run_file.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["subject"] for row in rows] == ["grid", EMPTY]
    grid = run["results"][0]
    assert float(rows[0]["p50"]) == grid["latency_ms"]["p50"]
    assert float(rows[0]["cpu_percent"]) == grid["resources"]["cpu_percent"]
    assert float(rows[0]["limit_ratio"]) == grid["floors"][-1]["ratio"]
    low, high = grid["latency_ms"]["median_ci95"]
    assert (float(rows[0]["median_low"]), float(rows[0]["median_high"])) == (low, high)
    assert rows[0]["run_complete"] == "True"
    assert rows[1]["limit_ratio"] == ""
    assert float(rows[0]["frames_per_s"]) == pytest.approx(1000 / grid["latency_ms"]["mean"])


def test_percentiles_by_hand() -> None:
    figures = distribution([[float(value) for value in range(1, 1002)]])
    assert (figures.min, figures.p50, figures.p90, figures.p99_9, figures.max) == (
        1,
        501,
        901,
        1000,
        1001,
    )
    low, high = figures.median_ci95
    assert 400 < low < 501 < high < 600


def test_repeats_that_differ_widen_the_interval() -> None:
    steady = bootstrap_medians([[1.0] * 50] * 3)
    unsteady = bootstrap_medians([[1.0] * 50, [1.0] * 50, [2.0] * 50])
    assert set(steady) == {1.0}
    assert set(unsteady) == {1.0, 2.0}
    assert noise_percent([[1.0] * 3, [1.1] * 3]) == pytest.approx(10)


def test_a_measurement_takes_at_least_its_samples_and_its_time() -> None:
    frame = random_frame("yuv420p", 16, 16)
    few = timed_calls(lambda _: None, iter([frame] * 10), seconds=0, samples=7)
    assert len(few) == 7
    assert all(duration >= 0 for duration in few)
    all_of_them = timed_calls(lambda _: None, iter([frame] * 10), seconds=60, samples=1)
    assert len(all_of_them) == 10


def test_one_batch_of_a_warm_up_is_not_stable_by_itself() -> None:
    slow = [0.2, 0.2, 0.2]
    assert warm_up(time.sleep, iter(slow), limit_s=0.1) == WarmUp(3, stable=False)
    assert warm_up(time.sleep, cycle([0.1]), limit_s=60).calls >= 6


def test_synthetic_frames_are_dark_and_each_is_different() -> None:
    frames = synthetic_frames(161, 91, count=3, seed=5)
    again = synthetic_frames(161, 91, count=3, seed=5)
    assert [plane.shape for plane in frames[0].planes] == [(91, 161), (46, 81), (46, 81)]
    for frame, twin in zip(frames, again, strict=True):
        assert 20 < frame.planes[0].mean() < 90
        assert frame.planes[0].max() > 180
        assert all(map(np.array_equal, frame.planes, twin.planes))
    assert (frames[0].planes[0] != frames[1].planes[0]).mean() > 0.5


def test_a_clip_keeps_its_size_or_is_scaled(sample_clip: Path) -> None:
    assert (clip_frames(sample_clip)[0].width, clip_frames(sample_clip)[0].height) == (640, 360)
    assert clip_frames(sample_clip, (96, 64))[7].planes[0].shape == (64, 96)


def test_the_built_in_clip_is_the_sample(sample_clip: Path) -> None:
    assert clip_path("built-in") == sample_clip
    assert clip_path("./built-in") == Path("built-in")


def test_a_clip_that_is_too_short_says_the_minimum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.small_clips import write_clip

    write_clip(tmp_path / "brief.mp4", frames=3)
    assert bench("--input", tmp_path / "brief.mp4", "--scenario", "single-stream") == 1
    assert "has 3 frames, too few to measure: it takes at least 8" in capsys.readouterr().err


def test_what_cannot_be_measured_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["--scenario", "warp"], "warp is none of single-stream"),
        (["--size", "huge"], "huge is no size: choose 360p"),
        (["--seconds", "inf"], "less than or equal to 86400"),
        (["--rate", "inf"], "less than or equal to 1000"),
        (["--model", "gird"], "did you mean grid?"),
        (["--model", "grid", "--model", "grid"], "named twice"),
        (["--input", "nowhere.mp4"], "nowhere.mp4"),
        (["--device", "cuda"], "use --device cpu"),
        (["--scenario", "paced", "--with-codec"], "--with-codec is for single-stream"),
        (["--scenario", "offline", "--truth", "day.mp4"], "add --scenario single-stream"),
        (["--vs", ","], "--vs names nothing"),
        (["--json", "nowhere/run.json"], "nowhere/run.json cannot be written: No such file"),
        (["--json", "run", "--csv", "./run"], "--json and --csv name one file"),
    ):
        assert bench(*arguments) in {1, 2}
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert said in line


def test_sizes_have_names() -> None:
    assert parse_size("4k") == (3840, 2160)
    assert parse_size("100x80") == (100, 80)


def _wrong(frame: Frame) -> Frame:
    """Changes a frame in another way at every call."""
    noise = np.random.default_rng().integers(0, 9, frame.planes[0].shape, np.uint8)
    return frame.with_planes((frame.planes[0] ^ noise, *frame.planes[1:]))


def test_wrong_output_is_not_measured() -> None:
    frames = [random_frame("yuv420p", 64, 48)]
    idle = Subject("idle", lambda: lambda frame: frame, "nowhere")
    with pytest.raises(BenchmarkError, match="idle left 100 % of the pixels untouched"):
        check_output(idle, frames)
    with pytest.raises(BenchmarkError, match="not equal to a second run"):
        check_output(replace(idle, make=lambda: _wrong), frames)
    inverse = replace(subject("grid"), name="inverse", make=lambda: _inverted)
    with pytest.raises(BenchmarkError, match="not equal to its stages one by one"):
        check_output(inverse, frames)


def _inverted(frame: Frame) -> Frame:
    return frame.with_planes((255 - frame.planes[0], *frame.planes[1:]))


def test_the_reference_knows_the_identity_and_a_gain() -> None:
    frame = random_frame("yuv420p", 40, 30)
    rows, grid = np.array([0, 7, 29]), identity_grid()
    assert np.allclose(luma_rows(frame, grid, rows), frame.planes[0][rows])
    grid[0] = 1.5
    old = frame.planes[0][rows].astype(float)
    legal = (old >= 16) & (16 + 1.5 * (old - 16) <= 235)
    assert np.allclose(luma_rows(frame, grid, rows)[legal], (16 + 1.5 * (old - 16))[legal])


def test_the_suite_runs_what_the_command_offers() -> None:
    assert tuple(RUNNERS) == SCENARIOS


def test_the_help_of_bench_loads_nothing_slow() -> None:
    code = "from tapetum.realtime.command.cli import run_command\nrun_command(['bench', '--help'])"
    assert loaded(code, (*HEAVY, *SLOW, "matplotlib")) == set()


def test_a_unet_file_has_its_own_stages(tmp_path: Path) -> None:
    model, path = tmp_path / "twice.onnx", tmp_path / "run.json"
    # Twice the light, in RGB from -1 to 1.
    model.write_bytes(pointwise_network(2 * np.eye(3), np.ones(3)))
    arguments = ("--scenario", "single-stream", "--model", model, "--json", path)
    assert bench(*SHORT, *arguments) == 0
    (result,) = read_run(path)["results"]
    assert result["subject"] == "twice.onnx"
    assert set(result["stages"]["parts"]) == {"engine", "convert"}
    (arithmetic,) = (each for each in result["floors"] if "arithmetic" in each["name"])
    assert arithmetic["amount"] == 2 * 96 * 64 * 9


def test_the_base_install_measures_without_the_extras(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    arguments = ["bench", *SHORT, "--scenario", "single-stream", "--json", str(path)]
    code = (
        "from tapetum.realtime.command.cli import run_command\n"
        f"assert run_command({arguments!r}) == 0"
    )
    assert loaded(code, (*HEAVY, "matplotlib", "onnxruntime")) == set()
    assert read_run(path)["complete"]


def test_a_result_does_not_say_where_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    words = ["bench", *SHORT, "--scenario", "single-stream", "--model", EMPTY, "--json", str(path)]
    monkeypatch.setattr("sys.argv", ["tapetum", *words])
    assert run_command(words) == 0
    assert str(tmp_path) not in path.read_text()
    assert read_run(path)["command"].endswith("--model empty --json run.json")
