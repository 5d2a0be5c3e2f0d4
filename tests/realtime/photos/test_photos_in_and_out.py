"""Photos of every format and kind, enhanced at strength 0: nothing may change but the file."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin
from support.photos import (
    PREFIX,
    XMP,
    dark_colors,
    half_clear,
    moving,
    opencv_pixels,
    pillow_pixels,
    png_chunk,
    save_deep,
)

from tapetum.realtime import EnhanceResult, MediaError, enhance_file
from tapetum.realtime.photos.extras import left_out
from tapetum.realtime.photos.formats import HEIF
from tapetum.realtime.photos.pillow_image import durations_ms
from tapetum.realtime.photos.reader import PhotoFile
from tapetum.realtime.photos.writer import in_whole_units

pytestmark = pytest.mark.slow

Enhance = Callable[[Path, Path], EnhanceResult]

DURATIONS_MS = [100, 50, 200, 80]


@pytest.fixture
def unchanged(gain_model: Path) -> Enhance:
    """Enhance a photo at strength 0."""
    return lambda source, output: enhance_file(source, output, model=gain_model, strength=0)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type] # options of many encoders
    return path


def colors() -> Image.Image:
    return Image.fromarray(dark_colors())


def clear_colors() -> Image.Image:
    return Image.fromarray(np.dstack([dark_colors(), half_clear()]))


@pytest.mark.parametrize("output", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.tif", "a.gif", "a.bmp", "a.jp2", "a.j2k"]
)
def test_every_format_comes_through_bit_for_bit(
    name: str, output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    source = save(tmp_path / name, colors())
    result = unchanged(source, tmp_path / f"out{output}")
    assert result.intact
    assert result.notices == ()
    np.testing.assert_array_equal(pillow_pixels(tmp_path / f"out{output}"), pillow_pixels(source))


@pytest.mark.parametrize("output", [".png", ".tif"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA"])
def test_kinds_of_pixels_keep_their_colours(
    mode: str, output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    image = clear_colors()
    if mode in {"P", "PA"}:
        clear = {"transparency": 3} if mode == "PA" else {}
        source = save(tmp_path / "in.png", image.convert("RGB").quantize(32), **clear)
    else:
        source = save(tmp_path / "in.png", image.convert(mode))
    unchanged(source, tmp_path / f"out{output}")
    before = pillow_pixels(source, "RGBA")
    np.testing.assert_array_equal(pillow_pixels(tmp_path / f"out{output}", "RGBA"), before)
    with Image.open(tmp_path / f"out{output}") as after:
        assert after.mode == {"1": "L", "L": "L", "LA": "LA", "P": "RGB"}.get(mode, "RGBA")


@pytest.mark.parametrize("output", [".png", ".tif"])
@pytest.mark.parametrize("source", ["in.png", "in.tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_stay_16_bits(
    channels: int, source: str, output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    deep = dark_colors(deep=True)
    if channels == 4:
        deep = np.dstack([deep, half_clear().astype(np.uint16) * 257])
    elif channels == 1:
        deep = deep[..., 0]
    photo = save_deep(tmp_path / source, deep)
    assert unchanged(photo, tmp_path / f"out{output}").notices == ()
    after = opencv_pixels(tmp_path / f"out{output}")
    assert after.dtype == np.uint16
    np.testing.assert_array_equal(after, deep)


def test_16_bits_with_a_transparent_grey_stay_16_bits(unchanged: Enhance, tmp_path: Path) -> None:
    grey = dark_colors(deep=True)[..., 0]
    source = save(tmp_path / "in.png", Image.fromarray(grey), transparency=int(grey[0, 0]))
    result = unchanged(source, tmp_path / "out.png")
    assert result.notices == ("the grey that it calls transparent is kept as a grey",)
    np.testing.assert_array_equal(opencv_pixels(tmp_path / "out.png"), grey)


def test_the_main_picture_of_several_in_a_jpeg_is_taken(unchanged: Enhance, tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    small = colors().resize((32, 24))
    colors().save(source, "MPO", save_all=True, append_images=[small])
    result = unchanged(source, tmp_path / "out.png")
    assert "it holds 2 pictures" in result.notices[0]
    np.testing.assert_array_equal(pillow_pixels(tmp_path / "out.png"), pillow_pixels(source))


_ABOUT = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    b' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
    b' xmlns:Container="http://ns.google.com/photos/1.0/container/" dc:title="Night" %b>'
    b"<Container:Directory><rdf:Seq><rdf:li/></rdf:Seq></Container:Directory>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize(
    ("says", "line"),
    [
        (b'hdrgm:Version="1.0"', "its HDR gain map is left out"),
        (b'GCamera:MotionPhoto="1"', "the short video that it holds (a motion photo) is left out"),
        (b"GCamera:MicroVideo='1'", "the short video that it holds (a motion photo) is left out"),
        (b'GCamera:MotionPhoto="0"', None),
    ],
)
def test_what_lies_behind_the_picture_is_left_out_and_said(
    says: bytes, line: str | None, unchanged: Enhance, tmp_path: Path
) -> None:
    source = save(tmp_path / "in.jpg", colors(), xmp=_ABOUT % says)
    source.write_bytes(source.read_bytes() + source.read_bytes())
    result = unchanged(source, tmp_path / "out.jpg")
    assert result.intact
    assert [notice for notice in result.notices if "left out" in notice] == [
        notice for notice in result.notices if line and notice.startswith(line)
    ]
    assert len(result.notices) == (line is not None)
    with Image.open(result.output_path) as image:
        xmp = image.info["xmp"]
    assert b'dc:title="Night"' in xmp
    assert says not in xmp
    assert b"<Container:" not in xmp
    ElementTree.fromstring(xmp)


@pytest.mark.parametrize(
    "mark", [b"urn:com:apple:photo:2020:aux:hdrgainmap", b"infe\2\0\0\0\0\7\0\0tmap"]
)
def test_gain_maps_of_heif_are_known(mark: bytes) -> None:
    whole = b"\0\0\0\x18ftypheic" + bytes(200)
    assert list(left_out(whole, HEIF)) == []
    (line,) = left_out(whole + mark + bytes(20), HEIF)
    assert line.startswith("its HDR gain map")


@pytest.mark.parametrize("twelve", [False, True])
def test_heic_of_10_and_12_bits_keeps_them(
    twelve: bool,
    unchanged: Enhance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", twelve)
    ramp = np.tile(np.linspace(2000, 4000, 256).astype(np.uint16)[None, :, None], (64, 1, 3))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = pillow_heif.from_bytes("RGB;16", (256, 64), ramp.tobytes())
    file.info["icc_profile"] = profile
    file.save(tmp_path / "in.heic", quality=-1, chroma=444)
    result = unchanged(tmp_path / "in.heic", tmp_path / "out.png")
    after = opencv_pixels(result.output_path)
    assert after.dtype == np.uint16
    assert np.abs(after.astype(int) - ramp).max() < 300
    assert len(np.unique(after[32, :, 1])) > (60 if twelve else 25)  # of 8 in 8 bits
    with Image.open(result.output_path) as image:
        assert image.info["icc_profile"] == profile


def test_16_bits_in_a_format_of_8_are_rounded_and_said(unchanged: Enhance, tmp_path: Path) -> None:
    photo = save_deep(tmp_path / "in.png", dark_colors(deep=True))
    result = unchanged(photo, tmp_path / "out.bmp")
    assert "8 bits a colour here; .png and .tif keep all 16" in result.notices[0]
    expected = np.rint(dark_colors(deep=True) / 257)
    np.testing.assert_array_equal(pillow_pixels(tmp_path / "out.bmp"), expected)


def test_a_16_bit_photo_is_brightened_in_fine_steps(gain_model: Path, tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(2000, 8000, 512).astype(np.uint16)[None, :, None], 20, axis=0)
    photo = save_deep(tmp_path / "in.png", np.repeat(ramp, 3, axis=2))
    enhance_file(photo, tmp_path / "out.png", model=gain_model)
    after = opencv_pixels(tmp_path / "out.png")[10, :, 1].astype(int)
    assert np.abs(after - 3 * ramp[10, :, 0].astype(int)).max() <= 48  # 3 levels of 12 bits
    steps = np.diff(after)
    assert steps.min() > 0
    assert steps.max() < 3 * np.diff(ramp[10, :, 0].astype(int)).max() + 17


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp", "in.tif", "in.avif"])
def test_orientation_is_applied_and_reset(
    name: str, orientation: int, unchanged: Enhance, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    source = save(tmp_path / name, colors(), exif=exif)
    with Image.open(source) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    unchanged(source, tmp_path / "out.png")
    np.testing.assert_array_equal(pillow_pixels(tmp_path / "out.png"), expected)
    with Image.open(tmp_path / "out.png") as after:
        assert after.getexif().get(ExifTags.Base.Orientation, 1) == 1


def tagged(path: Path) -> Path:
    """A photo with all kinds of metadata."""
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = "(c) Jane"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = bytes(range(40))
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (48.0, 51.0, 30.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, object] = {"exif": exif, "icc_profile": profile, "dpi": (300, 200)}
    if path.suffix == ".png":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
        texts.add_text("Title", "A night")
        return save(path, colors(), pnginfo=texts, **options)
    if path.suffix == ".tif":
        return save(path, colors(), tiffinfo={700: XMP} | dict(exif), **options)
    return save(path, colors(), xmp=XMP, **options)


@pytest.mark.parametrize("output", [".jpg", ".png", ".webp", ".avif", ".tif"])
@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp", "in.avif"])
def test_metadata_is_kept(name: str, output: str, unchanged: Enhance, tmp_path: Path) -> None:
    source = tagged(tmp_path / name)
    unchanged(source, tmp_path / f"out{output}")
    with Image.open(source) as before, Image.open(tmp_path / f"out{output}") as after:
        exif = after.getexif()
        assert exif[ExifTags.Base.Copyright] == "(c) Jane"
        taken = exif.get_ifd(ExifTags.IFD.Exif)
        assert taken[ExifTags.Base.DateTimeOriginal] == "2024:05:06 07:08:09"
        assert taken[ExifTags.Base.MakerNote] == bytes(range(40))
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude]
        assert [float(part) for part in place] == [48, 51, 30]
        assert after.info["icc_profile"] == before.info["icc_profile"]
        xmp = after.tag_v2[700] if output == ".tif" else after.info["xmp"]  # type: ignore[attr-defined]
        assert XMP.replace(b'"6"', b'"1"') == (xmp.encode() if isinstance(xmp, str) else xmp)
        if name in {"in.jpg", "in.png"} and output in {".jpg", ".png", ".tif"}:
            assert after.info["dpi"] == pytest.approx((300, 200), abs=0.1)
    if name == "in.png" and output == ".png":
        with Image.open(tmp_path / "out.png") as after:
            assert after.text["Title"] == "A night"  # type: ignore[attr-defined] # of PNG


@pytest.mark.parametrize("output", [".jpg", ".png", ".tif"])
def test_metadata_of_tiff_is_kept(output: str, unchanged: Enhance, tmp_path: Path) -> None:
    unchanged(tagged(tmp_path / "in.tif"), tmp_path / f"out{output}")
    with Image.open(tmp_path / f"out{output}") as after:
        assert after.getexif()[ExifTags.Base.Copyright] == "(c) Jane"
        assert after.info["icc_profile"]
        assert after.info["dpi"] == pytest.approx((300, 200), abs=0.1)


def test_the_dark_preview_is_not_kept(unchanged: Enhance, tmp_path: Path) -> None:
    preview = io.BytesIO()
    colors().save(preview, "JPEG")
    head = b"II*\0\x08\0\0\0" + b"\0\0" + b"\x0e\0\0\0"  # no tags, then a second directory
    second = b"\2\0\x01\2\4\0\1\0\0\0\x2c\0\0\0\2\2\4\0\1\0\0\0" + len(preview.getvalue()).to_bytes(
        4, "little"
    )
    exif = b"Exif\0\0" + head + second + bytes(4) + preview.getvalue()
    source = save(tmp_path / "in.jpg", colors(), exif=exif)
    unchanged(source, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as after:
        assert not after.getexif().get_ifd(ExifTags.IFD.IFD1)


def test_what_a_format_cannot_keep_is_said(unchanged: Enhance, tmp_path: Path) -> None:
    result = unchanged(tagged(tmp_path / "in.jpg"), tmp_path / "out.bmp")
    assert "its colours are converted to sRGB, for .bmp holds no profile" in result.notices
    assert ".bmp cannot hold its EXIF, XMP; .tif keeps it" in result.notices
    clear = save(tmp_path / "clear.png", clear_colors())
    for suffix in (".jpg", ".bmp"):
        notices = unchanged(clear, tmp_path / f"clear{suffix}").notices
        assert notices == (f"{suffix} cannot hold transparency; .png keeps it",)


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_keeps_its_sampling_and_says_its_quality(
    sampling: str, unchanged: Enhance, tmp_path: Path
) -> None:
    source = save(tmp_path / "in.jpg", colors(), subsampling=sampling, progressive=True)
    result = unchanged(source, tmp_path / "out.jpg")
    assert result.encoder == f"JPEG, quality 95, {sampling}"
    difference = pillow_pixels(tmp_path / "out.jpg") - pillow_pixels(source)
    assert np.abs(difference).mean() < 1.5
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.info["progressive"]


@pytest.mark.parametrize("output", [".webp", ".avif"])
def test_modern_formats_are_written_well(output: str, unchanged: Enhance, tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", clear_colors())
    unchanged(source, tmp_path / f"out{output}")
    before, after = (pillow_pixels(p, "RGBA") for p in (source, tmp_path / f"out{output}"))
    shown = before[..., 3] > 0
    assert np.abs(after - before)[shown].mean() < 2
    assert np.abs(after - before)[..., 3].max() <= 2


@pytest.mark.parametrize("name", ["in.jpg", "in.tif"])
def test_cmyk_becomes_rgb_and_is_said(name: str, unchanged: Enhance, tmp_path: Path) -> None:
    source = save(tmp_path / name, colors().convert("CMYK"))
    result = unchanged(source, tmp_path / "out.png")
    assert result.notices == ("its CMYK colours are written as RGB",)
    np.testing.assert_array_equal(pillow_pixels(tmp_path / "out.png"), pillow_pixels(source))


def test_grey_photos_stay_grey_and_become_bright(gain_model: Path, tmp_path: Path) -> None:
    for name in ("in.jpg", "in.png"):
        source = save(tmp_path / name, colors().convert("L"))
        enhance_file(source, tmp_path / "out.png", model=gain_model, overwrite=True)
        with Image.open(tmp_path / "out.png") as after:
            assert after.mode == "L"
        before, bright = pillow_pixels(source, "L"), pillow_pixels(tmp_path / "out.png", "L")
        assert np.abs(bright - 3 * before).max() <= 2


@pytest.mark.parametrize("output", [".png", ".gif", ".webp"])
def test_a_picture_for_programs_without_animations_is_no_part_of_one(
    output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    still, *rest = moving(clear=False)
    times = {"duration": [30, 200, 50], "default_image": True}
    source = save(tmp_path / "in.png", still, save_all=True, append_images=rest, **times)
    result = unchanged(source, tmp_path / f"out{output}")
    assert any("has no place for the picture" in line for line in result.notices) is (
        output != ".png"
    )
    with Image.open(tmp_path / f"out{output}") as after:
        is_kept = output == ".png"
        assert after.n_frames == 3 + is_kept  # type: ignore[attr-defined] # of animations
        assert durations_ms(after, after.n_frames)[is_kept:] == (30, 200, 50)  # type: ignore[attr-defined]


def test_a_tiff_that_says_no_resolution_gets_none(unchanged: Enhance, tmp_path: Path) -> None:
    unchanged(save(tmp_path / "in.tif", colors()), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as after:
        assert "dpi" not in after.info


@pytest.mark.parametrize("output", [".jpg", ".png"])
def test_a_comment_is_kept(output: str, unchanged: Enhance, tmp_path: Path) -> None:
    source = save(tmp_path / "in.jpg", colors(), comment=b"at the old bridge")
    unchanged(source, tmp_path / f"out{output}")
    with Image.open(tmp_path / f"out{output}") as after:
        kept = after.info["comment" if output == ".jpg" else "Comment"]
    assert kept in {b"at the old bridge", "at the old bridge"}


@pytest.mark.parametrize("output", [".png", ".gif", ".webp"])
@pytest.mark.parametrize("name", ["in.png", "in.gif", "in.webp"])
@pytest.mark.parametrize("clear", [False, True])
def test_animations_keep_pictures_and_times(
    clear: bool, name: str, output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    first, *rest = moving(clear=clear)
    options = {"disposal": 2} if name == "in.gif" and clear else {}
    if name == "in.webp":
        options |= {"lossless": True, "exact": True}
    source = save(
        tmp_path / name,
        first,
        save_all=True,
        append_images=rest,
        duration=DURATIONS_MS,
        loop=0,
        **options,
    )
    result = unchanged(source, tmp_path / f"out{output}")
    assert result.frames == 4
    assert result.media_s == pytest.approx(0.43)
    with Image.open(source) as before, Image.open(tmp_path / f"out{output}") as after:
        assert after.n_frames == 4  # type: ignore[attr-defined] # of animations
        assert after.info["loop"] == 0
        for index, duration_ms in enumerate(DURATIONS_MS):
            before.seek(index)
            after.seek(index)
            old, new = (np.asarray(image.convert("RGBA"), int) for image in (before, after))
            assert after.info["duration"] == duration_ms
            assert np.abs(old - new)[old[..., 3] > 0].mean() < (4 if output != ".png" else 0.01)
            assert (old[..., 3] == new[..., 3]).all()


@pytest.mark.parametrize(
    ("rate", "output", "wanted_ms"),
    [
        (30, "out.gif", [30, 40, 30, 30]),
        (40, "out.gif", [20, 30, 30, 20]),
        (60, "out.gif", [20, 20, 20, 20]),
        (30, "out.webp", [33, 34, 33, 33]),
        (60, "out.webp", [17, 16, 17, 17]),
        (25, "out.gif", [40, 40, 40, 40]),
    ],
)
def test_times_between_a_format_s_units_stay_right_in_sum(
    rate: int, output: str, wanted_ms: list[int], unchanged: Enhance, tmp_path: Path
) -> None:
    """Pillow cuts a GIF's down, so that ten seconds become nine, and 60 a second become ten."""
    first, *rest = moving()
    times = {"duration": 1000 / rate}
    source = save(tmp_path / "in.png", first, save_all=True, append_images=rest, **times)
    result = unchanged(source, tmp_path / output)
    found = []
    with Image.open(result.output_path) as image:
        for index in range(4):
            image.seek(index)
            image.load()
            found.append(image.info["duration"])
    assert found == wanted_ms
    is_said = any("hundredths of a second" in line for line in result.notices)
    assert is_said == (output == "out.gif" and rate != 25)


