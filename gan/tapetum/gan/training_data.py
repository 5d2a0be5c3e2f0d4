"""Unpaired photos as training batches.

Everything random about a picture (which photo, which window, flips, darkness, noise) is a
function of the seed and of the picture's number in the run. So the batches are the same with any
number of workers and of processes, and a run that is resumed goes on with the very next picture.
"""

from __future__ import annotations

import collections.abc
import copy
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tapetum.gan.darken import Darkness, camera_noise, compressed, darken
from tapetum.gan.errors import DataError
from tapetum.gan.generator import Generator
from tapetum.gan.noise_removal import without_noise
from tapetum.gan.photos import Photo, find_photos, random_crop, read_photo
from tapetum.gan.simulation.pair_set import PairSet
from tapetum.gan.stop_signals import leave_stopping_to_parent, stop_signals_blocked
from tapetum.gan.training_config import DataConfig, LossConfig, TrainConfig

Batch = dict[str, torch.Tensor]
"""Pictures (N, 3, crop, crop), RGB in [-1, 1], and where to cut patches:

- `low`: low-light photos; `low_input`: the same, perhaps darkened, noisy, compressed; both where
  they are used;
- `lit`: the same as the teacher enhances them, who sees the whole photos, where this is used;
- `normal`: well-lit photos, of other scenes, where they are used;
- `dark`, `clean`, `target`: `Darkened` well-lit photos, where they are used; a set's pairs have no
  `clean`;
- `corners`: (N, P, 2), top and left of the patches, in pictures as the losses look at them.
"""

MAX_BROKEN_SHARE = 0.1
"""More unreadable photos than this are an error."""

_DISPLAY_GAMMA = 2.2
_JPEG_QUALITY = (40, 96)

_GRACE_S = 60
"""How long a worker that was told to end by SIGTERM goes on: some steps take long."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPhotos:
    """The readable photos of both folders."""

    low: tuple[Path, ...]
    normal: tuple[Path, ...]

    def fingerprint(self) -> str:
        """The same for the same files' names in the same order."""
        names = "\n".join(path.name for path in (*self.low, *self.normal))
        return hashlib.sha256(os.fsencode(names)).hexdigest()[:16]


def find_training_photos(config: TrainConfig) -> TrainingPhotos:
    """Find both folders' photos and try each of them; broken ones are logged and left out.

    Raises:
        DataError: a folder is missing or empty or lies in another, too many of its photos are
            broken, or there are fewer low-light photos than a batch takes.
    """
    _require_folders_apart(config)
    low, normal = readable_photos(config.low), readable_photos(config.normal)
    batch = config.optimizer.batch
    if len(low) < batch:
        raise DataError(
            f"{config.low} holds {len(low)} photos, fewer than a batch of {batch}; "
            "add photos or train with a smaller batch"
        )
    return TrainingPhotos(low, normal)


def _require_folders_apart(config: TrainConfig) -> None:
    low, normal, output = config.low, config.normal, config.output
    if low.resolve() == normal.resolve():
        raise DataError(f"{low} is given as the low-light and as the well-lit folder")
    for inner, outer in ((low, normal), (normal, low)):
        if _lies_in(inner, outer):
            raise DataError(f"{inner} lies in {outer}, which would take its photos for its own")
    for photos in (low, normal):
        if _lies_in(output, photos):
            raise DataError(f"{output} lies in {photos}; name a folder for the run outside of it")


def _lies_in(inner: Path, outer: Path) -> bool:
    return inner.resolve().is_relative_to(outer.resolve())


def readable_photos(folder: Path) -> tuple[Path, ...]:
    """A folder's photos that can be decoded, in a fixed order.

    Raises:
        DataError: the folder is missing or empty, or over a tenth of its photos is broken.
    """
    paths = find_photos(folder)
    with ThreadPoolExecutor(max_workers=2) as pool:
        readable = [path for path, good in zip(paths, pool.map(_reads, paths), strict=True) if good]
    broken = len(paths) - len(readable)
    if broken > MAX_BROKEN_SHARE * len(paths):
        raise DataError(f"{broken} of {len(paths)} photos in {folder} are broken")
    if broken:
        _log.warning("%d of %d photos in %s are broken and left out", broken, len(paths), folder)
    return tuple(readable)


