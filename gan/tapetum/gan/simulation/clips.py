"""Noisy clips with clean twins: a camera held in the dark, and what it should have seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tapetum.gan.errors import DataError
from tapetum.gan.photos import Photo
from tapetum.gan.simulation.conditions import draw_conditions, ideal, recorded
from tapetum.gan.simulation.radiance import Radiance, View, look
from tapetum.gan.simulation.scenes import exposed, random_view
from tapetum.gan.whole_file import whole_file

_MEAN_LUMA = 0.43
_MAX_PAN_DEGREES_PER_S = 12.0
_MAX_SHAKE_DEGREES = 0.5
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


@dataclass(frozen=True)
class ClipPair:
    """Frame by frame: what a camera recorded, and what it should have seen, (H, W, 3) each."""

    dark: Sequence[Photo]
    ideal: Sequence[Photo]


def draw_clip(
    panorama: Radiance,
    width: int,
    height: int,
    *,
    frames: int,
    fps: int = 30,
    exposure: tuple[float, float] = (1 / 100, 1 / 8),
    rng: np.random.Generator,
) -> ClipPair:
    """Record a panorama with a moving camera, under conditions drawn at random.

    Args:
        panorama: the scene, (H, 2 H, 3).
        width: of the clip, even.
        height: of the clip, even.
        frames: its length.
        fps: frames a second.
        exposure: darkest and lightest, relative to a well exposed clip.
        rng: source of all randomness.
    """
    motion = Motion(
        pan_degrees_per_s=rng.uniform(-1, 1) * _MAX_PAN_DEGREES_PER_S,
        shake_degrees=rng.uniform(0, _MAX_SHAKE_DEGREES),
    )
    views = moving_views(random_view(rng), motion, frames=frames, fps=fps, rng=rng)
    scenes = exposed([look(panorama, view, width, height) for view in views], _MEAN_LUMA)
    conditions = draw_conditions(rng, exposure=exposure)
    dark = recorded([scene.radiance for scene in scenes], conditions, rng)
    clean = [ideal(scene.display, scene.radiance, conditions) for scene in scenes]
    return ClipPair(dark, clean)


def write_clip(frames: Sequence[Photo], path: Path, *, fps: int = 30) -> None:
    """Write frames of one even size without further loss that counts: FFV1, 4:4:4, Matroska.

    Raises:
        DataError: the file cannot be written.
    """
    height, width = frames[0].shape[:2]
    try:
        with whole_file(path) as unfinished, av.open(unfinished, "w", format="matroska") as clip:
            stream = clip.add_stream("ffv1", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
            for picture in frames:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                clip.mux(stream.encode(frame))
            clip.mux(stream.encode(None))
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror})") from error
