"""The real-time enhancer with real networks of known output."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.grids import brightening
from support.random_frames import on_another_device, random_frame
from support.tiny_networks import grid_network
from support.tolerance import EXACT, assert_planes_close

from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.errors import DeviceError, EngineError
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.protocols import FrameEnhancer

Array = npt.NDArray[Any]


def enhancer(grid: Array, *, strength: float = 1.0, per_brightness: float = 0.0) -> GridEnhancer:
    model = OpenVINOModel(grid_network(grid, per_brightness=per_brightness))
    return GridEnhancer(model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE), strength=strength)


def test_it_is_a_frame_enhancer_that_says_what_runs_where() -> None:
    made = enhancer(identity_grid())
    assert isinstance(made, FrameEnhancer)
    assert made.description == "grid on CPU, OpenVINO f32"


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "p010le", "yuv422p10le"])
def test_the_predicted_grid_is_applied(name: str) -> None:
    frame = random_frame(name, 50, 31)
    enhanced = enhancer(brightening())(frame)
    assert_planes_close(enhanced.planes, apply_grid(frame, brightening()), EXACT)


def test_time_color_and_format_stay() -> None:
    frame = replace(
        random_frame("yuv420p", 20, 10, color=ColorInfo(9, 1, 9, 16)),
        pts=7,
        time_base=Fraction(1, 25),
        duration=2,
        capture_time_s=3.5,
    )
    enhanced = enhancer(brightening())(frame)
    for name in ("format_name", "pts", "time_base", "duration", "capture_time_s", "color"):
        assert getattr(enhanced, name) == getattr(frame, name)


@pytest.mark.parametrize("name", ["yuv420p", "p010le"])
def test_strength_0_is_the_frame_bit_for_bit(name: str) -> None:
    frame = random_frame(name, 33, 17)
    assert_planes_close(enhancer(brightening(), strength=0)(frame).planes, frame.planes, EXACT)


def test_strength_mixes_coefficients_and_may_change_between_frames() -> None:
    frame = random_frame("yuv420p", 33, 17)
    made = enhancer(brightening())
    made.strength = 0.5
    half = (identity_grid() + brightening()) * np.float32(0.5)
    assert_planes_close(made(frame).planes, apply_grid(frame, half), EXACT)


def test_reset_starts_a_new_scene() -> None:
    dark, bright = (
        random_frame("yuv420p", 40, 30).with_planes(
            tuple(np.full(shape, level, np.uint8) for shape, level in planes)
        )
        for planes in ([((30, 40), y), ((15, 20), 128), ((15, 20), 128)] for y in (40, 43))
    )
    fresh = enhancer(identity_grid(), per_brightness=1.0)(bright)
    used = enhancer(identity_grid(), per_brightness=1.0)
    used(dark)
    filtered = used(bright)
    used.reset()
    assert_planes_close(used(bright).planes, fresh.planes, EXACT)
    assert filtered.planes[0].mean() != fresh.planes[0].mean()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (4096, 2)])
def test_tiny_and_thin_frames_are_enhanced(size: tuple[int, int]) -> None:
    frame = random_frame("yuv420p", *size)
    assert [plane.shape for plane in enhancer(brightening())(frame).planes] == [
        plane.shape for plane in frame.planes
    ]


def test_coefficients_that_are_not_numbers_are_an_error() -> None:
    with pytest.raises(EngineError, match="not finite"):
        enhancer(np.full((8, 8, 16, 16), np.nan))(random_frame("yuv420p", 16, 16))


def test_a_network_of_another_shape_is_an_error() -> None:
    model = OpenVINOModel(grid_network(np.zeros((8, 8, 16, 4))))
    made = GridEnhancer(model.compile(THUMBNAIL_SHAPE))
    with pytest.raises(EngineError, match=r"gave \(1, 8, 8, 16, 4\)"):
        made(random_frame("yuv420p", 16, 16))


def test_a_frame_on_another_device_is_an_error() -> None:
    elsewhere = on_another_device(random_frame("yuv420p", 16, 16))
    with pytest.raises(DeviceError):
        enhancer(identity_grid())(elsewhere)