@pytest.mark.parametrize("output", ["out.png", "out.webp", "out.gif"])
def test_a_gif_s_picture_of_no_time_is_shown_as_long_as_every_browser_does(
    output: str, unchanged: Enhance, tmp_path: Path
) -> None:
    first, *rest = moving()
    times = {"duration": [40, 0, 10, 60]}
    source = save(tmp_path / "in.gif", first, save_all=True, append_images=rest, **times)
    result = unchanged(source, tmp_path / output)
    with Image.open(result.output_path) as image:
        found = []
        for index in range(4):
            image.seek(index)
            image.load()
            found.append(image.info["duration"])
    assert found == [40, 100, 100, 60]
    assert "pictures of 10 ms are written for 100 ms, as every browser shows them" in result.notices


def test_a_gif_plays_as_often_as_before(unchanged: Enhance, tmp_path: Path) -> None:
    first, *rest = moving()
    for loop in (None, 3):
        options = {} if loop is None else {"loop": loop}
        source = save(tmp_path / f"{loop}.gif", first, save_all=True, append_images=rest, **options)
        unchanged(source, tmp_path / f"{loop}-out.gif")
        with Image.open(tmp_path / f"{loop}-out.gif") as after:
            assert after.info.get("loop") == loop


def test_pages_of_tiff_keep_their_kinds(unchanged: Enhance, tmp_path: Path) -> None:
    first, second = colors(), clear_colors()
    third = Image.fromarray(dark_colors(deep=True)[..., 0])
    fourth = colors().convert("L").resize((20, 30))
    rest = [second, third, fourth]
    source = save(tmp_path / "in.tif", first, save_all=True, append_images=rest)
    assert unchanged(source, tmp_path / "out.tif").frames == 4
    ok, pages = cv2.imreadmulti(str(tmp_path / "out.tif"), flags=cv2.IMREAD_UNCHANGED)
    assert ok
    assert [page.shape for page in pages] == [(48, 64, 3), (48, 64, 4), (48, 64), (30, 20)]
    np.testing.assert_array_equal(pages[0][..., ::-1], dark_colors())
    np.testing.assert_array_equal(pages[2], np.asarray(third))
    np.testing.assert_array_equal(pages[3], np.asarray(fourth))


