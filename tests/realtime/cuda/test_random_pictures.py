"""The CUDA kernels on pictures of random sizes and formats, where Hypothesis is installed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.grids import random_grid
from support.kernel_calls import (
    USUAL,
    changed_on_cpu,
    enhanced_by_change,
    enhanced_by_grid,
    random_result,
)
from support.kernel_devices import on_device
from support.random_frames import random_frame

from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.frame import CENTER, LEFT, TOP, TOP_LEFT, ColorInfo


@given(
    name=st.sampled_from(USUAL),
    size=st.tuples(st.integers(1, 70), st.integers(1, 40)),
    seed=st.integers(0, 99),
    location=st.sampled_from([LEFT, CENTER, TOP_LEFT, TOP]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_size_is_enhanced_as_on_the_cpu(
    device: ComputeDevice, name: str, size: tuple[int, int], seed: int, location: int
) -> None:
    color = ColorInfo(chroma_location=location)
    frame, grid = random_frame(name, *size, seed=seed, color=color), random_grid(seed)
    result, there = random_result(frame, seed), on_device(device, frame, gap=seed % 5)
    for actual, expected in (
        (enhanced_by_grid(device, there, grid), apply_grid(frame, grid)),
        (enhanced_by_change(device, there, result), changed_on_cpu(frame, result)),
    ):
        for found, wanted in zip(actual, expected, strict=True):
            assert np.abs(found.astype(int) - wanted).max() <= 1 << frame.format.shift
