"""From light to numbers: photons, lens, colour filters, noise, and the converter.

The noise is that of CMOS sensors (EMVA Standard 1288, "Standard for Characterization of Image
Sensors and Cameras"): photons come one by one (Poisson), reading adds electrons of constant
deviation, rows share some of it, pixels differ in their response and their offset, and the
converter rounds. All signals are in electrons until the converter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tapetum.gan.simulation.radiance import Radiance

Plane = npt.NDArray[np.float32]
"""(H, W), one value a photosite."""


@dataclass(frozen=True)
class Sensor:
    """A sensor behind a lens.

    Attributes:
        response: electrons of the red, green and blue photosites under white light, relative to
            the green ones'.
        read_noise_e: standard deviation of reading one photosite.
        row_noise_e: standard deviation of what a row's photosites share, new in every frame.
        offset_e: standard deviation of the photosites' own offsets, the same in every frame.
        nonuniformity: standard deviation of the photosites' own response.
        shading: share of the light that the lens loses in the corners.
        bits: of the converter.
        black_level: share of the converter's range that stands for no light, so that noise below
            it is kept.
    """

    response: tuple[float, float, float] = (0.5, 1.0, 0.6)
    read_noise_e: float = 2.0
    row_noise_e: float = 0.3
    offset_e: float = 0.5
    nonuniformity: float = 0.005
    shading: float = 0.3
    bits: int = 12
    black_level: float = 1 / 16


@dataclass(frozen=True)
class FixedPattern:
    """What one sensor's photosites have of their own."""

    response: Plane
    offset_e: Plane


def fixed_pattern(
    sensor: Sensor, height: int, width: int, rng: np.random.Generator
) -> FixedPattern:
    """Draw a sensor's own pattern; keep it for all frames of a clip."""
    drawn = rng.standard_normal((2, height, width), dtype=np.float32)
    return FixedPattern(1 + drawn[0] * sensor.nonuniformity, drawn[1] * sensor.offset_e)


def lens_shading(height: int, width: int, corner_loss: float) -> Plane:
    """Share of the light that reaches each photosite: 1 in the middle.

    cos^4 of the angle to the axis, the natural vignetting of lenses, with the corners' angle
    such that they lose `corner_loss`.
    """
    tangent = np.sqrt((1 - corner_loss) ** -0.5 - 1)
    y, x = (np.linspace(-1, 1, count, dtype=np.float32) for count in (height, width))
    square = (y[:, None] ** 2 * height**2 + x**2 * width**2) / (height**2 + width**2)
    share: Plane = ((1 + square * tangent**2) ** -2).astype(np.float32)
    return share


def bayer_mosaic(rgb: Radiance) -> Plane:
    """The photosites under red, green, green and blue filters (RGGB) of a picture."""
    mosaic = rgb[..., 1].copy()
    mosaic[::2, ::2] = rgb[::2, ::2, 0]
    mosaic[1::2, 1::2] = rgb[1::2, 1::2, 2]
    return mosaic


def collected_electrons(radiance: Radiance, sensor: Sensor, electrons_per_unit: float) -> Plane:
    """Mean electrons of each photosite in one exposure, without any noise.

    Args:
        radiance: of the scene, with the light's colour in it.
        sensor: what collects them.
        electrons_per_unit: that a green photosite in the middle collects of radiance 1.
    """
    height, width = radiance.shape[:2]
    response = np.array(sensor.response, np.float32) * np.float32(electrons_per_unit)
    return bayer_mosaic(radiance * response) * lens_shading(height, width, sensor.shading)


def read_out(
    electrons: Plane, sensor: Sensor, pattern: FixedPattern, rng: np.random.Generator
) -> Plane:
    """Electrons that are counted where `electrons` were expected: one frame with all its noise."""
    expected = np.maximum(electrons * pattern.response, 0)
    counted = rng.poisson(expected).astype(np.float32) + pattern.offset_e
    counted += sensor.read_noise_e * rng.standard_normal(counted.shape, dtype=np.float32)
    rows = sensor.row_noise_e * rng.standard_normal((len(counted), 1), dtype=np.float32)
    read: Plane = counted + rows
    return read


def converted(electrons: Plane, sensor: Sensor, gain: float) -> npt.NDArray[np.uint16]:
    """The converter's numbers, scaled to 16 bits; see `light_of`.

    Args:
        electrons: as counted.
        sensor: whose converter it is.
        gain: share of the range over the black level that one electron takes.
    """
    top = 2**sensor.bits - 1
    share = sensor.black_level + electrons * (gain * (1 - sensor.black_level))
    numbers = np.clip(np.rint(share * top), 0, top)
    scaled: npt.NDArray[np.uint16] = np.rint(numbers * (65535 / top)).astype(np.uint16)
    return scaled


def light_of(numbers: npt.NDArray[np.generic], sensor: Sensor) -> npt.NDArray[np.float32]:
    """Linear light of the converter's 16-bit numbers: 0 at the black level, 1 at the top."""
    share = numbers.astype(np.float32) / np.float32(65535)
    light: npt.NDArray[np.float32] = (share - sensor.black_level) / (1 - sensor.black_level)
    return light
