"""Subtitles: copied exactly, converted or dropped with a notice, cut with the video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.media import SUBTITLE_LINES
from support.media_contents import Track, track
from support.transcoding import transcode

LINES = [(Fraction(start, 1000), Fraction(length, 1000)) for start, length, _ in SUBTITLE_LINES]


def texts(found: Track) -> list[tuple[Fraction, Fraction]]:
    """Time and duration of the lines of a subtitle track, without MP4's empty gaps."""
    return [(time, duration) for time, duration, data in found.packets if len(data) > 2]


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_mp4_subtitles_are_copied(tmp_path: Path, rich_mp4: Path, suffix: str) -> None:
    transcode(rich_mp4, tmp_path / f"out{suffix}")
    before, after = track(rich_mp4, "subtitle"), track(tmp_path / f"out{suffix}", "subtitle")
    assert texts(after) == texts(before) == LINES
    assert [p[2] for p in after.packets] == [p[2] for p in before.packets]


def test_ass_subtitles_are_copied_to_matroska(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv")
    before, after = track(rich_mkv, "subtitle"), track(tmp_path / "out.mkv", "subtitle")
    assert after.codec == "ass"
    assert after.packets == before.packets
    assert after.metadata["language"] == "fra"


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mov_text"), (".mov", "mov_text"), (".webm", "webvtt")]
)
def test_text_subtitles_are_converted(
    tmp_path: Path, rich_mkv: Path, suffix: str, codec: str
) -> None:
    notices = transcode(rich_mkv, tmp_path / f"out{suffix}").notices
    after = track(tmp_path / f"out{suffix}", "subtitle")
    assert after.codec == codec
    assert texts(after) == LINES
    words = [data for _, _, data in after.packets if len(data) > 2]
    assert all(text in data for (_, _, text), data in zip(SUBTITLE_LINES, words, strict=True))
    assert f"subtitle stream 3 (ass, fra) is converted to {codec}" in notices


def test_mp4_text_is_converted_for_matroska(tmp_path: Path, rich_mp4: Path) -> None:
    notices = transcode(rich_mp4, tmp_path / "out.mkv").notices
    after = track(tmp_path / "out.mkv", "subtitle")
    assert (after.codec, texts(after)) == ("subrip", LINES)
    assert b"first" in after.packets[0][2]
    assert "subtitle stream 3 (mov_text, fra) is converted to subrip" in notices


def test_picture_subtitles_that_cannot_be_stored_are_named(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as output:
        video = output.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        output.add_mux_stream("hdmv_pgs_subtitle", time_base=Fraction(1, 1000))
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts = 0
        output.mux([*video.encode(frame), *video.encode(None)])
    notices = transcode(source, tmp_path / "out.mp4").notices
    assert notices == [
        "subtitle stream 1 (hdmv_pgs_subtitle) cannot be stored in .mp4, dropped; .mkv keeps it"
    ]


def test_a_subtitle_that_is_shown_at_the_start_begins_there(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv", start_s=0.6)
    after = texts(track(tmp_path / "out.mkv", "subtitle"))
    assert after == [
        (Fraction(0), Fraction(150, 1000)),
        (Fraction(200, 1000), Fraction(150, 1000)),
    ]
