"""Reading videos: exact times, awkward formats, and parts of a file."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from support.frames_of_file import read, times
from support.media import VFR_TIMES, Clip, encode_picture, make_clip, picture
from support.media_contents import first_picture

from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.pixel_format import PIXEL_FORMATS


@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(Clip(), id="constant rate"),
        pytest.param(Clip(times=VFR_TIMES), id="variable rate"),
        pytest.param(Clip(times=[t + 64_000 for t in VFR_TIMES]), id="non-zero start"),
        pytest.param(Clip(time_base=Fraction(1, 90_000)), id="another time base"),
        pytest.param(Clip(options={"bf": "3", "b-pyramid": "normal"}), id="B-frames"),
        pytest.param(Clip(frames=1), id="one frame"),
    ],
)
def test_every_frame_has_its_exact_time(tmp_path: Path, clip: Clip) -> None:
    frames = read(make_clip(tmp_path / "in.mp4", clip))
    assert times(frames) == clip.frame_times()
    assert {frame.time_base for frame in frames} == {clip.time_base}


def test_frames_have_durations(tmp_path: Path) -> None:
    frames = read(make_clip(tmp_path / "in.mp4", Clip(frames=5)))
    assert [frame.duration for frame in frames] == [512] * 5


def test_planes_are_the_decoders_pixels(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", Clip(codec="ffv1", frames=3))
    luma = read(path)[2].planes[0].copy()
    with av.open(str(path), "r") as container:
        expected = list(container.decode(video=0))[2].to_ndarray()[:48]
    np.testing.assert_array_equal(luma, expected)


def test_planes_outlive_the_source(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", Clip(frames=20))
    frames = read(path)
    again = read(path)
    for frame, twin in zip(frames, again, strict=True):
        np.testing.assert_array_equal(frame.planes[0], twin.planes[0])


@pytest.mark.parametrize("name", sorted(set(PIXEL_FORMATS) - {"p010le"}))
def test_formats_that_are_enhanced_as_they_are_stay(tmp_path: Path, name: str) -> None:
    path = make_clip(tmp_path / "in.nut", Clip(codec="rawvideo", pixel_format=name, frames=2))
    with FileSource(path) as source:
        frame = next(iter(source))
        assert frame.format_name == name.replace("yuvj", "yuv")
        assert [p.shape for p in frame.planes] == list(frame.format.plane_shapes(64, 48))
        assert not source.notices


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rgb24", "yuv444p"),
        ("gbrp", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
        ("rgb48le", "yuv444p12le"),
        ("pal8", "yuv444p"),
        ("gray", "yuv420p"),
        ("gray10le", "yuv420p10le"),
        ("yuyv422", "yuv422p"),
        ("yuv410p", "yuv420p"),
        ("yuv440p", "yuv444p"),
        ("yuv420p16le", "yuv420p12le"),
    ],
)
def test_other_formats_are_converted_with_a_notice(
    tmp_path: Path, name: str, expected: str
) -> None:
    codec = "ffv1" if name in {"gbrp10le", "gray10le"} else "rawvideo"
    clip = Clip(codec=codec, pixel_format="bgr8" if name == "pal8" else name, frames=2)
    path = make_clip(tmp_path / "in.nut", clip)
    with FileSource(path) as source:
        assert source.info.format_name == expected
        assert f"converted to {expected}" in source.notices[0]
        ramp = picture(Clip(), 0).to_ndarray()[:48]
        luma = next(iter(source)).planes[0].astype(float)
    assert np.corrcoef(luma.ravel(), ramp.ravel())[0, 1] > 0.95


def test_gray_keeps_its_luma_and_is_full_range(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", Clip(codec="ffv1", pixel_format="gray", frames=1))
    frame = read(path)[0]
    np.testing.assert_array_equal(frame.planes[0], first_picture(path).to_ndarray())
    assert frame.full_range
    assert {int(value) for value in np.unique(frame.planes[1])} == {128}


def test_color_tags_are_read(tmp_path: Path) -> None:
    clip = Clip(pixel_format="yuv420p10le", color=(9, 1, 9, 16))
    with FileSource(make_clip(tmp_path / "in.mp4", clip)) as source:
        assert source.info.color == ColorInfo(matrix=9, range=1, primaries=9, transfer=16)
        assert next(iter(source)).color == source.info.color


@pytest.mark.parametrize(
    ("codec", "editor"), [("libx264", "h264_metadata"), ("libx265", "hevc_metadata")]
)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_colors_that_the_container_alone_tells_are_read(
    codec: str, editor: str, suffix: str, tmp_path: Path
) -> None:
    """Decoders give "unspecified" then: HDR would be brightened as if it were SDR."""
    clip = Clip(
        frames=3,
        codec=codec,
        options={"x265-params": "log-level=none"} if codec == "libx265" else {},
        pixel_format="yuv420p10le",
        color=(9, 1, 9, 16),
    )
    whole, path = make_clip(tmp_path / "whole.mp4", clip), tmp_path / f"in{suffix}"
    unsaid = f"{editor}=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2"
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        video = source.streams.video[0]
        stream = output.add_stream_from_template(video)
        edit = BitStreamFilterContext(unsaid, video, stream)
        for packet in source.demux(video):
            for edited in edit.filter(packet if packet.size else None):
                edited.stream = stream
                output.mux(edited)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).color_trc == 2
    with FileSource(path) as frames:
        assert frames.info.color == ColorInfo(matrix=9, range=1, primaries=9, transfer=16)
        assert all(frame.color == frames.info.color for frame in frames)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *[(codec, suffix) for codec in ("libx264", "libx265") for suffix in (".mkv", ".mp4")],
        *[(codec, ".mkv") for codec in ("mpeg2video", "ffv1", "prores_ks", "libvpx")],
    ],
)
def test_a_range_that_the_container_alone_tells_is_read(
    codec: str, suffix: str, tmp_path: Path
) -> None:
    """Decoders call what cannot say it limited, and full range would lose its ends."""
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    layout = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    clip = Clip(frames=2, codec=codec, pixel_format=layout, options=quiet)
    whole = make_clip(tmp_path / "whole.mkv", replace(clip, time_base=Fraction(1, 25)))
    said = "-c copy -color_range pc -colorspace bt709 -color_primaries bt709 -color_trc bt709"
    full = tmp_path / f"full{suffix}"
    command = ["ffmpeg", "-v", "error", "-i", str(whole), *said.split()]
    subprocess.run([*command, "-movflags", "write_colr", str(full)], check=True)
    assert not read(whole)[0].full_range
    assert read(full)[0].full_range


def test_info_describes_the_stream(tmp_path: Path) -> None:
    clip = Clip(
        sample_aspect_ratio=Fraction(4, 3), rotation=(90, False), video_metadata={"language": "nor"}
    )
    with FileSource(make_clip(tmp_path / "in.mp4", clip)) as source:
        info = source.info
    assert (info.width, info.height, info.frame_count, info.duration_s) == (64, 48, 25, 1.0)
    assert info.average_rate == 25
    assert info.sample_aspect_ratio == Fraction(4, 3)
    assert info.display_matrix is not None
    assert info.metadata["language"] == "nor"
    assert info.codec_name == "h264"


@pytest.mark.parametrize(
    ("start_s", "duration_s", "first", "count"),
    [
        (0.0, 1.0, 0, 25),
        (2.0, 1.0, 50, 25),
        (2.02, None, 51, 99),
        (5.9, None, 148, 2),
        (1.0, 0.04, 25, 1),
        (0.0, 99.0, 0, 150),
    ],
)
def test_a_range_is_cut_to_the_frame(
    long_clip: Path, start_s: float, duration_s: float | None, first: int, count: int
) -> None:
    with FileSource(long_clip, start_s=start_s, duration_s=duration_s) as source:
        frames = list(source)
    shift = round(start_s * 12_800)
    assert times(frames) == [512 * index - shift for index in range(first, first + count)]
    assert source.info.frame_count == pytest.approx(count, abs=1)
    whole = read(long_clip)
    np.testing.assert_array_equal(frames[0].planes[0], whole[first].planes[0])


def test_a_start_counts_from_the_files_first_instant(tmp_path: Path) -> None:
    clip = Clip(times=[64_000 + 512 * i for i in range(25)])
    frames = read(make_clip(tmp_path / "in.mp4", clip), start_s=0.4)
    assert times(frames)[:2] == [0, 512]
    assert len(frames) == 15


def test_a_start_after_the_end_is_an_error(long_clip: Path) -> None:
    with pytest.raises(MediaError, match="no frame at 60 s; it ends before"):
        FileSource(long_clip, start_s=60)


@pytest.mark.parametrize("options", [{"start_s": -1.0}, {"duration_s": 0.0}])
def test_a_senseless_range_is_an_error(long_clip: Path, options: dict[str, float]) -> None:
    with pytest.raises(MediaError, match="must be"):
        read(long_clip, **options)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", Clip(cover=True))
    with FileSource(path) as source:
        assert source.info.codec_name == "h264"


def test_h264_that_turns_from_full_range_to_limited_stays_full(tmp_path: Path) -> None:
    kinds = {"full": ("yuvj420p", (1, 2, 1, 1)), "limited": ("yuv420p", (1, 1, 1, 1))}
    clips = {
        kind: Clip(frames=8, pixel_format=name, color=color, options={"bf": "0"})
        for kind, (name, color) in kinds.items()
    }
    for kind, clip in clips.items():
        make_clip(tmp_path / f"{kind}.h264", clip)
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join((tmp_path / f"{kind}.h264").read_bytes() for kind in clips))
    with FileSource(joined) as source:
        frames = list(source)
    assert len(frames) == 16
    assert {frame.full_range for frame in frames} == {True}
    means = [[float(frame.planes[0].mean()) for frame in part] for part in (frames[:8], frames[8:])]
    np.testing.assert_allclose(means[0], means[1], atol=1.5)
    assert any("the range of the colours changes" in notice for notice in source.notices)


def with_dolby_vision(data: bytes, profile: int, compatibility: int) -> bytes:
    """An MP4 of one track whose sample entry says that it is Dolby Vision."""
    config = bytes([1, 0, profile << 1, 0x25, compatibility << 4]) + bytes(19)
    box = (8 + len(config)).to_bytes(4) + b"dvcC" + config
    changed = bytearray(data)
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = (
            data.rindex(kind) - 4 if kind == b"moov" else data.index(kind, data.rindex(b"moov")) - 4
        )
        size = int.from_bytes(data[at : at + 4]) + len(box)
        changed[at : at + 4] = size.to_bytes(4)
        end = at + size - len(box)
    return bytes(changed[:end] + box + changed[end:])


def test_dolby_vision_without_a_base_layer_is_refused(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "in.mp4", Clip(frames=5)).read_bytes()
    alone, compatible = tmp_path / "alone.mp4", tmp_path / "compatible.mp4"
    alone.write_bytes(with_dolby_vision(plain, 5, 0))
    compatible.write_bytes(with_dolby_vision(plain, 8, 1))
    with pytest.raises(MediaError, match=r"alone\.mp4 is Dolby Vision without a base layer"):
        FileSource(alone)
    assert len(read(compatible)) == 5


def test_an_encrypted_video_is_refused(tmp_path: Path) -> None:
    keys = {"encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
    clip = Clip(frames=5, container_options={"encryption_scheme": "cenc-aes-ctr"} | keys)
    with pytest.raises(MediaError, match=r"in\.mp4 is encrypted \(encv\), and cannot be read"):
        FileSource(make_clip(tmp_path / "in.mp4", clip))


def remuxed(source: Path, target: Path) -> Path:
    """A copy in another container, with what the old one says of Dolby Vision."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize(("profile", "compatibility", "refused"), [(5, 0, True), (8, 1, False)])
