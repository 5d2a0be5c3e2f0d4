"""What a file keeps of the video that it is made from."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.media import VFR_TIMES, Clip, make_clip
from support.media_contents import first_picture
from support.transcoding import duration_s, frame_times, transcode

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.file_source import FileSource

HDR_COLOR = (9, 1, 9, 16)


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


@pytest.mark.parametrize("rate", [Fraction(1, 60), Fraction(1, 2), 1, 8, 15, 24, 60])
def test_decode_times_are_as_even_as_the_pictures(tmp_path: Path, rate: Fraction) -> None:
    """Or readers take the rate from the least of their steps: 15360 a second for 15."""
    times = [round(number * 12_800 / rate) for number in range(12)]
    transcode(make_clip(tmp_path / "in.mp4", Clip(times=times)), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        decoded = [packet.dts for packet in container.demux(stream) if packet.dts is not None]
        step = 1 / (rate * Fraction(stream.time_base or 0))
        assert rate > 1 or stream.guessed_rate == rate
    steps = [after - before for before, after in itertools.pairwise(decoded)]
    assert len(steps) == 11
    assert all(abs(each - step) < 1 for each in steps)


@pytest.mark.parametrize("clip", [Clip(), Clip(times=VFR_TIMES)])
def test_the_last_frame_lasts_as_long(tmp_path: Path, clip: Clip) -> None:
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / "out.mp4")
    end_s = frame_times(source)[-1] + Fraction(1, 25)
    assert float(duration_s(tmp_path / "out.mp4")) == pytest.approx(float(end_s), abs=1e-5)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("clip", [Clip(), Clip(rate=8), Clip(times=VFR_TIMES), Clip(frames=2)])
def test_a_track_is_as_long_as_what_it_shows(tmp_path: Path, clip: Clip, codec: str) -> None:
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / "out.mp4", EncoderSettings(codec=codec))
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        length_s = (stream.duration or 0) * Fraction(stream.time_base or 0)
    times = frame_times(source)
    step_s = Fraction(1, clip.rate)
    assert float(length_s) == pytest.approx(float(times[-1] + step_s - times[0]), abs=1e-5)


def test_a_picture_before_a_gap_lasts_as_long_in_every_box(tmp_path: Path) -> None:
    """The file as a whole is no longer than its tracks."""
    times = [0, *range(25_000, 27_000, 40)]
    clip = Clip(times=times, time_base=Fraction(1, 1000), options={"bf": "3"})
    transcode(make_clip(tmp_path / "in.mp4", clip), tmp_path / "out.mp4")
    assert float(duration_s(tmp_path / "out.mp4")) == pytest.approx(27.0, abs=0.001)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("still", [1, 2, 7], ids=["first", "second", "later"])
def test_a_picture_that_stands_still_for_minutes_moves_no_time(
    tmp_path: Path, codec: str, suffix: str, still: int
) -> None:
    """Encoders with B-frames count decode times by pictures; a gap puts them far before."""
    times = [40 * index + (90_000 if index >= still else 0) for index in range(12)]
    source = make_clip(tmp_path / "in.mkv", Clip(times=times, time_base=Fraction(1, 1000)))
    target = tmp_path / f"out{suffix}"
    transcode(source, target, EncoderSettings(codec=codec))
    assert frame_times(target) == [Fraction(time, 1000) for time in times]
    with av.open(str(target)) as container:
        packets = [p for p in container.demux(video=0) if p.dts is not None]
        decoded = [(p.dts or 0) * Fraction(p.time_base or 0) for p in packets]
        shown = [(p.pts or 0) * Fraction(p.time_base or 0) for p in packets]
        early_s = [time - dts for time, dts in zip(shown, decoded, strict=True)]
        assert sum(early > 1 for early in early_s) <= 2  # of the order of decoding
        assert all(before < after for before, after in itertools.pairwise(decoded))


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
