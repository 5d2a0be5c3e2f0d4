"""Pictures against references, in numbers."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from tapetum.gan.metrics import exposure_aligned, noise_levels, psnr_db, ssim
from tapetum.gan.photos import Photo


@pytest.fixture
def photo() -> Photo:
    """A picture with smooth places and edges."""
    coarse = np.random.default_rng(0).integers(60, 180, (6, 8, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (256, 192), interpolation=cv2.INTER_CUBIC)
    smooth[:, 100:110] = 200
    return np.asarray(smooth, np.uint8)


def test_psnr_and_ssim_by_hand() -> None:
    grey = np.full((32, 32, 3), 100, np.uint8)
    assert psnr_db(grey + 5, grey) == pytest.approx(20 * math.log10(255 / 5))
    assert psnr_db(grey, grey) == math.inf
    stabiliser = (0.01 * 255) ** 2
    expected = (2 * 100 * 110 + stabiliser) / (100**2 + 110**2 + stabiliser)
    assert ssim(grey + 10, grey) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="11x11 pixels"):
        ssim(grey[:10], grey[:10])


def test_ssim_is_that_of_torchmetrics(photo: Photo) -> None:
    noise = np.random.default_rng(1).normal(0, 12, photo.shape)
    noisy = np.clip(photo + noise, 0, 255).astype(np.uint8)
    one, other = (
        torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].double()
        for picture in (noisy, photo)
    )
    theirs = structural_similarity_index_measure(one, other, data_range=255.0)
    assert isinstance(theirs, torch.Tensor)
    assert ssim(noisy, photo) == pytest.approx(theirs.item(), abs=1e-9)


def test_a_gain_alone_is_nothing_once_the_exposure_is_aligned(photo: Photo) -> None:
    dark = np.rint(photo * 0.5).astype(np.uint8)
    assert psnr_db(dark, photo) < 13
    assert psnr_db(exposure_aligned(dark, photo), photo) > 45
    black = np.zeros_like(photo)
    assert np.array_equal(exposure_aligned(black, photo), black)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_noise_is_what_was_added_however_dark_the_picture_is(photo: Photo, gain: float) -> None:
    added = np.random.default_rng(2).normal(0, 6, photo.shape[:2])[..., None]
    noisy = np.rint(np.clip(photo + added, 0, 255) * gain).astype(np.uint8)
    assert noise_levels(noisy, photo) == pytest.approx(6, rel=0.08)
    curve = np.rint(255 * (photo / 255) ** 0.8).astype(np.uint8)
    found = noise_levels(curve, photo)
    assert found is not None
    assert found < 0.7, "another tone is no noise"


def test_where_all_is_clipped_no_noise_can_be_told() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    assert noise_levels(white, white) is None