def test_one_picture_of_several_is_said(unchanged: Enhance, tmp_path: Path) -> None:
    first, *rest = moving()
    source = save(tmp_path / "in.gif", first, save_all=True, append_images=rest)
    result = unchanged(source, tmp_path / "out.jpg")
    assert result.frames == 1
    assert result.notices == ("it holds 4 pictures, and .jpg holds one: the first",)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif", ".gif", ".jpg"])
def test_pages_that_are_left_out_are_said(suffix: str, unchanged: Enhance, tmp_path: Path) -> None:
    first, *rest = moving(3)
    source = save(tmp_path / "in.tif", first, save_all=True, append_images=rest)
    result = unchanged(source, tmp_path / f"out{suffix}")
    assert result.frames == 1
    assert f"it holds 3 pages, and {suffix} gets the first; .tif keeps all" in result.notices


def test_an_avif_of_30_pictures_a_second_does_not_drift(unchanged: Enhance, tmp_path: Path) -> None:
    """Pillow reads each picture's 33.3 ms as 33."""
    first, *rest = moving(30)
    durations = in_whole_units([1000 / 30] * 30, 1)
    source = save(
        tmp_path / "in.avif", first, save_all=True, append_images=rest, duration=durations
    )
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=30:d=1", "-c:v", "libaom-av1"]
    command = ["ffmpeg", "-v", "error", *drawn, "-cpu-used", "8", str(tmp_path / "exact.avif")]
    subprocess.run(command, check=True)
    for path in (source, tmp_path / "exact.avif"):
        result = unchanged(path, tmp_path / f"{path.stem}.png")
        assert result.frames == 30
        assert result.media_s == pytest.approx(1, abs=0.0015)


