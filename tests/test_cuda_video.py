"""`tapetum enhance --device cuda`: as far as a machine without a GPU goes, and whole with one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from command_line import tapetum
from test_nvdec_source import has_driver
from tolerance import GPU, assert_planes_close

from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.media.file_source import FileSource

needs_cupy = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
)


@needs_cupy
@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
@pytest.mark.parametrize(("device", "index"), [("cuda", 0), ("cuda:1", 1)])
def test_a_missing_driver_is_one_line_and_status_1(
    device: str, index: int, short_clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    answer = tapetum("enhance", short_clip, output, "--device", device)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"error: cuda:{index} cannot be used: no NVIDIA driver is installed; install one,"
        " or use --device cpu\n"
    )
    assert not output.exists()


def test_a_comparison_is_refused(short_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="made on the CPU; use --device cpu"):
        enhance_file(short_clip, tmp_path / "wipe.mp4", device="cuda", compare="wipe")


@pytest.mark.needs_cuda
def test_a_clip_is_enhanced_as_on_the_cpu(sample_clip: Path, tmp_path: Path) -> None:
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    result = enhance_file(sample_clip, there, device="cuda", codec="ffv1")
    enhance_file(sample_clip, here, device="cpu", codec="ffv1")
    assert result.frames == 192
    assert result.enhancer.startswith("grid on cuda:0, ")
    assert any(notice.startswith("decoding on cuda:0: ") for notice in result.notices)
    with FileSource(there) as by_gpu, FileSource(here) as by_cpu:
        for found, wanted in zip(by_gpu, by_cpu, strict=True):
            assert (found.time_s, found.color) == (wanted.time_s, wanted.color)
            assert_planes_close(found.planes, wanted.planes, GPU)


@pytest.mark.needs_cuda
def test_a_gpu_that_is_not_there_is_one_line(short_clip: Path, tmp_path: Path) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "bright.mp4", "--device", "cuda:99")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: there is no cuda:99; this machine has ")


@pytest.mark.needs_cuda
def test_the_same_file_twice_gives_the_same_frames(sample_clip: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.mkv", tmp_path / "second.mkv"
    for output in (first, second):
        enhance_file(sample_clip, output, device="cuda", codec="ffv1")
    with FileSource(first) as one, FileSource(second) as two:
        for found, wanted in zip(one, two, strict=True):
            np.testing.assert_array_equal(found.planes[0], wanted.planes[0])
