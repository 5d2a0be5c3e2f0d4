"""A well-lit clip as a camera in the dark would have recorded it, with and without the noise."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.photos import Photo
from tapetum.gan.simulation.radiance import linear_photo
from tapetum.gan.simulation.sensor import (
    FixedPattern,
    Sensor,
    collected_electrons,
    fixed_pattern,
    read_out,
)
from tapetum.realtime import FileSource, Frame
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.av_frame import from_av, to_av

Picture = npt.NDArray[np.float32]
"""(H, W, 3)."""

FRAMES = 36
"""Frames of a recording."""
_WIDTH = 640
_RATE = Fraction(30)
_GAMMA = 2.2
_COLOR = ColorInfo(matrix=1, range=1, primaries=1, transfer=1)
_KR, _KB = 0.2126, 0.0722
_OF_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
_OF_OTHERS = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
"""Bilinear demosaicing."""


@dataclass(frozen=True)
class Conditions:
    """How dark, and how stored.

    Attributes:
        name: what it is called.
        exposure: linear light, relative to the clip's own.
        electrons: that a green photosite in the middle collects of white in that exposure.
        bits_per_pixel: of H.264; None stores every level.
    """

    name: str
    exposure: float
    electrons: float
    bits_per_pixel: float | None = None


CONDITIONS = (
    Conditions("noisy", 0.05, 120),
    Conditions("noisy, H.264", 0.05, 120, 0.12),
    Conditions("lightly noisy, H.264", 0.05, 600, 0.3),
    Conditions("very dark, H.264", 0.01, 600, 0.3),
    Conditions("clean", 0.05, np.inf),
)


class Recording(NamedTuple):
    """Frames as they were stored, yuv420p, and without noise and rounding, yuv420p12le."""

    noisy: list[Frame]
    truth: list[Frame]


def record(clip: Path, conditions: Conditions, *, seed: int = 1) -> Recording:
    """Darken the first frames of a well-lit clip.

    Args:
        clip: 8-bit 4:2:0 video.
        conditions: how dark it becomes.
        seed: of the noise.

    Raises:
        BenchmarkError: the clip is too short.
        MediaError: it cannot be read.
    """
    pictures = _pictures(clip)
    if len(pictures) < FRAMES:
        raise BenchmarkError(f"{clip} has {len(pictures)} frames; {FRAMES} are measured")
    return record_pictures(pictures, conditions, seed=seed)


def record_pictures(
    pictures: Sequence[Photo], conditions: Conditions, *, seed: int = 1
) -> Recording:
    """Darken well-lit pictures.

    Args:
        pictures: frame by frame, of even sides.
        conditions: how dark they become.
        seed: of the noise.
    """
    rng, sensor = np.random.default_rng(seed), Sensor(read_noise_e=1.5, row_noise_e=0.1)
    noisy, truth = list[Frame](), list[Frame]()
    height, width = pictures[0].shape[:2]
    pattern = fixed_pattern(sensor, height, width, rng)
    for index, picture in enumerate(pictures):
        light = linear_photo(picture)
        lit = np.clip(light * np.float32(conditions.exposure), 0, 1)
        truth.append(_frame(lit, 12, index))
        if np.isfinite(conditions.electrons):
            lit = lit + conditions.exposure * _noise(
                light, sensor, pattern, conditions.electrons, rng
            )
        noisy.append(_frame(lit, 8, index))
    if conditions.bits_per_pixel is not None:
        noisy = _coded(noisy, conditions.bits_per_pixel)
    return Recording(noisy, truth)


def _pictures(clip: Path) -> Sequence[Photo]:
    """The first frames as RGB, made small: their own noise and coding goes with it."""
    pictures = []
    with FileSource(clip) as source:
        for frame in islice(source, FRAMES):
            rgb = to_av(frame).to_ndarray(format="rgb24")
            width = min(_WIDTH, frame.width // 2 * 2)
            height = round(frame.height * width / frame.width / 2) * 2
            small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
            pictures.append(np.asarray(small, np.uint8))
    return pictures


def _noise(
    light: Picture,
    sensor: Sensor,
    pattern: FixedPattern,
    electrons: float,
    rng: np.random.Generator,
) -> Picture:
    """What a sensor's noise is after demosaicing and white balance, in the light's own units."""
    expected = collected_electrons(light, sensor, electrons)
    mosaic = (read_out(expected, sensor, pattern, rng) - expected) / np.float32(electrons)
    colors = []
    for color, kernel in enumerate((_OF_OTHERS, _OF_GREEN, _OF_OTHERS)):
        own = np.zeros_like(mosaic)
        sites = {0: [(0, 0)], 1: [(0, 1), (1, 0)], 2: [(1, 1)]}[color]
        for row, column in sites:
            own[row::2, column::2] = mosaic[row::2, column::2]
        colors.append(cv2.filter2D(own, -1, kernel) / np.float32(sensor.response[color]))
    noise: Picture = np.stack(colors, axis=-1)
    return noise


def _frame(light: Picture, depth: int, index: int) -> Frame:
    """Linear light as 4:2:0 of limited range."""
    display = np.clip(light, 0, 1) ** np.float32(1 / _GAMMA)
    red, green, blue = np.moveaxis(display, -1, 0)
    y = _KR * red + (1 - _KR - _KB) * green + _KB * blue
    u, v = (blue - y) / (2 - 2 * _KB), (red - y) / (2 - 2 * _KR)
    height, width = y.shape
    half = [
        plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)) * 224 + 128
        for plane in (u, v)
    ]
    levels = [np.rint(plane * (1 << (depth - 8))) for plane in (y * 219 + 16, *half)]
    sample = np.uint8 if depth == 8 else np.uint16
    planes: Any = tuple(plane.astype(sample) for plane in levels)
    name = "yuv420p" if depth == 8 else f"yuv420p{depth}le"
    return Frame(planes, name, pts=index, time_base=1 / _RATE, color=_COLOR)


def _coded(frames: Sequence[Frame], bits_per_pixel: float) -> list[Frame]:
    """The frames after H.264."""
    rate = bits_per_pixel * frames[0].width * frames[0].height * float(_RATE)
    data = encoded(frames, {"preset": "medium"}, bit_rate=round(rate))
    with av.open(io.BytesIO(data), "r") as container:
        return [
            from_av(picture, pts=index, time_base=1 / _RATE)
            for index, picture in enumerate(container.decode(video=0))
        ]


def encoded(frames: Sequence[Frame], options: dict[str, str], bit_rate: int = 0) -> bytes:
    """Frames of one size as H.264 in Matroska."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=_RATE, options=options)
        stream.width, stream.height = frames[0].width, frames[0].height
        stream.pix_fmt = "yuv420p"
        if bit_rate:
            stream.bit_rate = bit_rate
        for index, frame in enumerate(frames):
            picture = to_av(frame)
            picture.pts, picture.time_base = index, 1 / _RATE
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file.getvalue()
