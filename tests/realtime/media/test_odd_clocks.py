"""Units of time that a container cannot count in: nine digits, hours, millionths."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from support.media import Clip, make_clip
from support.transcoding import frame_times, transcode

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource


def avi_that_counts_in(tick_s: Fraction, path: Path) -> Path:
    """An AVI of 12 pictures, one at each tick."""
    clip = Clip(frames=12, codec="mpeg4", time_base=Fraction(1, 25))
    data = bytearray(make_clip(path, clip).read_bytes())
    place = data.index(b"strh") + 28
    struct.pack_into("<II", data, place, tick_s.numerator, tick_s.denominator)
    path.write_bytes(data)
    return path


def frames_at(times: list[int], template: Path, time_base: Fraction, target: Path) -> FileSink:
    """Write the first picture of a file at such times."""
    with FileSource(template) as source:
        frame = next(iter(source))
        info = source.info
    made = [
        replace(frame, pts=pts, time_base=time_base, duration=following - pts)
        for pts, following in zip(times, [*times[1:], times[-1] + 1], strict=True)
    ]
    with FileSink(target, info=replace(info, time_base=time_base, average_rate=None)) as sink:
        for each in made:
            sink.write(each)
    return sink


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize(
    "tick_s",
    [
        Fraction(987654321, 999999937),
        Fraction(2000000011, 2000000033),
        Fraction(41708333, 1000000000),
        Fraction(1000003, 25000057),
        Fraction(1001, 30000),
        Fraction(100, 2997),
        Fraction(7),
    ],
)
def test_any_unit_of_time_gives_the_right_times(
    tmp_path: Path, tick_s: Fraction, suffix: str
) -> None:
    source = avi_that_counts_in(tick_s, tmp_path / "in.avi")
    encoder = EncoderSettings(codec="vp9", preset="8") if suffix == ".webm" else None
    transcode(source, tmp_path / f"out{suffix}", encoder)
    times = frame_times(tmp_path / f"out{suffix}")
    error_s = Fraction(1, 1000) if suffix in {".mkv", ".webm"} else Fraction(1, 1_000_000)
    if tick_s.denominator < 1_000_000 and suffix in {".mp4", ".mov"}:
        error_s = Fraction(0)
    expected = [number * tick_s for number in range(12)]
    assert len(times) == 12
    assert all(abs(a - b) <= error_s for a, b in zip(times, expected, strict=True))


def test_a_start_in_such_a_file_is_exact(tmp_path: Path) -> None:
    tick_s = Fraction(41708333, 1000000000)
    source = avi_that_counts_in(tick_s, tmp_path / "in.avi")
    transcode(source, tmp_path / "out.mp4", start_s=float(5 * tick_s) - 0.001)
    times = frame_times(tmp_path / "out.mp4")
    assert len(times) == 7
    assert float(times[0]) == pytest.approx(0.001, abs=1e-5)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_gap_that_mp4_cannot_say_is_an_error(tmp_path: Path, suffix: str) -> None:
    """FFmpeg's muxer moves what is behind such a gap to its beginning."""
    plain = make_clip(tmp_path / "in.mp4", Clip(frames=2))
    target, base = tmp_path / f"out{suffix}", Fraction(1, 90_000)
    with pytest.raises(MediaError, match=r"stands still for 7 hours, .*\.mkv can"):
        frames_at([0, 3600, 3600 + 7 * 3600 * 90_000], plain, base, target)
    assert not target.exists()
    matroska = tmp_path / "out.mkv"
    frames_at([0, 3600, 3600 + 7 * 3600 * 90_000], plain, base, matroska)
    assert [float(time) for time in frame_times(matroska)] == [0, 0.04, 7 * 3600 + 0.04]


def test_pictures_closer_than_a_millisecond_are_told(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "in.mp4", Clip(frames=2))
    times, base = [0, 40, 80, 120], Fraction(1, 100_000)
    told = frames_at(times, plain, base, tmp_path / "out.mkv").notices
    assert told == ["pictures less than a millisecond apart: only .mp4 and .mov keep their times"]
    assert not frames_at(times, plain, base, tmp_path / "out.mp4").notices
    assert frame_times(tmp_path / "out.mp4") == [time * base for time in times]


@pytest.mark.parametrize("rate", [240, 2500, 20_000])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_camera_of_thousands_of_pictures_a_second_loses_none(
    tmp_path: Path, rate: int, suffix: str
) -> None:
    """A movie that counts in milliseconds ends before its last picture."""
    clip = Clip(
        times=[10 * number for number in range(24)],
        rate=rate,
        time_base=Fraction(1, 10 * rate),
        options={"bf": "2", "b_strategy": "0"},
        container_options={"movie_timescale": str(10 * rate)},
    )
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / f"out{suffix}", EncoderSettings(preset="medium"))
    assert frame_times(tmp_path / f"out{suffix}") == [Fraction(n, rate) for n in range(24)]
