"""`enhance_file` on photos."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tapetum.realtime import MediaError, enhance_file, read_image

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def save_photo(path: Path, width: int = 41, height: int = 23) -> Path:
    gray = np.random.default_rng(3).integers(20, 40, (height, width, 1), np.uint8)
    with av.open(path, "w", format="image2") as output:
        stream = output.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.repeat(gray, 3, axis=2), "rgb24")
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.mark.filterwarnings("ignore:.*image sequence pattern.*")
@pytest.mark.parametrize(("width", "height"), [(41, 23), (1, 1), (64, 48)])
def test_a_photo_in_gives_a_photo_out(
    width: int, height: int, gain_model: Path, tmp_path: Path
) -> None:
    photo = save_photo(tmp_path / "dark.png", width, height)
    output = tmp_path / "bright.png"
    result = enhance_file(photo, output, model=gain_model)
    assert (result.frames, result.media_s) == (1, 0)
    before, after = read_image(photo), read_image(output)
    assert (after.width, after.height) == (width, height)
    ratio = after.planes[0].mean() / before.planes[0].mean()
    assert ratio == pytest.approx(3, rel=0.03)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no files")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif", ".tif", ".gif"])
def test_a_disk_that_takes_a_part_of_a_photo_is_one_line(
    suffix: str, gain_model: Path, tmp_path: Path
) -> None:
    """The last of it does not fit: a program is told so only when it asks."""
    import resource

    photo = save_photo(tmp_path / "dark.png", 320, 240)
    whole, output = tmp_path / f"whole{suffix}", tmp_path / f"bright{suffix}"
    enhance_file(photo, whole, model=gain_model)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size - 100, before[1]))
    try:
        with pytest.raises(MediaError, match=f"cannot write .*bright{suffix}: "):
            enhance_file(photo, output, model=gain_model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dark.png", whole.name]


def test_a_photo_is_compared_side_by_side(gain_model: Path, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "dark.png")
    output = tmp_path / "compared.png"
    enhance_file(photo, output, model=gain_model, compare="side-by-side")
    luma = read_image(output).planes[0]
    assert luma.shape == (23, 82)
    assert luma[:, 41:].mean() > 2 * luma[:, :41].mean()


def test_a_photo_takes_no_options_of_videos(gain_model: Path, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "dark.png")
    with pytest.raises(MediaError, match="is a photo: start, duration, rate, deinterlace, codec"):
        enhance_file(photo, tmp_path / "bright.png", model=gain_model, crf=20)


@pytest.mark.parametrize("name", ["bright.mp4", "bright.heic", "bright.jp2", "bright"])
def test_the_names_that_photos_are_written_as_are_said(name: str, tmp_path: Path) -> None:
    photo = save_photo(tmp_path / "dark.png")
    with pytest.raises(MediaError, match=r"written as \.jpg, \.png, \.webp, \.avif, \.tif") as said:
        enhance_file(photo, tmp_path / name)
    assert f"has {Path(name).suffix or 'no suffix'}, and" in str(said.value)


@pytest.mark.parametrize("suffix", [".ppm", ".tga", ".pcx", ".ico"])
def test_a_picture_of_another_kind_is_told_what_to_become(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    Image.new("RGB", (48, 32), (20, 30, 10)).save(source)
    with pytest.raises(MediaError, match="convert it to PNG or TIFF first"):
        enhance_file(source, tmp_path / "out.jpg")
    assert list(tmp_path.iterdir()) == [source]
