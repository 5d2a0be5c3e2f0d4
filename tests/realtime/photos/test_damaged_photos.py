"""Photos that were cut or changed: what is there is enhanced, and the rest is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from support.command_line import python, tapetum
from support.photos import dark_colors, moving, pillow_pixels, png_chunk, png_chunks

from tapetum.realtime import EnhanceResult, MediaError, enhance_file, read_image
from tapetum.realtime.photos.reader import PhotoFile

Enhance = Callable[[bytes, str], EnhanceResult]


def encoded(suffix: str, **options: object) -> bytes:
    """A photo's bytes."""
    data = io.BytesIO()
    noise = np.random.default_rng(2).integers(0, 9, (144, 128, 3), np.uint8)
    Image.fromarray(np.tile(dark_colors(), (3, 2, 1)) + noise).save(
        data, Image.registered_extensions()[suffix], **options
    )
    return data.getvalue()


def animation(suffix: str) -> bytes:
    """An animation's bytes."""
    data = io.BytesIO()
    first, *rest = moving()
    name = Image.registered_extensions()[suffix]
    first.save(data, name, save_all=True, append_images=rest, duration=100)
    return data.getvalue()


@pytest.fixture
def enhance(gain_model: Path, tmp_path: Path) -> Enhance:
    """Enhance the bytes of a photo at strength 0 to out.png."""

    def enhanced(data: bytes, suffix: str) -> EnhanceResult:
        source = tmp_path / f"in{suffix}"
        source.write_bytes(data)
        return enhance_file(
            source, tmp_path / "out.png", model=gain_model, strength=0, overwrite=True
        )

    return enhanced


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", {"quality": 98}),
        (".png", {}),
        (".bmp", {}),
        (".tif", {}),
        (".gif", {"interlace": 0}),
        (".webp", {"lossless": True}),
        (".webp", {"quality": 95}),
        (".webp", {"lossless": True, "exif": b"Exif\0\0II*\0" + bytes(999), "xmp": b"<x/>" * 99}),
    ],
)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_cut_photo_keeps_the_rows_that_are_there(
    suffix: str, options: dict[str, object], part: float, enhance: Enhance, tmp_path: Path
) -> None:
    data = encoded(suffix, **options)
    (tmp_path / f"whole{suffix}").write_bytes(data)
    result = enhance(data[: int(part * len(data))], suffix)
    assert not result.intact
    (line,) = [line for line in result.notices if "rows) is there" in line]
    rows = int(line.split("(")[1].split()[0])
    assert 144 * (part - 0.3) < rows < 144 * (part + 0.25)
    before, after = pillow_pixels(tmp_path / f"whole{suffix}"), pillow_pixels(tmp_path / "out.png")
    there = slice(144 - rows + 1, 144) if suffix == ".bmp" else slice(0, rows - 1)
    np.testing.assert_array_equal(after[there], before[there])
    missing = np.delete(after, np.arange(144)[there], axis=0)[1:-1]
    assert not missing.any()


