"""The scenarios of `tapetum bench` apart from single-stream, and what a start is made of."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from support.random_frames import random_frame
from support.tiny_networks import pointwise_network

from tapetum.benchmarks.bench.cold_start import one_start
from tapetum.benchmarks.bench.first_frame import PARTS, PartClock
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.benchmarks.bench.offline import offline
from tapetum.benchmarks.bench.result import SCHEMA, read_run
from tapetum.benchmarks.bench.streams import camera, paced
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.bench.trial import Settings
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input
from tapetum.benchmarks.measure.sampling import Effort
from tapetum.realtime import Frame
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow

SHORT = ["--seconds", "0.1", "--samples", "4", "--repeats", "2", "--size", "96x64"]


def test_the_other_scenarios_say_what_they_measured(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    names = ("multi-stream", "paced", "offline", "cold-start")
    scenarios = [word for name in names for word in ("--scenario", name)]
    arguments = ("--streams", "3", "--rate", "200", "--quick", "--json")
    assert run_command(["bench", *SHORT, *scenarios, *arguments, str(path)]) == 0
    written = read_run(path)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(written)
    multi, live, offline, cold = written["results"]
    assert multi["scenario"] == "multi-stream x3"
    assert multi["figures"]["frames_per_s"] > 0
    assert all(len(result["floors"]) >= 1 for result in written["results"])
    assert live["measure"] == "age"
    arrived = live["latency_ms"]["samples"]
    assert live["figures"]["frames"] == arrived + live["figures"]["dropped"]
    assert offline["stages"]["parts"]["encode"]["samples"] == 2 * offline["figures"]["frames"]
    assert offline["figures"]["ratio_to_transcode"] > 0
    parts = cold["stages"]["parts"]
    assert tuple(parts) == PARTS
    assert all(part["cpu_ms"] > 0 for part in parts.values())
    assert cold["resources"]["threads"] >= 1
    assert cold["floors"][0]["ms"] == pytest.approx(parts["process start"]["p50"], abs=1e-4)
    assert cold["stages"]["difference_percent"] == pytest.approx(0, abs=0.1)


def test_a_camera_does_not_wait_and_old_frames_are_dropped(tmp_path: Path) -> None:
    frames = list(camera([random_frame("yuv420p", 16, 16)], 500, 10))
    times = [frame.capture_time_s or 0 for frame in frames]
    assert np.allclose(np.diff(times), 1 / 500)
    assert [frame.pts for frame in frames] == list(range(10))

    slow = Subject("slow", lambda: _slowly, "nowhere")
    settings = Settings(Effort(0.1, 10, 1, warm_up_s=0), rate_fps=500)
    (trial,) = paced([slow], Input(None, (32, 32)), settings, tmp_path)
    trial.repeat()
    result = trial.result()
    assert result.figures["dropped"] > 0
    assert result.figures["frames"] == 51  # 17 in each of three sessions


def _slowly(frame: Frame) -> Frame:
    time.sleep(0.02)
    return frame


def test_a_clip_is_enhanced_whole(short_clip: Path, tmp_path: Path) -> None:
    settings = Settings(Effort(repeats=1))
    (trial,) = offline([subject("grid")], Input(short_clip, None), settings, tmp_path)
    trial.repeat()
    result = trial.result()
    assert result.figures["frames"] == 12
    assert result.key.size == "96x64"


def test_a_model_that_does_not_start_says_why() -> None:
    with pytest.raises(BenchmarkError, match=r"gird failed: .*did you mean grid"):
        one_start("gird", 32, 32)


def test_a_cold_start_tells_loading_from_building(tmp_path: Path) -> None:
    """The engine of grid is built when it is loaded, that of unet again at the first frame."""
    network = tmp_path / "wide.onnx"
    network.write_bytes(pointwise_network(np.eye(3), np.zeros(3)))
    for model in ("grid", str(network)):
        start = one_start(model, 96, 64)
        assert tuple(start.parts) == PARTS
        assert all(wall_ms > 0 and cpu_ms > 0 for wall_ms, cpu_ms in start.parts.values())
        assert start.rss_mb > 20
        assert start.threads >= 1


def test_a_part_inside_another_stops_its_clock() -> None:
    clock = PartClock("start", time.monotonic_ns())
    inner = clock.during("inner", lambda: time.sleep(0.1))
    clock.during("outer", lambda: (inner(), inner()))()
    inner()
    assert list(clock.spent_ms) == ["start", "outer", "inner"]
    assert clock.spent_ms["inner"][0] >= 300
    assert clock.spent_ms["outer"][0] < clock.spent_ms["inner"][0]
