"""Recordings and what should be made of them, by the thousand, in a folder.

A set is a folder of shards, `pairs-00000.npy` and on, each (pairs, 2, size, size, 3) uint8: the
recording, then the ideal. Pair number i is a function of the seed and i: the same with any number
of processes, and a set that was cut off goes on with its next shard.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DataError
from tapetum.gan.photos import Photo
from tapetum.gan.simulation.coding import coded
from tapetum.gan.simulation.conditions import draw_coding, draw_conditions, ideal, recorded
from tapetum.gan.simulation.scenes import SceneFolders, backlit
from tapetum.gan.whole_file import whole_file

SHARD = 128
"""Pairs in a shard."""

_WELL_LIT_SHARE = 0.2
_BACKLIT_SHARE = 0.25
_BACKLIT_EXPOSURE = (0.4, 1.0)
_VIDEO_FRAMES = 3


@dataclass(frozen=True)
class Pair:
    """A recording and what should be made of it, (H, W, 3) each."""

    dark: Photo
    ideal: Photo


def draw_pair(scenes: SceneFolders, size: int, rng: np.random.Generator) -> Pair:
    """One pair of size x size pixels.

    A fifth are well lit, and to be left as they are; a quarter of the rest are seen against the
    light, most of which is to be left as it is.
    """
    scene = scenes.draw(size, rng)
    if rng.random() < _WELL_LIT_SHARE:
        picture = np.rint(scene.display * 255).astype(np.uint8)
        stored = coded([picture], draw_coding(rng))[0]
        return Pair(stored, stored)
    if rng.random() < _BACKLIT_SHARE:
        scene = backlit(scene, rng)
        conditions = draw_conditions(rng, exposure=_BACKLIT_EXPOSURE)
    else:
        conditions = draw_conditions(rng)
    # A video's first frame is the best that it has; later ones show what its rate allows.
    frames = _VIDEO_FRAMES if conditions.coding.codec == "h264" else 1
    dark = recorded([scene.radiance] * frames, conditions, rng)[-1]
    return Pair(dark, ideal(scene.display, scene.radiance, conditions))


def write_pairs(
    folder: Path,
    photos: Path,
    panoramas: Path,
    *,
    shards: int,
    size: int = 256,
    seed: int = 1,
    processes: int = 1,
) -> Iterator[int]:
    """Write the shards that a set lacks; yields the number of each when it is there.

    Raises:
        DataError: a folder of scenes cannot be used.
    """
    SceneFolders(photos, panoramas)  # refused here, with a reason, and not in a process
    folder.mkdir(parents=True, exist_ok=True)
    lacking = [number for number in range(shards) if not _shard(folder, number).exists()]
    write = partial(_write_shard, folder, size=size, seed=seed)
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_open_scenes,
        initargs=(photos, panoramas),
    ) as pool:
        yield from pool.map(write, lacking)


class PairSet:
    """A set of pairs, read from disk pair by pair.

    Raises:
        DataError: the folder holds no shard, or a shard is broken.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("pairs-*.npy"))
        if not paths:
            raise DataError(f"{folder} holds no pairs; write them with tapetum simulate pairs")
        self._folder = folder
        self._shards = [_opened(path) for path in paths]
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __reduce__(self) -> tuple[type[PairSet], tuple[Path]]:
        # Another process opens the files itself: pickled, the maps would be copied whole.
        return PairSet, (self._folder,)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, number: int) -> Pair:
        shard = int(np.searchsorted(self._ends, number, side="right"))
        place = number - int(self._ends[shard]) + len(self._shards[shard])
        dark, wanted = self._shards[shard][place]
        return Pair(dark, wanted)


def _shard(folder: Path, number: int) -> Path:
    return folder / f"pairs-{number:05d}.npy"


def _opened(path: Path) -> npt.NDArray[np.uint8]:
    try:
        shard: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not a readable shard of pairs ({error})") from error
    if shard.ndim != 5 or shard.shape[1] != 2:
        raise DataError(f"{path} is not a shard of pairs: its shape is {shard.shape}")
    return shard


_scenes: SceneFolders | None = None
"""Of a writing process: read once, drawn from for every shard."""


def _open_scenes(photos: Path, panoramas: Path) -> None:
    global _scenes  # noqa: PLW0603 - a pool's initializer has no other way to hand things on
    cv2.setNumThreads(1)
    _scenes = SceneFolders(photos, panoramas)


def _write_shard(folder: Path, number: int, *, size: int, seed: int) -> int:
    if _scenes is None:
        raise RuntimeError("the process was started without its scenes")
    drawn = [
        draw_pair(_scenes, size, np.random.default_rng((seed, number * SHARD + place)))
        for place in range(SHARD)
    ]
    pairs = np.stack([np.stack((pair.dark, pair.ideal)) for pair in drawn])
    with whole_file(_shard(folder, number)) as unfinished, unfinished.open("wb") as file:
        np.save(file, pairs)
    return number
