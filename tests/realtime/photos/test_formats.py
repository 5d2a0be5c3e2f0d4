"""Which files are photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image
from support.media import Clip, make_clip
from support.photos import dark_colors

from tapetum.realtime import enhance_file
from tapetum.realtime.errors import MediaError
from tapetum.realtime.photos.formats import (
    FORMATS,
    is_photo,
    is_photo_name,
    output_format,
    photo_format,
)
from tapetum.realtime.photos.reader import PhotoFile

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


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.jxl", b"\xff\x0a\x88\x10", "JPEG XL"),
        ("a.jpg", b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        ("a.dng", b"II*\0\x08\0\0\0", "a camera's raw file (DNG)"),
        ("a.NEF", b"MM\0*\0\0\0\x08", "a camera's raw file (NEF)"),
        ("a", b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file (CR2)"),
        ("a.cr3", b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera's raw file (CR3)"),
        ("a.orf", b"IIRO\x08\0\0\0", "a camera's raw file (ORF)"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "a camera's raw file (RAF)"),
    ],
)
def test_photos_that_are_not_read_are_named(
    name: str, head: bytes, kind: str, tmp_path: Path
) -> None:
    """And not taken for their small previews, for videos, or for cut ones."""
    path = tmp_path / name
    path.write_bytes(head + bytes(4000))
    message = f"{path} is {kind}, which is not read; convert it to TIFF or PNG first"
    for output in ("out.png", "out.mp4"):
        with pytest.raises(MediaError) as caught:
            enhance_file(path, tmp_path / output)
        assert str(caught.value) == message


def test_a_preview_of_a_raw_file_is_no_photo_whatever_its_name(tmp_path: Path) -> None:
    tags = {ExifTags.Base.DNGVersion.value: b"\1\4\0\0"}
    Image.fromarray(dark_colors()).save(tmp_path / "dark.tif", tiffinfo=tags)
    with pytest.raises(MediaError, match="is a camera's raw file, which is not read"):
        PhotoFile(tmp_path / "dark.tif")