@pytest.mark.parametrize("name", ["in.gif", "in.png", "in.webp"])
def test_an_animation_can_become_a_video(name: str, gain_model: Path, tmp_path: Path) -> None:
    first, *rest = moving()
    source = save(tmp_path / name, first, save_all=True, append_images=rest, duration=100)
    if name == "in.webp":
        with pytest.raises(MediaError, match=r"where pictures move, as \.webp, \.gif or \.png"):
            enhance_file(source, tmp_path / "out.mp4", model=gain_model)
        return
    assert enhance_file(source, tmp_path / "out.mp4", model=gain_model).frames == 4


def test_kinds_that_cannot_be_enhanced_are_one_clear_line(
    unchanged: Enhance, tmp_path: Path
) -> None:
    source = save(tmp_path / "in.tif", Image.fromarray(dark_colors()[..., 0].astype(np.float32)))
    with pytest.raises(MediaError, match="its pixels are floating-point numbers; save it with"):
        unchanged(source, tmp_path / "out.png")


def test_too_large_a_photo_is_one_clear_line(tmp_path: Path) -> None:
    small = io.BytesIO()
    Image.new("L", (8, 8)).save(small, "BMP")
    huge = bytearray(small.getvalue())
    huge[18:26] = (30_000).to_bytes(4, "little") * 2
    (tmp_path / "in.bmp").write_bytes(huge)
    with pytest.raises(MediaError, match="30000x30000 is 900 million pixels; 256 are the most"):
        PhotoFile(tmp_path / "in.bmp")


