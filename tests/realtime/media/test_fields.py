"""Interlaced video: its order of fields in the output, by ffprobe."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from support.command_line import tapetum
from support.frames_of_file import read
from support.media import Clip, fill_plane, make_clip, picture
from support.transcoding import frame_times, transcode

from tapetum.realtime import enhance_file
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.media.fields import FieldTagger, with_chroma_of_fields, with_fields_joined
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.file_source import FileSource

FIRST = {"top": (1, "tt"), "bottom": (0, "bb")}
"""What ffprobe says of a picture and of the stream."""


def interlaced_clip(
    path: Path,
    first: str,
    *,
    codec: str = "libx264",
    frames: int = 4,
    size: tuple[int, int] = (64, 48),
) -> Path:
    """A clip whose pictures say which field is first."""
    tag = FieldTagger(bottom_first=first == "bottom")
    clip = Clip(width=size[0], height=size[1])
    options = {"x264-params": "tff=1" if first == "top" else "bff=1"} if codec == "libx264" else {}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            frame = picture(clip, index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(tag(frame)))
        output.mux(stream.encode(None))
    return path


def told(path: Path) -> tuple[set[tuple[int, int]], str]:
    """What ffprobe says: of pictures, whether interlaced and top field first; of the stream."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json"]
    entries = "stream=field_order:frame=interlaced_frame,top_field_first"
    answer = subprocess.run(
        [*command, "-show_entries", entries, str(path)], capture_output=True, check=True
    )
    found = json.loads(answer.stdout)
    frames = {(f["interlaced_frame"], f["top_field_first"]) for f in found["frames"]}
    return frames, found["streams"][0].get("field_order", "unknown")


@pytest.mark.parametrize("first", ["top", "bottom"])
@pytest.mark.parametrize(
    ("codec", "suffix"),
    [(None, ".mp4"), (None, ".mkv"), (None, ".mov"), ("prores", ".mov"), ("ffv1", ".mkv")],
)
@pytest.mark.parametrize("source", ["libx264 .mp4", "libx264 .ts", "ffv1 .mkv"])
def test_the_order_of_fields_is_kept(
    tmp_path: Path, source: str, codec: str | None, suffix: str, first: str
) -> None:
    encoder, kind = source.split()
    interlaced = interlaced_clip(tmp_path / f"in{kind}", first, codec=encoder)
    sink = transcode(interlaced, tmp_path / f"out{suffix}", EncoderSettings(codec=codec))
    top_first, order = FIRST[first]
    assert told(tmp_path / f"out{suffix}") == ({(1, top_first)}, order)
    assert not any("interlaced" in line for line in sink.notices)


@pytest.mark.parametrize(("codec", "suffix"), [("hevc", ".mp4"), (None, ".webm")])
def test_an_encoder_that_cannot_keep_fields_is_told(
    tmp_path: Path, codec: str | None, suffix: str
) -> None:
    interlaced = interlaced_clip(tmp_path / "in.mp4", "top")
    sink = transcode(interlaced, tmp_path / f"out{suffix}", EncoderSettings(codec=codec))
    assert [line for line in sink.notices if "progressive" in line and "--codec libx264" in line]
    assert {interlaced for interlaced, _ in told(tmp_path / f"out{suffix}")[0]} == {0}


@pytest.mark.parametrize("height", [49, 50])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_fields_of_a_height_that_x264_refuses_are_told(
    tmp_path: Path, suffix: str, height: int
) -> None:
    """As of 486 lines in 4:2:0, which ended in an error."""
    interlaced = interlaced_clip(tmp_path / "in.mkv", "top", codec="ffv1", size=(64, height))
    sink = transcode(interlaced, tmp_path / f"out{suffix}")
    (line,) = (line for line in sink.notices if "interlaced" in line)
    assert f"it takes no fields of {height} lines in two; --codec prores" in line
    assert {interlaced for interlaced, _ in told(tmp_path / f"out{suffix}")[0]} == {0}
    assert len(frame_times(tmp_path / f"out{suffix}")) == 4


