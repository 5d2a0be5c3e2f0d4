"""The tables that `tapetum bench` prints, and the lines that it adds to them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console
from support.made_runs import made_run
from support.small_clips import write_clip

from tapetum.benchmarks.bench.glance import glances, headline
from tapetum.benchmarks.bench.quality import Quality
from tapetum.benchmarks.bench.result import Key, Result, frames_per_s
from tapetum.benchmarks.bench.tables import (
    USAGE_HEAD,
    fps_text,
    ms_text,
    notes,
    percentile_text,
    quality_rows,
    result_tables,
    usage_rows,
    usage_table,
)
from tapetum.benchmarks.measure.files import read_json, write_json
from tapetum.benchmarks.measure.machine import Resources
from tapetum.benchmarks.measure.nvml import GpuReading
from tapetum.benchmarks.measure.sampling import distribution
from tapetum.realtime.command.cli import run_command

GPU = GpuReading("GPU", 1500.0, 25.0, None, 1410.0)


def paced_result(gpu: GpuReading | None = None) -> Result:
    return Result(
        Key("paced 30 fps", "grid", "synthetic", "96x64", "age"),
        "CPU",
        [[1.0, 2.0]],
        resources=Resources(98.4, 300.2, 5, gpu),
        figures={"frames_per_s": 29.876, "frames": 9, "dropped": 2},
    )


def test_drops_and_resources_are_shown() -> None:
    results = [paced_result().as_json(), paced_result(GPU).as_json()]
    plain, with_gpu = usage_rows(results)
    usual = ["paced 30 fps, grid 96x64", "2 of 9", "98 %", "300", "5"]
    assert plain == [*usual, "not measured"]
    assert with_gpu == [*usual, "25 %, 1500 MB, 1410 MHz"]
    assert len(usage_table(results).columns) == len(USAGE_HEAD)
    assert len(usage_table(results[:1]).columns) == len(USAGE_HEAD) - 1


def test_long_names_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    filters = ["ffmpeg:curves=preset=lighter", "ffmpeg:curves=preset=increase_contrast"]
    paced = paced_result()
    named = [replace(paced, key=replace(paced.key, subject=name)) for name in filters]
    (table,) = result_tables([result.as_json() for result in named])
    table.caption = None
    Console(width=70).print(table)
    first = [line[2:].split("  ")[0].strip() for line in capsys.readouterr().out.splitlines()]
    assert all(name in "".join(first) for name in filters)


@pytest.mark.slow
def test_names_with_brackets_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, file = tmp_path / "[night].mp4", str(tmp_path / "run.json")
    write_clip(clip, frames=8)
    effort = ["--seconds", "0.1", "--samples", "1", "--repeats", "1", "--json", file]
    arguments = ["--input", str(clip), "--scenario", "single-stream", *effort]
    assert run_command(["bench", *arguments]) == 0
    assert "single-stream, [night].mp4: latency" in capsys.readouterr().out
    assert run_command(["bench", "compare", file, file]) == 0
    assert "[night].mp4" in capsys.readouterr().out


def test_a_percentile_takes_samples_above_it() -> None:
    for count, shown in ((9, 1), (10, 2), (20, 3), (99, 3), (100, 4), (999, 4), (1000, 5)):
        found = distribution([list(map(float, range(count)))])
        given = [found.p50, found.p90, found.p95, found.p99, found.p99_9]
        assert [value is not None for value in given] == [True] * shown + [False] * (5 - shown)
        latency = asdict(found)
        assert percentile_text(latency, "p99") == ("" if count < 100 else ms_text(latency["p99"]))
    older = asdict(found) | {"samples": 12}  # files had figures of too few samples
    assert percentile_text(older, "p99") == ""


def test_frames_a_second_stand_beside_milliseconds() -> None:
    single = made_run([4.0])["results"][0]
    assert frames_per_s(single) == pytest.approx(250, rel=0.01)
    paced = paced_result().as_json()
    assert fps_text(paced) == "29.9"
    of_camera = paced | {"figures": {"rate_fps": 30.0, "frames": 90, "dropped": 9}}
    assert frames_per_s(of_camera) == pytest.approx(27)
    assert fps_text(single | {"measure": "start to first frame"}) == ""


def test_a_reader_is_told_where_stages_do_not_add_up() -> None:
    run = made_run([4.0, 4.0])
    stages = {"parts": {}, "sum_of_means_ms": 6.7, "end_to_end_mean_ms": 4.0}
    for percent, told in ((67.5, 1), (-80.0, 1), (4.0, 0)):
        run["results"][0]["stages"] = stages | {"difference_percent": percent}
        lines = [line for line in notes(run) if "the stages' sum is" in line]
        assert len(lines) == told
        assert all(f"{percent:+.0f} %" in line for line in lines)


def test_quality_stands_beside_speed_with_the_truth_s_own() -> None:
    figures = Quality("night", 5, 17.25, 21.5, 0.75, 4.5, 4.25, 2.0, None, 0.125, 0.1)
    results = [made_run([4.0])["results"][0] | {"quality": [asdict(figures)]}]
    (title, (row, own)) = next(iter(quality_rows(results).items()))
    assert title == "night, 5 pictures"
    assert row[:-2] == ["grid 96x64", "17.25", "21.50", "0.750", "4.50", "2.00", "", "0.12"]
    assert own[4] == "4.25"
    assert own[7] == "0.10"


def test_a_headline_says_what_was_found() -> None:
    run = made_run([4.0], size="1280x720")
    assert headline(run).startswith("grid at 1280x720: 250 frames a second, 4 ms a frame, on 2")
    offline = run["results"][0] | {
        "scenario": "offline",
        "measure": "time per frame",
        "figures": {"frames_per_s": 60.0, "frames": 90, "clip_fps": 25.0},
    }
    (row,) = glances([*run["results"], offline])
    assert row.cells("not measured")[2:] == ["250", "4", "not measured", "2.4 times"]


def test_what_took_nothing_of_the_machine_has_no_row() -> None:
    assert list(usage_rows(made_run([1.0])["results"])) == []


def test_milliseconds_are_short_and_without_exponents() -> None:
    assert [ms_text(value) for value in (1059.7, 99.96, 4.125, 0.00007)] == [
        "1060",
        "100",
        "4.12",
        "7e-05",
    ]


def test_a_reader_is_told_of_noise_a_busy_machine_and_an_early_end() -> None:
    run = made_run([10, 13, 9], cores=1) | {"complete": False, "stopped_by": "stopped by SIGINT"}
    run["load_average"]["before"] = [3.0, 1.0, 1.0]
    noisy, busy, early = notes(run)
    said = "note: in 1 of 1 results the medians of the repeats differ by 5 % or more: see noise"
    assert noisy == said
    assert busy == "note: the machine was busy before: load average 3 on 1 cores"
    assert early == "note: this is not all, the run ended early: stopped by SIGINT"


def test_a_file_has_its_numbers_on_one_line_and_texts_as_they_were(tmp_path: Path) -> None:
    value = {"samples": [[1.5, -2e-07], []], "text": "[\n1, 2\n]", "none": [None, True, "1"]}
    write_json(value, tmp_path / "some.json")
    assert read_json(tmp_path / "some.json", remedy="") == value
    lines = (tmp_path / "some.json").read_text().splitlines()
    assert "  [1.5,-2e-07]," in lines
    assert json.loads((tmp_path / "some.json").read_text()) == value
