"""The one place that says how close frames must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """Largest and mean absolute difference, in integer levels of the samples."""

    largest: float
    mean: float


EXACT = Tolerance(0, 0)
"""Copies, and the CPU against itself."""
CPU = Tolerance(1, 0.1)
"""Compiled CPU code against float64 arithmetic: rounding only."""
GPU = Tolerance(2, 0.5)
"""A GPU's half precision against the CPU."""


def assert_planes_close(
    actual: Sequence[Array],
    expected: Sequence[Array],
    tolerance: Tolerance = EXACT,
    *,
    shift: int = 0,
) -> None:
    """Compare planes of integer samples, each plane by itself."""
    assert len(actual) == len(expected)
    for index, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        assert found.shape == wanted.shape
        assert found.dtype == wanted.dtype
        difference = np.abs(found.astype(np.int64) - wanted.astype(np.int64)) / (1 << shift)
        where = np.unravel_index(int(difference.argmax()), difference.shape)
        assert difference.max() <= tolerance.largest, (
            f"plane {index} differs by {difference.max()} at {where}:"
            f" {found[where]}, not {wanted[where]}"
        )
        assert difference.mean() <= tolerance.mean, f"plane {index}: mean {difference.mean():.3f}"
