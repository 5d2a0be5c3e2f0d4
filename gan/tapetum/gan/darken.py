"""Takes the light out of well-lit photos as a camera in a dark room would.

The model is the usual one of raw sensors (Foi et al., "Practical Poissonian-Gaussian noise
modeling and fitting for single-image raw-data", 2008): in linear light, an exposure and an
uneven illumination scale the scene, shot noise has a variance in proportion to the signal, read
noise a constant one; then the camera's tone curve and 8-bit quantisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from tapetum.gan.noise_removal import without_noise

_DISPLAY_GAMMA = 2.2


@dataclass(frozen=True)
class Darkness:
    """Ranges that `darken` draws from, uniformly unless said otherwise.

    Attributes:
        exposure: darkest and lightest exposure factor in linear light, drawn log-uniformly.
        harsh_share: share of pictures that lose light in the shadows more than in the lights, as
            against a bright sky: linear light to a power of up to 2. The nearer the power is to
            2, the nearer to 1 is the exposure.
        unevenness: largest standard deviation of the log illumination over the picture.
        kept_unevenness: exponent of the uneven illumination that the target keeps, so that a
            dark corner is asked to become lighter, but not as light as the rest.
        cast: standard deviation of the log gain of each colour channel.
        gamma: exponent of the camera's tone curve.
        shot_noise: largest variance per unit of linear signal.
        read_noise: largest standard deviation in linear light.
        white_balance: largest gain of red and of blue over green. It multiplies their noise too:
            clipped at black, it is what makes dark corners purple.
        jpeg_quality: worst and best quality of JPEG compression.
        jpeg_share: share of pictures that are compressed.
        untouched_share: share of pictures that stay well lit, so that those are left alone.
        denoised_share: share of pictures whose noise is then taken out (`noise_removal`).
    """

    exposure: tuple[float, float] = (1 / 80, 1.0)
    harsh_share: float = 0.5
    unevenness: float = 1.2
    kept_unevenness: float = 0.15
    cast: float = 0.06
    gamma: tuple[float, float] = (1.9, 2.5)
    shot_noise: float = 2e-4
    read_noise: float = 1e-3
    white_balance: float = 2.2
    jpeg_quality: tuple[int, int] = (25, 95)
    jpeg_share: float = 0.7
    untouched_share: float = 0.04
    denoised_share: float = 0.0


class Darkened(NamedTuple):
    """Dark twins of well-lit photos; each (N, 3, H, W), RGB in [0, 1].

    Attributes:
        dark: as the camera stores them, in steps of 1/255, but where their noise is taken out.
        clean: the same without noise, quantisation and compression.
        target: what should be made of them.
    """

    dark: torch.Tensor
    clean: torch.Tensor
    target: torch.Tensor


def _uniform(low: float, high: float, n: int, generator: torch.Generator) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)


def uneven_light(
    n: int, height: int, width: int, deviation: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """A smooth random illumination (n, 1, height, width) of at most 1.

    `deviation` (n, 1, 1, 1) is the standard deviation of its logarithm between coarse points.
    """
    coarse = torch.randn(n, 1, 4, 4, generator=generator) * deviation
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    return torch.exp(smooth - smooth.amax((2, 3), keepdim=True))


def white_balance(n: int, largest: float, generator: torch.Generator) -> torch.Tensor:
    """Gains (n, 3, 1, 1) of red, green and blue, green's being 1, of the same scene's light."""
    gains = torch.ones(n, 3, 1, 1)
    gains[:, ::2] += (largest - 1) * torch.rand(n, 2, 1, 1, generator=generator)
    return gains


def sensor_noise(
    linear: torch.Tensor, shot: torch.Tensor, read: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Add Poisson-Gaussian noise, in its normal approximation, to linear light."""
    deviation = (shot * linear + read.square()).sqrt()
    return linear + deviation * torch.randn(linear.shape, generator=generator)


def camera_noise(
    linear: torch.Tensor, darkness: Darkness, generator: torch.Generator
) -> torch.Tensor:
    """Add noise of random strength to linear light (N, 3, H, W), multiplied by white balance."""
    n = len(linear)
    balance = white_balance(n, darkness.white_balance, generator)
    shot, read = (
        balance * _uniform(0, peak, n, generator)
        for peak in (darkness.shot_noise, darkness.read_noise)
    )
    return sensor_noise(linear, shot, read, generator)


def compressed(photos: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Photos (N, 3, H, W) in [0, 1] after JPEG at each one's quality; over 100 means untouched."""
    levels = (photos * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    decoded = [
        _jpeg(picture, int(q)) if q <= 100 else picture
        for picture, q in zip(levels, quality.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).float() / 255


def _jpeg(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.generic]:
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, encoded = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])


def darken(
    photos: torch.Tensor, generator: torch.Generator, darkness: Darkness = Darkness()
) -> Darkened:
    """Make dark twins of well-lit photos, and what should be made of them.

    Args:
        photos: (N, 3, H, W) RGB in [0, 1].
        generator: source of all randomness.
        darkness: ranges to draw from.
    """
    n, _, height, width = photos.shape
    low, high = (math.log(bound) for bound in darkness.exposure)
    share = darkness.harsh_share
    harshness = 1 - (_uniform(0, 1, n, generator) / share).clamp(max=1) if share else 0.0
    exposure = (_uniform(low, high, n, generator) * (1 - harshness)).exp()
    deviation = _uniform(0, darkness.unevenness, n, generator)
    light = uneven_light(n, height, width, deviation, generator)
    cast = (torch.randn(n, 3, 1, 1, generator=generator) * darkness.cast).exp()
    linear = photos.pow(_DISPLAY_GAMMA)
    scene = linear.pow(1 + harshness) * exposure * light * cast
    noisy = camera_noise(scene, darkness, generator).clamp(0, 1)
    tone_curve = 1 / _uniform(*darkness.gamma, n, generator)
    dark, clean = noisy.pow(tone_curve), scene.clamp(0, 1).pow(tone_curve)
    target = (linear * light.pow(darkness.kept_unevenness)).pow(1 / _DISPLAY_GAMMA)
    untouched = _uniform(0, 1, n, generator) < darkness.untouched_share
    quality = _uniform(*darkness.jpeg_quality, n, generator).flatten()
    quality[torch.rand(n, generator=generator) >= darkness.jpeg_share] = 101
    dark = compressed(torch.where(untouched, photos, dark), quality)
    if darkness.denoised_share:
        clear = torch.rand(n, generator=generator) < darkness.denoised_share
        dark = torch.stack([without_noise(d) if c else d for d, c in zip(dark, clear, strict=True)])
    return Darkened(
        dark, torch.where(untouched, photos, clean), torch.where(untouched, photos, target)
    )
