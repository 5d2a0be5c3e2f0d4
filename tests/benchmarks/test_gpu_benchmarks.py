"""The GPU benchmarks without a GPU: their arithmetic, and the measuring code on the host."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from support.command_line import ROOT, environment
from support.kernel_devices import WallClock
from support.this_gpu import has_driver

from tapetum.benchmarks import gpu_commands
from tapetum.benchmarks.gpu import kernels, networks
from tapetum.benchmarks.gpu.card import SCHEMA
from tapetum.benchmarks.gpu.kernels import (
    FORMATS,
    KERNELS,
    device_frames,
    host_frames,
    measure_kernels,
    rotation,
)
from tapetum.benchmarks.gpu.networks import BACKENDS, KINDS, measure_networks
from tapetum.benchmarks.gpu.pipeline import CODECS, dark_clip, measure_codecs, measure_pipeline
from tapetum.benchmarks.gpu.roofline import (
    floor_ms,
    kernel_bytes,
    measure_ceilings,
    network_bytes,
    network_flops,
    plane_bytes,
)
from tapetum.benchmarks.measure.sampling import steady_samples
from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.kernel_arguments import address, device_planes
from tapetum.realtime.media.file_source import FileSource

pytestmark = pytest.mark.slow

CEILINGS = {"fp16_flops_per_s": 790e12, "copy_bytes_per_s": 4.3e12}


def check_rows(name: str, value: object) -> None:
    """Hold a row, or the ceilings, against the schema of the file."""
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]}).validate(value)


def check_schema(result: dict[str, Any]) -> None:
    """Hold a file against its schema, where what checks it is installed."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(result)


def test_the_bytes_of_the_kernels_are_those_worked_by_hand() -> None:
    assert plane_bytes(1920, 1080, 1) == 3_110_400
    assert plane_bytes(3, 3, 2) == (9 + 2 * 4) * 2
    assert kernel_bytes("planes_to_rgb", 1920, 1080, 1) == 3_110_400 + 6 * 1920 * 1088
    assert kernel_bytes("change_to_planes", 1920, 1080, 1) == 2 * 3_110_400 + 6 * 1920 * 1080
    assert kernel_bytes("thumbnail", 1280, 720, 2) == 2 * 1_382_400 + 786_432
    assert kernel_bytes("apply_grid", 3840, 2160, 1) == 2 * 12_441_600 + 65_536


def test_the_floor_of_unet_is_that_of_the_design() -> None:
    flops = network_flops("unet", 1920, 1080)
    assert flops == pytest.approx(2 * 522e9, rel=0.002)  # 522 GMAC at 1920x1088
    moved = network_bytes("unet", 1920, 1080, 8_636_675)
    assert moved == 2 * 6 * 1920 * 1088 + 2 * 8_636_675
    assert floor_ms(flops, moved, CEILINGS) == pytest.approx(1.3, abs=0.05)
    assert floor_ms(0, 4.3e9, CEILINGS) == pytest.approx(1)
    assert network_flops("grid", 640, 360) == network_flops("grid", 3840, 2160)


def test_samples_are_taken_when_two_batches_agree() -> None:
    batches = iter([[8.0], [4.0], [3.9], [3.0, 3.1], [3.2, 3.3]])
    measured = steady_samples(lambda: next(batches), 3)
    assert measured == ([3.0, 3.1, 3.2, 3.3], True)
    alternating = cycle([[1.0], [2.0]])
    times_ms, steady = steady_samples(lambda: next(alternating), 2, limit_s=0.01)
    assert not steady
    assert len(times_ms) == 2


def test_inputs_are_more_than_a_cache_holds(host: Any) -> None:
    assert rotation(1_000, 50_000) == 200
    assert rotation(10**9, 50_000) == 8
    frames = device_frames(host, host_frames("p010le", 64, 48), 10)
    places = {address(device_planes(frame)[0]) for frame in frames}
    assert len(places) == 10
    first, ninth = (host.get(device_planes(frames[i])[0]) for i in (0, 8))
    assert (first == ninth).all()
    assert (first & 0x3F == 0).all()  # P010: the lowest six bits are empty