def test_dolby_vision_is_known_in_matroska(
    tmp_path: Path, profile: int, compatibility: int, refused: bool
) -> None:
    plain = make_clip(tmp_path / "in.mp4", Clip(frames=5)).read_bytes()
    marked = tmp_path / "marked.mp4"
    marked.write_bytes(with_dolby_vision(plain, profile, compatibility))
    clip = remuxed(marked, tmp_path / "clip.mkv")
    kind = b"dvcC" if refused else b"dvvC"
    assert kind in clip.read_bytes()
    if refused:
        with pytest.raises(MediaError, match="Dolby Vision without a base layer"):
            FileSource(clip)
    else:
        assert len(read(clip)) == 5


def crc_of_mpeg(data: bytes) -> bytes:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            carry = register & 0x80000000
            register = (register << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if carry else 0)
    return register.to_bytes(4)


def with_descriptor(stream: bytes, descriptor: bytes) -> bytes:
    """A transport stream whose only stream has one more descriptor in every program map."""
    packets = []
    for start in range(0, len(stream), 188):
        packet = stream[start : start + 188]
        if packet[1] & 0x40 and packet[3] == packet[3] & ~0x20 and packet[4:6] == b"\0\2":
            table = bytearray(packet[5 : 5 + 3 + (int.from_bytes(packet[6:8]) & 0xFFF) - 4])
            at = 12 + (int.from_bytes(table[10:12]) & 0xFFF) + 3
            table += descriptor
            for place in (1, at):
                size = int.from_bytes(table[place : place + 2])
                more = len(descriptor)
                table[place : place + 2] = (size + more).to_bytes(2)
            packet = (packet[:5] + bytes(table) + crc_of_mpeg(bytes(table))).ljust(188, b"\xff")
        packets.append(packet)
    return b"".join(packets)


