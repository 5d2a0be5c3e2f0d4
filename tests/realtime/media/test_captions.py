"""Captions inside a video, from MPEG-2 to H.264 and HEVC, as FFmpeg's decoders give them."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from support.media import Clip, picture
from support.transcoding import transcode

from tapetum.realtime.live.live_source import LiveSource
from tapetum.realtime.media.captions import captions_of, with_captions
from tapetum.realtime.media.file_sink import EncoderSettings

PICTURES = 12
RATE = Fraction(25)
TIME_BASE = Fraction(1, 90_000)
SIZE = 64, 48


def captions_at(index: int) -> bytes:
    """Triplets of a picture, with what looks like start codes within."""
    return bytes((0xFC, index, 0, 0xFD, 0, 0, 0x01, 0, 0, 0x02, 0, 0)) + b"\xf9\x00\x03" * index


def captioned_mpeg2(path: Path, *, first: int = 0) -> dict[int, bytes]:
    """A clip with B-frames whose pictures have captions from `first` on; these by time.

    MPEG-2 has them in user data before the first slice (ATSC A/53 Part 4, 6.2.2).
    """
    written = {}
    clip = Clip(width=SIZE[0], height=SIZE[1])
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg2video", rate=RATE, options={"bf": "2", "g": "6"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        pictures = [picture(clip, index) for index in range(PICTURES)]
        packets = []
        for index, each in enumerate(pictures):
            each.pts, each.time_base = index, 1 / RATE
            packets += stream.encode(each)
        for packet in [*packets, *stream.encode(None)]:
            assert packet.pts is not None
            assert packet.time_base is not None
            index = round(packet.pts * packet.time_base * RATE)
            if index < first:
                output.mux(packet)
                continue
            written[index] = captions_at(index)
            data, at = bytes(packet), bytes(packet).index(b"\0\0\1\x01")
            count = len(written[index]) // 3
            user_data = b"GA94\x03" + bytes((0x40 | count, 0xFF)) + written[index] + b"\xff"
            with_data: Packet[Stream] = Packet(data[:at] + b"\0\0\1\xb2" + user_data + data[at:])
            with_data.stream, with_data.time_base = stream, packet.time_base
            with_data.pts, with_data.dts = packet.pts, packet.dts
            with_data.is_keyframe = packet.is_keyframe
            output.mux(with_data)
    return written


def captions_of_file(path: Path) -> dict[int, bytes]:
    """Captions by the number of the picture, counted by its time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        begin_s = (stream.start_time or 0) * (stream.time_base or 0)
        found = {}
        for each in container.decode(stream):
            data = captions_of(each)
            if data is not None:
                assert each.pts is not None
                assert each.time_base is not None
                found[round((each.pts * each.time_base - begin_s) * RATE)] = data
    return found


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_captions_are_kept_with_their_pictures(tmp_path: Path, codec: str, suffix: str) -> None:
    source, output = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    written = captioned_mpeg2(source)
    assert captions_of_file(source) == written
    transcode(source, output, EncoderSettings(codec))
    assert captions_of_file(output) == written


def test_captions_that_begin_late_are_missed_aloud_by_other_codecs(tmp_path: Path) -> None:
    source, output = tmp_path / "in.ts", tmp_path / "out.mkv"
    captioned_mpeg2(source, first=7)
    notices = transcode(source, output, EncoderSettings("ffv1")).notices
    lost = "captions inside the video (CEA-608/708) cannot be kept with ffv1; H.264 can"
    assert notices.count(lost) == 1
    assert captions_of_file(output) == {}


def test_nothing_is_said_of_captions_where_there_are_none(tmp_path: Path) -> None:
    source = tmp_path / "in.ts"
    captioned_mpeg2(source, first=PICTURES)
    sink = transcode(source, tmp_path / "out.mkv", EncoderSettings("ffv1"))
    assert not any("captions" in line for line in sink.notices)


def test_more_captions_than_one_message_holds() -> None:
    many = bytes(range(1, 241))
    data = io.BytesIO()
    with av.open(data, "w", format="h264") as output:
        stream = output.add_stream("libx264", rate=RATE)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        each = picture(Clip(width=SIZE[0], height=SIZE[1]), 0)
        each.pts, each.time_base = 0, TIME_BASE
        for packet in [*stream.encode(each), *stream.encode(None)]:
            output.mux(with_captions(packet, many, "libx264"))
    data.seek(0)
    with av.open(data, "r") as container:
        (shown,) = container.decode(container.streams.video[0])
        assert captions_of(shown) == many


def test_live_video_is_without_captions_and_says_so(tmp_path: Path) -> None:
    told = list[str]()
    source = tmp_path / "in.ts"
    captioned_mpeg2(source, first=7)
    with LiveSource(source, paced=False, on_notice=told.append) as frames:
        assert len(list(frames)) == PICTURES
    assert told == [f"only the pictures of {source} are taken, not its captions"]
