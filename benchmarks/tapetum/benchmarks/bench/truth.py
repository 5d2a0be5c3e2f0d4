"""Dark pictures with their truths, from folders: simulated clips or photos, or real pairs.

A clip that was darkened by one exposure is none of these: a curve undoes that, which no curve does
to what a camera recorded in the dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.gan.niqe import TOO_SMALL, large_enough
from tapetum.gan.photos import Photo, find_photos, read_photo
from tapetum.gan.simulation.pair_set import PairSet
from tapetum.realtime import Frame
from tapetum.realtime.media.av_frame import from_av, to_av

CLIP_FRAMES = 24
"""Of each clip, from its beginning."""
PHOTOS = 32
"""Of a folder of photos, or of a set of pairs, evenly spread."""
_TIME_BASE = Fraction(1, 30)
_DARK, _IDEAL = "-dark.mkv", "-ideal.mkv"


@dataclass(frozen=True)
class Twins:
    """Pictures that follow one another, dark and as they should be, (H, W, 3) each."""

    dark: Sequence[Photo]
    ideal: Sequence[Photo]


@dataclass(frozen=True)
class Truth:
    """A folder of sequences; a photo is one of one picture.

    Attributes:
        name: of the folder.
        sequences: what is in it.
    """

    name: str
    sequences: tuple[Twins, ...]

    @property
    def moves(self) -> bool:
        """Whether these are clips."""
        return all(len(each.dark) > 1 for each in self.sequences)


@cache
def read_truth(folder: Path) -> Truth:
    """Read the clips or the photos of a folder.

    Args:
        folder: what `tapetum simulate clips` or `tapetum simulate pairs` wrote, or one with real
            pairs in `low` and `high`, under the same names.

    Raises:
        BenchmarkError: it is none of these, or a picture has no truth or is too small.
        DataError: a photo cannot be read.
    """
    if folder.is_dir():
        for found in (_clips(folder), _simulated(folder), _pairs(folder)):
            sequences = tuple(found)
            if sequences:
                _require_size(folder, sequences)
                return Truth(folder.resolve().name, sequences)
    raise BenchmarkError(
        f"{folder} has no pictures with their truths; name a folder that tapetum simulate clips or"
        " tapetum simulate pairs wrote, or one with photos in low and high"
    )


def _clips(folder: Path) -> Iterator[Twins]:
    for dark in sorted(folder.glob(f"*{_DARK}")):
        ideal = dark.with_name(dark.name.removesuffix(_DARK) + _IDEAL)
        yield Twins(_pictures(dark), _pictures(ideal))


def _pictures(clip: Path) -> list[Photo]:
    try:
        with av.open(str(clip)) as container:
            frames = islice(container.decode(video=0), CLIP_FRAMES)
            return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]
    except (FFmpegError, IndexError) as error:
        raise BenchmarkError(f"{clip} cannot be read: {error}") from error


def _simulated(folder: Path) -> Iterator[Twins]:
    """Of a set, the pairs that are dark: a part of it is well lit, to be left alone."""
    if not any(folder.glob("pairs-*.npy")):
        return
    pairs = PairSet(folder)
    for number in np.linspace(0, len(pairs) - 1, min(PHOTOS, len(pairs))).astype(int):
        pair = pairs[int(number)]
        if not np.array_equal(pair.dark, pair.ideal):
            yield Twins([np.asarray(pair.dark)], [np.asarray(pair.ideal)])


def _pairs(folder: Path) -> Iterator[Twins]:
    low, high = folder / "low", folder / "high"
    if not low.is_dir():
        return
    paths = find_photos(low)
    for number in np.linspace(0, len(paths) - 1, min(PHOTOS, len(paths))).astype(int):
        twin = high / paths[number].relative_to(low)
        yield Twins([read_photo(paths[number])], [read_photo(twin)])


def _require_size(folder: Path, sequences: Sequence[Twins]) -> None:
    for each in sequences:
        dark, ideal = each.dark[0], each.ideal[0]
        if len(each.dark) != len(each.ideal) or dark.shape != ideal.shape:
            raise BenchmarkError(f"{folder} has a picture whose truth is of another size or length")
        if not large_enough(*dark.shape[:2]):
            raise BenchmarkError(f"a picture of {folder} {TOO_SMALL}")


def as_frame(picture: Photo, index: int) -> Frame:
    """A picture as 8-bit 4:2:0, which every peer takes; an odd last row or column is cut off."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    even = np.ascontiguousarray(picture[:height, :width])
    frame = av.VideoFrame.from_ndarray(even, "rgb24").reformat(
        threads=1, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    return from_av(frame, pts=index, time_base=_TIME_BASE, duration=1)


def as_picture(frame: Frame) -> Photo:
    """A frame as RGB."""
    return np.asarray(to_av(frame).to_ndarray(format="rgb24"), np.uint8)
