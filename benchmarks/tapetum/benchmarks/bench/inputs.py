"""What is enhanced: synthetic frames of a size, or a clip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tapetum.benchmarks.bench.choices import BUILT_IN, SIZES
from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.frames import clip_frames, synthetic_frames
from tapetum.realtime import Frame

SYNTHETIC = "synthetic"

_CLIP = "dark_room.mp4"

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


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
        BenchmarkError: this installation has no such clip.
    """
    if text != BUILT_IN:
        return Path(text)
    packaged = Path(__file__).parents[1] / _CLIP
    in_checkout = Path(__file__).parents[4] / "samples" / _CLIP
    for path in (packaged, in_checkout):
        if path.is_file():
            return path
    raise BenchmarkError("this installation has no built-in clip; give a file as --input")


def parse_size(text: str) -> tuple[int, int]:
    """Read `720p`, `4K` or `1280x720`.

    Raises:
        BenchmarkError: it is none of these.
    """
    known = {name.lower(): size for name, size in SIZES.items()}
    match = _SIZE.fullmatch(text.lower())
    if text.lower() in known:
        return known[text.lower()]
    if match is None or min(size := (int(match[1]), int(match[2]))) < 16:
        raise BenchmarkError(
            f"{text} is no size: choose {', '.join(SIZES)} or WIDTHxHEIGHT from 16x16"
        )
    return size
