"""What `--device auto` takes, on a simulated GPU and without one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command_line import tapetum
from support.simulated_gpu import SimulatedGPU
from support.this_gpu import has_driver

from tapetum.realtime import auto_device
from tapetum.realtime.auto_device import AutoDevice
from tapetum.realtime.cuda import device, round_trip
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.enhance_live import enhance_live
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.memory_sink import MemorySink

TAKES = "--device auto takes cuda:0 (Simulated GPU 0); --device cpu leaves it alone"


@pytest.fixture
def driver(gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch) -> SimulatedGPU:
    """A simulated GPU whose driver's library is found, for clips of any length."""
    for module in (auto_device, device):
        monkeypatch.setattr(module, "has_driver", lambda: True)
    monkeypatch.setattr(auto_device, "_WORTH_PIXELS", 1)
    return gpu


def test_a_gpu_that_makes_the_cpus_pictures_is_taken_for_unet(
    driver: SimulatedGPU, short_clip: Path, tmp_path: Path
) -> None:
    result = enhance_file(short_clip, tmp_path / "one.mkv", model="unet", duration_s=0.1)
    assert result.enhancer == "unet on cuda:0, simulated"
    assert result.notices[0] == TAKES
    opened = driver.opened
    assert opened == 3  # to ask for memory, to try it out, and to use it
    enhance_file(short_clip, tmp_path / "two.mkv", model="unet", duration_s=0.1)
    assert driver.opened == opened + 2  # it is not tried again


@pytest.mark.parametrize(
    "given",
    [
        {"model": "grid"},
        {"model": "unet", "deinterlace": True},
    ],
    ids=str,
)
def test_the_cpu_does_what_it_does_better(
    driver: SimulatedGPU, short_clip: Path, tmp_path: Path, given: dict[str, Any]
) -> None:
    result = enhance_file(short_clip, tmp_path / "out.mkv", duration_s=0.1, **given)
    assert "CPU" in result.enhancer
    assert not [line for line in result.notices if "--device auto" in line]
    assert driver.opened == 0


def test_short_clips_are_not_worth_starting_cuda(
    driver: SimulatedGPU, short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_device, "_WORTH_PIXELS", 50_000_000)
    result = enhance_file(short_clip, tmp_path / "out.mkv", model="unet", duration_s=0.1)
    assert "CPU" in result.enhancer
    assert driver.opened == 0


def wrong(_gpu: SimulatedGPU, patch: pytest.MonkeyPatch) -> str:
    made = round_trip.RoundTripEnhancer.__call__

    def darker(enhancer: Any, frame: Frame, **given: Any) -> Frame:
        bright = made(enhancer, frame, **given)
        return bright.with_planes(tuple(plane // 2 for plane in bright.planes))

    patch.setattr(round_trip.RoundTripEnhancer, "__call__", darker)
    return "a picture of cuda:0 differs from the CPU's by up to "


def busy(gpu: SimulatedGPU, _patch: pytest.MonkeyPatch) -> str:
    gpu.faults.busy = True
    return "cuda:0 cannot be used: cudaErrorDevicesUnavailable"


def full(gpu: SimulatedGPU, _patch: pytest.MonkeyPatch) -> str:
    gpu.faults.memory_bytes = 1 << 12
    return "cuda:0 has not enough memory"


def full_for_this_video(gpu: SimulatedGPU, _patch: pytest.MonkeyPatch) -> str:
    """Nothing is built, compiled or tried out for it."""
    gpu.faults.memory_bytes = 700_000
    return "cuda:0 has not enough memory (0 MB are free, and unet at 96x64 takes 1 MB at least)"


def no_cupy(_gpu: SimulatedGPU, patch: pytest.MonkeyPatch) -> str:
    patch.setitem(sys.modules, "cupy", None)
    return "cuda:0 needs CuPy: pip install 'tapetum[cuda]'"


def lost_in_mid_file(gpu: SimulatedGPU, _patch: pytest.MonkeyPatch) -> str:
    gpu.faults.lost_after = 60
    return "cuda:0 cannot be used: cudaErrorDevicesUnavailable"


@pytest.mark.parametrize(
    "fault", [wrong, busy, full, full_for_this_video, no_cupy, lost_in_mid_file]
)
def test_whatever_fails_the_cpu_makes_the_file_and_one_line_says_so(
    driver: SimulatedGPU,
    short_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[SimulatedGPU, pytest.MonkeyPatch], str],
) -> None:
    why = fault(driver, monkeypatch)
    result = enhance_file(short_clip, tmp_path / "out.mkv", model="unet")
    assert "CPU" in result.enhancer
    assert result.frames == 12
    (line,) = [line for line in result.notices if "--device auto" in line]
    assert line.startswith(f"--device auto takes the CPU, not the GPU: {why}")


def test_a_full_gpu_is_left_alone(driver: SimulatedGPU, short_clip: Path, tmp_path: Path) -> None:
    full_for_this_video(driver, pytest.MonkeyPatch())
    enhance_file(short_clip, tmp_path / "out.mkv", model="unet", duration_s=0.1)
    assert driver.loaded == 0


def test_live_takes_it_too(driver: SimulatedGPU) -> None:
    said: list[str] = []
    enhance_live(
        "lavfi:testsrc2=size=64x64:rate=30",
        [SinkPlace("memory", MemorySink())],
        model="unet",
        duration_s=0.5,
        on_start=said.append,
        on_notice=said.append,
    )
    assert TAKES in said
    assert any("unet on cuda" in line for line in said)
    assert driver.opened > 0


def test_what_is_heavy_is_known_without_loading_it() -> None:
    assert auto_device.is_heavy("unet")
    assert not auto_device.is_heavy("grid")
    assert AutoDevice().choose("grid", None) == "cpu"


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
@pytest.mark.slow
def test_without_a_driver_nothing_of_a_gpu_is_loaded(short_clip: Path, tmp_path: Path) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "out.mp4", "--model", "unet")
    assert answer.returncode == 0, answer.stderr
    assert "cuda" not in answer.stderr
    assert "GPU" not in answer.stderr