def test_too_large_a_side_for_a_format_is_one_clear_line(
    unchanged: Enhance, tmp_path: Path
) -> None:
    source = save(tmp_path / "in.png", Image.new("L", (17_000, 1), 30))
    with pytest.raises(MediaError, match="too large for WEBP, which holds 16383 pixels a side"):
        unchanged(source, tmp_path / "out.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_strips_give_what_one_piece_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save(tmp_path / "in.png", Image.fromarray(np.tile(dark_colors(), (4, 3, 1))))
    enhance_file(source, tmp_path / "whole.png", model="grid", denoise="off")
    monkeypatch.setattr("tapetum.realtime.enhance_photo._WHOLE_PIXELS", 1000)
    monkeypatch.setattr("tapetum.realtime.photos.picture._STRIP_PIXELS", 192 * 17)
    for compare, name in ((None, "strips.png"), ("side-by-side", "beside.png")):
        enhance_file(source, tmp_path / name, denoise="off", compare=compare)  # type: ignore[arg-type]
    noisy = enhance_file(source, tmp_path / "noisy.png")
    assert "its noise stays: it is taken out of photos of up to 16 megapixels" in noisy.notices
    whole = pillow_pixels(tmp_path / "whole.png")
    assert np.abs(pillow_pixels(tmp_path / "strips.png") - whole).max() <= 1
    beside = pillow_pixels(tmp_path / "beside.png")
    np.testing.assert_array_equal(beside[:, :192], pillow_pixels(source))
    assert np.abs(beside[:, 192:] - whole).max() <= 1


@pytest.mark.parametrize(("number", "name"), [(16, "PQ"), (18, "HLG"), (13, None)])
def test_a_photo_of_hdr_light_is_told(number: int, name: str | None, tmp_path: Path) -> None:
    plain = save(tmp_path / "plain.png", colors()).read_bytes()
    tagged = tmp_path / "tagged.png"
    header_end = len(PREFIX) + 25
    chunk = png_chunk(b"cICP", bytes([9, number, 0, 1]))
    tagged.write_bytes(plain[:header_end] + chunk + plain[header_end:])
    avif = save(tmp_path / "in.avif", colors())
    data = bytearray(avif.read_bytes())
    at = data.index(b"colrnclx") + 10
    data[at : at + 2] = number.to_bytes(2)
    avif.write_bytes(data)
    wanted = [f"its light is HDR ({name}); photos are enhanced as SDR is"] if name else []
    for path in (tagged, avif):
        assert [line for line in PhotoFile(path).notices if "HDR" in line] == wanted


def in_srgb(rgb: npt.NDArray[np.float64], matrix: list[list[float]], gamma: float | None) -> object:
    """Colours as sRGB, 0 to 255, by the matrix from their primaries to sRGB's."""
    srgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = (srgb if gamma is None else rgb**gamma) @ np.array(matrix).T
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.abs(light) ** (1 / 2.4) - 0.055)
    return np.clip(coded, 0, 1) * 255


