"""What a scene is recorded under, drawn at random, and the recording itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.photos import Photo
from tapetum.gan.simulation.coding import Coding, coded
from tapetum.gan.simulation.development import Development, developed
from tapetum.gan.simulation.radiance import Radiance, luminance
from tapetum.gan.simulation.sensor import (
    Sensor,
    collected_electrons,
    converted,
    fixed_pattern,
    read_out,
)

Color = tuple[float, float, float]

_SODIUM: Color = (1.9, 0.85, 0.12)
_DISPLAY_GAMMA = 2.2
_SEEN_LEVEL = 2.5 / 255
_SEEN_ELECTRONS = 1.0
_SEEN_WINDOW = 17


@dataclass(frozen=True)
class Conditions:
    """How a scene is lit, exposed, recorded and stored.

    Attributes:
        exposure: linear light of the picture, relative to a well exposed one.
        electrons: that a green photosite in the middle collects of radiance 1 in that exposure;
            gain makes up for what they lack.
        light: colour of the light, RGB, of luminance 1.
        balanced_share: how much of the light's colour the white balance takes out, 0 to 1.
        sensor: what records it.
        development: what makes a picture of it; the white balance is worked out from the light.
        coding: what stores it.
    """

    exposure: float
    electrons: float
    light: Color = (1.0, 1.0, 1.0)
    balanced_share: float = 1.0
    sensor: Sensor = field(default_factory=Sensor)
    development: Development = field(default_factory=Development)
    coding: Coding = field(default_factory=Coding)

    def white_balance(self) -> Color:
        """Gains of red, green and blue: the filters' inverse, and the light's in part."""
        gains = np.array(self.light) ** -self.balanced_share / np.array(self.sensor.response)
        red, green, blue = gains.tolist()
        return red, green, blue

    def remaining_color(self) -> npt.NDArray[np.float32]:
        """What the white balance leaves of the light's colour, RGB."""
        return np.array(self.light, np.float32) ** np.float32(1 - self.balanced_share)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_light(rng: np.random.Generator) -> Color:
    """The colour of a scene's light: mostly near white, sometimes a sodium lamp's."""
    color = np.exp(rng.normal(0, 0.12, 3))
    if rng.random() < 0.12:
        color *= np.array(_SODIUM) ** rng.uniform(0.3, 1)
    red, green, blue = (color / (color @ (0.2126, 0.7152, 0.0722))).tolist()
    return red, green, blue


def draw_coding(rng: np.random.Generator) -> Coding:
    """How pictures are stored: as a photo, by a webcam, in a call, by a dashcam."""
    codec = rng.choice(["none", "limited", "jpeg", "h264"], p=[0.15, 0.2, 0.4, 0.25])
    quality, rate = int(rng.integers(30, 96)), _log_uniform(rng, 0.04, 0.3)
    return Coding(codec, jpeg_quality=quality, bits_per_pixel=rate)


def draw_conditions(
    rng: np.random.Generator, *, exposure: tuple[float, float] = (1 / 300, 1.0)
) -> Conditions:
    """Draw what a dark scene is recorded under.

    Args:
        rng: source of all randomness.
        exposure: darkest and lightest, drawn log-uniformly.
    """
    drawn = _log_uniform(rng, *exposure)
    electrons = _log_uniform(rng, 500, 50_000) * math.sqrt(drawn)
    noise = min(0.5 / math.sqrt(0.1 * electrons), 0.1)  # of dark grey, in display values
    sensor = Sensor(
        read_noise_e=rng.uniform(0.8, 4),
        row_noise_e=rng.uniform(0, 0.6),
        offset_e=rng.uniform(0, 1),
        nonuniformity=rng.uniform(0, 0.01),
        shading=rng.uniform(0, 0.5),
        bits=int(rng.choice([10, 12, 14])),
    )
    development = Development(
        denoising=noise * rng.uniform(0, 2),
        sharpening=rng.uniform(0, 0.8),
        gamma=rng.uniform(1.9, 2.5),
        contrast=rng.uniform(0, 0.3),
    )
    light, balanced = draw_light(rng), rng.uniform(0.3, 1)
    return Conditions(drawn, electrons, light, balanced, sensor, development, draw_coding(rng))


def recorded(
    radiance: Sequence[Radiance], conditions: Conditions, rng: np.random.Generator
) -> list[Photo]:
    """The pictures that a camera records of a scene, frame by frame of a clip.

    Args:
        radiance: one for each frame, of one even size; 1 is white in a well exposed picture.
        conditions: under which.
        rng: source of the noise.
    """
    sensor = conditions.sensor
    pattern = fixed_pattern(sensor, radiance[0].shape[0], radiance[0].shape[1], rng)
    development = replace(conditions.development, white_balance=conditions.white_balance())
    pictures = []
    for frame in radiance:
        lit = frame * np.array(conditions.light, np.float32)
        electrons = collected_electrons(lit, sensor, conditions.electrons)
        counted = read_out(electrons, sensor, pattern, rng)
        numbers = converted(counted, sensor, conditions.exposure / conditions.electrons)
        pictures.append(developed(numbers, sensor, development))
    return coded(pictures, conditions.coding)


def visible_share(radiance: Radiance, conditions: Conditions) -> npt.NDArray[np.float32]:
    """Share of a scene's light that a recording can show, (H, W) in [0, 1].

    Where next to no electrons, or less than some of 255 levels, were recorded, nothing can be
    asked back, and nothing should be made up: a black sky stays black. Of the mean c over 17x17
    pixels, c^2 / (c^2 + t^2), once for levels (t = 2.5 / 255) and once for electrons (t = 1).
    """
    light = luminance(radiance)
    local = cv2.blur(np.clip(light * conditions.exposure, 0, 1), (_SEEN_WINDOW, _SEEN_WINDOW))
    level = local ** np.float32(1 / _DISPLAY_GAMMA)
    electrons = local * np.float32(conditions.electrons / conditions.exposure)
    by_level = level**2 / (level**2 + _SEEN_LEVEL**2)
    by_electrons = electrons**2 / (electrons**2 + _SEEN_ELECTRONS**2)
    share: npt.NDArray[np.float32] = by_level * by_electrons
    return share


def ideal(display: npt.NDArray[np.float32], radiance: Radiance, conditions: Conditions) -> Photo:
    """What should be made of a recording: the well exposed picture, as far as it can be seen.

    Nowhere is it darker than the recording: what is bright enough stays.

    Args:
        display: the well exposed picture, (H, W, 3) in [0, 1].
        radiance: of the same scene, as it is recorded.
        conditions: under which. What the white balance leaves of the light's colour stays: a
            street under sodium lamps is orange.
    """
    color = conditions.remaining_color() ** np.float32(1 / _DISPLAY_GAMMA)
    seen = display * visible_share(radiance, conditions)[..., None]
    recording = np.clip(radiance * conditions.exposure, 0, 1) ** np.float32(1 / _DISPLAY_GAMMA)
    wanted = np.maximum(seen, recording) * color
    picture: Photo = np.rint(np.clip(wanted, 0, 1) * 255).astype(np.uint8)
    return picture
