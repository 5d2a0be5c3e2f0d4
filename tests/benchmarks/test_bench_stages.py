"""What `tapetum bench` says of stages: time, CPU time, bytes, and their sum."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.random_frames import random_frame

from tapetum.benchmarks.bench.result import SCHEMA, Key, Result, read_run
from tapetum.benchmarks.bench.single_stream import Coded, coded
from tapetum.benchmarks.measure.clocks import StageClock, StageSamples, joined, nbytes
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import synthetic_frames
from tapetum.benchmarks.measure.nvml import GpuReading, mean_reading, read_gpu
from tapetum.realtime import Frame
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow

SHORT = ["--seconds", "0.1", "--samples", "4", "--repeats", "2", "--size", "96x64"]
FRAME_BYTES = 96 * 64 * 3 // 2


def bench(*arguments: str | Path) -> dict[str, Any]:
    """A short run, as its file has it."""
    file = next(word for word in arguments if isinstance(word, Path))
    assert run_command(["bench", *SHORT, *map(str, arguments)]) == 0
    run = read_run(file)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(run)
    return run


def test_a_clock_tells_sleep_from_work() -> None:
    clock = StageClock()
    clock.start()
    time.sleep(0.05)
    clock.end("sleep")
    deadline_s = time.process_time() + 0.05
    while time.process_time() < deadline_s:
        pass
    clock.end("work", moved_bytes=7)
    clock.wait_ended("wait")
    sleep, work, wait = clock.stages.values()
    assert sleep.durations_ms[0] >= 50
    assert sleep.cpu_ms[0] < 25
    assert work.durations_ms[0] >= work.cpu_ms[0] >= 49
    assert (sleep.moved_bytes, work.moved_bytes, wait.cpu_ms) == ([], [7], [])


def test_stages_that_overlap_are_not_in_the_sum() -> None:
    stages = {
        "decode": StageSamples([9.0], overlaps=True),
        "enhance": StageSamples([2.0], [1.5], [10]),
        "wait": StageSamples([1.0]),
    }
    key = Key("offline", "grid", "synthetic", "96x64", "time per frame")
    told = Result(key, "CPU", [[4.0]], stages=joined([stages, stages])).as_json()["stages"]
    assert told["sum_of_means_ms"] == 3
    assert told["difference_percent"] == -25
    assert told["parts"]["decode"]["samples"] == 2
    assert (told["parts"]["enhance"]["cpu_ms"], told["parts"]["enhance"]["bytes"]) == (1.5, 10)
    assert told["parts"]["wait"]["cpu_ms"] is None


def test_bytes_are_those_of_samples_and_not_of_pitch() -> None:
    frame = random_frame("yuv420p10le", 96, 64)
    assert nbytes(*frame.planes) == 2 * FRAME_BYTES
    assert nbytes(frame.planes[0][:, ::2]) == 96 * 64


def test_a_packet_becomes_a_frame_and_a_packet_again_at_once() -> None:
    frames = synthetic_frames(96, 64, count=3)
    seen: list[Frame] = []

    def enhance(frame: Frame) -> Frame:
        seen.append(frame)
        return frame

    chain = Coded(enhance)
    packets = coded(frames)
    assert all(chain(packet) > 0 for packet in (*packets, *packets))
    for frame, decoded in zip((*frames, *frames), seen, strict=True):
        difference = frame.planes[0].astype(int) - decoded.planes[0]
        assert abs(difference).mean() < 4


def test_what_cannot_be_encoded_is_one_clear_line() -> None:
    with pytest.raises(BenchmarkError, match="libx264 does not encode 97x64 yuv420p frames"):
        coded([random_frame("yuv420p", 97, 64)])


def test_codecs_are_stages_of_single_stream(tmp_path: Path) -> None:
    arguments = ("--scenario", "single-stream", "--with-codec", "--model", "grid", "--vs", "gamma")
    grid, gamma = bench(*arguments, "--json", tmp_path / "run.json")["results"]
    assert grid["scenario"] == "single-stream with codec"
    parts = grid["stages"]["parts"]
    network = ["thumbnail", "engine", "darkness", "temporal filter", "denoise", "apply"]
    assert list(parts) == ["decode", *network, "encode"]
    assert list(gamma["stages"]["parts"]) == ["decode", "enhance", "encode"]
    assert gamma["stages"]["parts"]["enhance"]["bytes"] == 2 * FRAME_BYTES
    assert parts["decode"]["bytes"] > FRAME_BYTES
    assert all(part["cpu_ms"] >= 0 and part["clock"] == "host" for part in parts.values())


def test_waits_are_stages_where_there_are_queues(tmp_path: Path) -> None:
    scenarios = ("--scenario", "paced", "--rate", "100", "--scenario", "offline")
    paced, offline = bench(*scenarios, "--json", tmp_path / "run.json")["results"]
    assert list(paced["stages"]["parts"]) == ["queue wait", "enhance"]
    assert paced["stages"]["sum_of_means_ms"] == pytest.approx(paced["latency_ms"]["mean"], abs=0.1)
    parts = offline["stages"]["parts"]
    own = ["wait for the decoder", "enhance", "wait for the encoder"]
    assert list(parts) == ["decode", *own, "encode"]
    assert [name for name, part in parts.items() if part["overlaps"]] == ["decode", "encode"]
    assert offline["stages"]["sum_of_means_ms"] < offline["latency_ms"]["mean"]


def test_precisions_are_measured_beside_each_other(tmp_path: Path) -> None:
    arguments = ("--scenario", "single-stream", "--precision", "auto", "--precision", "f32")
    usual, plain = bench(*arguments, "--json", tmp_path / "run.json")["results"]
    assert (usual["subject"], plain["subject"]) == ("grid", "grid f32")
    assert plain["runs_on"] == "grid on CPU, OpenVINO f32"
    assert plain["stages"] is not None


def test_a_precision_is_named_once_and_is_one_that_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments, said in (
        (["--precision", "f32", "--precision", "f32"], "grid f32 is named twice"),
        (["--precision", "f8"], "f8 is none of auto, f32, bf16"),
    ):
        assert run_command(["bench", *arguments]) in {1, 2}
        assert said in capsys.readouterr().err


def test_the_gpu_is_read_where_there_is_one() -> None:
    reading = read_gpu()
    assert reading is None or reading.name
    low = GpuReading("GPU", 100.0, 0.0, None, 1000.0)
    high = GpuReading("GPU", 200.0, 50.0, None, 2000.0)
    assert mean_reading([low, high]) == GpuReading("GPU", 150.0, 25.0, None, 1500.0)
    assert mean_reading([]) is None


@pytest.mark.needs_cuda
def test_a_gpu_says_how_it_is() -> None:
    reading = read_gpu()
    assert reading is not None
    assert reading.memory_mb is not None
    assert reading.memory_mb > 0


def test_the_light_before_unet_is_a_stage_of_its_own(tmp_path: Path) -> None:
    run = bench("--scenario", "single-stream", "--model", "unet", "--json", tmp_path / "run.json")
    (result,) = run["results"]
    parts = result["stages"]["parts"]
    assert list(parts) == ["light", "engine", "convert"]
    assert all(part["bytes"] > 0 for part in parts.values())
