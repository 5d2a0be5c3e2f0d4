"""Single frames to photos and back: written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.photos import dark_colors, half_clear, opencv_pixels, pillow_pixels, save_deep

from tapetum.gan.process_mark import process_mark
from tapetum.realtime import Frame, MediaError, read_image, write_image


def dark_frame(folder: Path) -> Frame:
    Image.fromarray(dark_colors()).save(folder / "in.png")
    return read_image(folder / "in.png")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg", ".webp", ".avif"])
def test_a_frame_becomes_the_photo_that_it_was(suffix: str, tmp_path: Path) -> None:
    frame = dark_frame(tmp_path)
    assert write_image(tmp_path / f"out{suffix}", frame) == []
    difference = np.abs(pillow_pixels(tmp_path / f"out{suffix}") - dark_colors())
    assert difference.max() <= (1 if suffix in {".png", ".bmp", ".tif"} else 12)


def test_deep_frames_stay_deep(tmp_path: Path) -> None:
    frame = read_image(save_deep(tmp_path / "in.png", dark_colors(deep=True)))
    assert frame.format.depth == 12
    for suffix in (".png", ".tif"):
        write_image(tmp_path / f"out{suffix}", frame)
        after = opencv_pixels(tmp_path / f"out{suffix}")
        assert after.dtype == np.uint16
        assert np.abs(after.astype(int) - dark_colors(deep=True)).max() < 2 * 65536 / 256


def test_odd_sizes_stay(tmp_path: Path) -> None:
    for width, height in ((33, 17), (1, 1)):
        luma = np.full((height, width), 40, np.uint8)
        chroma = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
        write_image(tmp_path / "out.png", Frame((luma, chroma, chroma), "yuv420p"), overwrite=True)
        assert pillow_pixels(tmp_path / "out.png").shape == (height, width, 3)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_transparency_is_written(suffix: str, tmp_path: Path) -> None:
    write_image(tmp_path / f"out{suffix}", dark_frame(tmp_path), alpha=half_clear())
    after = pillow_pixels(tmp_path / f"out{suffix}", "RGBA")
    np.testing.assert_array_equal(after[..., 3], half_clear())


def test_images_are_written_safely(tmp_path: Path) -> None:
    frame, source = dark_frame(tmp_path), tmp_path / "in.png"
    with pytest.raises(MediaError, match="exists; pass --overwrite"):
        write_image(source, frame)
    with pytest.raises(MediaError, match="is the input itself"):
        write_image(source, frame, overwrite=True, inputs=[source])
    with pytest.raises(MediaError, match="does not exist; make it first"):
        write_image(tmp_path / "no" / "out.png", frame)
    with pytest.raises(MediaError, match=r"has \.heic; use one of \.jpg"):
        write_image(tmp_path / "out.heic", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    frame = dark_frame(tmp_path)
    (tmp_path / f".out.part-{process_mark()}.png").symlink_to("/dev/full")
    with pytest.raises(MediaError, match="the disk is full"):
        write_image(tmp_path / "out.png", frame)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
