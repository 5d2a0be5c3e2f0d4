"""`tapetum enhance --device cuda`: as far as a machine without a GPU goes, and whole with one."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.command_line import tapetum
from support.cuda_parts import planes_of
from support.kernel_devices import on_device
from support.random_frames import random_frame
from support.this_gpu import has_driver, needs_cpu_runtime
from support.tolerance import EXACT, GPU, assert_planes_close

from tapetum.realtime.choices import LAYOUTS, Device, Layout
from tapetum.realtime.compare import Direction, side_by_side, wipe
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.enhance_media import enhance_file, needs_finishing
from tapetum.realtime.media.file_source import FileSource

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize("size", [(64, 48), (37, 23)], ids=str)
@pytest.mark.parametrize("name", ["nv12", "p010le"])
def test_comparisons_stay_on_the_device(host: Any, name: str, size: tuple[int, int]) -> None:
    dark, bright = (random_frame(name, *size, seed=seed) for seed in (1, 2))
    before, after = on_device(host, dark, gap=5), on_device(host, bright)
    turned = Direction(vertical=True, backward=True)
    for combine in (side_by_side, wipe):
        for along in (Direction(), turned):
            made = combine(before, after, along=along)
            device_planes(made)  # raises where a plane has come to main memory
            assert_planes_close(planes_of(host, made), combine(dark, bright, along=along).planes)


def test_frames_are_waited_for_where_no_enhancer_does() -> None:
    assert needs_finishing(0, None)
    assert needs_finishing(1, "wipe")
    assert not needs_finishing(0.5, None)


@pytest.mark.needs_cuda
def test_a_clip_is_enhanced_as_on_the_cpu(sample_clip: Path, tmp_path: Path) -> None:
    needs_cpu_runtime()
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    result = enhance_file(sample_clip, there, device="cuda", codec="ffv1", denoise="off")
    enhance_file(sample_clip, here, device="cpu", codec="ffv1", denoise="off")
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
    assert_same_frames(first, second)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("model", ["grid", "unet"])
def test_strength_0_gives_the_frames_as_they_were_decoded(
    model: str, sample_clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "same.mkv"
    enhance_file(sample_clip, output, device="cuda", codec="ffv1", model=model, strength=0)
    assert_same_frames(output, sample_clip)


@pytest.mark.needs_cuda
def test_several_streams_on_one_gpu_do_not_disturb_each_other(
    sample_clip: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.mkv"
    enhance_file(sample_clip, alone, device="cuda", codec="ffv1")
    together = [tmp_path / f"stream{number}.mkv" for number in range(3)]

    def enhance(output: Path) -> None:
        enhance_file(sample_clip, output, device="cuda", codec="ffv1")

    with ThreadPoolExecutor(len(together)) as threads:
        list(threads.map(enhance, together))  # raises what a thread has raised
    for output in together:
        assert_same_frames(output, alone)


@pytest.mark.needs_cuda
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_comparison_is_that_of_the_cpu(sample_clip: Path, tmp_path: Path, layout: Layout) -> None:
    needs_cpu_runtime()
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    places: list[tuple[Path, Device]] = [(there, "cuda"), (here, "cpu")]
    for output, device in places:
        given: Any = {"codec": "ffv1", "denoise": "off", "compare": layout, "duration_s": 1}
        enhance_file(sample_clip, output, device=device, **given)
    with FileSource(there) as by_gpu, FileSource(here) as by_cpu:
        for found, wanted in zip(by_gpu, by_cpu, strict=True):
            assert_planes_close(semi_planar(found).planes, semi_planar(wanted).planes, GPU)


def assert_same_frames(first: Path, second: Path) -> None:
    with FileSource(first) as one, FileSource(second) as two:
        for found, wanted in zip(one, two, strict=True):
            assert found.time_s == wanted.time_s
            assert_planes_close(semi_planar(found).planes, semi_planar(wanted).planes, EXACT)
