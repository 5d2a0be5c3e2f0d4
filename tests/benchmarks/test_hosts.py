"""Measuring Tapetum in other programs: their commands run, and their figures become a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tapetum.benchmarks.documents.experiments import hosts_table
from tapetum.benchmarks.experiments import hosts
from tapetum.benchmarks.experiments.hosts import PROGRAMS
from tapetum.benchmarks.measure.machine import machine


def test_no_results_are_not_measured(tmp_path: Path) -> None:
    assert hosts_table(tmp_path) == "not measured"


def test_hosts_are_in_order_of_what_they_add(tmp_path: Path) -> None:
    run = {
        "fps": 61.24,
        "fps_without": 240.0,
        "busy_percent": 87.4,
        "busy_percent_without": 50,
        "load_average": {"before": [0.1, 0.2, 0.3]},
    }
    large = run | {"host": "melt", "size": "1920x1080", "added_ms": 3}
    slow = run | {"host": "mpv", "size": "1280x720", "added_ms": 12.345}
    quick = run | {"host": "a pipe", "size": "1280x720", "added_ms": 4.5}
    recorded = {"machine": machine(), "1": large, "2": slow, "3": quick}
    (tmp_path / "hosts.json").write_text(json.dumps(recorded))
    rows = hosts_table(tmp_path).splitlines()
    assert [row.split(" | ")[0].lstrip("| ") for row in rows[2:5]] == ["a pipe", "mpv", "melt"]
    assert rows[3] == "| mpv | 1280x720 | 61.2 | 240 | 12.3 ms | 87 % | 50 % |"
    assert rows[-1].endswith("Load average before each: 0.1, 0.1, 0.1.")


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_host_plays_with_tapetum(name: str, tmp_path: Path) -> None:
    program = PROGRAMS[name]
    if not program.is_here():
        pytest.skip(f"{name} is not here")
    clip = hosts._dark_clip(tmp_path, "64x48", 4)
    environment = hosts._installed(program, tmp_path)
    hosts._run(program.words(clip, 3, True), environment)  # it would raise