@pytest.mark.parametrize(("profile", "compatibility", "refused"), [(5, 0, True), (8, 1, False)])
def test_dolby_vision_is_known_in_transport_streams(
    tmp_path: Path, profile: int, compatibility: int, refused: bool
) -> None:
    clip = make_clip(tmp_path / "clip.ts", Clip(frames=5))
    record = bytes([0xB0, 5, 1, 0, profile << 1, 0b00001101, compatibility << 4])
    clip.write_bytes(with_descriptor(clip.read_bytes(), record))
    if refused:
        with pytest.raises(MediaError, match="Dolby Vision without a base layer"):
            FileSource(clip)
    else:
        assert len(read(clip)) == 5


def test_names_are_not_taken_for_addresses_or_patterns(tmp_path: Path) -> None:
    for name in ("a:b.mp4", "clip%03d.mp4", "ünïcode 漢.mp4"):
        assert len(read(make_clip(tmp_path / "x.mp4").rename(tmp_path / name))) == 25


@pytest.mark.parametrize("grows", [True, False])
def test_a_file_that_changes_while_it_is_read_is_said(tmp_path: Path, grows: bool) -> None:
    clip = make_clip(tmp_path / "in.mkv", Clip(frames=5))
    with FileSource(clip) as source:
        frames = iter(source)
        next(frames)
        if grows:
            with clip.open("ab") as file:
                file.write(bytes(100))
        assert len(list(frames)) == 4
        assert source.truncated == grows
        assert any("changed while it was read" in notice for notice in source.notices) == grows


