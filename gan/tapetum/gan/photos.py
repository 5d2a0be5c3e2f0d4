"""Folders of photos as random training crops."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DataError

Photo = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})

_LONGEST_SIDE = 640
"""Photos are kept in memory at this size: crops are 256 pixels."""

_log = logging.getLogger(__name__)


def find_photos(folder: Path) -> list[Path]:
    """All photos in a folder of any depth, in a fixed order.

    Raises:
        DataError: the folder is missing or holds no photo.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name one that holds photos")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no photo ({', '.join(sorted(SUFFIXES))})")
    return paths


def read_photo(path: Path) -> Photo:
    """Read a photo upright (EXIF orientation applied) as (H, W, 3) uint8 RGB.

    Raises:
        DataError: the file is missing or broken.
    """
    encoded = np.fromfile(path, dtype=np.uint8) if path.is_file() else np.empty(0, np.uint8)
    bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if bgr is None:
        raise DataError(f"{path} is not a readable photo")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def _within(photo: Photo, longest_side: int) -> Photo:
    scale = longest_side / max(photo.shape[:2])
    if scale >= 1:
        return photo
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def load_photos(folder: Path, *, max_broken_share: float = 0.1) -> list[Photo]:
    """Read a whole folder into memory; broken files are named in the log and left out.

    Raises:
        DataError: the folder has no photo, or too many of its photos are broken.
    """
    paths, photos = find_photos(folder), []
    for path in paths:
        try:
            photos.append(_within(read_photo(path), _LONGEST_SIDE))
        except DataError as error:
            _log.warning("%s: left out", error)
    broken = len(paths) - len(photos)
    if broken > max_broken_share * len(paths):
        raise DataError(f"{broken} of {len(paths)} photos in {folder} are broken")
    return photos


def random_crop(photo: Photo, size: int, rng: np.random.Generator) -> Photo:
    """A random window of 50 to 100 % of each side, flipped at random, as size x size pixels."""
    height, width = photo.shape[:2]
    rows, columns = (max(1, round(side * rng.uniform(0.5, 1))) for side in (height, width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    window = photo[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    resized = cv2.resize(np.ascontiguousarray(window), (size, size), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def random_batches(
    photos: list[Photo], batch: int, size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield (batch, 3, size, size) uint8 RGB without end, each photo once an epoch."""
    while True:
        order = rng.permutation(len(photos))
        for start in range(0, len(order) - batch + 1, batch):
            crops = [random_crop(photos[i], size, rng) for i in order[start : start + batch]]
            yield np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))
