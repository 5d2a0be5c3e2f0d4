"""Pictures of which a file shows a part, and pictures that change in mid-stream."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from support.media import Clip, fill_plane, make_clip
from support.transcoding import transcode

from tapetum.realtime import LiveSource
from tapetum.realtime.media.file_source import FileSource

EDGES = {"left": 8, "top": 4, "right": 6, "bottom": 2}
SHOWN = (64 - 8 - 6, 48 - 4 - 2)


def with_pixel_crop(path: Path) -> Path:
    """Add PixelCrop to a Matroska file's video track; what lies around it grows."""
    data = bytearray(path.read_bytes())
    edges = (("54aa", "bottom"), ("54bb", "top"), ("54cc", "left"), ("54dd", "right"))
    added = b"".join(bytes.fromhex(kind) + bytes((0x81, EDGES[edge])) for kind, edge in edges)
    video = re.search(rb"\xe0[\x80-\xfe]\xb0", data)
    assert video is not None
    tracks = data.rindex(bytes.fromhex("1654ae6b"))
    segment = data.index(bytes.fromhex("18538067"))
    checksum = data.index(b"\xbf\x84", tracks)
    data[checksum] = 0xEC  # no longer true: it becomes a void
    track = data.index(b"\xae", checksum + 6)
    for size_at in (segment + 4, tracks + 4, track + 1, video.start() + 1):
        length = 9 - data[size_at].bit_length()
        value = int.from_bytes(data[size_at : size_at + length], "big") + len(added)
        data[size_at : size_at + length] = value.to_bytes(length, "big")
    data[video.start() + 2 : video.start() + 2] = added
    index = data.index(bytes.fromhex("114d9b74"))  # which is of places before the file grew
    data[index : index + 2] = bytes((0xEC, data[index + 4] + 3))
    path.write_bytes(data)
    return path


def with_clean_aperture(path: Path) -> Path:
    """Add `clap` to the sample entry of an MP4 file whose index lies last."""
    data = bytearray(path.read_bytes())
    middle_x, middle_y = EDGES["left"] - EDGES["right"], EDGES["top"] - EDGES["bottom"]
    body = struct.pack(">IIIIiIiI", SHOWN[0], 1, SHOWN[1], 1, middle_x, 2, middle_y, 2)
    box = struct.pack(">I4s", 8 + len(body), b"clap") + body
    entry = data.index(b"avc1", data.index(b"stsd"))
    end = entry - 4 + int.from_bytes(data[entry - 4 : entry], "big")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        at = data.index(name) - 4
        size = int.from_bytes(data[at : at + 4], "big") + len(box)
        data[at : at + 4] = size.to_bytes(4, "big")
    size = int.from_bytes(data[entry - 4 : entry], "big") + len(box)
    data[entry - 4 : entry] = size.to_bytes(4, "big")
    data[end:end] = box
    path.write_bytes(data)
    return path


