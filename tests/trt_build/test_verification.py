"""The comparison of an engine with its reference."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tapetum.gan.errors import EngineError
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.manifest import EngineIdentity, Manifest
from tapetum.trt_build.profile import Profile, unet_profile
from tapetum.trt_build.verification import PSNR_CEILING_DB, Array, lowest_psnr_db, psnr_db

PICTURES = [dark_frame("unet", size) for size in ((16, 32), (48, 64), (64, 128))]
PICTURE = np.linspace(0, 2, 48, dtype=np.float32).reshape(1, 3, 4, 4)


def test_psnr_is_the_range_over_the_error() -> None:
    assert psnr_db(PICTURE + np.float32(0.02), PICTURE) == pytest.approx(40, abs=1e-3)
    assert psnr_db(PICTURE, PICTURE) == PSNR_CEILING_DB
    assert psnr_db(PICTURE * np.float32(np.nan), PICTURE) == -math.inf


def test_psnr_takes_equal_shapes_only() -> None:
    with pytest.raises(EngineError, match=r"shape \(1, 3, 4, 2\), its reference \(1, 3, 4, 4\)"):
        psnr_db(PICTURE[..., :2], PICTURE)


def half(picture: Array) -> Array:
    """A network that only rounds."""
    return picture.astype(np.float16)


def test_a_profile_is_verified_at_each_of_its_sizes() -> None:
    assert unet_profile((64, 96), (32, 32), (128, 128)).sizes == ((32, 32), (64, 96), (128, 128))
    assert unet_profile((64, 96), (32, 32)).sizes == ((32, 32), (64, 96))
    assert unet_profile((64, 96)).sizes == ((64, 96),)


def test_the_lowest_psnr_of_a_faithful_engine_counts() -> None:
    found = [psnr_db(half(picture), picture) for picture in PICTURES]
    assert len(set(found)) == 3
    lowest_db = lowest_psnr_db(PICTURES, map(half, PICTURES), np.array)
    assert lowest_db == min(found)
    assert 60 < lowest_db < 90


@pytest.mark.parametrize("factor", [0.9, np.nan])
@pytest.mark.parametrize(("wrong", "size"), [(0, "32x16"), (1, "64x48"), (2, "128x64")])
def test_an_engine_that_computes_something_else_at_any_size_is_refused(
    factor: float, wrong: int, size: str
) -> None:
    outputs = [half(picture) for picture in PICTURES]
    outputs[wrong] *= np.float16(factor)
    message = rf"differs from its reference at {size} .* at least 45 wanted"
    with pytest.raises(EngineError, match=message):
        lowest_psnr_db(PICTURES, outputs, np.array)


def test_each_picture_needs_its_output() -> None:
    with pytest.raises(ValueError, match="shorter"):
        lowest_psnr_db(PICTURES, PICTURES[:2], np.array)


def test_the_manifest_of_an_exact_engine_is_json() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    identity = EngineIdentity("0" * 64, "tensorrt", "11.0", None, "sm_89", Profile(*[(16, 16)] * 3))
    exact_db = lowest_psnr_db(PICTURES, PICTURES, np.array)
    manifest = Manifest(identity, "grid", "grid", (), "2" * 64, 7, "2026-01-01", exact_db, 45.0)
    read = json.loads(manifest.to_json(), parse_constant=refuse)
    assert read["psnr_db"] == PSNR_CEILING_DB
