"""Subtitles: copied exactly, converted or dropped with a notice, cut with the video."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.packet import Packet
from av.stream import Stream
from support.media import SUBTITLE_LINES, Clip, make_clip
from support.media_contents import Track, track
from support.transcoding import transcode

from tapetum.realtime.media.earlier_subtitles import EarlierSubtitles

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


def pgs(state: int, objects: int) -> bytes:
    """A picture of PGS: what is on the screen, and its end."""
    composition = bytes((0, 64, 0, 48, 0x10, 0, 1, state, 0, 0, objects)) + bytes(8 * objects)
    return b"\x16" + len(composition).to_bytes(2) + composition + b"\x80\0\0"


def dvb(state: int, regions: int) -> bytes:
    """A page of DVB subtitles."""
    body = bytes((5, state << 2)) + bytes(6 * regions)
    return b"\x0f\x10\0\1" + len(body).to_bytes(2) + body


@pytest.mark.parametrize("audio", [(), ("libopus",)])
@pytest.mark.parametrize(
    ("start_s", "times_ms"), [(1.0, [0, 0, 2500]), (0.3, [0, 300, 3200]), (3.6, [])]
)
def test_pictures_that_are_shown_at_the_start_begin_there(
    start_s: float, times_ms: list[int], audio: tuple[str, ...], tmp_path: Path
) -> None:
    """They are shown up to the next, and do not say how long that is."""
    clip = Clip(frames=100, audio=audio, time_base=Fraction(1, 1000))
    whole, path = make_clip(tmp_path / "whole.mkv", clip), tmp_path / "in.mkv"
    shown = [(200, pgs(0x80, 1)), (600, pgs(0, 1)), (3500, pgs(0, 0))]
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in source.streams]
        subtitle = output.add_mux_stream("hdmv_pgs_subtitle", time_base=Fraction(1, 1000))
        packets: list[Packet[Stream]] = [packet for packet in source.demux() if packet.size]
        for packet in packets:
            packet.stream = streams[packet.stream.index]
        for time, data in shown:
            packet = Packet(data)
            packet.pts = packet.dts = time
            packet.time_base, packet.stream = Fraction(1, 1000), subtitle
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            output.mux(packet)
    transcode(path, tmp_path / "out.mkv", start_s=start_s)
    found = track(tmp_path / "out.mkv", "subtitle")
    assert [round(1000 * time) for time in found.times] == times_ms
    assert [data for *_, data in found.packets] == [data for _, data in shown][3 - len(times_ms) :]


@pytest.mark.parametrize(
    ("kind", "codec", "anew"), [(pgs, "hdmv_pgs_subtitle", 0x80), (dvb, "dvb_subtitle", 2)]
)
def test_what_is_on_the_screen_is_made_by_all_since_it_began_anew(
    kind: Callable[[int, int], bytes], codec: str, anew: int
) -> None:
    earlier = EarlierSubtitles(codec)
    pictures = [kind(anew, 1), kind(0, 0), kind(anew, 2), kind(0, 1)]
    for data in pictures:
        earlier.add(Packet(data))
    taken = earlier.take(7)
    assert [bytes(packet) for packet in taken] == pictures[2:]
    assert [packet.pts for packet in taken] == [7, 7]
    assert earlier.take(7) == []
    earlier.add(Packet(kind(anew, 1)))
    earlier.add(Packet(kind(0, 0)))
    assert earlier.take(7) == []


def test_a_subtitle_that_is_shown_at_the_start_begins_there(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv", start_s=0.6)
    after = texts(track(tmp_path / "out.mkv", "subtitle"))
    assert after == [
        (Fraction(0), Fraction(150, 1000)),
        (Fraction(200, 1000), Fraction(150, 1000)),
    ]
