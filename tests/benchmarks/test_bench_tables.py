"""The tables that `tapetum bench` prints, and the lines that it adds to them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.made_runs import made_run
from support.small_clips import write_clip

from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.tables import (
    USAGE_HEAD,
    ms_text,
    notes,
    result_tables,
    usage_rows,
    usage_table,
)
from tapetum.benchmarks.measure.files import read_json, write_json
from tapetum.benchmarks.measure.machine import Resources
from tapetum.benchmarks.measure.nvml import GpuReading
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


def test_drops_throughput_and_resources_are_shown() -> None:
    results = [paced_result().as_json(), paced_result(GPU).as_json()]
    plain, with_gpu = usage_rows(results)
    usual = ["paced 30 fps, grid 96x64", "29.88", "2 of 9", "98 %", "300", "5"]
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
