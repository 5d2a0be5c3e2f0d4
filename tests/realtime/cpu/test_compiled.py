"""How kernels are compiled: each once for all formats, without pauses to look for rubbish."""

from __future__ import annotations

import gc
from types import ModuleType
from typing import Any

import numba
import pytest
from numba.core import event
from support.grids import brightening
from support.random_frames import pitched, random_frame

from tapetum.realtime.cpu import (
    fixed_point,
    grid_chroma,
    grid_luma,
    noise_level,
    restoring_light,
    restoring_space,
    restoring_time,
    still_noise,
    thumbnail,
)
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.restoring import warm_up

MODULES = (
    fixed_point,
    grid_chroma,
    grid_luma,
    noise_level,
    restoring_light,
    restoring_space,
    restoring_time,
    still_noise,
    thumbnail,
)
"""What a video needs."""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
def test_a_kernel_is_compiled_once_for_all_formats(module: ModuleType) -> None:
    for name in ("yuv420p", "nv12", "yuv420p10le", "p010le", "yuv444p"):
        frame = random_frame(name, 72, 66)
        thumbnail.thumbnail(frame)
        for seen in (frame, pitched(frame)):
            apply_grid(seen, brightening())
            warm_up(seen)
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
