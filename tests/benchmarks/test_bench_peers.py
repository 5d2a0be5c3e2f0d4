"""What `tapetum bench --vs` and `--truth` measure."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.random_frames import random_frame
from support.small_clips import write_clip
from support.tolerance import Tolerance, assert_planes_close

from tapetum.benchmarks.bench.checks import check_output
from tapetum.benchmarks.bench.filters import gamma_table
from tapetum.benchmarks.bench.named_subjects import peer, subject
from tapetum.benchmarks.bench.quality import darkened, quality
from tapetum.benchmarks.bench.result import read_run
from tapetum.benchmarks.bench.single_stream import single_stream
from tapetum.benchmarks.bench.subjects import EMPTY, Subject
from tapetum.benchmarks.bench.trial import Settings
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input, clip_frames, synthetic_frames
from tapetum.gan.metrics import psnr_db
from tapetum.gan.weights import weights_path
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow

SAME_NETWORK = Tolerance(3, 0.5)
"""bf16 against f32, through a grid."""

NAMES = ("clahe", "gamma", "ffmpeg:curves=preset=lighter", "ffmpeg:lutyuv=y=val*1.5", "torch-grid")


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_brightens_frames_the_same_way_twice(name: str) -> None:
    frames = synthetic_frames(192, 128, count=2)
    found = peer(name)
    assert check_output(found, frames)[0].changed_percent > 20  # type: ignore[operator]
    enhanced = found.make()(frames[0])
    assert enhanced.planes[0].mean() > frames[0].planes[0].mean()
    assert enhanced.pts == frames[0].pts


def test_gamma_is_the_curve_of_the_frame_s_range() -> None:
    (frame,) = synthetic_frames(64, 48, count=1)
    table = gamma_table(frame)
    assert (table[16], table[235], table[0], table[255]) == (16, 235, 16, 235)
    assert table[16 + 219 // 4] == round(16 + 219 * math.sqrt((219 // 4) / 219))


def test_other_runtimes_run_the_same_network() -> None:
    (frame,) = synthetic_frames(320, 180, count=1)
    ours = subject("grid").make()(frame).planes
    assert_planes_close(peer("torch-grid").make()(frame).planes, ours, SAME_NETWORK)


def test_onnx_runtime_runs_the_same_network() -> None:
    pytest.importorskip("onnxruntime")
    (frame,) = synthetic_frames(320, 180, count=1)
    named = peer(f"onnxruntime:{weights_path('grid', '.onnx')}")
    assert named.name == "onnxruntime:grid.onnx"
    assert "ONNX Runtime" in named.runs_on
    assert_planes_close(
        named.make()(frame).planes, subject("grid").make()(frame).planes, SAME_NETWORK
    )


def test_torch_unet_runs_with_random_weights() -> None:
    threads = torch.get_num_threads()
    frame = synthetic_frames(64, 48, count=1)[0]
    assert check_output(peer("torch-unet"), [frame])
    assert torch.get_num_threads() == threads


def test_what_is_no_peer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in (
        ("retinex", "is no peer: choose from clahe"),
        ("ffmpeg:warp", "cannot make the filter warp"),
        ("ffmpeg:curves=preset=none_such", "cannot make the filter"),
    ):
        with pytest.raises(BenchmarkError, match=said):
            peer(name)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(BenchmarkError, match=r"clahe needs cv2: pip install 'tapetum\[bench\]'"):
        peer("clahe")


def test_clahe_refuses_ten_bit_frames() -> None:
    with pytest.raises(BenchmarkError, match="8-bit frames; these are yuv420p10le"):
        peer("clahe").make()(random_frame("yuv420p10le", 32, 32))


def test_psnr_by_hand() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    assert psnr_db(grey + 5, grey) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr_db(grey, grey) == math.inf


@pytest.fixture(scope="module")
def lit_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("truth") / "lit.mp4"
    write_clip(path, frames=25, width=224, height=192)
    return path


def test_a_darkened_frame_has_a_twelfth_of_the_light(lit_clip: Path) -> None:
    lit = clip_frames(lit_clip)
    dark = darkened(lit)
    light = [(np.clip(f.planes[0] - 16.0, 0, None) / 219) ** 2.2 for f in (lit[0], dark[0])]
    assert light[1].mean() / light[0].mean() == pytest.approx(1 / 12, rel=0.25)


def test_an_enhancer_comes_nearer_to_the_truth_than_nothing(lit_clip: Path) -> None:
    nothing, gamma = (quality(each, lit_clip) for each in (subject(EMPTY), peer("gamma")))
    assert gamma["psnr_db"] > nothing["psnr_db"]
    assert nothing["truth_niqe"] == gamma["truth_niqe"]


@pytest.mark.parametrize(
    ("frames", "message"),
    [(9, "9 frames, too few to measure: it takes at least 24"), (24, "too small for NIQE")],
)
def test_a_truth_too_short_or_small_is_refused_before_anything_is_made(
    tmp_path: Path, frames: int, message: str
) -> None:
    write_clip(tmp_path / "truth.mp4", frames=frames)
    idle = Subject("idle", pytest.fail, "nowhere")
    settings = Settings(truth=tmp_path / "truth.mp4")
    with pytest.raises(BenchmarkError, match=message):
        list(single_stream([idle], Input(None, (96, 64)), settings, tmp_path))


def test_peers_and_quality_are_in_the_results(lit_clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    size = ["--size", "96x64", "--seconds", "0.1", "--samples", "3", "--repeats", "1"]
    arguments = ["--vs", "clahe,gamma", "--truth", str(lit_clip), "--json", str(path)]
    assert run_command(["bench", "--scenario", "single-stream", *size, *arguments]) == 0
    results = read_run(path)["results"]
    assert [result["subject"] for result in results] == ["grid", "clahe", "gamma"]
    assert all(10 < result["figures"]["psnr_db"] < 60 for result in results)
    assert results[1]["floors"][0]["ratio"] > 0
