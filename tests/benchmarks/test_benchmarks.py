"""The benchmarks' own parts: what they time, what they write."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import av
import matplotlib as mpl
import pytest
import torch
from jsonschema import Draft202012Validator
from support.command_line import ROOT, python
from support.training_photos import write_both
from typer.core import TyperGroup
from typer.main import get_command

from tapetum.benchmarks.__main__ import app
from tapetum.benchmarks.bench.offline import transcode
from tapetum.benchmarks.bench.result import SCHEMA, read_run
from tapetum.benchmarks.documents.performance import (
    charted,
    fingerprint,
    flicker_table,
    runs_in,
    tables,
    write_document,
)
from tapetum.benchmarks.experiments.live import Shown, governor_settling, held_after_s, live_latency
from tapetum.benchmarks.experiments.live_cost import live_cost
from tapetum.benchmarks.experiments.live_load import SCENES, live_load
from tapetum.benchmarks.experiments.memory import peak_memory, repeat_clip, run_process
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import machine
from tapetum.benchmarks.measure.training_speed import operations, training_speed

pytestmark = pytest.mark.slow


def _frame_count(clip: Path) -> int:
    with av.open(str(clip)) as container:
        return sum(1 for _ in container.decode(video=0))


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


def test_peak_memory_is_that_of_the_command(short_clip: Path) -> None:
    figures = peak_memory(short_clip, repeats=2)
    assert figures["repeats"] == 2
    assert float(str(figures["peak_mb"])) > 50


def test_live_latency_names_what_was_measured_and_how_loaded_the_machine_was() -> None:
    figures = live_latency("96x64", duration_s=1)
    assert figures["source"] == "lavfi:testsrc2=s=96x64:r=30"
    assert isinstance(figures["frames"], int)
    assert 10 < figures["frames"] <= 31
    assert {"latency_ms", "age_ms", "dropped", "modes", "load_average"} <= set(figures)


def test_the_cost_of_a_still_picture_is_told_with_and_without_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tapetum.benchmarks.experiments.live_cost._SETTLED", 3)
    monkeypatch.setattr("tapetum.benchmarks.experiments.live_cost._WINDOW", 3)
    figures = live_cost(size="96x64", duration_s=2)
    percent = figures["percent_of_a_core"]
    assert isinstance(percent, dict)
    assert [*percent] == ["the source alone", "noise left in", "noise taken out"]
    assert all(0 <= one < 200 for one in percent.values())
    with pytest.raises(BenchmarkError, match="too few to count"):
        live_cost(size="96x64", duration_s=0.05)


def test_a_rate_is_held_from_where_no_frame_is_late_any_more() -> None:
    quick = [Shown(index / 30, 10, "grid") for index in range(150)]
    assert held_after_s(quick, 0, 50) == 0
    assert held_after_s(quick, 1, 50) == 0
    one_late = [*quick[:30], Shown(1, 90, "grid"), *quick[31:]]
    assert held_after_s(one_late, 0, 50) == pytest.approx(31 / 30, abs=0.001)
    with_gap = quick[:30] + quick[36:]
    assert held_after_s(with_gap, 0, 50) == pytest.approx(37 / 30, abs=0.001)
    loading = [Shown(frame.time_s, 0, "start") for frame in quick[:60]] + quick[60:]
    assert held_after_s(loading, 0, 50) == 0
    assert held_after_s(loading, 0, 50, enhanced=True) == 2
    assert held_after_s(quick[:45], 0, 50) is None


def test_settling_is_that_of_a_live_run(gain_model: Path) -> None:
    figures = governor_settling(gain_model, size="96x64", duration_s=2)
    assert figures["source"] == "lavfi:testsrc2=s=96x64:r=30"
    assert figures["model"] == "gain.onnx"
    assert {"from_start", "from_choice", "late_percent", "load_average"} <= set(figures)
    assert isinstance(figures["frames"], int)
    assert 20 < figures["frames"] <= 61


def test_tables_say_what_nobody_measured(tmp_path: Path) -> None:
    memory = {"peak_mb": 7, "peak_of_repeated_mb": 8, "repeats": 4}
    figures = {"machine": machine(), "peak_memory": memory}
    (tmp_path / "cpu.json").write_text(json.dumps(figures))
    assert "7 MB; 8 MB for a clip 4 times as long" in tables(tmp_path)
    assert tables(tmp_path).count("not measured") > 10


def test_flicker_is_that_of_each_model_and_clip(tmp_path: Path) -> None:
    clip = {"clip": "night.mp4", "flicker": [0.1, 0.4]}
    (tmp_path / "quality-grid.json").write_text(json.dumps({"model": "grid", "clips": [clip]}))
    row = "| `grid`, night.mp4 (0.1 before) | 0.5 8-bit levels | 0.4 | 80 % | yes |"
    assert row in flicker_table(tmp_path)


def test_what_lies_between_the_marks_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before <!-- figures: start -->former<!-- figures: end --> after")
    with pytest.raises(BenchmarkError, match="holds no results"):
        write_document(tmp_path, document)
    assert "former" in document.read_text()
    (tmp_path / "quality-grid.json").write_text(json.dumps({"model": "grid", "clips": []}))
    write_document(tmp_path, document)
    text = document.read_text()
    assert "former" not in text
    assert text.startswith("before")
    assert text.endswith("after")
    document.write_text("no marks")
    with pytest.raises(BenchmarkError, match=r"performance\.md"):
        write_document(tmp_path, document)


def test_the_document_is_in_step_with_the_results(tmp_path: Path) -> None:
    document, results = ROOT / "docs" / "performance.md", ROOT / "benchmarks" / "results"
    copy = Path(shutil.copy(document, tmp_path))
    write_document(results, copy)
    assert copy.read_text() == document.read_text(), "run tapetum bench document"
    drawn = {path.name: path.read_text() for path in (tmp_path / "charts").iterdir()}
    shown = {path.name: path.read_text() for path in (document.parent / "charts").iterdir()}
    assert set(drawn) == set(shown)
    for name, results_shown in charted(runs_in(results).values()).items():
        chart = shown[f"{name}.svg"]
        assert fingerprint(results_shown) in chart, "run tapetum bench document"
        if f"Matplotlib v{mpl.__version__}," in chart:
            assert chart == drawn[f"{name}.svg"], "run tapetum bench document"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("bench-*.json")))
def test_recorded_runs_are_whole_and_fit_the_schema(path: Path) -> None:
    run = read_run(path)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(run)
    assert run["complete"]


def test_a_chart_is_drawn_where_there_are_figures_for_it() -> None:
    run = json.loads((ROOT / "benchmarks" / "results" / "bench-cpu.json").read_text())
    harness = json.loads((ROOT / "benchmarks" / "results" / "bench-harness.json").read_text())
    assert charted([harness]) == {}
    assert list(charted([run, harness])) == ["latency", "stages"]
    single = [result for result in run["results"] if result["scenario"] == "single-stream"]
    assert charted([run, run])["latency"] == single
    run["results"][0]["quality"] = [{"truth": "night"}]
    assert charted([run])["quality"] == run["results"][:1]


def test_training_speed_is_that_of_the_real_loop(tmp_path: Path) -> None:
    folders = write_both(tmp_path)
    settings = {
        "data": {"crop": 64, "workers": 0},
        "losses": {"patch": 16},
        "optimizer": {"steps": 4, "batch": 2},
        "run": {"threads": 2, "device": "cpu"},
    }
    figures = training_speed(Path(folders["low"]), Path(folders["normal"]), "grid", settings)
    assert (figures["crop"], figures["batch"]) == (64, 2)
    assert figures["steps"] == 1
    assert figures["photos_per_s"] == pytest.approx(2 / figures["step_s"], rel=0.05)
    reached = figures["photos_per_s"] / figures["limit_photos_per_s"]
    assert figures["share_of_limit"] == pytest.approx(reached, rel=0.05, abs=0.001)
    shares = figures["slowest_operations"]
    assert "convolution_backward" in shares
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert sum(shares.values()) <= 1


def test_operations_of_a_step_are_counted_forwards_and_backwards() -> None:
    layer = torch.nn.Conv2d(4, 8, 3, bias=False)
    seen = torch.rand(2, 4, 12, 12, requires_grad=True)
    forwards = 2 * (2 * 8 * 10 * 10) * (4 * 3 * 3)
    assert operations(lambda: layer(seen).sum().backward()) == 3 * forwards


_NAMED = re.compile(r"python -m tapetum\.benchmarks (?:(gpu) )?([a-z][a-z-]*)")


def test_everything_that_the_documents_name_is_a_command() -> None:
    documents = (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
    named = {match for path in documents for match in _NAMED.findall(path.read_text())}
    assert {("gpu", "measure"), ("", "webrtc")} <= named
    for group, word in named:
        assert word in commands(group), f"the documents name {group} {word}"


def commands(group: str) -> set[str]:
    whole = get_command(app)
    assert isinstance(whole, TyperGroup)
    part = whole.commands[group] if group else whole
    assert isinstance(part, TyperGroup)
    return set(part.commands)


def test_an_installation_without_the_experiments_says_what_it_has() -> None:
    code = """
import importlib.util, runpy, sys
found = importlib.util.find_spec
hidden = ("tapetum.benchmarks.experiments", "tapetum.benchmarks.documents")
importlib.util.find_spec = lambda name, *more: None if name in hidden else found(name, *more)
sys.argv[1:] = ["--help"]
runpy.run_module("tapetum.benchmarks", run_name="__main__")
"""
    said = " ".join(python(code).split())
    assert "This installation has the measurements of GPUs alone." in said
    assert "webrtc" not in said


@pytest.mark.parametrize("scene", SCENES)
def test_load_on_purpose_makes_no_frame_dark(scene: str) -> None:
    figures = live_load("96x64", scene=scene, streams=2, busy=1, nice=5, duration_s=3)
    assert figures["scene"] == scene
    assert figures["dark_percent"] == 0
    assert figures["busy_processes"] == {"count": 1, "nice": 5}
    assert isinstance(figures["modes"], list)
    assert len(figures["modes"]) == 2
    assert isinstance(figures["frame_alone_ms"], float)
    assert {"largest_jump", "age_p99_ms", "fps", "load_average"} <= set(figures)
