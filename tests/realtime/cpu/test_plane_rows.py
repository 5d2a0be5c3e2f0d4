"""Planes as the kernels get them: of one type, however they lie in memory."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from tapetum.realtime.cpu.plane_rows import sample_rows
from tapetum.realtime.frame import Plane


def read_only(plane: Plane) -> Plane:
    plane.flags.writeable = False
    return plane


SAMPLES = np.arange(48).reshape(4, 12)


@pytest.mark.parametrize("whole", [SAMPLES.astype(np.uint8), SAMPLES.astype(np.uint16)])
def test_kernels_are_compiled_once_for_planes_with_and_without_gaps(whole: Plane) -> None:
    """A second time would be in the middle of a stream, which stands still for seconds then."""
    planes: dict[str, Plane] = {
        "whole": whole,
        "with gaps": whole[:, :8],
        "read-only": read_only(whole.copy()),
        "upside down": whole[::-1],
        "every second sample": whole[:, ::2],
    }
    typeof: Any = numba.typeof  # numba has no types
    types = {name: typeof(sample_rows(plane)[0]) for name, plane in planes.items()}
    assert len(set(types.values())) == 1, types
    assert whole.flags.writeable
    for plane in planes.values():
        samples, pitch = sample_rows(plane)
        for number, row in enumerate(plane):
            assert np.array_equal(samples[number * pitch :][: len(row)], row)