def test_the_scene_of_a_size_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 4K that takes 10 s of a quarter of an hour."""
    made: list[tuple[int, int]] = []
    make: Any = vars(kernels)["synthetic_frames"]

    def counted(width: int, height: int, **given: Any) -> Any:
        made.append((width, height))
        return make(width, height, **given)

    monkeypatch.setattr(kernels, "synthetic_frames", counted)
    for _ in range(3):
        for name in FORMATS:
            host_frames(name, 50, 36)
    assert made == [(50, 36)]


def test_every_kernel_is_measured(host: Any) -> None:
    rows = measure_kernels(host, WallClock(), [(64, 48)], cache_bytes=1, samples=1)
    assert {(row["kernel"], row["format"]) for row in rows} == {
        (kernel, name) for kernel in KERNELS for name in FORMATS
    }
    for row in rows:
        check_rows("kernel", row)
        assert row["size"] == "64x48"


def test_networks_are_checked_and_measured(host: Any) -> None:
    rows = measure_networks(
        host,
        WallClock(),
        [(24, 16)],
        backends=["pytorch-eager", "pytorch-cuda-graph"],
        ceilings=CEILINGS,
        samples=1,
    )
    assert [(row["network"], row["size"]) for row in rows] == [("unet", "24x16")] * 2 + [
        ("grid", "any")
    ] * 2
    for row in rows:
        check_rows("network", row)
        assert row["psnr_db"] > 45


def test_single_precision_is_not_rounded_to_tf32(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the reference, and of what is called f32."""
    seen: list[bool] = []
    make: Any = vars(networks)["network_of"]

    def recorded(generator: Any) -> Any:
        network, dtype = make(generator)

        def run(batch: torch.Tensor) -> Any:
            if batch.dtype is torch.float32:
                seen.append(torch.backends.cudnn.allow_tf32)
            return network(batch)

        return run, dtype

    monkeypatch.setattr(networks, "network_of", recorded)
    measure_networks(
        host, WallClock(), [(16, 16)], backends=["pytorch-eager"], ceilings=CEILINGS, samples=1
    )
    assert set(seen) == {False}


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_a_backend_that_cannot_run_is_a_row_that_says_so(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "name", "cuda:0")
    backends = ["tensorrt", "tensorrt-rtx"]
    rows = measure_networks(
        host, WallClock(), [(32, 32)], backends=backends, ceilings=CEILINGS, samples=1
    )
    for row in rows:
        check_rows("network", row)
        assert row["error"]


def test_the_ceilings_are_measured() -> None:
    place = torch.device("cpu")
    ceilings = measure_ceilings(place, WallClock(), copied_bytes=1 << 16, matrix=32)
    check_rows("ceilings", ceilings)
    assert (ceilings["copied_bytes"], ceilings["matrix"]) == (1 << 16, 32)


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_the_pipeline_is_measured_from_file_to_memory(host: Any) -> None:
    free_mb = iter([900, 700, 900, 650])
    rows = measure_pipeline(
        host,
        WallClock(),
        [(16, 16)],
        load=lambda model: make_cuda_enhancer(model, host),
        free_mb=lambda: next(free_mb),
        frames=12,
    )
    assert [(row["network"], row["memory_mb"]) for row in rows] == [("unet", 200), ("grid", 250)]
    for row in rows:
        check_rows("pipeline", row)
        assert row["runs_on"].startswith(f"{row['network']} on host, PyTorch")
        assert row["decoder"].startswith("decoded on the CPU: NVDEC on cuda:0")


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_codecs_are_measured_and_what_is_missing_is_said(host: Any) -> None:
    rows = measure_codecs(host, [(64, 64)], frames=10)
    assert len(rows) == 4 * len(CODECS)
    for row in rows:
        check_rows("codec", row)
        assert ("fps" in row) == (row["unit"] == "CPU")
        assert row["unit"] == "CPU" or "driver" in row["error"]


@pytest.mark.parametrize("codec", CODECS)
def test_clips_have_their_codec_and_frames(tmp_path: Path, codec: str) -> None:
    clip = dark_clip(tmp_path / "clip.mkv", codec, (64, 48), 10)
    with FileSource(clip) as source:
        assert source.info.codec_name in {codec, "libdav1d"}
        times = [frame.time_s for frame in source]
    assert times == pytest.approx([index / 30 for index in range(10)], abs=1e-3)


def test_the_command_line_knows_every_part_and_backend() -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    assert {*gpu_commands.PARTS, "training"} == set(schema["properties"]["parts"]["properties"])
    assert list(BACKENDS) == list(gpu_commands.BACKENDS)
    assert KINDS == ("unet", "grid")


def benchmarks(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tapetum.benchmarks", "gpu", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
        env=environment(),
        cwd=ROOT,
    )


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
@pytest.mark.parametrize("command", ["measure", "training"])
def test_without_a_gpu_it_is_one_line_and_status_1(command: str, tmp_path: Path) -> None:
    weights = tmp_path / "vgg.pth"
    weights.touch()
    more = [tmp_path, ROOT, "--vgg-weights", weights] if command == "training" else ["kernels"]
    answer = benchmarks(command, *more, "--results", tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: GPU benchmarks need an NVIDIA GPU and its driver")
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [weights]


def test_an_unknown_part_is_wrong_usage() -> None:
    answer = benchmarks("measure", "kernel")
    assert answer.returncode == 2
    assert "kernel is none of ceilings, kernels," in " ".join(answer.stderr.split())


@pytest.mark.needs_cuda
@pytest.mark.timeout(600)
def test_everything_is_measured_on_a_gpu(tmp_path: Path) -> None:
    """But torch.compile, which tries kernels for minutes."""
    backends = [name for name in gpu_commands.BACKENDS if name != "torch-compile"]
    chosen = [word for name in backends for word in ("--backend", name)]
    answer = benchmarks("measure", "--size", "320x192", *chosen, "--results", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (path,) = tmp_path.glob("gpu-*.json")
    result = json.loads(path.read_text())
    assert set(result["parts"]) == set(gpu_commands.PARTS)
    for row in result["parts"]["networks"]["figures"]:
        if row["backend"].startswith("pytorch"):
            assert "error" not in row
    check_schema(result)
