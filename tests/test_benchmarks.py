"""The benchmarks' own parts: what they time, what they write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

from tapetum.benchmarks.enhancing_alone import frame_latency
from tapetum.benchmarks.live_latency import live_latency
from tapetum.benchmarks.machine import machine
from tapetum.benchmarks.plain_transcode import transcode
from tapetum.benchmarks.processes import run_process
from tapetum.benchmarks.report import tables, write_tables
from tapetum.benchmarks.timing import percentiles_ms
from tapetum.benchmarks.whole_command import repeat_clip


def _frame_count(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_percentiles_are_in_milliseconds() -> None:
    figures = percentiles_ms([0.001] * 98 + [0.002, 0.003])
    assert figures["min"] == figures["p50"] == 1.0
    assert 2.0 < figures["p99"] < 3.0


def test_the_plain_transcode_keeps_every_frame(sample_clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "again.mp4"
    assert transcode(sample_clip, target, 20, "veryfast") == 192
    assert _frame_count(target) == 192


def test_a_repeated_clip_is_that_many_times_as_long(sample_clip: Path, tmp_path: Path) -> None:
    repeat_clip(sample_clip, tmp_path / "long.mp4", 3)
    assert _frame_count(tmp_path / "long.mp4") == 3 * 192


def test_a_process_is_accounted_for() -> None:
    cost = run_process([sys.executable, "-c", "bytearray(64 << 20); sum(range(10**6))"])
    assert cost.peak_mb > 64
    assert 0 < cost.cpu_s < 60
    with pytest.raises(subprocess.CalledProcessError):
        run_process([sys.executable, "-c", "raise SystemExit(3)"])


def test_frame_latency_names_what_was_measured(sample_clip: Path) -> None:
    figures = frame_latency(sample_clip, (320, 180), rounds=3)
    assert figures["size"] == "320x180"
    assert "grid" in str(figures["runs_on"])


def test_live_latency_names_what_was_measured_and_how_loaded_the_machine_was() -> None:
    figures = live_latency("96x64", duration_s=1)
    assert figures["source"] == "lavfi:testsrc2=s=96x64:r=30"
    assert isinstance(figures["frames"], int)
    assert 10 < figures["frames"] <= 31
    assert {"latency_ms", "age_ms", "dropped", "modes", "load_average"} <= set(figures)


def test_tables_say_what_nobody_measured(tmp_path: Path) -> None:
    figures = {"machine": machine(), "first_frame": {"whole_s": 1.25}}
    assert "1.25 s" in tables(figures)
    assert "not measured" in tables(figures)
    document = tmp_path / "performance.md"
    document.write_text("before <!-- figures: start -->old<!-- figures: end --> after")
    write_tables(figures, document)
    text = document.read_text()
    assert "old" not in text
    assert text.startswith("before")
    assert text.endswith("after")
    document.write_text("no marks")
    with pytest.raises(ValueError, match=r"performance\.md"):
        write_tables(figures, document)