def test_progressive_video_stays_so(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", Clip(frames=3))
    transcode(tmp_path / "in.mp4", tmp_path / "out.mp4")
    assert told(tmp_path / "out.mp4") == ({(0, 0)}, "progressive")


# Deinterlacing -----------------------------------------------------------------------------------


def combed_clip(path: Path) -> Path:
    """A bar that moves sideways by a column a field, the top field first."""
    tag = FieldTagger(bottom_first=False)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(6):
            frame = av.VideoFrame(64, 48, "yuv420p")
            luma = np.full((48, 64), 40, np.uint8)
            for field in (0, 1):
                left = 8 * index + 4 * field
                luma[field::2, left : left + 8] = 200
            for plane, values in zip(
                frame.planes, (luma, *(np.full((24, 32), 128, np.uint8),) * 2), strict=True
            ):
                fill_plane(plane, values)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(tag(frame)))
        output.mux(stream.encode(None))
    return path


def comb(path: Path) -> float:
    """How much neighbouring lines differ on average, in levels."""
    with av.open(str(path)) as container:
        lumas = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return float(np.mean([np.abs(np.diff(luma.astype(int), axis=0)).mean() for luma in lumas]))


@pytest.mark.slow
def test_deinterlaced_video_is_progressive_with_the_same_times(tmp_path: Path) -> None:
    source = combed_clip(tmp_path / "in.mkv")
    kept, made = tmp_path / "kept.mkv", tmp_path / "made.mkv"
    for target, options in ((kept, ()), (made, ("--deinterlace",))):
        answer = tapetum("enhance", source, target, "--strength", "0", "--codec", "ffv1", *options)
        assert answer.returncode == 0, answer.stderr
        assert "is interlaced" not in answer.stderr
        assert frame_times(target) == frame_times(source)
    assert {pair[0] for pair in told(kept)[0]} == {1}
    assert {pair[0] for pair in told(made)[0]} == {0}
    assert comb(kept) == comb(source)
    assert comb(made) < comb(source) / 3


def test_deinterlacing_of_progressive_video_changes_nothing_and_is_told(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(frames=5, times=[0, 512, 1536, 1600, 9000]))
    with FileSource(source) as plain, FileSource(source, deinterlace=True) as filtered:
        for before, after in zip(plain, filtered, strict=True):
            assert (before.pts, before.duration) == (after.pts, after.duration)
            assert np.array_equal(before.planes[0], after.planes[0])
    assert filtered.notices == ["nothing was deinterlaced: no picture says that it is interlaced"]


def test_a_gpu_does_not_deinterlace_and_says_so(tmp_path: Path) -> None:
    source = interlaced_clip(tmp_path / "in.mp4", "top")
    with pytest.raises(DeviceError, match="on the CPU alone; use --device cpu"):
        enhance_file(source, tmp_path / "out.mp4", device="cuda", deinterlace=True)
    assert not (tmp_path / "out.mp4").exists()


# Changes in mid-stream ---------------------------------------------------------------------------


def joined_notices(tmp_path: Path, *parts: Path) -> list[str]:
    """What is said of transport streams put one behind the other."""
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with FileSource(joined) as source:
        assert sum(1 for _ in source) == 4 * len(parts)
    return source.notices


@pytest.mark.parametrize("kinds", [("progressive", "top"), ("top", "progressive")])
def test_interlacing_that_changes_in_mid_stream_is_told(
    tmp_path: Path, kinds: tuple[str, str]
) -> None:
    made = {
        "progressive": make_clip(tmp_path / "a.ts", Clip(frames=4)),
        "top": interlaced_clip(tmp_path / "b.ts", "top"),
    }
    notices = joined_notices(tmp_path, *(made[kind] for kind in kinds))
    assert "interlaced and progressive pictures are mixed; all are written as the first is" in (
        notices
    )


def test_a_range_that_changes_in_mid_stream_is_told(tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{range_}.ts", Clip(frames=4, color=(1, range_, 1, 1)))
        for range_ in (1, 2)
    ]
    assert "the range of the colours changes; all are brought to that of the first" in (
        joined_notices(tmp_path, *parts)
    )


