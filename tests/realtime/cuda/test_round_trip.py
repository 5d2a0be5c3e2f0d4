"""Frames of main memory, enhanced in a device's memory."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
from support.command_line import tapetum
from support.cuda_parts import cuda_grid, grid_engine, two_scenes
from support.grids import brightening
from support.random_frames import random_frame
from support.this_gpu import has_driver, needs_cpu_runtime
from support.tolerance import EXACT, GPU, assert_planes_close

from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.round_trip import RoundTripEnhancer
from tapetum.realtime.pixel_format import PIXEL_FORMATS
from tapetum.realtime.protocols import AimingEnhancer

needs_cupy = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", PIXEL_FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (37, 23)], ids=str)
def test_frames_are_those_of_the_cpu_in_their_own_format(
    device: ComputeDevice, name: str, size: tuple[int, int]
) -> None:
    engine = grid_engine(brightening())
    there, here = RoundTripEnhancer(cuda_grid(device, engine), device), GridEnhancer(engine)
    for seed in range(3):
        frame = replace(random_frame(name, *size, seed=seed), pts=seed)
        bright = there(frame)
        assert (bright.format_name, bright.color, bright.pts) == (name, frame.color, seed)
        shift = 6 if name == "p010le" else 0
        assert_planes_close(bright.planes, here(frame).planes, GPU, shift=shift)


def test_it_has_the_memory_of_its_enhancer(device: ComputeDevice) -> None:
    engine = grid_engine(brightening(), per_brightness=0.4)
    there, here = RoundTripEnhancer(cuda_grid(device, engine), device), GridEnhancer(engine)
    for frame in two_scenes():
        assert_planes_close(there(frame).planes, here(frame).planes, GPU)
    assert there.most_needed() == 1
    there.reset()


def test_its_aim_can_change_at_any_time(device: ComputeDevice) -> None:
    there = RoundTripEnhancer(cuda_grid(device, grid_engine(brightening())), device)
    lit = random_frame("nv12", 64, 48)  # as bright as dark, and so well lit
    assert isinstance(there, AimingEnhancer)
    assert there(lit).planes[0].mean() > lit.planes[0].mean() + 5
    there.aim = Aim(when_dark=True)
    there.reset()
    assert abs(there(lit).planes[0].mean() - lit.planes[0].mean()) < 1


def test_strength_0_changes_no_bit(device: ComputeDevice) -> None:
    there = RoundTripEnhancer(cuda_grid(device, grid_engine(brightening())), device)
    there.strength = 0
    frame = random_frame("yuv420p10le", 37, 23)
    assert_planes_close(there(frame).planes, frame.planes, EXACT)


@needs_cupy
@pytest.mark.slow
@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_live_video_without_a_gpu_is_one_line() -> None:
    answer = tapetum("live", "--source", "lavfi:testsrc2", "--device", "cuda:1", "--sink", "null")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "error: cuda:1 cannot be used: no NVIDIA driver is installed; install one,"
        " or use --device cpu\n"
    )


@pytest.mark.needs_cuda
def test_live_video_is_enhanced_on_the_gpu() -> None:
    needs_cpu_runtime()
    source = ("--source", "lavfi:testsrc2=size=640x360:rate=30", "--duration", "20s")
    answer = tapetum("live", *source, "--device", "cuda", "--sink", "null", "--verbose")
    assert answer.returncode == 0
    assert "on cuda:0" in answer.stderr