def test_closing_early_and_twice_is_fine(long_clip: Path) -> None:
    source = FileSource(long_clip)
    next(iter(source))
    source.close()
    source.close()


def test_a_picture_can_be_read_as_a_video(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_picture("png", "rgb24", 8, 8))
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    ("codec", "suffix", "cosited"),
    [("mjpeg", ".avi", (False, False)), ("libx264", ".mp4", (True, False))],
)
def test_chroma_of_full_range_lies_where_its_codec_has_it(
    tmp_path: Path, codec: str, suffix: str, cosited: tuple[bool, bool]
) -> None:
    """FFmpeg decodes both to yuvj420p, and a GPU both to NV12, whose name says nothing."""
    clip = Clip(
        codec=codec,
        frames=2,
        pixel_format="yuvj420p",
        color=(2, 2, 2, 2),
        time_base=Fraction(1, 25),
    )
    path = make_clip(tmp_path / f"in{suffix}", clip)
    with FileSource(path) as source:
        assert source.info.format_name == "yuvj420p"
        frame = next(iter(source))
    assert frame.cosited == cosited
    assert semi_planar(frame).cosited == cosited
    assert frame.color == source.info.color


def test_packets_with_nothing_in_them_are_pictures_that_stay(tmp_path: Path) -> None:
    """Theora says so of a still picture, and recorders of screens do."""
    whole = make_clip(tmp_path / "whole.nut", Clip(codec="mjpeg", pixel_format="yuvj420p"))
    still = tmp_path / "still.nut"
    with av.open(str(whole)) as source, av.open(str(still), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux()):
            if packet.dts is None:
                continue
            kept = packet
            if number % 5 in {2, 3} or number > 20:
                kept = Packet(b"")
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.stream = stream
            output.mux(kept)
    with FileSource(still) as source:
        frames = list(source)
        assert (source.corrupt_packets, source.notices) == (0, [])
    shown = [float((frame.pts or 0) * frame.time_base) for frame in frames]
    there = [number for number in range(21) if number % 5 not in {2, 3}]
    assert shown == pytest.approx([0.04 * number for number in there])
    ends = [float(frame.duration * frame.time_base) for frame in frames]
    assert ends == pytest.approx([0.04 * (b - a) for a, b in pairwise([*there, 25])])


STANDING_MS = [*range(0, 1000, 40), *range(18_000, 19_000, 40)]
"""A picture stands still from 0.96 s to 18 s, as in recordings of screens."""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(
    ("start_s", "duration_s", "expected_ms"),
    [
        (0.5, 2.0, [*range(20, 500, 40)]),
        (2.5, 2.0, [0]),
        (2.5, None, [0, *range(15_500, 16_500, 40)]),
        (17.5, 0.6, [0, 500, 540, 580]),
        (17.97, 0.11, [30, 70]),
        (18.5, None, [*range(20, 500, 40)]),
    ],
)
def test_a_picture_that_stands_still_at_the_start_is_shown(
    start_s: float,
    duration_s: float | None,
    expected_ms: list[int],
    suffix: str,
    tmp_path: Path,
) -> None:
    """And one that stands still at the end lasts until then, and no longer."""
    clip = Clip(times=STANDING_MS, time_base=Fraction(1, 1000), options={"bf": "2", "g": "10"})
    clip_path = make_clip(tmp_path / f"in{suffix}", clip)
    with FileSource(clip_path, start_s=start_s, duration_s=duration_s) as source:
        frames = list(source)
    shown = [round(1000 * (frame.pts or 0) * frame.time_base) for frame in frames]
    assert shown == pytest.approx(expected_ms, abs=1)
    last = frames[-1]
    end_s = float(((last.pts or 0) + last.duration) * last.time_base)
    left_s = 19 - start_s if duration_s is None else duration_s
    assert end_s == pytest.approx(left_s, abs=0.041)