def _reads(path: Path) -> bool:
    try:
        read_photo(path)
    except DataError as error:
        _log.warning("%s: left out", error)
        return False
    return True


def random_window(photo: Photo, config: DataConfig, rng: np.random.Generator) -> Photo:
    """A random square window, flipped at random, as (crop, crop, 3); see `DataConfig.window`.

    Photos smaller than the window are enlarged.
    """
    if config.window == "share":
        return random_crop(photo, config.crop, rng)
    height, width = photo.shape[:2]
    side = min(round(config.crop * rng.uniform(1, config.max_reduction)), height, width)
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    window = photo[top : top + side, left : left + side]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    if config.vertical_flips and rng.random() < 0.5:
        window = window[::-1]
    method = cv2.INTER_AREA if side > config.crop else cv2.INTER_CUBIC
    size = (config.crop, config.crop)
    resized = cv2.resize(np.ascontiguousarray(window), size, interpolation=method)
    return resized.astype(np.uint8, copy=False)


def _unit(photo: Photo) -> torch.Tensor:
    """A photo (H, W, 3) as (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1))).float() / 255


def darkening(config: DataConfig, rng: np.random.Generator) -> float:
    """What a low-light photo is divided by before it is the generator's input; mostly 1."""
    return rng.uniform(*config.darkening) if rng.random() < config.darkened_share else 1.0


def spoiled(unit: torch.Tensor, config: DataConfig, rng: np.random.Generator) -> torch.Tensor:
    """A low-light picture (3, H, W) in [0, 1] as the generator's input: noisy, compressed.

    Each happens with the share that `config` says.
    """
    if rng.random() < config.noise_share:
        unit = _noisy(unit, rng)
    if rng.random() < config.jpeg_share:
        quality = torch.tensor([float(rng.integers(*_JPEG_QUALITY))])
        unit = compressed(unit[None], quality)[0]
    return unit