def rotated(path: Path, degrees: int) -> Path:
    """A transport stream whose H.264 says that it is shown turned."""
    target = path.with_stem(f"turned{degrees}")
    turn = ["-bsf:v", f"h264_metadata=display_orientation=insert:rotate={degrees}"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-c", "copy", *turn, str(target)]
    subprocess.run(command, check=True)
    return target


ROTATION_CHANGES = "the rotation changes; all is shown turned as the first picture is"


@pytest.mark.parametrize(("first", "second"), [(0, 90), (90, 180), (90, 0)])
def test_a_rotation_that_changes_in_mid_stream_is_told(
    tmp_path: Path, first: int, second: int
) -> None:
    upright = make_clip(tmp_path / "a.ts", Clip(frames=4))
    parts = [rotated(upright, degrees) if degrees else upright for degrees in (first, second)]
    assert ROTATION_CHANGES in joined_notices(tmp_path, *parts)


def test_a_pixel_shape_that_changes_in_mid_stream_is_told(tmp_path: Path) -> None:
    clip = Clip(frames=4, codec="mpeg2video", time_base=Fraction(1, 25))
    square = make_clip(tmp_path / "a.ts", clip)
    wide = make_clip(tmp_path / "b.ts", replace(clip, sample_aspect_ratio=Fraction(4, 3)))
    told = "the shape of a pixel changes; all is shown with that of the first picture"
    assert told in joined_notices(tmp_path, square, wide)
    assert told not in joined_notices(tmp_path, wide, wide)


def test_of_a_stream_that_stays_as_it_is_nothing_is_told(tmp_path: Path) -> None:
    turned = rotated(make_clip(tmp_path / "a.ts", Clip(frames=4)), 90)
    told_of = " ".join(joined_notices(tmp_path, turned, turned))
    assert not any(word in told_of for word in ("rotation", "range", "interlaced"))


@pytest.mark.parametrize("height", [48, 47])
def test_joined_fields_have_no_comb_and_keep_what_rests(height: int) -> None:
    def frame(left: int) -> Frame:
        luma = np.full((height, 64), 16, np.uint8)
        luma[10:30, left : left + 20] = 200
        grey = np.full((-(-height // 2), 32), 128, np.uint8)
        return Frame((luma, grey, grey.copy()), "yuv420p")

    resting, moved = frame(10), frame(30)
    assert (with_fields_joined(resting).planes[0] == resting.planes[0]).all()
    woven = frame(10)
    woven.planes[0][1::2] = moved.planes[0][1::2]
    joined = with_fields_joined(woven).planes[0].astype(int)
    assert np.abs(np.diff(woven.planes[0][12:28].astype(int), axis=0)).max() == 184
    assert np.abs(np.diff(joined[12:28], axis=0)).max() == 0


@pytest.mark.parametrize("height", [48, 50])
def test_fields_keep_their_colors_where_an_encoder_has_more_lines_of_them(
    height: int, tmp_path: Path
) -> None:
    """ProRes has no 4:2:0; one field is blue here, and the other is not."""
    tag, path = FieldTagger(bottom_first=False), tmp_path / "in.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv420p"
        for index in range(3):
            frame = picture(Clip(height=height), index)
            blue = np.full((height // 2, 32), 80, np.uint8)
            blue[1::2] = 180
            fill_plane(frame.planes[1], blue)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(tag(frame)))
        output.mux(stream.encode(None))
    sink = transcode(path, tmp_path / "out.mov", EncoderSettings(codec="prores"))
    assert not any("progressive" in line for line in sink.notices)
    found = read(tmp_path / "out.mov")[0].planes[1].astype(int) / 4
    assert found.shape == (height, 32)
    assert np.abs(found[::2] - 80).max() < 6
    assert np.abs(found[1::2] - 180).max() < 6


def test_chroma_of_a_field_lies_where_its_lines_are() -> None:
    """A ramp of 8 a line of the frame stays one in each field."""
    ramp = np.repeat(np.arange(4, 196, 16, dtype=np.uint8)[:, None], 4, axis=1)
    woven = np.empty((12, 4), np.uint8)
    for parity in (0, 1):  # a field's lines of chroma lie 1/4 and 3/4 of its lines from its first
        woven[parity::2] = ramp[::2] + 2 + 4 * parity
    tall = with_chroma_of_fields(Frame((np.zeros((24, 8), np.uint8), woven, woven), "yuv420p"))
    assert tall.format_name == "yuv422p"
    assert len(set(np.diff(tall.planes[1][2:-2:2, 0].astype(int)))) == 1
    assert len(set(np.diff(tall.planes[1][3:-2:2, 0].astype(int)))) == 1


def test_a_live_source_joins_fields_and_says_so(tmp_path: Path) -> None:
    told = list[str]()
    clip = interlaced_clip(tmp_path / "in.mp4", "top")
    with LiveSource(clip, paced=False, on_notice=told.append) as source:
        shown = [frame.planes[0].copy() for frame in source]
    with FileSource(clip) as file:
        wanted = [with_fields_joined(frame).planes[0] for frame in file]
    assert len(shown) == 4
    assert all((a == b).all() for a, b in zip(shown, wanted, strict=True))
    assert told == [f"{clip} is interlaced; its two fields are joined"]
