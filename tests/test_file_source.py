"""Reading videos: exact times, awkward formats, damage, and one clear line for bad input."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media import (
    VFR_TIMES,
    Clip,
    cut_short,
    encode_picture,
    first_picture,
    make_clip,
    picture,
    scribble,
)

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import ColorInfo, Frame
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.pixel_format import PIXEL_FORMATS

LONG = Clip(frames=150, options={"g": "25", "bf": "2"}, container_options={"movflags": "faststart"})


def read(path: Path, **options: float) -> list[Frame]:
    with FileSource(path, **options) as source:  # type: ignore[arg-type]  # start_s, duration_s
        return list(source)


def times(frames: list[Frame]) -> list[int | None]:
    return [frame.pts for frame in frames]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, 150 frames, a key frame each second."""
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", LONG)


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
        ("yuva420p", "yuv420p"),
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
        assert ("transparency is lost" in source.notices[0]) == (name == "yuva420p")
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


# Start and duration ------------------------------------------------------------------------------


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


# Damage ------------------------------------------------------------------------------------------


def test_the_beginning_of_a_cut_mp4_is_read(long_clip: Path) -> None:
    with FileSource(cut_short(long_clip, 0.6)) as source:
        frames = list(source)
    assert source.truncated
    assert 25 < len(frames) < 120
    found = times(frames)
    assert found[:25] == [512 * index for index in range(25)]
    assert set(found) <= {512 * index for index in range(150)}
    assert f"is incomplete: {len(frames)} frames decoded" in source.notices[-1]


def test_the_beginning_of_a_cut_mkv_is_read(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", Clip(frames=100, time_base=Fraction(1, 1000)))
    with FileSource(cut_short(path, 0.6)) as source:
        frames = list(source)
    assert source.truncated
    assert 20 < len(frames) < 90


def test_whole_files_are_not_called_cut(long_clip: Path) -> None:
    with FileSource(long_clip) as source:
        assert len(list(source)) == 150
    assert not source.truncated
    assert source.corrupt_packets == 0
    assert not source.notices


def test_damage_in_the_middle_is_skipped_and_counted(long_clip: Path) -> None:
    good = {frame.pts for frame in read(long_clip)}
    with FileSource(scribble(long_clip, 0.4, 0.5)) as source:
        damaged = times(list(source))
    assert source.corrupt_packets > 0
    assert 75 < len(damaged) < 150
    assert set(damaged) <= good
    assert damaged == sorted(damaged, key=lambda pts: pts or 0)
    assert damaged[-1] == 149 * 512
    assert not source.truncated
    assert f"skipped {source.corrupt_packets} damaged packets" in source.notices


def test_frames_that_share_a_time_are_all_kept(tmp_path: Path) -> None:
    clip = Clip(codec="rawvideo", times=[0, 40, 40, 80], time_base=Fraction(1, 1000))
    with FileSource(make_clip(tmp_path / "in.mkv", clip)) as source:
        assert times(list(source)) == [0, 40, 41, 80]
    assert "moved 1 frame with the time of another by a tick" in source.notices


def test_a_change_of_size_is_scaled_with_a_notice(tmp_path: Path) -> None:
    base = Clip(codec="mpeg2video", time_base=Fraction(1, 25))
    first = make_clip(tmp_path / "a.ts", base)
    later = Clip(
        width=96, height=64, codec="mpeg2video", time_base=Fraction(1, 25), times=range(60, 70)
    )
    second = make_clip(tmp_path / "b.ts", later)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with FileSource(joined) as source:
        sizes = {(frame.width, frame.height) for frame in source}
    assert sizes == {(64, 48)}
    assert "the picture size changes; all is scaled to 64x48" in source.notices


def test_a_clock_that_jumps_back_goes_on(tmp_path: Path) -> None:
    clip = Clip(codec="mpeg2video", time_base=Fraction(1, 25))
    once = make_clip(tmp_path / "a.ts", clip)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    frames = read(twice)
    steps = {int(step) for step in np.diff([frame.pts or 0 for frame in frames])}
    assert len(frames) == 50
    assert steps == {3600}


# Bad input ---------------------------------------------------------------------------------------


def test_bad_inputs_give_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no film\n" * 50)
    index_last = make_clip(tmp_path / "plain.mp4", Clip(frames=100))
    cases = {
        tmp_path / "missing.mp4": "does not exist",
        tmp_path: "is a folder",
        tmp_path / "empty.mp4": "is empty",
        tmp_path / "text.mp4": "no video or image file",
        cut_short(index_last, 0.5): "its index (moov) is missing",
    }
    for path, words in cases.items():
        with pytest.raises(MediaError) as caught:
            FileSource(path)
        message = str(caught.value)
        assert words in message
        assert str(path) in message
        assert "\n" not in message


def test_an_index_that_is_cut_is_missing_too(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "plain.mp4", Clip(frames=10))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"moov") + 200])
    with pytest.raises(MediaError, match=r"its index \(moov\) is missing"):
        FileSource(path)


def test_a_file_without_video_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        frame = av.AudioFrame("s16", "stereo", 1024)
        frame.sample_rate = 48_000
        output.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(MediaError, match="has no video stream"):
        FileSource(path)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", Clip(cover=True))
    with FileSource(path) as source:
        assert source.info.codec_name == "h264"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4")
    path.chmod(0)
    with pytest.raises(MediaError, match="permission denied"):
        FileSource(path)


def test_names_are_not_taken_for_addresses_or_patterns(tmp_path: Path) -> None:
    for name in ("a:b.mp4", "clip%03d.mp4", "ünïcode 漢.mp4"):
        assert len(read(make_clip(tmp_path / "x.mp4").rename(tmp_path / name))) == 25


def test_closing_early_and_twice_is_fine(long_clip: Path) -> None:
    source = FileSource(long_clip)
    next(iter(source))
    source.close()
    source.close()


def test_a_picture_can_be_read_as_a_video(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_picture("png", "rgb24", 8, 8))
    assert len(read(path)) == 1
