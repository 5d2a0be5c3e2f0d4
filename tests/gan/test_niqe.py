"""NIQE's parts against their definitions, and the whole against distortions it must notice."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tapetum.gan.niqe import _features, _fit_asymmetric_gaussian, _halve, luma_of, niqe


def _generalised_gaussian(shape: float, n: int) -> npt.NDArray[np.float64]:
    """Samples of density exp(-|x|^shape), through a gamma variable."""
    rng = np.random.default_rng(0)
    magnitude = rng.gamma(1 / shape, size=n) ** (1 / shape)
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], n))


@pytest.mark.parametrize("shape", [0.8, 1.0, 2.0, 3.0])
def test_fit_recovers_the_shape_and_scales_of_a_known_density(shape: float) -> None:
    samples = _generalised_gaussian(shape, 200_000)
    samples[samples > 0] *= 2
    fitted, left, right = _fit_asymmetric_gaussian(samples)
    assert right / left == pytest.approx(2, rel=0.03)
    symmetric = _fit_asymmetric_gaussian(_generalised_gaussian(shape, 200_000))
    assert symmetric[0] == pytest.approx(shape, rel=0.03)
    assert symmetric[1] == pytest.approx(1, rel=0.03)
    assert fitted > 0


def test_a_block_has_18_features_and_white_noise_is_gaussian() -> None:
    features = _features(np.random.default_rng(1).standard_normal((96, 96)))
    assert len(features) == 18
    assert features[0] == pytest.approx(2, rel=0.1)


def test_halving_keeps_means_and_straight_lines() -> None:
    ramp = np.add.outer(np.arange(96.0), 2 * np.arange(192.0))
    halved = _halve(ramp)
    assert halved.shape == (48, 96)
    expected = np.add.outer(2 * np.arange(48) + 0.5, 2 * (2 * np.arange(96) + 0.5))
    np.testing.assert_allclose(halved[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-9)


def test_luma_is_the_limited_range_one() -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    assert luma_of(rgb).tolist() == [[16, 235, 81]]


def _scene() -> npt.NDArray[np.uint8]:
    """Noise whose power falls with the frequency as that of natural scenes does."""
    frequency = np.hypot(np.fft.fftfreq(480)[:, None], np.fft.fftfreq(672)[None])
    frequency[0, 0] = 1
    white = np.random.default_rng(0).standard_normal((480, 672))
    scene = np.fft.ifft2(np.fft.fft2(white) / frequency**1.2).real
    return np.asarray(np.clip(scene / scene.std() * 45 + 128, 0, 255), dtype=np.uint8)


def test_noise_and_blur_make_a_picture_less_natural() -> None:
    scene = _scene()
    noise = np.random.default_rng(3).normal(0, 25, scene.shape)
    noisy = np.clip(scene + noise, 0, 255).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(scene, (0, 0), 4), dtype=np.uint8)
    assert niqe(scene) + 1 < min(niqe(noisy), niqe(blurred))


def test_a_picture_without_two_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="two blocks"):
        niqe(np.zeros((96, 100), np.uint8))