def _noisy(unit: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    linear = unit.pow(_DISPLAY_GAMMA)[None]
    noisy = camera_noise(linear, Darkness(), _torch_generator(rng))[0]
    return noisy.clamp(0, 1).pow(1 / _DISPLAY_GAMMA)


def enhance_photo(generator: Generator, photo: Photo) -> Photo:
    """A whole photo (H, W, 3) as a generator makes it, the same shape."""
    with torch.no_grad():
        enhanced = generator(2 * _unit(photo)[None] - 1)[0]
    levels = ((enhanced + 1) * 127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(1, 2, 0).numpy()


def _torch_generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


class _Order:
    """Which of `count` photos picture number i of a run is of, an epoch of them at a time."""

    def __init__(self, count: int, seed: tuple[int, int]) -> None:
        self._count, self._seed = count, seed
        self._epoch, self._places = -1, [0]

    def __getitem__(self, number: int) -> int:
        epoch, place = divmod(number, self._count)
        if self._epoch != epoch:
            order = np.random.default_rng((*self._seed, epoch))
            self._epoch, self._places = epoch, order.permutation(self._count).tolist()
        return self._places[place]


class UnpairedPhotos(Dataset[Batch]):
    """Picture number i of a run: a low-light crop, a well-lit one of another scene, and a pair.

    Every photo of a folder comes once before any of it comes again, in a new order each time.
    """

    def __init__(
        self,
        photos: TrainingPhotos,
        data: DataConfig,
        losses: LossConfig,
        *,
        seed: int,
        teacher: Generator | None = None,
        pairs: PairSet | None = None,
    ) -> None:
        self._photos, self._data, self._losses, self._seed = photos, data, losses, seed
        self._teacher, self._pairs = teacher, pairs
        self._low_order = _Order(len(photos.low), (seed, 1))
        self._normal_order = _Order(len(photos.normal), (seed, 2))

    def __getitem__(self, number: int) -> Batch:
        """The pictures of one place in a batch, without the batch dimension."""
        rng = np.random.default_rng((self._seed, 0, number))
        pictures = self._low(number, rng) if self._losses.unpaired else {}
        if self._losses.adversarial or (self._losses.pairs and self._pairs is None):
            pictures["normal"] = self._normal(number, rng)
        if self._losses.pairs:
            pictures |= self._pair(pictures, rng)
        scaled = {name: 2 * picture - 1 for name, picture in pictures.items()}
        return scaled | {"corners": self._corners(rng)}

    def _low(self, number: int, rng: np.random.Generator) -> Batch:
        photo = read_photo(self._photos.low[self._low_order[number]])
        same = copy.deepcopy(rng)
        low = _unit(random_window(photo, self._data, rng))
        if self._data.denoised_share and rng.random() < self._data.denoised_share:
            low = without_noise(low)
        divisor = darkening(self._data, rng)
        pictures = {"low": low, "low_input": spoiled(low / divisor, self._data, rng)}
        if self._teacher is not None and self._losses.low_illumination:
            # Of the photo as dark as the input: what it should become must be seen in it.
            lit = enhance_photo(self._teacher, np.rint(photo / divisor).astype(np.uint8))
            pictures["lit"] = _unit(random_window(lit, self._data, same))
        return pictures

    def _normal(self, number: int, rng: np.random.Generator) -> torch.Tensor:
        chosen = self._photos.normal[self._normal_order[number]]
        return _unit(random_window(read_photo(chosen), self._data, rng))

    def _pair(self, pictures: Batch, rng: np.random.Generator) -> Batch:
        if self._pairs is None:
            darkness = Darkness(
                harsh_share=self._data.harsh_share, denoised_share=self._data.denoised_share
            )
            darkened = darken(pictures["normal"][None], _torch_generator(rng), darkness)
            return {name: twins[0] for name, twins in darkened._asdict().items()}
        pair = self._pairs[int(rng.integers(len(self._pairs)))]
        both = random_window(np.concatenate((pair.dark, pair.ideal), axis=2), self._data, rng)
        return {"dark": _unit(both[..., :3]), "target": _unit(both[..., 3:])}

    def _corners(self, rng: np.random.Generator) -> torch.Tensor:
        furthest = self._data.crop // self._losses.reduction - self._losses.patch
        drawn = rng.integers(furthest + 1, size=(self._losses.local_patches, 2))
        return torch.from_numpy(drawn)


def step_numbers(
    steps: range, batch: int, *, rank: int = 0, processes: int = 1
) -> Iterator[list[int]]:
    """Which pictures of the run a process takes in each step: a slice of the step's batch."""
    share = batch // processes
    for step in steps:
        start = step * batch + rank * share
        yield list(range(start, start + share))


def batches(
    dataset: UnpairedPhotos, numbers: Sequence[list[int]], *, workers: int
) -> collections.abc.Generator[Batch, None, None]:
    """Batches of the numbered pictures, read ahead by `workers` processes.

    Close it to end the processes.

    Raises:
        DataError: a photo was readable when the run started, and is no more.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=numbers,
        num_workers=workers,
        worker_init_fn=_start_worker,
        # A fork would copy torch's threads' locks, but not the threads.
        multiprocessing_context="spawn" if workers else None,
    )
    try:
        # A worker that is told to stop while it imports torch would fail, and the run with it.
        with stop_signals_blocked():
            reading = iter(loader)
        yield from reading
    except DataError as error:
        # A worker's error comes with its traceback as text.
        message = str(error).strip().rpartition("DataError: ")[2]
        raise DataError(f"{message}, but was when the run started") from error


def _start_worker(_worker: int) -> None:
    # The training process alone decides, and the workers are there until its checkpoint is written.
    leave_stopping_to_parent(_GRACE_S)
    cv2.setNumThreads(1)