@pytest.fixture(params=[".mkv", ".mp4", ".mov"])
def cropped(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A clip, and the same with a crop."""
    whole = make_clip(tmp_path / f"whole{request.param}", Clip(frames=5))
    copy = tmp_path / f"cropped{request.param}"
    copy.write_bytes(whole.read_bytes())
    return whole, (with_pixel_crop if request.param == ".mkv" else with_clean_aperture)(copy)


@pytest.mark.parametrize(("options", "top"), [({}, 6), ({"x264-params": "tff=1"}, 4)])
def test_a_crop_does_not_swap_the_colors_of_fields(
    options: dict[str, str], top: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EDGES, "top", 6)
    clip = Clip(frames=3, options=options)
    with FileSource(with_pixel_crop(make_clip(tmp_path / "in.mkv", clip))) as source:
        assert source.info.interlaced == bool(options)
        assert source.info.height == 48 - top - EDGES["bottom"]


def test_a_crop_is_applied_and_said(cropped: tuple[Path, Path], tmp_path: Path) -> None:
    whole, path = cropped
    with FileSource(path) as source, FileSource(whole) as plain:
        assert (source.info.width, source.info.height) == SHOWN
        assert source.notices == [f"cropped to {SHOWN[0]}x{SHOWN[1]} of 64x48, as the file says"]
        for found, frame in zip(source, plain, strict=True):
            assert (found.width, found.height) == SHOWN
            np.testing.assert_array_equal(found.planes[0], frame.planes[0][4:-2, 8:-6])
            np.testing.assert_array_equal(found.planes[1], frame.planes[1][2:-1, 4:-3])
    transcode(path, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == SHOWN


def test_a_crop_holds_in_a_live_picture_too(cropped: tuple[Path, Path]) -> None:
    with LiveSource(cropped[1], paced=False) as source:
        assert source.size == SHOWN
        frame = next(iter(source))
    assert (frame.width, frame.height) == SHOWN


def test_a_crop_without_sense_is_none(tmp_path: Path) -> None:
    path = with_clean_aperture(make_clip(tmp_path / "in.mp4", Clip(frames=2)))
    width = struct.pack(">II", SHOWN[0], 1)
    path.write_bytes(path.read_bytes().replace(width, b"\xff" * 4 + width[4:]))
    with FileSource(path) as source:
        assert (source.info.width, source.info.height) == (64, 48)


def grey_clip(path: Path, size: tuple[int, int], level: int) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(5):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane, value in zip(frame.planes, (level, 128, 128), strict=True):
                fill_plane(plane, np.full((plane.height, plane.width), value, np.uint8))
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("second", "inside"),
    [
        pytest.param((48, 64), (slice(None), slice(14, 50)), id="turned"),
        pytest.param((128, 48), (slice(12, 36), slice(None)), id="wider"),
        pytest.param((128, 96), (slice(None), slice(None)), id="the same shape"),
    ],
)
def test_a_picture_that_turns_gets_bars_and_is_not_squeezed(
    tmp_path: Path, second: tuple[int, int], inside: tuple[slice, slice]
) -> None:
    joined = tmp_path / "joined.ts"
    parts = (grey_clip(tmp_path / "a.ts", (64, 48), 90), grey_clip(tmp_path / "b.ts", second, 150))
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with FileSource(joined) as source:
        *_, last = source
    assert "the picture size changes; all is scaled to 64x48" in source.notices
    luma = last.planes[0].astype(int)
    assert abs(luma[inside] - 150).max() <= 6
    outside = luma.copy()
    outside[inside] = 16
    assert abs(outside - 16).max() <= 3
    assert all(abs(plane.astype(int) - 128).max() <= 3 for plane in last.planes[1:])


@pytest.mark.parametrize("left", [0, 2, 6, 64])
def test_what_h264_itself_crops_is_cropped_to_the_pixel(left: int, tmp_path: Path) -> None:
    """Decoders left a few columns in, for memory's sake, unless they were told not to."""
    path, cropped = make_clip(tmp_path / "in.mp4", Clip(width=160)), tmp_path / "cropped.mp4"
    with av.open(str(path)) as source, av.open(str(cropped), "w") as output:
        video = source.streams.video[0]
        stream = output.add_stream_from_template(video)
        crop = BitStreamFilterContext(f"h264_metadata=crop_left={left}:crop_top=4", video, stream)
        for packet in source.demux(video):
            for filtered in crop.filter(packet if packet.size else None):
                filtered.stream = stream
                output.mux(filtered)
    with FileSource(cropped) as frames, FileSource(path) as whole:
        first, uncropped = next(iter(frames)), next(iter(whole))
        assert (frames.info.width, first.planes[0].shape) == (160 - left, (44, 160 - left))
        np.testing.assert_array_equal(first.planes[0], uncropped.planes[0][4:, left:])
        np.testing.assert_array_equal(first.planes[1], uncropped.planes[1][2:, left // 2 :])