P3_TO_SRGB = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
"""Display P3 to sRGB, in linear light (CSS Color 4)."""


@pytest.mark.parametrize("kind", [".avif", ".heic", ".png"])
@pytest.mark.parametrize("target", [".jpg", ".tif", ".avif", ".bmp"])
def test_colors_that_numbers_describe_stay_what_they_are(
    kind: str, target: str, unchanged: Enhance, tmp_path: Path
) -> None:
    """Of a wide gamut by nclx or cICP: other formats say so by a profile, or hold sRGB."""
    source, output = tmp_path / f"in{kind}", tmp_path / f"out{target}"
    flat = Image.new("RGB", (64, 48), (150, 90, 60))
    if kind == ".heic":
        heif = pillow_heif.from_pillow(flat)
        heif.save(source, quality=100, chroma=444, color_primaries=12, transfer_characteristics=13)
    elif kind == ".avif":
        data = bytearray(save(source, flat, quality=100, subsampling="4:4:4").read_bytes())
        at = data.index(b"colrnclx") + 8
        data[at : at + 4] = struct.pack(">HH", 12, 13)
        source.write_bytes(data)
    else:
        plain, end = save(source, flat).read_bytes(), len(PREFIX) + 25
        cicp = png_chunk(b"cICP", bytes([12, 13, 0, 1]))
        source.write_bytes(plain[:end] + cicp + plain[end:])
    result = unchanged(source, output)
    assert [note for note in result.notices if "colours" in note] == (
        ["its colours are converted to sRGB, for .bmp holds no profile"] if target == ".bmp" else []
    )
    with Image.open(output) as image:
        profile, shown = image.info.get("icc_profile", b""), image.convert("RGB")
    if target != ".bmp":
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        shown = ImageCms.profileToProfile(shown, own, srgb, outputMode="RGB") or shown
    wanted = in_srgb(np.array([150, 90, 60]) / 255, P3_TO_SRGB, None)
    assert np.abs(np.asarray(shown).mean(axis=(0, 1)) - wanted).max() < 3


