"""`tapetum bench --device cuda`: its subjects on the host, and the whole on a GPU."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.kernel_devices import WallClock
from support.random_frames import random_frame

from tapetum.benchmarks.bench import first_frame
from tapetum.benchmarks.bench.checks import check_output
from tapetum.benchmarks.bench.gpu_subject import GpuPath, OpenedGpu, RoundTrip, subject_on
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.benchmarks.bench.report import html_report
from tapetum.benchmarks.bench.result import SCHEMA, read_run
from tapetum.benchmarks.bench.subjects import Subject, network_on_cpu
from tapetum.benchmarks.bench.suite import Plan, run_suite
from tapetum.benchmarks.bench.tables import notes, result_tables
from tapetum.benchmarks.bench.trial import Settings
from tapetum.benchmarks.measure.choices import SCENARIOS
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input, synthetic_frames
from tapetum.benchmarks.measure.sampling import Effort
from tapetum.realtime.command.cli import run_command
from tapetum.realtime.cuda.cuda_enhancer import EngineChoice
from tapetum.realtime.cuda.cuda_video import CudaVideo
from tapetum.realtime.cuda.nvdec_source import OpenedFile
from tapetum.realtime.cuda.tensorrt_engine import TensorRTModel
from tapetum.realtime.cuda.torch_engine import TorchModel
from tapetum.realtime.cuda.transfer import UploadSource, semi_planar
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.opened_video import OpenedOutput

pytestmark = pytest.mark.slow

NOTICE = "cuda:0 runs models with PyTorch: tensorrt is missing"
ON_DEVICE = ["upload", "kernels and engine", "download"]
SHORT = ["--seconds", "0.1", "--samples", "4", "--repeats", "2"]


@pytest.fixture
def path(host: Any) -> GpuPath:
    """The kernels compiled by g++, and networks by PyTorch on the CPU."""
    return GpuPath("g++", lambda: OpenedGpu(host, WallClock()), EngineChoice(None, (NOTICE,)))


@pytest.fixture
def grid(path: GpuPath) -> Subject:
    """`grid` on that path."""
    return subject_on(path, "grid", "cuda")


class HostVideo(CudaVideo):
    """What `open_on_cuda` opens where a GPU neither decodes nor encodes."""

    def __init__(self, device: Any, clip: Path, duration_s: float) -> None:
        file = FileSource(clip, duration_s=duration_s)
        opened = OpenedFile(file, UploadSource(file, device), "decoded on the CPU")
        choice = EngineChoice(None, (NOTICE,))
        super().__init__(opened, device, choice, duration_s=duration_s)

    def open_output(
        self, path: Path, info: VideoInfo, *, encoder: EncoderSettings, overwrite: bool = False
    ) -> OpenedOutput:
        named = replace(encoder, codec="libx264")
        return super().open_output(path, info, encoder=named, overwrite=overwrite)


def check_schema(run: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator(schema).validate(json.loads(json.dumps(run)))


def check_stages(result: dict[str, Any], frame_bytes: int) -> None:
    """Of a result: the host converts, the rest is timed on the device."""
    parts = result["stages"]["parts"]
    assert list(parts) == ["convert", *ON_DEVICE]
    assert [part["clock"] for part in parts.values()] == ["host", "gpu", "gpu", "gpu"]
    assert all(part["bytes"] == 2 * frame_bytes for part in parts.values())
    assert all(part["mean"] > 0 and part["cpu_ms"] >= 0 for part in parts.values())


def test_a_round_trip_is_the_frame_as_the_cpu_enhances_it(grid: Subject) -> None:
    assert grid.runs_on == "grid on host, PyTorch f32, g++"
    for frames in (synthetic_frames(97, 65), [random_frame("yuv420p10le", 64, 48)]):
        changed, again, parts, like_cpu, mean = check_output(grid, frames)
        assert changed.changed_percent is not None
        assert changed.changed_percent > 50
        assert (again.largest_difference, parts.largest_difference) == (0, 0)
        assert like_cpu.name == "equal to grid on CPU, OpenVINO f32"
        assert (like_cpu.tolerance, mean.tolerance) == (2, 0.5)


def test_frames_return_as_they_were_uploaded(host: Any) -> None:
    frame = replace(random_frame("yuv420p", 33, 17), pts=5)
    back = RoundTrip(host, lambda given: given)(frame)  # type: ignore[arg-type]
    assert (back.pts, back.format_name) == (5, "nv12")
    for found, wanted in zip(back.planes, semi_planar(frame).planes, strict=True):
        assert (found == wanted).all()


def test_what_differs_from_the_cpu_is_refused(grid: Subject, gain_model: Path) -> None:
    other = replace(grid, cpu_twin=network_on_cpu(str(gain_model), whole_frame=False))
    said = "grid is not equal to grid on CPU, OpenVINO .*: it differs by .* levels, more than 2"
    with pytest.raises(BenchmarkError, match=said):
        check_output(other, synthetic_frames(96, 64))


@pytest.mark.parametrize("with_codec", [False, True])
def test_streams_are_measured_with_stages_and_told_where(grid: Subject, with_codec: bool) -> None:
    settings = Settings(Effort(0.1, 4, 2, warm_up_s=0.1), rate_fps=200, with_codec=with_codec)
    scenarios = ("single-stream", "multi-stream", "paced")
    run = run_suite(Plan(scenarios, (grid, subject("empty")), (Input(None, (96, 64)),), settings))
    check_schema(run)
    single, empty, multi, *_ = run["results"]
    if with_codec:
        assert list(single["stages"]["parts"]) == ["decode", "convert", *ON_DEVICE, "encode"]
    else:
        check_stages(single, 96 * 64 * 3 // 2)
    assert single["runs_on"] == multi["runs_on"] == grid.runs_on
    assert NOTICE in single["notes"]
    assert NOTICE not in empty["notes"]
    assert any(line.endswith(NOTICE) for line in notes(run))
    caption = str(result_tables(run["results"])[0].caption)
    assert caption.splitlines() == [f"grid: {grid.runs_on}", f"empty: {empty['runs_on']}"]
    assert f"<li>grid: {grid.runs_on}</li>" in html_report([("run", run)])


def test_a_file_goes_through_the_pipeline_of_the_gpu(
    grid: Subject, host: Any, short_clip: Path
) -> None:
    here = replace(grid, open_video=partial(HostVideo, host))
    plan = Plan(("offline",), (here,), (Input(short_clip, None),), Settings(Effort(repeats=2)))
    run = run_suite(plan)
    check_schema(run)
    (result,) = run["results"]
    assert result["figures"].keys() == {"frames", "frames_per_s", "clip_fps"}
    assert result["figures"]["frames"] == 12
    assert result["floors"] == []  # a transcode by the CPU limits no GPU
    assert result["notes"][:2] == [NOTICE, "decoding on host: decoded on the CPU"]
    assert result["notes"][2].startswith("encoding on the CPU: libx264")
    assert result["stages"]["parts"]["encode"]["bytes"] == 96 * 64 * 3 // 2


def test_a_cold_start_tells_loading_from_building(
    path: GpuPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapetum.benchmarks.bench.gpu_subject.gpu_path", lambda _: path)
    for model in (TorchModel, TensorRTModel):
        monkeypatch.setattr(model, "compile", model.compile)  # puts it back afterwards
    told: Any = first_frame.main("grid", ("cuda", "off"), (96, 64), time.monotonic_ns())
    assert tuple(told["parts"]) == first_frame.PARTS
    assert all(wall_ms > 0 for wall_ms, _ in told["parts"].values())


def test_a_gpu_has_no_precision_to_choose(grid: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tapetum.benchmarks.bench.gpu_subject.gpu_subject", lambda *_: grid)
    with pytest.raises(BenchmarkError, match="grid has no precision to choose: grid on host"):
        subject("grid", "cuda", "f32")


@pytest.mark.needs_cuda
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("model", "width", "height", "effort"),
    [("grid", 96, 64, []), ("unet", 1184, 912, ["--quick"])],  # which the CPU cuts into tiles
)
def test_a_gpu_is_measured_beside_a_peer_on_the_cpu(
    model: str, width: int, height: int, effort: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "run.json"
    plan = ["--model", model, "--size", f"{width}x{height}", "--vs", "gamma", *effort]
    assert run_command(["bench", *SHORT, "--device", "cuda", *plan, "--json", str(path)]) == 0
    run = read_run(path)
    check_schema(run)
    ours = [result for result in run["results"] if result["subject"] == model]
    assert [result["scenario"].split()[0] for result in ours] == list(SCENARIOS)
    offline = ours[SCENARIOS.index("offline")]
    assert any(note.startswith("decoding on cuda:0: ") for note in offline["notes"])
    single, gamma = run["results"][:2]
    check_stages(single, width * height * 3 // 2)
    assert single["runs_on"].startswith(f"{model} on cuda:0, ")
    assert single["resources"]["gpu"]["name"] in single["runs_on"]
    assert single["resources"]["gpu"]["memory_mb"] > 0
    assert "cuda" not in gamma["runs_on"]
