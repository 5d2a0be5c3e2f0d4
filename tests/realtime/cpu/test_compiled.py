"""How kernels are compiled: each once for all formats, without pauses to look for rubbish."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
from numba.core import event
from support.grids import brightening
from support.random_frames import pitched, random_frame

from tapetum.realtime.cpu import (
    fixed_point,
    followed_blocks,
    grid_chroma,
    grid_luma,
    grid_rgb,
    noise_level,
    restored_pixels,
    restoring_light,
    restoring_space,
    restoring_time,
    rgb,
    still_noise,
    thumbnail,
    wide_changes,
)
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.restoring import warm_up

MODULES = (
    fixed_point,
    followed_blocks,
    grid_chroma,
    grid_luma,
    grid_rgb,
    noise_level,
    restored_pixels,
    restoring_light,
    restoring_space,
    restoring_time,
    rgb,
    still_noise,
    thumbnail,
    wide_changes,
)
"""What videos and images need."""


def images() -> Iterator[npt.NDArray[np.uint8]]:
    """Images as libraries hand them over."""
    whole = np.random.default_rng(0).integers(0, 256, (30, 41, 4), np.uint8)
    locked = whole[..., :3].copy()
    locked.flags.writeable = False
    yield from (whole, whole[..., :3], whole[..., :3].copy(), locked, whole[::-1, 3:], locked[::2])


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
def test_a_kernel_is_compiled_once_for_all_formats(module: ModuleType) -> None:
    for name in ("yuv420p", "nv12", "yuv420p10le", "p010le", "yuv444p"):
        frame = random_frame(name, 72, 66)
        thumbnail.thumbnail(frame)
        for seen in (frame, pitched(frame)):
            apply_grid(seen, brightening())
            warm_up(seen)
    for image in images():
        room = np.empty(image.shape, np.uint8)
        rows, target = (
            rgb.pixel_rows(image, red_first=False),
            rgb.pixel_rows_to_fill(room, red_first=False),
        )
        thumbnail.image_thumbnail(rows)
        grid_rgb.apply_to_pixels(rows, brightening(), target)
        frame = restored_pixels.half_chroma_frame(rows)
        weight = np.zeros(frame.planes[1].shape, np.int16)
        fine = restoring_space.FineChroma(weight, (1.0, 1.0))
        restored = restored_pixels.restored_pixels(frame, frame, fine, red_first=rows.red_first)
        grid_rgb.apply_to_pixels(rows, brightening(), target, restored)
        rgb.rgb_from_frame(rgb.frame_from_rgb(image))
        rgb.rgb_from_frame(pitched(rgb.frame_from_rgb(image)))
    own: list[Any] = [
        value
        for value in vars(module).values()
        if hasattr(value, "signatures") and value.py_func.__module__ == module.__name__
    ]
    kernels = [one for one in own if not one.targetoptions.get("no_cpython_wrapper")]
    assert any(kernel.signatures for kernel in kernels)
    assert [kernel.__name__ for kernel in kernels if len(kernel.signatures) > 1] == []


class Watcher(event.Listener):
    def __init__(self) -> None:
        self.collects: list[bool] = []

    def on_start(self, event: object) -> None:  # noqa: ARG002 - as numba calls it
        self.collects.append(gc.isenabled())

    def on_end(self, event: object) -> None:
        pass


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_pauses_while_numba_compiles(collects: bool) -> None:
    was = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        with event.install_listener("numba:compile", Watcher()) as watcher:
            assert numba.njit(lambda number: number + 1)(1) == 2
        assert watcher.collects == [False]
        assert gc.isenabled() is collects
    finally:
        (gc.enable if was else gc.disable)()
