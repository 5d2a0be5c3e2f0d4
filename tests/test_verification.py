"""The comparison of an engine with its reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapetum.gan.errors import EngineError
from tapetum.trt_build.verification import checked_psnr_db, psnr_db

PICTURE = np.linspace(0, 2, 48, dtype=np.float32).reshape(1, 3, 4, 4)


def test_psnr_is_the_range_over_the_error() -> None:
    assert psnr_db(PICTURE + np.float32(0.02), PICTURE) == pytest.approx(40, abs=1e-3)
    assert psnr_db(PICTURE, PICTURE) == math.inf
    assert psnr_db(PICTURE * np.float32(np.nan), PICTURE) == -math.inf


def test_psnr_takes_equal_shapes_only() -> None:
    with pytest.raises(EngineError, match=r"shape \(1, 3, 4, 2\), its reference \(1, 3, 4, 4\)"):
        psnr_db(PICTURE[..., :2], PICTURE)


def test_a_faithful_engine_passes() -> None:
    assert 60 < checked_psnr_db(PICTURE.astype(np.float16), PICTURE) < 90


@pytest.mark.parametrize("factor", [0.9, np.nan])
def test_an_engine_that_computes_something_else_is_refused(factor: float) -> None:
    with pytest.raises(EngineError, match=r"differs from its reference .* at least 45 wanted"):
        checked_psnr_db(PICTURE * np.float32(factor), PICTURE)