@pytest.mark.parametrize("mark", ["nothing", "srgb"])
def test_colors_of_srgb_need_no_profile(mark: str, unchanged: Enhance, tmp_path: Path) -> None:
    source = save(tmp_path / "in.avif", colors())
    if mark == "nothing":
        source.write_bytes(source.read_bytes().replace(b"colrnclx", b"freenclx"))
    unchanged(source, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as after:
        assert "icc_profile" not in after.info


def test_a_gamma_of_png_becomes_a_profile(unchanged: Enhance, tmp_path: Path) -> None:
    flat = Image.new("RGB", (64, 48), (150, 90, 60))
    plain, end = save(tmp_path / "in.png", flat).read_bytes(), len(PREFIX) + 25
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000))
    (tmp_path / "in.png").write_bytes(plain[:end] + gamma + plain[end:])
    unchanged(tmp_path / "in.png", tmp_path / "out.bmp")
    wanted = in_srgb(np.array([150, 90, 60]) / 255, np.eye(3).tolist(), 1.0)
    assert np.abs(pillow_pixels(tmp_path / "out.bmp").mean(axis=(0, 1)) - wanted).max() < 2


def test_pictures_that_are_alike_are_all_kept_in_png(tmp_path: Path) -> None:
    first, second, third = moving(3)
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    images, kept = [second, second, second, third], [0, 0, 2, 0, 0]
    first.save(source, save_all=True, append_images=images, duration=80, disposal=kept)
    result = enhance_file(source, output, strength=0)
    with Image.open(output) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert result.frames == image.n_frames == 5
        for index, wanted in enumerate([first, *images]):
            image.seek(index)
            assert image.info["duration"] == 80
            assert (np.asarray(image.convert("RGB")) == np.asarray(wanted.convert("RGB"))).all()


