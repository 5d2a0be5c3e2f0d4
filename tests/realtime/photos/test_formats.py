"""Which files are photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.media import Clip, make_clip
from support.photos import dark_colors

from tapetum.realtime.errors import MediaError
from tapetum.realtime.photos.formats import (
    FORMATS,
    is_photo,
    is_photo_name,
    output_format,
    photo_format,
)

WRITTEN_BY_PILLOW = [photo for photo in FORMATS if photo.name != "HEIF"]


@pytest.mark.parametrize("photo", WRITTEN_BY_PILLOW, ids=lambda photo: photo.name)
def test_photos_are_known_by_their_content(photo: object, tmp_path: Path) -> None:
    suffix = photo.suffix  # type: ignore[attr-defined] # pytest's ids want an object
    path = tmp_path / f"x{suffix}"
    Image.fromarray(dark_colors()).save(path)
    nameless = path.rename(tmp_path / "nameless")
    assert photo_format(nameless) is photo
    assert is_photo(nameless)


def test_heif_is_known_by_its_brands(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for brand, name in ((b"heic", "HEIF"), (b"avif", "AVIF")):
        path.write_bytes(b"\0\0\0\x1cftypmif1\0\0\0\0mif1miaf" + brand + bytes(40))
        found = photo_format(path)
        assert found is not None
        assert found.name == name


def test_videos_and_texts_are_no_photos(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", Clip(frames=2))
    assert not is_photo(clip)
    text = tmp_path / "text"
    text.write_text("no photo")
    assert not is_photo(text)
    stream = tmp_path / "stream.mjpeg"
    Image.fromarray(dark_colors()).save(stream, "JPEG")
    assert not is_photo(stream)
    assert not is_photo(tmp_path / "missing")


def test_names_say_what_is_written() -> None:
    assert is_photo("PHOTO.HEIC")
    assert not is_photo_name("PHOTO.HEIC")
    assert is_photo_name("PHOTO.AVIF")
    with pytest.raises(MediaError, match=r"has \.heic; use one of \.jpg, \.png, \.webp, \.avif"):
        output_format(Path("out.heic"))
