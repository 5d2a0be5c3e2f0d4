"""How a camera moves over a clip: held in a hand, turned, or both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tapetum.gan.simulation.radiance import View

_HAND_SWAY_S = 0.35
"""How long a hand keeps on one side: its sway is noise that a first-order filter smooths."""


@dataclass(frozen=True)
class Motion:
    """How a camera moves.

    Attributes:
        pan_degrees_per_s: of the heading, to the right.
        shake_degrees: standard deviation of heading and elevation around their course; roll's
            is half of it.
    """

    pan_degrees_per_s: float = 0.0
    shake_degrees: float = 0.0


def moving_views(
    start: View, motion: Motion, *, frames: int, fps: float, rng: np.random.Generator
) -> Iterator[View]:
    """Where the camera looks in each frame of a clip."""
    keep = np.exp(-1 / (fps * _HAND_SWAY_S))
    fresh = np.sqrt(1 - keep**2)  # so that the deviation is the same in every frame
    sway = rng.standard_normal(3)
    for number in range(frames):
        heading, elevation, roll = sway * motion.shake_degrees * (1, 1, 0.5)
        panned = motion.pan_degrees_per_s * number / fps
        yield replace(
            start,
            heading_degrees=start.heading_degrees + panned + heading,
            elevation_degrees=start.elevation_degrees + elevation,
            roll_degrees=start.roll_degrees + roll,
        )
        sway = keep * sway + fresh * rng.standard_normal(3)
