"""What `tapetum bench --vs` and `--truth` measure."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from support.random_frames import random_frame
from support.tolerance import Tolerance, assert_planes_close

from tapetum.benchmarks.bench.checks import check_output
from tapetum.benchmarks.bench.filters import gamma_table
from tapetum.benchmarks.bench.named_subjects import peer, subject
from tapetum.benchmarks.bench.quality import quality
from tapetum.benchmarks.bench.result import read_run
from tapetum.benchmarks.bench.single_stream import single_stream
from tapetum.benchmarks.bench.subjects import EMPTY, Subject
from tapetum.benchmarks.bench.trial import Settings
from tapetum.benchmarks.bench.truth import read_truth
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import Input, synthetic_frames
from tapetum.gan.metrics import psnr_db
from tapetum.gan.photos import Photo
from tapetum.gan.simulation.clips import write_clip as write_ffv1
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
    ours = subject("grid", denoise="off").make()(frame).planes
    assert_planes_close(peer("torch-grid").make()(frame).planes, ours, SAME_NETWORK)


def test_onnx_runtime_runs_the_same_network() -> None:
    pytest.importorskip("onnxruntime")
    (frame,) = synthetic_frames(320, 180, count=1)
    named = peer(f"onnxruntime:{weights_path('grid', '.onnx')}")
    assert named.name == "onnxruntime:grid.onnx"
    assert "ONNX Runtime" in named.runs_on
    assert_planes_close(
        named.make()(frame).planes,
        subject("grid", denoise="off").make()(frame).planes,
        SAME_NETWORK,
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


def picture(seed: int) -> Photo:
    """A well-lit picture with smooth places and edges, large enough for NIQE."""
    coarse = np.random.default_rng(seed).integers(30, 230, (12, 16, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (224, 192), interpolation=cv2.INTER_CUBIC), np.uint8)


def recorded(ideal: Photo, seed: int) -> Photo:
    """The same in a tenth of the light, with noise."""
    light = (ideal / 255.0) ** 2.2 / 10
    light += np.random.default_rng(seed).normal(0, 2e-3, ideal.shape)
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulated clips, a set of pairs and photos, in the layouts of their folders."""
    folder = tmp_path_factory.mktemp("truths")
    found = {name: folder / name for name in ("clips", "pairs", "photos")}
    for each in (*found.values(), found["photos"] / "low", found["photos"] / "high"):
        each.mkdir()
    for number in range(2):
        ideal = picture(number)
        frames = {"ideal": [ideal] * 7, "dark": [recorded(ideal, frame) for frame in range(7)]}
        for kind, pictures in frames.items():
            write_ffv1(pictures, found["clips"] / f"clip-{number:03d}-{kind}.mkv")
            place = found["photos"] / {"ideal": "high", "dark": "low"}[kind] / f"{number}.png"
            cv2.imwrite(str(place), pictures[0])
    pairs = [np.stack((recorded(picture(n), n), picture(n))) for n in range(3)]
    pairs.append(np.stack((picture(3), picture(3))))  # well lit, and to stay so
    np.save(found["pairs"] / "pairs-00000.npy", np.stack(pairs))
    return found


def test_every_layout_is_read_as_it_was_written(truths: dict[str, Path]) -> None:
    clips, pairs, photos = (read_truth(truths[name]) for name in ("clips", "pairs", "photos"))
    assert clips.moves
    assert [len(each.dark) for each in clips.sequences] == [7, 7]
    assert psnr_db(clips.sequences[0].ideal[0], picture(0)) > 40
    assert not pairs.moves
    assert len(pairs.sequences) == 3, "what is to stay as it is is no dark picture"
    assert len(photos.sequences) == 2
    assert photos.name == "photos"


def test_an_enhancer_comes_nearer_to_the_truth_than_nothing(truths: dict[str, Path]) -> None:
    for name, folder in truths.items():
        nothing, grid = (quality(subject(each), folder) for each in (EMPTY, "grid"))
        assert grid.psnr_db > nothing.psnr_db + 3
        assert grid.ssim > nothing.ssim
        assert nothing.truth_niqe == grid.truth_niqe
        assert (grid.flicker_levels is not None) == (name == "clips")
        assert grid.truth_flicker_levels in {None, 0.0}
        assert grid.noise_levels is not None


def test_a_curve_that_only_guesses_the_exposure_gains_nothing_when_it_is_aligned(
    truths: dict[str, Path],
) -> None:
    """Twice as bright is nearer, but by one gain: aligned, it is what it was."""
    nothing = quality(subject(EMPTY), truths["photos"])
    twice = quality(peer("ffmpeg:lutyuv=y=16+(val-16)*2:u=(val-128)*2+128"), truths["photos"])
    assert twice.psnr_db > nothing.psnr_db + 1
    assert twice.psnr_aligned_db < nothing.psnr_aligned_db + 2.5


def test_what_has_no_truth_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    idle = Subject("idle", pytest.fail, "nowhere")
    small = tmp_path / "small"
    small.mkdir()
    np.save(small / "pairs-00000.npy", np.stack([[picture(0)[:96, :96], picture(1)[:96, :96]]]))
    for folder, message in (
        (tmp_path / "absent", "absent has no pictures with their truths; name a folder"),
        (tmp_path, "has no pictures with their truths"),
        (small, "a picture of .*small is too small for NIQE"),
    ):
        with pytest.raises(BenchmarkError, match=message):
            list(single_stream([idle], Input(None, (96, 64)), Settings(truths=(folder,)), tmp_path))


def test_peers_and_quality_are_in_the_results(truths: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    size = ["--size", "96x64", "--seconds", "0.1", "--samples", "3", "--repeats", "1"]
    named = [word for folder in truths.values() for word in ("--truth", str(folder))]
    arguments = ["--vs", "clahe,gamma", *named, "--json", str(path)]
    assert run_command(["bench", "--scenario", "single-stream", *size, *arguments]) == 0
    results = read_run(path)["results"]
    assert [result["subject"] for result in results] == ["grid", "clahe", "gamma"]
    for result in results:
        assert [each["truth"] for each in result["quality"]] == ["clips", "pairs", "photos"]
        assert all(5 < each["psnr_aligned_db"] < 60 for each in result["quality"])
    assert results[1]["floors"][0]["ratio"] > 0
