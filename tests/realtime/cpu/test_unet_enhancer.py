"""The heavy enhancer with small real networks: padding, tiles, residual."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.grids import brightening
from support.random_frames import random_frame
from support.tiny_networks import blur_network, grid_network, pointwise_network
from support.tolerance import EXACT, Tolerance, assert_planes_close

from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.hdr_light import to_working
from tapetum.realtime.cpu.openvino_engine import OpenVINOEngine, OpenVINOModel
from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.cpu.tiling import axis_tiles, tiling
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer
from tapetum.realtime.errors import EngineError, ModelError
from tapetum.realtime.frame import PQ, ColorInfo, Frame, Plane
from tapetum.realtime.protocols import FrameEnhancer

pytestmark = pytest.mark.slow

Array = npt.NDArray[Any]

BRIGHTER = pointwise_network(0.5 * np.eye(3), np.full(3, 0.4))
ROUNDING = Tolerance(1, 0.01)
"""Float32 sums in another order may round to the other side."""


class CountingModel(OpenVINOModel):
    """Remembers what it was compiled for."""

    def compile(
        self, input_shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None
    ) -> OpenVINOEngine:
        self.shapes = [*getattr(self, "shapes", []), input_shape]
        return super().compile(input_shape, output_shape)


def brightened(frame: Frame) -> tuple[Plane, ...]:
    rgb = rgb_from_planes(frame)
    return planes_with_change(frame, np.clip(0.5 * rgb + np.float32(0.4), -1, 1) - rgb)


def test_it_is_a_frame_enhancer_that_says_what_runs_where() -> None:
    made = UNetEnhancer(OpenVINOModel(BRIGHTER))
    assert isinstance(made, FrameEnhancer)
    assert made.description == "unet on CPU, OpenVINO f32"


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "p010le", "yuv444p12le"])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (16, 16), (50, 37)])
def test_the_networks_picture_comes_out(name: str, size: tuple[int, int]) -> None:
    frame = random_frame(name, *size)
    enhanced = UNetEnhancer(OpenVINOModel(BRIGHTER))(frame)
    assert_planes_close(enhanced.planes, brightened(frame), ROUNDING, shift=frame.format.shift)


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le"])
def test_strength_0_is_the_frame_bit_for_bit(name: str) -> None:
    frame = random_frame(name, 33, 17)
    made = UNetEnhancer(OpenVINOModel(BRIGHTER), strength=0)
    assert_planes_close(made(frame).planes, frame.planes, EXACT)


def test_strength_0_converts_nothing() -> None:
    frame = random_frame("yuv420p", 640, 360)
    made = UNetEnhancer(OpenVINOModel(BRIGHTER), strength=0)
    tracemalloc.start()
    made(frame)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < frame.width * frame.height  # the frame as RGB takes twelve times as much


def test_strength_scales_the_change() -> None:
    frame = random_frame("yuv444p", 32, 32, color=ColorInfo(range=2))
    gray = frame.with_planes((frame.planes[0], *[np.full_like(frame.planes[0], 128)] * 2))
    full, half = (UNetEnhancer(OpenVINOModel(BRIGHTER), strength=s)(gray) for s in (1, 0.5))
    before, after, middle = (f.planes[0].astype(float) for f in (gray, full, half))
    np.testing.assert_allclose(middle - before, (after - before) / 2, atol=1)


def test_padding_is_by_reflection() -> None:
    frame = random_frame("yuv444p", 20, 20, color=ColorInfo(range=2))
    enhanced = UNetEnhancer(OpenVINOModel(blur_network()))(frame)
    rgb = rgb_from_planes(frame)
    padded = np.pad(rgb, ((0, 0), (2, 2), (2, 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2))
    change = (windows.mean(axis=(3, 4)) - rgb).astype(np.float32)
    assert_planes_close(enhanced.planes, planes_with_change(frame, change), ROUNDING)


def test_tiles_give_the_untiled_picture() -> None:
    frame = random_frame("yuv420p", 700, 530)
    whole = UNetEnhancer(OpenVINOModel(blur_network()))(frame)
    tiled = UNetEnhancer(OpenVINOModel(blur_network()), max_pixels=1 << 16)(frame)
    inner = np.s_[4:-4, 4:-4]
    assert_planes_close([tiled.planes[0][inner]], [whole.planes[0][inner]], ROUNDING)


def test_one_compilation_serves_a_stream_of_tiles() -> None:
    model = CountingModel(BRIGHTER)
    made = UNetEnhancer(model, max_pixels=1 << 16)
    for seed in range(2):
        made(random_frame("yuv420p", 400, 300, seed=seed))
    assert len(model.shapes) == 1
    made(random_frame("yuv420p", 64, 48))
    assert model.shapes[1:] == [(1, 3, 48, 64)]


@pytest.mark.parametrize("size", [(1, 1), (300, 1000), (1081, 1919), (5000, 3)])
def test_tiles_cover_every_sample_once_in_total(size: tuple[int, int]) -> None:
    tiles = tiling(*size, 1 << 17)
    total = np.zeros(size)
    for rows, columns in tiles.tiles():
        assert len(rows.source) % 16 == len(columns.source) % 16 == 0
        total[rows.place, columns.place] += rows.weights[:, np.newaxis] * columns.weights
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert tiles.tile_height * tiles.tile_width <= 1 << 17


def test_neighbouring_tiles_blend_linearly() -> None:
    first, second = axis_tiles(192, 128)
    shared = first.weights[64:]
    np.testing.assert_allclose(np.diff(shared), -1 / 64, atol=1e-6)
    np.testing.assert_allclose(shared + second.weights[:64], 1, atol=1e-6)


def test_a_network_that_is_no_picture_network_is_an_error() -> None:
    model = OpenVINOModel(grid_network(np.zeros((8, 8, 16, 16))))
    with pytest.raises(ModelError, match="expected"):
        UNetEnhancer(model)(random_frame("yuv420p", 32, 32))


def test_results_that_are_not_numbers_are_an_error() -> None:
    model = OpenVINOModel(pointwise_network(np.full((3, 3), np.nan), np.zeros(3)))
    with pytest.raises(EngineError, match="not finite"):
        UNetEnhancer(model)(random_frame("yuv420p", 16, 16))


def test_tiles_too_small_to_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1000"):
        UNetEnhancer(OpenVINOModel(BRIGHTER), max_pixels=1000)


def framed_frame(transfer: int = 1) -> Frame:
    """A dark picture of a few levels between black bars at the left and the right."""
    rng = np.random.default_rng(4)
    luma = np.full((64, 160), 64, np.uint16)
    luma[:, 40:120] = rng.integers(120, 220, (64, 80))
    grey = np.full((32, 80), 512, np.uint16)
    color = ColorInfo(matrix=1, range=1, primaries=1, transfer=transfer)
    return Frame((luma, grey, grey.copy()), "yuv420p10le", color=color)


def test_black_bars_stay_and_do_not_count_as_darkness() -> None:
    lit = framed_frame()
    lit.planes[0][:, 40:120] += 500
    alone = replace(lit, planes=tuple(p[:, p.shape[1] // 4 : -p.shape[1] // 4] for p in lit.planes))
    for frame in (lit, alone):
        enhancer = UNetEnhancer(OpenVINOModel(BRIGHTER), aim=Aim(when_dark=True))
        assert (enhancer(frame).planes[0] == frame.planes[0]).all()
    dark = framed_frame()
    result = UNetEnhancer(OpenVINOModel(BRIGHTER))(dark).planes[0]
    assert (result[:, :40] == 64).all()
    assert (result[:, 44:116] > dark.planes[0][:, 44:116]).all()


def test_hdr_is_enhanced_in_the_light_of_its_sdr_twin() -> None:
    hdr = framed_frame(PQ)
    code = (hdr.planes[0] - 64.0) / 876
    twin = framed_frame()
    twin.planes[0][:] = (64 + 876 * np.minimum(to_working(code, PQ), 1)).round()
    wanted, found = (UNetEnhancer(OpenVINOModel(BRIGHTER))(f).planes[0] for f in (twin, hdr))
    light = to_working((found[:, 44:116] - 64.0) / 876, PQ)
    assert light == pytest.approx((wanted[:, 44:116] - 64.0) / 876, abs=0.01)


@pytest.mark.parametrize("name", ["yuv420p", "p010le"])
def test_a_light_comes_before_the_network_and_strength_after_both(name: str) -> None:
    frame = random_frame(name, 50, 37)
    light = OpenVINOModel(grid_network(brightening())).compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
    made = UNetEnhancer(OpenVINOModel(BRIGHTER), light=GridEnhancer(light))
    lit = rgb_from_planes(GridEnhancer(light)(frame))
    change = np.clip(0.5 * lit + np.float32(0.4), -1, 1) - rgb_from_planes(frame)
    for strength in (1.0, 0.4):
        made.strength = strength
        wanted = planes_with_change(frame, np.float32(strength) * change)
        assert_planes_close(made(frame).planes, wanted, ROUNDING, shift=frame.format.shift)


def test_the_memory_of_a_light_is_kept_and_given_on() -> None:
    engine = OpenVINOModel(grid_network(brightening(), per_brightness=1.0)).compile(
        THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE
    )

    def made() -> UNetEnhancer:
        return UNetEnhancer(OpenVINOModel(BRIGHTER), light=GridEnhancer(engine))

    frames = [
        replace(random_frame("yuv420p", 64, 64), pts=33 * number).with_planes(
            tuple(np.full(size, level, np.uint8) for size in ((64, 64), (32, 32), (32, 32)))
        )
        for number, level in enumerate((30, 50))
    ]
    first, second = made(), made()
    first(frames[0])
    second.memory = first.memory
    wanted = second(frames[1]).planes
    assert_planes_close(first(frames[1]).planes, wanted, EXACT)
    first.reset()
    assert np.any(first(frames[1]).planes[0] != wanted[0])  # which the past had a part in
