"""Photos: read upright, enhanced formats, written whole, alpha and depth kept."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from support.media import exif_block, fill_plane
from support.media_contents import first_picture, rgb_pixels

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.images import is_image, read_image, read_photo, write_image

pytestmark = pytest.mark.slow

SUFFIXES = [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"]
ENCODERS = {".jpg": "mjpeg", ".png": "png", ".webp": "libwebp", ".bmp": "bmp", ".tif": "tiff"}


def write_picture(path: Path, picture: av.VideoFrame, **options: str) -> Path:
    """Encode a picture by FFmpeg's own encoder of the suffix."""
    context = av.CodecContext.create(ENCODERS[path.suffix], "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = picture.width, picture.height
    context.pix_fmt, context.time_base = picture.format.name, Fraction(1, 25)
    context.options = dict(options)
    packets = [*context.encode(picture), *context.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def rgb_picture(width: int = 40, height: int = 30) -> av.VideoFrame:
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(values, "rgb24")


def smooth_picture(width: int = 40, height: int = 30) -> av.VideoFrame:
    rows, columns = np.mgrid[:height, :width]
    values = np.stack([rows * 6, columns * 5, rows + columns], -1).astype(np.uint8)
    return av.VideoFrame.from_ndarray(values, "rgb24")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_images_are_known_by_suffix(suffix: str) -> None:
    assert is_image(f"photo{suffix}")
    assert is_image(Path(f"PHOTO{suffix.upper()}"))
    assert not is_image("clip.mp4")


@pytest.mark.parametrize("name", ["in.png", "in.bmp", "in.tif"])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_rgb_comes_back_within_one_level(tmp_path: Path, name: str, suffix: str) -> None:
    picture = rgb_picture().reformat(format="bgr24" if name == "in.bmp" else "rgb24")
    source = write_picture(tmp_path / name, picture)
    frame = read_image(source)
    assert frame.format_name == "yuv444p10le"
    assert frame.full_range
    write_image(tmp_path / f"out{suffix}", frame)
    difference = np.abs(rgb_pixels(tmp_path / f"out{suffix}") - rgb_pixels(source))
    assert difference.max() <= 1


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    picture = av.VideoFrame.from_ndarray(values, "rgb48be")
    source = write_picture(tmp_path / "in.png", picture)
    frame = read_image(source)
    assert frame.format_name == "yuv444p12le"
    for suffix in (".png", ".tif"):
        write_image(tmp_path / f"out{suffix}", frame)
        after = first_picture(tmp_path / f"out{suffix}")
        assert after.format.name.startswith("rgb48")
        difference = after.to_ndarray().astype(int) - values
        assert np.abs(difference).max() < 2 * 65536 / 256


@pytest.mark.parametrize("pixel_format", ["gray", "gray16be"])
def test_gray_photos_stay_gray(tmp_path: Path, pixel_format: str) -> None:
    picture = smooth_picture().reformat(format="gray").reformat(format=pixel_format)
    source = write_picture(tmp_path / "in.png", picture)
    write_image(tmp_path / "out.png", read_image(source))
    after = rgb_pixels(tmp_path / "out.png")
    assert np.abs(after - rgb_pixels(source)).max() <= 1
    assert np.ptp(after, axis=2).max() <= 1


def test_palettes_are_read(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    palette = random.integers(0, 256, (256, 4), dtype=np.uint8)
    palette[:, 0] = 255  # alpha
    indices = random.integers(0, 256, (30, 40), dtype=np.uint8)
    picture = av.VideoFrame.from_ndarray(
        (indices, palette),  # type: ignore[arg-type]  # the stubs lack the pair that pal8 needs
        "pal8",
    )
    source = write_picture(tmp_path / "in.png", picture)
    write_image(tmp_path / "out.png", read_image(source))
    assert np.abs(rgb_pixels(tmp_path / "out.png") - rgb_pixels(source)).max() <= 1


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_jpeg_keeps_chroma_and_quality(tmp_path: Path, chroma: str) -> None:
    picture = smooth_picture().reformat(format=f"yuvj{chroma}p", dst_color_range=2, threads=1)
    source = write_picture(tmp_path / "in.jpg", picture)
    frame = read_image(source)
    assert frame.format_name == f"yuvj{chroma}p"
    write_image(tmp_path / "out.jpg", frame)
    after = first_picture(tmp_path / "out.jpg")
    assert after.format.name == f"yuvj{chroma}p"
    assert np.abs(rgb_pixels(tmp_path / "out.jpg") - rgb_pixels(source)).mean() < 1.5


def test_odd_sizes_stay(tmp_path: Path) -> None:
    for width, height in ((33, 17), (1, 1)):
        picture = smooth_picture(width, height).reformat(
            format="yuvj420p", dst_color_range=2, threads=1
        )
        source = write_picture(tmp_path / "in.jpg", picture)
        for suffix in (".jpg", ".png", ".webp"):
            write_image(tmp_path / f"out{suffix}", read_image(source), overwrite=True)
            after = first_picture(tmp_path / f"out{suffix}")
            assert (after.width, after.height) == (width, height)


def upright(pixels: npt.NDArray[np.int64], orientation: int) -> npt.NDArray[np.int64]:
    """What a viewer shows, as the EXIF standard's table says it."""
    table = {
        1: pixels,
        2: np.fliplr(pixels),
        3: np.rot90(pixels, 2),
        4: np.flipud(pixels),
        5: np.transpose(pixels, (1, 0, 2)),
        6: np.rot90(pixels, -1),
        7: np.rot90(np.transpose(pixels, (1, 0, 2)), 2),
        8: np.rot90(pixels, 1),
    }
    return table[orientation]


@pytest.mark.parametrize("chroma", ["420", "422", "444"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(tmp_path: Path, orientation: int, chroma: str) -> None:
    picture = smooth_picture().reformat(format=f"yuvj{chroma}p", dst_color_range=2, threads=1)
    source = write_picture(tmp_path / "in.jpg", picture)
    expected = upright(rgb_pixels(source), orientation)
    data = source.read_bytes()
    source.write_bytes(data[:2] + exif_block(orientation) + data[2:])
    write_image(tmp_path / "out.png", read_image(source))
    after = rgb_pixels(tmp_path / "out.png")
    assert after.shape == expected.shape
    assert np.abs(after - expected).mean() < 3


def rgba_picture() -> tuple[av.VideoFrame, npt.NDArray[np.uint8]]:
    values = np.random.default_rng(3).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(values, "rgba"), values[..., 3]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparency_is_kept(tmp_path: Path, suffix: str) -> None:
    picture, alpha = rgba_picture()
    photo = read_photo(write_picture(tmp_path / "in.png", picture))
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert write_image(tmp_path / f"out{suffix}", photo.frame, alpha=photo.alpha) == []
    after = read_photo(tmp_path / f"out{suffix}").alpha
    assert after is not None
    np.testing.assert_array_equal(after, alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_transparency_that_is_lost_is_told(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(write_picture(tmp_path / "in.png", rgba_picture()[0]))
    notices = write_image(tmp_path / f"out{suffix}", photo.frame, alpha=photo.alpha)
    assert notices == [f"{suffix} cannot hold transparency; .png keeps it"]


def test_opaque_photos_have_no_alpha(tmp_path: Path) -> None:
    picture = smooth_picture().reformat(format="rgba")
    assert read_photo(write_picture(tmp_path / "in.png", picture)).alpha is None


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    source = write_picture(tmp_path / "in.png", smooth_picture())
    assert read_image(source.rename(tmp_path / "in%03d.jpg")).width == 40


def test_bad_images_give_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no photo\n" * 40)
    whole = write_picture(tmp_path / "whole.png", rgb_picture()).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:40])
    cases = {
        "missing.png": "does not exist",
        "": "is a folder",
        "empty.png": "is empty",
        "text.jpg": "is no image, or is damaged",
        "cut.png": "cannot open",
    }
    for name, words in cases.items():
        with pytest.raises(MediaError) as caught:
            read_image(tmp_path / name)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_images_are_written_safely(tmp_path: Path) -> None:
    source = write_picture(tmp_path / "in.png", smooth_picture())
    frame = read_image(source)
    with pytest.raises(MediaError, match="exists; pass --overwrite"):
        write_image(source, frame)
    with pytest.raises(MediaError, match="is the input itself"):
        write_image(source, frame, overwrite=True, inputs=[source])
    with pytest.raises(MediaError, match="does not exist; make it first"):
        write_image(tmp_path / "no" / "out.png", frame)
    with pytest.raises(MediaError, match=r"has \.gif; use one of \.jpg"):
        write_image(tmp_path / "out.gif", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    frame = read_image(write_picture(tmp_path / "in.png", smooth_picture()))
    (tmp_path / f".out.part-{os.getpid()}.png").symlink_to("/dev/full")
    with pytest.raises(MediaError, match="the disk is full"):
        write_image(tmp_path / "out.png", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_pitched_planes_are_written_right(tmp_path: Path) -> None:
    picture = av.VideoFrame(33, 16, "gray")
    fill_plane(picture.planes[0], np.arange(33 * 16, dtype=np.uint16).reshape(16, 33).astype("u1"))
    source = write_picture(tmp_path / "in.png", picture)
    np.testing.assert_array_equal(read_image(source).planes[0], picture.to_ndarray())