def test_a_cut_progressive_jpeg_is_whole_but_coarse(enhance: Enhance, tmp_path: Path) -> None:
    data = encoded(".jpg", progressive=True)
    (tmp_path / "whole.jpg").write_bytes(data)
    result = enhance(data[: len(data) * 2 // 3], ".jpg")
    assert not result.intact
    assert any("it has less detail than it had" in line for line in result.notices)
    difference = pillow_pixels(tmp_path / "out.png") - pillow_pixels(tmp_path / "whole.jpg")
    assert np.abs(difference).mean() < 8


def test_a_cut_interlaced_photo_is_coarse(enhance: Enhance) -> None:
    data = encoded(".gif", interlace=1)
    result = enhance(data[: len(data) // 2], ".gif")
    assert not result.intact
    assert any("it has less detail than it had" in line for line in result.notices)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_bytes_is_not_called_whole(
    progressive: bool, enhance: Enhance
) -> None:
    data = encoded(".jpg", progressive=progressive)
    for missing in (1, 2, 3):
        assert not enhance(data[:-missing], ".jpg").intact
    assert enhance(data + b"\0" * 20, ".jpg").intact


@pytest.mark.parametrize("sampling", [0, 1, 2])
def test_cmyk_of_any_sampling_is_whole_unless_it_is_cut(sampling: int, tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(dark_colors()).convert("CMYK").save(path, subsampling=sampling)
    for data, intact in ((path.read_bytes(), True), (path.read_bytes()[:-40], False)):
        path.write_bytes(data)
        photo = PhotoFile(path)
        assert len(list(photo.pictures())) == 1
        assert photo.intact == intact


def test_codes_that_mean_nothing_are_found_in_a_jpeg(tmp_path: Path) -> None:
    data = encoded(".jpg")
    start = data.index(b"\xff\xda") + 14
    source = tmp_path / "in.jpg"
    for place in range(start, len(data) - 40, 97):
        source.write_bytes(data[:place] + data[place + 30 :])
        photo = PhotoFile(source)
        list(photo.pictures())
        assert not photo.intact


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND", b"tEXt"])
def test_a_wrong_checksum_in_a_png_is_found(kind: bytes, enhance: Enhance, tmp_path: Path) -> None:
    data = encoded(".png")
    head = len(data) - 12
    data = data[:head] + png_chunk(b"tEXt", b"Title\0x") + data[head:]
    (tmp_path / "whole.png").write_bytes(data)
    at, _, body = next(chunk for chunk in png_chunks(data) if chunk[1] == kind)
    check = at + 8 + len(body)
    result = enhance(data[:check] + b"\0\1\2\3" + data[check + 4 :], ".png")
    assert not result.intact
    assert f"its part {kind.decode()} is damaged" in result.notices
    np.testing.assert_array_equal(
        pillow_pixels(tmp_path / "out.png"), pillow_pixels(tmp_path / "whole.png")
    )


def test_a_png_with_two_headers_is_damaged(enhance: Enhance) -> None:
    data = encoded(".png")
    result = enhance(data[:33] + data[8:], ".png")
    assert not result.intact
    assert "its header stands in it twice" in result.notices


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp"])
def test_a_cut_animation_keeps_the_pictures_that_are_there(suffix: str, enhance: Enhance) -> None:
    data = animation(suffix)
    result = enhance(data[: int(0.7 * len(data))], suffix)
    assert not result.intact
    assert 1 < result.frames < 4
    assert any(f"{result.frames} " in line and "there" in line for line in result.notices)


def test_an_animation_cut_after_its_first_picture_keeps_that(enhance: Enhance) -> None:
    data = animation(".png")
    second = data.index(b"fcTL", data.index(b"IDAT"))
    result = enhance(data[: second + 40], ".png")
    assert (result.frames, result.intact) == (1, False)


@pytest.mark.parametrize("part", [0.7, 0.95])
def test_a_cut_avif_keeps_the_rows_that_are_there(
    part: float, enhance: Enhance, tmp_path: Path
) -> None:
    data = encoded(".avif", quality=95)
    (tmp_path / "whole.avif").write_bytes(data)
    result = enhance(data[: int(part * len(data))], ".avif")
    (line,) = [line for line in result.notices if "rows) is there" in line]
    rows = int(line.split("(")[1].split()[0])
    assert 144 * (part - 0.5) < rows < 144 * part
    before, after = pillow_pixels(tmp_path / "whole.avif"), pillow_pixels(tmp_path / "out.png")
    np.testing.assert_array_equal(after[:rows], before[:rows])
    assert not after[rows:].any()


def test_a_webp_that_lost_only_what_it_says_of_itself_has_all_rows(enhance: Enhance) -> None:
    data = encoded(".webp", lossless=True, exif=b"Exif\0\0II*\0" + bytes(200))
    result = enhance(data[:-100], ".webp")
    assert not result.intact
    assert "it is damaged or cut: about 100 % of it (144 of 144 rows) is there" in result.notices


@pytest.mark.parametrize("part", [0.4, 0.7, 0.9])
def test_pages_that_are_there_are_kept(part: float, tmp_path: Path) -> None:
    """Also where the directory of the one that is cut cannot be read."""
    first, *rest = moving()
    first.save(tmp_path / "whole.tif", save_all=True, append_images=rest)
    data = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "in.tif").write_bytes(data[: int(part * len(data))])
    photo = PhotoFile(tmp_path / "in.tif")
    assert photo.truncated
    assert len(list(photo.pictures())) == int(4 * part) + 1  # with a part of the one that is cut
    assert any("rows) is there" in line for line in photo.notices)


def test_a_picture_of_an_animation_that_breaks_its_reader_costs_no_other(tmp_path: Path) -> None:
    data = animation(".gif")
    source = tmp_path / "in.gif"
    for place in range(int(0.5 * len(data)), int(0.8 * len(data)), 31):
        source.write_bytes(data[:place])
        photo = PhotoFile(source)
        assert len(list(photo.pictures())) >= 1
        assert not photo.intact


@pytest.mark.parametrize("missing", [1, 100, 5000])
def test_a_heic_that_is_cut_behind_its_main_picture_is_not_whole(
    missing: int, tmp_path: Path
) -> None:
    still = moving(1)[0]
    file = pillow_heif.from_pillow(still.resize((640, 480)))
    file.add_from_pillow(Image.effect_noise((640, 480), 60).convert("RGB"))
    file.save(tmp_path / "whole.heic", quality=90)
    data = (tmp_path / "whole.heic").read_bytes()
    for left, intact in ((len(data), True), (len(data) - missing, False)):
        (tmp_path / "in.heic").write_bytes(data[:left])
        photo = PhotoFile(tmp_path / "in.heic")
        assert len(list(photo.pictures())) == 1
        assert photo.intact == intact


_AVIF_TABLES = [
    (b"elst", 16, 0x7000_0000),  # an edit begins there
    (b"elst", 12, 1),  # and lasts
    (b"elst", 0, 0x8000_0000),  # version
    (b"stts", 8, 0x7000_0000),
]


@pytest.mark.parametrize(("kind", "place", "value"), _AVIF_TABLES)
def test_an_avif_whose_tables_do_not_agree_is_damaged(
    kind: bytes, place: int, value: int, tmp_path: Path
) -> None:
    data = bytearray(animation(".avif"))
    source = tmp_path / "in.avif"
    source.write_bytes(data)
    whole = PhotoFile(source)
    assert len(list(whole.pictures())) == 4
    assert whole.intact
    at = data.index(kind) + 4 + place
    data[at : at + 4] = value.to_bytes(4)
    if kind == b"elst" and not place:
        data[at + 4 : at + 8] = bytes(4)  # else libavif refuses it
    source.write_bytes(data)
    damaged = PhotoFile(source)
    assert len(list(damaged.pictures())) == 4
    assert not damaged.intact


@pytest.mark.parametrize(("said", "read"), [(0, 1), (2, 2)])
def test_an_apng_that_holds_more_pictures_than_it_says_is_damaged(
    said: int, read: int, enhance: Enhance
) -> None:
    data = bytearray(animation(".png"))
    at = data.index(b"acTL") + 4
    body = said.to_bytes(4) + bytes(data[at + 4 : at + 8])
    data[at - 8 : at + 12] = png_chunk(b"acTL", body)
    result = enhance(bytes(data), ".png")
    assert (result.frames, result.intact) == (read, False)


@pytest.mark.parametrize("kind", [b"IDAT", b"fdAT"])
def test_pixels_of_a_png_without_their_end_are_damaged(kind: bytes, enhance: Enhance) -> None:
    """Decoders stop where the last row is whole."""
    data = animation(".png")
    at, _, body = next(chunk for chunk in png_chunks(data) if chunk[1] == kind)
    shorter = png_chunk(kind, body[:-3])
    result = enhance(data[:at] + shorter + data[at + len(shorter) + 3 :], ".png")
    assert (result.frames, result.intact) == (len(moving()), False)


def test_a_cut_webp_of_a_length_that_cannot_be_is_one_clear_line(enhance: Enhance) -> None:
    data = bytearray(encoded(".webp", exif=b"Exif"))
    at = data.index(b"VP8 ", 12)
    data[at + 4 : at + 8] = b"\xff" * 4
    with pytest.raises(MediaError, match="is damaged"):
        enhance(bytes(data[: len(data) // 2]), ".webp")


@pytest.mark.parametrize("suffix", [".jp2"])
def test_what_cannot_be_shown_in_part_is_one_clear_line(suffix: str, enhance: Enhance) -> None:
    data = encoded(suffix)
    with pytest.raises(
        MediaError, match=r"cannot be (shown in part|read)|nothing of it can be decoded"
    ):
        enhance(data[: len(data) // 2], suffix)


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".webp", ".avif", ".gif", ".bmp", ".jp2", ".tif"]
)
@pytest.mark.filterwarnings("error")
def test_no_damage_ends_in_anything_but_a_line(suffix: str, tmp_path: Path) -> None:
    random = np.random.default_rng(len(suffix))
    whole = [encoded(suffix)]
    if suffix in {".png", ".webp", ".gif"}:
        whole.append(animation(suffix))
    source = tmp_path / f"in{suffix}"
    for data in whole:
        for number in range(60):
            changed = bytearray(data)
            if number % 2:
                changed[random.integers(len(data))] ^= 1 << random.integers(8)
            else:
                del changed[random.integers(1, len(data)) :]
            source.write_bytes(changed)
            try:
                photo = PhotoFile(source)
                pictures = list(photo.pictures())
            except MediaError as error:
                assert "\n" not in str(error)  # noqa: PT017 - either is right
            else:
                assert pictures
                assert number % 2 or not photo.intact


@pytest.mark.slow
def test_a_damaged_photo_ends_with_exit_status_3(tmp_path: Path) -> None:
    data = encoded(".jpg")
    (tmp_path / "in.jpg").write_bytes(data[: len(data) // 2])
    run = tapetum("enhance", tmp_path / "in.jpg", tmp_path / "out.png", "--json")
    assert run.returncode == 3
    report = json.loads(run.stdout)
    assert (report["intact"], report["truncated"], report["damaged_frames"]) == (False, True, 1)
    assert "rows) is there" in run.stderr
    assert "is damaged; what it holds was enhanced" in run.stderr


def test_bad_photos_give_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no photo\n" * 40)
    (tmp_path / "cut.png").write_bytes(encoded(".png")[:30])
    cases = {
        "missing.png": "does not exist",
        "": "is a folder",
        "empty.png": "is empty",
        "text.jpg": "is no photo that can be read",
        "cut.png": "cannot open",
    }
    for name, words in cases.items():
        with pytest.raises(MediaError) as caught:
            read_image(tmp_path / name)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_damaged_tiff_is_said_by_nobody_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library that unpacks it writes lines of its own, past Python, where nothing stops it."""
    whole = encoded(".tiff", compression="tiff_lzw")
    (tmp_path / "in.tiff").write_bytes(whole[:8] + b"\xff" * 40 + whole[48:])
    with pytest.raises(MediaError, match="cannot open"):
        read_image(tmp_path / "in.tiff")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", [b"Exif", b"mime", b"rdf+xml"])
def test_a_heic_whose_parts_have_damaged_names_takes_nothing_down(
    text: bytes, tmp_path: Path
) -> None:
    """Its reader ended the process, without a word."""
    exif = Image.Exif()
    exif[0x0112] = 6
    heic = io.BytesIO()
    pillow_heif.from_pillow(moving(1)[0]).save(heic, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    data = heic.getvalue().replace(text, b"\xff" + text[1:], 1)
    (tmp_path / "in.heic").write_bytes(data)
    code = f"""
from pathlib import Path
from tapetum.realtime.photos.reader import PhotoFile, photo_size
path = Path({str(tmp_path / "in.heic")!r})
photo_size(path)
photo = PhotoFile(path)
print(len(list(photo.pictures())), photo.intact)
"""
    assert python(code).split() == ["1", "False"]


@pytest.mark.parametrize("left", [0.6, 0.97])
def test_a_jpeg_that_is_cut_behind_its_main_picture_is_not_whole(
    left: float, tmp_path: Path
) -> None:
    first, second = moving(2)
    first.save(tmp_path / "in.mpo", save_all=True, append_images=[second], quality=95)
    whole = PhotoFile(tmp_path / "in.mpo")
    assert len(list(whole.pictures())) == 1
    assert whole.intact
    data = (tmp_path / "in.mpo").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: int(len(data) * left)])
    cut = PhotoFile(tmp_path / "cut.jpg")
    assert len(list(cut.pictures())) == 1
    assert not cut.intact
    assert cut.notices[-1].startswith("its end is missing")
