"""Writing videos: exact times, formats, colour, encoder choice, and safe output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media import VFR_TIMES, Clip, first_picture, make_clip

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo

HDR_COLOR = (9, 1, 9, 16)


def transcode(source: Path, target: Path, encoder: EncoderSettings | None = None) -> FileSink:
    with FileSource(source) as frames:
        sink = FileSink(
            target, info=frames.info, encoder=encoder or EncoderSettings(), copy_from=source
        )
        with sink:
            for frame in frames:
                sink.write(frame)
    return sink


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        base = Fraction(stream.time_base or 0)
        return [(frame.pts or 0) * base for frame in container.decode(stream)]


def video_duration_s(path: Path) -> Fraction:
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        return (stream.duration or 0) * Fraction(stream.time_base or 0)


def display_matrix(path: Path) -> tuple[int, ...] | None:
    with FileSource(path) as source:
        return source.info.display_matrix


# Times -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
@pytest.mark.parametrize(
    "clip",
    [
        pytest.param(Clip(), id="constant rate"),
        pytest.param(Clip(times=VFR_TIMES), id="variable rate"),
        pytest.param(Clip(times=[t + 64_000 for t in VFR_TIMES]), id="non-zero start"),
        pytest.param(
            Clip(rate=30, times=[1001 * i for i in range(9)], time_base=Fraction(1, 30_000)),
            id="29.97",
        ),
        pytest.param(Clip(frames=1), id="one frame"),
    ],
)
def test_mp4_keeps_every_time_and_time_base(tmp_path: Path, clip: Clip, suffix: str) -> None:
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / f"out{suffix}")
    assert frame_times(tmp_path / f"out{suffix}") == frame_times(source)
    with av.open(str(tmp_path / f"out{suffix}"), "r") as container:
        assert container.streams.video[0].time_base == clip.time_base


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_keeps_every_time_to_its_millisecond(tmp_path: Path, suffix: str) -> None:
    milliseconds = [3000, 3040, 3041, 3500, 3501, 4777]
    clip = Clip(times=milliseconds, time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.mkv", clip)
    transcode(source, tmp_path / f"out{suffix}")
    expected = [Fraction(time, 1000) for time in milliseconds]
    assert frame_times(tmp_path / f"out{suffix}") == expected


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_hevc_of_a_few_frames_has_decode_times(tmp_path: Path, frames: int) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(frames=frames))
    for attempt in range(4):  # x265 reads memory that it never set: not every run goes wrong
        target = tmp_path / f"out{attempt}.mkv"
        transcode(source, target, EncoderSettings(codec="hevc"))
        assert frame_times(target) == frame_times(source)


@pytest.mark.parametrize("clip", [Clip(), Clip(times=VFR_TIMES)])
def test_the_last_frame_lasts_as_long(tmp_path: Path, clip: Clip) -> None:
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / "out.mp4")
    assert video_duration_s(tmp_path / "out.mp4") == video_duration_s(source)


# Pixels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixel_format", "codec", "suffix"),
    [
        ("yuv420p", None, ".mp4"),
        ("yuv422p", None, ".mov"),
        ("yuv444p", None, ".mkv"),
        ("yuv420p10le", None, ".mp4"),
        ("yuv422p10le", None, ".mkv"),
        ("yuv420p10le", "hevc", ".mp4"),
        ("yuv420p12le", "hevc", ".mkv"),
        ("yuv420p10le", None, ".webm"),
        ("yuv422p10le", "prores", ".mov"),
        ("yuv444p12le", "ffv1", ".mkv"),
    ],
)
def test_depth_and_chroma_are_kept(
    tmp_path: Path, pixel_format: str, codec: str | None, suffix: str
) -> None:
    clip = Clip(codec="ffv1", pixel_format=pixel_format, frames=3, time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.mkv", clip)
    sink = transcode(source, tmp_path / f"out{suffix}", EncoderSettings(codec=codec))
    before, after = first_picture(source), first_picture(tmp_path / f"out{suffix}")
    assert after.format.name == pixel_format
    assert not sink.notices
    difference = after.to_ndarray(format="gray").astype(int) - before.to_ndarray(format="gray")
    assert np.abs(difference).mean() < 3


def test_a_depth_that_the_encoder_lacks_is_told(tmp_path: Path) -> None:
    clip = Clip(codec="ffv1", pixel_format="yuv420p12le", frames=2, time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.mkv", clip)
    sink = transcode(source, tmp_path / "out.mp4")
    assert sink.notices == ["12-bit video is stored as 10-bit by libx264"]
    assert first_picture(tmp_path / "out.mp4").format.name == "yuv420p10le"


@pytest.mark.parametrize(
    ("width", "height", "stored"),
    [(33, 17, "yuv444p"), (32, 17, "yuv422p"), (1, 1, "yuv444p"), (2, 2, "yuv420p")],
)
def test_odd_sizes_stay_with_more_chroma(
    tmp_path: Path, width: int, height: int, stored: str
) -> None:
    clip = Clip(width=width, height=height, codec="ffv1", frames=3, time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.mkv", clip)
    sink = transcode(source, tmp_path / "out.mp4")
    after = first_picture(tmp_path / "out.mp4")
    assert (after.width, after.height, after.format.name) == (width, height, stored)
    assert bool(sink.notices) == (stored != "yuv420p")


@pytest.mark.parametrize(("width", "height"), [(33, 17), (1, 1)])
def test_vp9_keeps_odd_sizes_as_they_are(tmp_path: Path, width: int, height: int) -> None:
    clip = Clip(width=width, height=height, codec="ffv1", frames=3, time_base=Fraction(1, 1000))
    sink = transcode(make_clip(tmp_path / "in.mkv", clip), tmp_path / "out.webm")
    after = first_picture(tmp_path / "out.webm")
    assert (after.width, after.height, after.format.name) == (width, height, "yuv420p")
    assert not sink.notices


def test_a_size_below_an_encoders_least_is_an_error(tmp_path: Path) -> None:
    clip = Clip(width=1, height=1, codec="ffv1", frames=1, time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.mkv", clip)
    with pytest.raises(MediaError, match="libx265 cannot encode 1x1"):
        transcode(source, tmp_path / "out.mp4", EncoderSettings(codec="hevc"))


@pytest.mark.parametrize("color", [(1, 1, 1, 1), (6, 1, 6, 6), (5, 2, 5, 6), HDR_COLOR])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_color_tags_are_kept(tmp_path: Path, color: tuple[int, int, int, int], suffix: str) -> None:
    transcode(make_clip(tmp_path / "in.mp4", Clip(color=color, frames=2)), tmp_path / f"o{suffix}")
    after = first_picture(tmp_path / f"o{suffix}")
    tags = (after.colorspace, after.color_range, after.color_primaries, after.color_trc)
    assert tags == color


def test_a_yuvj_clip_stays_full_range(tmp_path: Path) -> None:
    clip = Clip(
        codec="mjpeg",
        pixel_format="yuvj420p",
        color=(5, 2, 2, 2),
        frames=2,
        time_base=Fraction(1, 25),
    )
    source = make_clip(tmp_path / "in.avi", clip)
    transcode(source, tmp_path / "out.mp4")
    after = first_picture(tmp_path / "out.mp4")
    assert after.color_range == 2
    difference = after.to_ndarray()[:48].astype(int) - first_picture(source).to_ndarray()[:48]
    assert np.abs(difference).mean() < 3


def test_hdr10_metadata_is_kept_by_hevc_and_h264(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    parameters = f"log-level=none:master-display={display}:max-cll=1000,400"
    clip = Clip(
        codec="libx265",
        pixel_format="yuv420p10le",
        color=HDR_COLOR,
        frames=3,
        options={"x265-params": parameters, "preset": "ultrafast"},
    )
    source = make_clip(tmp_path / "in.mp4", clip)
    for codec in ("hevc", "h264"):
        target = tmp_path / f"{codec}.mp4"
        transcode(source, target, EncoderSettings(codec=codec))
        with FileSource(source) as before, FileSource(target) as after:
            assert before.info.hdr is not None
            assert after.info.hdr == before.info.hdr
    sink = transcode(source, tmp_path / "out.webm")
    assert sink.notices == [
        "HDR mastering metadata is not stored by libsvtav1; --codec libx265 keeps it"
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("rotation", [(90, False), (180, False), (270, False), (90, True)])
def test_rotation_and_mirroring_are_kept(
    tmp_path: Path, rotation: tuple[int, bool], suffix: str
) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(frames=2, rotation=rotation))
    transcode(source, tmp_path / f"out{suffix}")
    assert display_matrix(source) is not None
    assert display_matrix(tmp_path / f"out{suffix}") == display_matrix(source)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("h264", ".mp4"), ("h264", ".mov"), ("hevc", ".mkv"), ("vp9", ".mp4")],
)
def test_sample_aspect_ratio_is_kept(tmp_path: Path, codec: str, suffix: str) -> None:
    clip = Clip(frames=2, width=96, sample_aspect_ratio=Fraction(4, 3))
    source, target = make_clip(tmp_path / "in.mp4", clip), tmp_path / f"out{suffix}"
    sink = transcode(source, target, EncoderSettings(codec=codec))
    assert not sink.notices
    with FileSource(target) as written:
        assert written.info.sample_aspect_ratio == Fraction(4, 3)


def test_a_sample_aspect_ratio_that_is_lost_is_told(tmp_path: Path) -> None:
    clip = Clip(frames=2, width=96, sample_aspect_ratio=Fraction(4, 3))
    sink = transcode(make_clip(tmp_path / "in.mp4", clip), tmp_path / "out.webm")
    assert "pixel aspect ratio 4/3 cannot be stored in .webm" in sink.notices[0]


# Encoder settings --------------------------------------------------------------------------------


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mp4", Clip(frames=3))


@pytest.mark.parametrize(
    ("settings", "suffix", "description"),
    [
        (EncoderSettings(), ".mp4", "libx264 crf 20 veryfast"),
        (EncoderSettings(crf=30, preset="ultrafast"), ".mkv", "libx264 crf 30 ultrafast"),
        (EncoderSettings(codec="h265"), ".mp4", "libx265 crf 22 veryfast"),
        (EncoderSettings(codec="libx265", preset="fast"), ".mkv", "libx265 crf 22 fast"),
        (EncoderSettings(), ".webm", "libvpx-vp9 crf 31 cpu-used 6"),
        (EncoderSettings(codec="av1", preset="12"), ".mp4", "libsvtav1 crf 32 preset 12"),
        (EncoderSettings(codec="ffv1"), ".mkv", "ffv1"),
    ],
)
def test_encoders_are_chosen_and_described(
    tmp_path: Path, clip_path: Path, settings: EncoderSettings, suffix: str, description: str
) -> None:
    sink = transcode(clip_path, tmp_path / f"out{suffix}", settings)
    assert sink.description == description
    assert len(frame_times(tmp_path / f"out{suffix}")) == 3


def test_encoders_say_nothing_on_the_terminal(
    tmp_path: Path, clip_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for codec in ("h264", "hevc", "av1", "vp9"):
        transcode(clip_path, tmp_path / f"{codec}.mp4", EncoderSettings(codec=codec))
    assert capfd.readouterr() == ("", "")


def test_hevc_in_mp4_is_tagged_for_apple(tmp_path: Path, clip_path: Path) -> None:
    transcode(clip_path, tmp_path / "out.mp4", EncoderSettings(codec="hevc"))
    with av.open(str(tmp_path / "out.mp4"), "r") as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_mp4_has_its_index_first(tmp_path: Path, clip_path: Path) -> None:
    transcode(clip_path, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        (EncoderSettings(codec="nonsense"), "o.mp4", "codec nonsense is unknown; use h264"),
        (EncoderSettings(codec="aac"), "o.mp4", "encodes audio, not video"),
        (EncoderSettings(codec="h264"), "o.webm", "h264 cannot be stored in .webm; use .mp4"),
        (EncoderSettings(codec="prores"), "o.mp4", "cannot be stored in .mp4; use .mov, .mkv"),
        (EncoderSettings(crf=99), "o.mp4", "crf of libx264 must be 0 to 51, got 99"),
        (EncoderSettings(crf=20, codec="ffv1"), "o.mkv", "ffv1 takes no crf"),
        (EncoderSettings(preset="warp"), "o.mp4", "must be one of ultrafast, .* got warp"),
        (EncoderSettings(codec="dnxhd"), "o.mov", "dnxhd refuses 64x48"),
        (EncoderSettings(), "o.txt", r"has .txt; use one of .mp4, .m4v, .mov, .mkv, .webm"),
        (EncoderSettings(), "o", "has no suffix; use one of"),
    ],
)
def test_impossible_settings_are_one_clear_line(
    tmp_path: Path, clip_path: Path, settings: EncoderSettings, name: str, words: str
) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        transcode(clip_path, tmp_path / name, settings)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


# Safe output -------------------------------------------------------------------------------------


@pytest.fixture
def info(clip_path: Path) -> VideoInfo:
    with FileSource(clip_path) as source:
        return source.info


@pytest.fixture
def frames(clip_path: Path) -> Iterator[list[Frame]]:
    with FileSource(clip_path) as source:
        yield list(source)


def test_nothing_lies_under_the_final_name_before_close(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    target = tmp_path / "out.mp4"
    sink = FileSink(target, info=info)
    for frame in frames:
        sink.write(frame)
    assert not target.exists()
    assert (tmp_path / f".out.part-{os.getpid()}.mp4").exists()
    sink.close()
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_discard_leaves_nothing(tmp_path: Path, info: VideoInfo, frames: list[Frame]) -> None:
    sink = FileSink(tmp_path / "out.mp4", info=info)
    sink.write(frames[0])
    sink.discard()
    sink.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    with pytest.raises(MediaError, match="is closed"):
        sink.write(frames[1])


def test_an_error_inside_with_discards(tmp_path: Path, info: VideoInfo) -> None:
    with pytest.raises(KeyboardInterrupt), FileSink(tmp_path / "out.mp4", info=info):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_an_existing_output_is_only_replaced_when_asked(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("precious")
    with pytest.raises(MediaError, match="exists; pass --overwrite"):
        FileSink(target, info=info)
    with FileSink(target, info=info, overwrite=True) as sink:
        assert target.read_text() == "precious"
        sink.write(frames[0])
    assert len(frame_times(target)) == 1


@pytest.mark.parametrize("link", ["itself", "symlink", "hardlink"])
def test_the_input_is_never_replaced(
    tmp_path: Path, clip_path: Path, info: VideoInfo, link: str
) -> None:
    target = clip_path if link == "itself" else tmp_path / "other.mp4"
    if link == "symlink":
        target.symlink_to(clip_path)
    elif link == "hardlink":
        target.hardlink_to(clip_path)
    with pytest.raises(MediaError, match="is the input itself"):
        FileSink(target, info=info, copy_from=clip_path, overwrite=True)
    assert len(frame_times(clip_path)) == 3


def test_folders_that_cannot_be_written_are_errors(tmp_path: Path, info: VideoInfo) -> None:
    with pytest.raises(MediaError, match="does not exist; make it first"):
        FileSink(tmp_path / "missing" / "out.mp4", info=info)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        FileSink(tmp_path / "folder.mp4", info=info)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(tmp_path: Path, info: VideoInfo) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(MediaError, match="is read-only"):
        FileSink(folder / "out.mp4", info=info)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_clear_line(tmp_path: Path, clip_path: Path, suffix: str) -> None:
    (tmp_path / f".out.part-{os.getpid()}{suffix}").symlink_to("/dev/full")
    with pytest.raises(MediaError, match=f"cannot write .*out{suffix}: the disk is full"):
        transcode(clip_path, tmp_path / f"out{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert shutil.disk_usage(tmp_path).free > 0


def test_frames_that_are_not_as_announced_are_errors(
    tmp_path: Path, info: VideoInfo, frames: list[Frame]
) -> None:
    with FileSink(tmp_path / "out.mp4", info=replace(info, width=66)) as sink:
        with pytest.raises(MediaError, match="is 64x48 yuv420p, not 66x48 yuv420p"):
            sink.write(frames[0])
        with pytest.raises(MediaError, match="has no time"):
            sink.write(replace(frames[0], pts=None))
