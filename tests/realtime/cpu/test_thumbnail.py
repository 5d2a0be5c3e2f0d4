"""Thumbnails against float64 means and the equations of the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from support.random_frames import chroma_levels, luma_levels, pitched, random_frame, scales

from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.pixel_format import PIXEL_FORMATS

Array = npt.NDArray[Any]


def mean_bins(levels: Array) -> Array:
    means: Array = F.adaptive_avg_pool2d(torch.from_numpy(levels)[None], 256)[0].numpy()
    return means


def thumbnail_exactly(frame: Frame) -> Array:
    black, luma_span, grey, chroma_span = scales(frame)
    kr, kb = frame.luma_weights
    y = (mean_bins(luma_levels(frame)) - black) / luma_span
    u, v = ((mean_bins(levels) - grey) / chroma_span for levels in chroma_levels(frame))
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack((red, green, blue)), 0, 1)[np.newaxis]


@pytest.mark.parametrize("color", [ColorInfo(1, 1), ColorInfo(9, 2)], ids=["tv709", "pc2020"])
@pytest.mark.parametrize("name", sorted(PIXEL_FORMATS))
def test_every_format_matches_float64(name: str, color: ColorInfo) -> None:
    frame = random_frame(name, 301, 535, color=color)
    np.testing.assert_allclose(thumbnail(frame), thumbnail_exactly(frame), atol=2e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (255, 256), (257, 8), (1920, 17)])
def test_every_size_matches_float64(size: tuple[int, int]) -> None:
    frame = random_frame("yuv420p", *size)
    np.testing.assert_allclose(thumbnail(frame), thumbnail_exactly(frame), atol=2e-6)


@pytest.mark.parametrize("name", ["yuv420p", "p010le"])
def test_gaps_between_rows_do_not_matter(name: str) -> None:
    frame = random_frame(name, 333, 222)
    np.testing.assert_array_equal(thumbnail(pitched(frame)), thumbnail(frame))


def test_a_bright_8k_frame_does_not_overflow() -> None:
    shapes = ((4320, 7680), (2160, 3840), (2160, 3840))
    planes = tuple(
        np.full(shape, level, np.uint16)
        for shape, level in zip(shapes, (4095, 2048, 2048), strict=True)
    )
    small = thumbnail(Frame(planes, "yuv420p12le", color=ColorInfo(range=2)))
    np.testing.assert_allclose(small, 1, atol=1e-6)
    assert small.shape == (1, 3, 256, 256)
    assert small.dtype == np.float32
