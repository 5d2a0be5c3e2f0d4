"""The frames that everything is measured on: synthetic ones or a clip's, in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.choices import BUILT_IN
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime import ColorInfo, EncoderSettings, FileSink, FileSource, Frame
from tapetum.realtime.media.av_frame import from_av, to_av
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.sample_clip import sample_clip

Floats = npt.NDArray[np.float32]

COUNT = 8
"""Different frames that a measurement goes round and round over."""

_BT709 = ColorInfo(matrix=1, range=1, primaries=1, transfer=1)
RATE_FPS = 30
"""Of synthetic clips, and of all that is written here."""
_STEP = 4
"""Columns by which the scene moves from frame to frame."""


def round_and_round(items: Sequence[Any]) -> Iterator[Any]:
    """Items again and again, as one stream: the times of frames go on, or each round began anew."""
    for number, item in enumerate(cycle(items)):
        yield replace(item, pts=number) if isinstance(item, Frame) else item


def synthetic_frames(
    width: int, height: int, *, count: int = COUNT, seed: int = 0
) -> tuple[Frame, ...]:
    """Frames of a dark scene that a camera pans over: structure of every scale, lamps and noise.

    Args:
        width: in pixels, from 2.
        height: in pixels, from 2.
        count: how many.
        seed: of everything random.

    Returns:
        8-bit 4:2:0 frames of 30 per second, BT.709, limited range.
    """
    rng = np.random.default_rng(seed)
    light = _scene(width, height, rng)
    half = (height + 1) // 2, (width + 1) // 2
    tint = [_octaves(*half, rng) - np.float32(0.5) for _ in range(2)]
    return tuple(_frame(np.roll(light, -_STEP * i, axis=1), tint, i, rng) for i in range(count))


def _scene(width: int, height: int, rng: np.random.Generator) -> Floats:
    """Linear light (height, width) from 0 to 1, most of it under a twentieth."""
    light = 0.06 * _octaves(height, width, rng) ** 2
    rows, columns = np.ogrid[:height, :width]
    for _ in range(4):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        distance = (rows - row) ** 2 + (columns - column) ** 2
        light += np.exp(-distance / (2 * (height * 0.02) ** 2))
    return np.asarray(np.clip(light, 0, 1), np.float32)


def _octaves(height: int, width: int, rng: np.random.Generator) -> Floats:
    """Random structure at cell sizes from a quarter of the picture to a hundredth, in [0, 1]."""
    total = np.zeros((height, width), np.float32)
    for cells in (4, 10, 25, 60, 100):
        coarse = rng.random((cells, cells)).astype(np.float32) / np.float32(np.sqrt(cells))
        total += _interpolation(height, cells) @ coarse @ _interpolation(width, cells).T
    total -= total.min()
    return np.asarray(total / total.max())


def _interpolation(size: int, cells: int) -> Floats:
    """The (size, cells) matrix of linear interpolation."""
    place = np.linspace(0, cells - 1, size)
    distance = np.abs(place[:, np.newaxis] - np.arange(cells))
    return np.asarray(np.maximum(1 - distance, 0), np.float32)


def _frame(light: Floats, tint: list[Floats], index: int, rng: np.random.Generator) -> Frame:
    """What a camera makes of the light: shot and read noise, a tone curve, 8-bit levels."""
    noise = rng.standard_normal(light.shape, np.float32)
    noisy = light + noise * np.sqrt(np.float32(2e-4) * light + np.float32(4e-6))
    luma = 16 + 219 * np.clip(noisy, 0, 1) ** np.float32(1 / 2.2)
    shade = luma[::2, ::2] - 16
    chroma = (128 + 0.3 * shade * plane for plane in tint)
    planes = tuple(np.rint(plane).astype(np.uint8) for plane in (luma, *chroma))
    return Frame(planes, "yuv420p", index, Fraction(1, RATE_FPS), _BT709, duration=1)


def clip_frames(
    path: Path, size: tuple[int, int] | None = None, *, count: int = COUNT
) -> tuple[Frame, ...]:
    """The first frames of a clip, in its own format and size, or scaled to another as 8-bit 4:2:0.

    Raises:
        MediaError: the file cannot be read.
        BenchmarkError: it is too short.
    """
    with FileSource(path) as source:
        frames = tuple(islice(source, count))
    if len(frames) < count:
        raise BenchmarkError(
            f"{path} has {len(frames)} frames, too few to measure: it takes at least {count}"
        )
    return frames if size is None else tuple(_scaled(frame, size) for frame in frames)


def _scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    if (frame.width, frame.height) == size:
        return frame
    picture = to_av(frame).reformat(*size, format="yuv420p", threads=1)
    return from_av(picture, pts=frame.pts, time_base=frame.time_base, duration=frame.duration)


SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Input:
    """Frames to measure on.

    Attributes:
        clip: a file, or None for synthetic frames.
        size: width and height; None is the clip's own.
    """

    clip: Path | None
    size: tuple[int, int] | None

    def __post_init__(self) -> None:
        if self.clip is None and self.size is None:
            raise ValueError("synthetic frames need a size")

    @property
    def name(self) -> str:
        """As it stands in results."""
        return SYNTHETIC if self.clip is None else self.clip.name

    def frames(self, seed: int = 0) -> tuple[Frame, ...]:
        """The frames themselves.

        Raises:
            MediaError: the clip cannot be read.
            BenchmarkError: the clip is too short.
        """
        return _frames(self.clip, self.size, seed)


@lru_cache(maxsize=1)
def _frames(clip: Path | None, size: tuple[int, int] | None, seed: int) -> tuple[Frame, ...]:
    """One input's frames are kept: every scenario asks for them, and large ones take seconds."""
    if clip is not None:
        return clip_frames(clip, size)
    assert size is not None
    return synthetic_frames(*size, seed=seed)


def clip_path(text: str) -> Path:
    """A clip's file, or that of the clip that ships, 640x360, where `text` is `built-in`.

    Raises:
        MediaError: this installation lacks it.
    """
    if text != BUILT_IN:
        return Path(text)
    return sample_clip()


def write_clip(frames: Iterable[Frame], path: Path, encoder: EncoderSettings) -> None:
    """Encode frames, one after another at 30 a second whatever their times are.

    Raises:
        MediaError: they cannot be encoded so, or the file cannot be written.
    """
    first, *others = frames
    info = VideoInfo(
        width=first.width,
        height=first.height,
        format_name=first.format_name,
        time_base=Fraction(1, RATE_FPS),
        color=first.color,
        average_rate=Fraction(RATE_FPS),
    )
    with FileSink(path, info=info, encoder=encoder, overwrite=True) as sink:
        for index, frame in enumerate((first, *others)):
            sink.write(replace(frame, pts=index, time_base=Fraction(1, RATE_FPS)))


def flicker(mean_luma: npt.NDArray[np.float64]) -> float:
    """Standard deviation of the second difference of the mean luma over time."""
    return float(np.diff(mean_luma, n=2).std())