@pytest.mark.parametrize(
    ("chunks", "differs"),
    [
        ({b"gAMA": (100_000,)}, True),
        ({b"gAMA": (45455,)}, False),
        ({b"cHRM": (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)}, True),
        ({b"cHRM": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)}, False),
    ],
)
@pytest.mark.parametrize("grey", [False, True])
def test_colours_that_only_a_png_can_say_become_a_profile_or_are_missed_aloud(
    chunks: dict[bytes, tuple[int, ...]],
    differs: bool,
    grey: bool,
    unchanged: Enhance,
    tmp_path: Path,
) -> None:
    info = PngImagePlugin.PngInfo()
    for kind, numbers in chunks.items():
        info.add(kind, struct.pack(f">{len(numbers)}I", *numbers))
    source = save(tmp_path / "in.png", colors().convert("L" if grey else "RGB"), pnginfo=info)
    assert unchanged(source, tmp_path / "out.png").notices == ()
    for suffix in (".jpg", ".tif"):
        notices = unchanged(source, tmp_path / f"out{suffix}").notices
        assert [
            f"{suffix} cannot hold what its PNG says of its colours" in one for one in notices
        ] == ([True] * (differs and grey))
        with Image.open(tmp_path / f"out{suffix}") as after:
            assert ("icc_profile" in after.info) == (differs and not grey)
