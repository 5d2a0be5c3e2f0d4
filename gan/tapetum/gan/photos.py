"""Folders of photos, and random crops of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DataError

Photo = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


def find_photos(folder: Path) -> list[Path]:
    """All photos in a folder of any depth, in a fixed order.

    Raises:
        DataError: the folder is missing or holds no photo.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name one that holds photos")
    named = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    paths = sorted(path for path in named if not path.is_dir())
    if not paths:
        raise DataError(f"{folder} holds no photo ({', '.join(sorted(SUFFIXES))})")
    return paths


def read_photo(path: Path) -> Photo:
    """Read a photo upright (EXIF orientation applied) as (H, W, 3) uint8 RGB.

    Raises:
        DataError: the file is missing, broken or too large, or may not be read.
    """
    try:
        encoded = np.fromfile(path, dtype=np.uint8) if path.is_file() else np.empty(0, np.uint8)
        bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    except cv2.error as error:  # a header that promises too many pixels, above all
        raise DataError(f"{path} is not a readable photo ({error.err})") from error
    if bgr is None:
        raise DataError(f"{path} is not a readable photo")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


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
