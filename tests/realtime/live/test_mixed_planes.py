"""Two looks of one picture, mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tapetum.realtime.live.mixed_planes import mixed_planes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
def test_every_sample_lies_on_the_way(dtype: Any, part: float) -> None:
    """Of more rows than are mixed at a time, over the whole range and in both directions."""
    rng = np.random.default_rng(1)
    top = np.iinfo(dtype).max
    before, after = rng.integers(0, top, (2, 300, 500), dtype, endpoint=True)
    before[0, 0], after[0, 0], before[0, 1], after[0, 1] = 0, top, top, 0
    (mixed,) = mixed_planes((before,), (after,), part)
    exact = before + part * (after.astype(np.float64) - before)
    assert mixed.dtype == dtype
    assert np.abs(mixed - exact).max() <= 0.5 + top / 256  # weights have seven bits
    assert abs(float((mixed - exact).mean())) <= top / 256
