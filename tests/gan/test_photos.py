"""Reading folders of photos."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tapetum.gan.errors import DataError
from tapetum.gan.photos import find_photos, random_crop, read_photo


def _write(path: Path, height: int = 40, width: int = 60, level: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), (level, level // 2, 10), np.uint8))


def test_finds_photos_of_any_depth_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("album.png/c/2.JPG", "a.png", "album.png/1.webp"):
        _write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    assert [path.name for path in find_photos(tmp_path)] == ["a.png", "1.webp", "2.JPG"]


def test_reads_rgb(tmp_path: Path) -> None:
    _write(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png")[0, 0].tolist() == [10, 45, 90]


def test_a_photo_of_too_many_pixels_is_named(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    _write(path)
    header = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
    checked = header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(path.read_bytes()[:12] + checked + path.read_bytes()[12 + len(checked) :])
    with pytest.raises(DataError, match=r"huge\.png is not a readable photo"):
        read_photo(path)


def test_a_photo_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "a.png")

    def refuse(*_arguments: object, **_named: object) -> None:  # root may read any file
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(DataError, match=r"a\.png cannot be read \(Permission denied\)"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize("make", ["missing", "empty"])
def test_a_folder_without_photos_is_named(make: str, tmp_path: Path) -> None:
    folder = tmp_path / make
    if make == "empty":
        folder.mkdir()
    with pytest.raises(DataError, match=make):
        find_photos(folder)


@pytest.mark.parametrize("shape", [(3, 5), (40, 400), (1, 1)])
def test_crops_of_any_photo_have_the_wanted_size(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    crop = random_crop(photo, 32, np.random.default_rng(1))
    assert crop.shape == (32, 32, 3)
