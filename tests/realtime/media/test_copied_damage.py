"""Streams beside the picture that are damaged or awkward: the rest is there, and it is said."""

from __future__ import annotations

import itertools
import struct
import subprocess
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.packet import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet
from av.video.stream import VideoStream
from support.media import ASS_HEADER, Clip, make_clip, picture
from support.media_contents import track, tracks
from support.transcoding import frame_times, transcode

from tapetum.realtime import enhance_file
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.packet_order import PacketOrder

MILLISECOND = Fraction(1, 1000)
TS_PACKET = 188
Change = Callable[[bytes], bytes]


# Times that no muxer takes ------------------------------------------------------------------------


def ordered(
    times: Sequence[int | None], kind: str = "audio", duration: int = 21
) -> tuple[list[int], list[int]]:
    """Decode times of packets that had `times`, and those of them that were made up."""
    with av.open("nothing", "w", format="null") as output:
        stream = output.add_stream("pcm_s16le" if kind == "audio" else "subrip", rate=48_000)
        order = PacketOrder(stream)
    settled: list[Packet[Stream]] = []
    for time in times:
        packet: Packet[Stream] = Packet(b"sound")
        packet.pts = packet.dts = time
        packet.duration = duration
        settled += order.add(packet)
    settled += order.finish()
    assert all(packet.pts == packet.dts for packet in settled)
    return [packet.dts or 0 for packet in settled], order.take_mended()


@pytest.mark.parametrize(
    ("times", "settled", "mended"),
    [
        ([0, 21, 43, 64, 85], [0, 21, 43, 64, 85], []),
        ([0, 21, 43, 43, 85], [0, 21, 43, 64, 85], [64]),
        ([0, 21, 43, 20, 85], [0, 21, 43, 64, 85], [64]),
        ([0, 21, 43, 4000, 85], [0, 21, 43, 64, 85], [64]),
        ([0, 21, 43, None, 85], [0, 21, 43, 64, 85], [64]),
        ([0, 21, 43, 30, 35, 64], [0, 21, 22, 30, 35, 64], [22]),
        ([5, 5000, 5021], [5, 5000, 5021], []),
    ],
    ids=["rising", "twice", "back", "far ahead", "none", "two back", "a gap"],
)
def test_sound_is_put_where_it_belongs(
    times: list[int | None], settled: list[int], mended: list[int]
) -> None:
    assert ordered(times) == (settled, mended)


def test_sound_that_is_shorter_than_the_unit_of_time_is_no_damage() -> None:
    assert ordered([0, 0, 1, 1, 2, 3], duration=0) == ([0, 0, 1, 1, 2, 3], [])


def test_subtitles_may_begin_together_but_not_fall_back() -> None:
    assert ordered([0, 500, 500, 300, 900], "subtitle") == ([0, 500, 500, 500, 900], [500])


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_two_sound_packets_of_one_time_end_no_job(tmp_path: Path, suffix: str) -> None:
    whole = make_clip(tmp_path / "whole.mkv", Clip(audio=["aac"]))
    twice, target = tmp_path / "twice.mkv", tmp_path / f"out{suffix}"
    with av.open(str(whole)) as source, av.open(str(twice), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in source.streams]
        sound, before = 0, 0
        for packet in source.demux():
            if packet.size and packet.stream.type == "audio":
                sound += 1
                if sound == 20:
                    packet.pts = packet.dts = before
                before = packet.dts or 0
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    sink = transcode(twice, target)
    found = track(target, "audio")
    assert len(found.packets) == len(track(whole, "audio").packets)
    expected = [float(time) for time in track(whole, "audio").times]
    assert [float(time) for time in found.times] == pytest.approx(expected, abs=0.002)
    assert sink.damaged_packets == 1
    (note,) = (line for line in sink.notices if "damaged" in line)
    assert note == f"twice.mkv is damaged: audio stream 1 (aac) at {expected[19]:.3f} s"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_fragment_s_time_that_is_off_by_a_packet_is_no_damage(
    tmp_path: Path, suffix: str
) -> None:
    """FFmpeg's muxer writes two fragments of one time where each holds a single packet."""
    options = {"movflags": "frag_every_frame+empty_moov"}
    fragments = Clip(frames=100, audio=["aac"], container_options=options)
    clip = make_clip(tmp_path / "dark.mp4", fragments)
    times = [float(time) for time in track(clip, "audio").times]
    assert len(set(times)) < len(times)
    sink = transcode(clip, tmp_path / f"out{suffix}")
    found = [float(time) for time in track(tmp_path / f"out{suffix}", "audio").times]
    assert len(found) == len(times)
    assert found == pytest.approx(times, abs=0.065)
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert min(steps) > 0.019
    assert not sink.damaged_packets
    assert not [line for line in sink.notices if "damaged" in line]


# Damage in the bytes ------------------------------------------------------------------------------


def with_damaged_sound(path: Path, number: int) -> Fraction:
    """Change the bytes of one sound packet, and give its time."""
    with av.open(str(path)) as source:
        packets = [packet for packet in source.demux(audio=0) if packet.size]
        sound = bytes(packets[number])
        time = (packets[number].pts or 0) * packets[number].time_base
    data = path.read_bytes()
    at = data.index(sound)
    wrong = bytes(byte ^ 0x5A for byte in sound[: max(8, len(sound) * 3 // 4)])
    path.write_bytes(data[:at] + wrong + data[at + len(wrong) :])
    return Fraction(time)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize(
    ("codec", "source"),
    [
        ("ac3", ".mkv"),
        ("ac3", ".mp4"),
        ("eac3", ".mp4"),
        ("libmp3lame", ".mkv"),
        ("libmp3lame", ".avi"),
        ("mp2", ".mkv"),
        ("flac", ".mkv"),
        ("aac", ".mp4"),
    ],
)
def test_sound_that_does_not_decode_is_said_and_ends_no_job(
    codec: str, source: str, suffix: str, tmp_path: Path
) -> None:
    is_avi = source == ".avi"
    base = Fraction(1, 25) if is_avi else MILLISECOND
    video = "mpeg4" if is_avi else "libx264"
    clip = Clip(codec=video, audio=[codec], time_base=base, frames=50)
    path = make_clip(tmp_path / f"in{source}", clip)
    whole = transcode(path, tmp_path / f"whole{suffix}")
    assert whole.damaged_packets == 0
    time = with_damaged_sound(path, 12)
    sink = transcode(path, tmp_path / f"out{suffix}")
    before, after = (tracks(tmp_path / f"{name}{suffix}") for name in ("whole", "out"))
    assert len(after[0].packets) == len(before[0].packets) == 50
    assert len(after[1].packets) >= len(before[1].packets) - 5
    assert float(after[1].times[-1]) == pytest.approx(float(before[1].times[-1]), abs=0.05)
    assert sink.damaged_packets >= 1
    (note,) = (line for line in sink.notices if "damaged" in line)
    said_s = float(note.partition(" at ")[2].split()[0])
    assert said_s == pytest.approx(float(time), abs=0.06)


def with_changed_sound(whole: Path, path: Path, number: int, change: Change) -> None:
    """Copy a file, and write one sound packet as others bytes of its time."""
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in source.streams]
        sound = 0
        for packet in source.demux():
            if not packet.size:
                continue
            kept: Packet[Stream] = packet
            sound += packet.stream.type == "audio"
            if packet.stream.type == "audio" and sound == number:
                kept = Packet(change(bytes(packet)))
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.stream = streams[packet.stream.index]
            output.mux(kept)


def cut(sound: bytes) -> bytes:
    return sound[: len(sound) // 2]


def flipped(sound: bytes) -> bytes:
    """With one bit that is another, near the end."""
    at = len(sound) * 3 // 4
    return sound[:at] + bytes([sound[at] ^ 4]) + sound[at + 1 :]


@pytest.mark.parametrize("codec", ["aac", "ac3", "eac3", "libmp3lame", "mp2"])
def test_a_packet_of_sound_that_is_cut_is_said(codec: str, tmp_path: Path) -> None:
    """Decoders make up what is missing of some, and are not stopped by it."""
    whole = make_clip(tmp_path / "whole.mkv", Clip(audio=[codec], time_base=MILLISECOND))
    with_changed_sound(whole, tmp_path / "cut.mkv", 12, cut)
    sink = transcode(tmp_path / "cut.mkv", tmp_path / "out.mkv")
    assert sink.damaged_packets >= 1
    assert any(line.startswith("cut.mkv is damaged: audio stream 1") for line in sink.notices)


def lossless(folder: Path, codec: str, layout: str = "stereo", rate: int = 48_000) -> Path:
    """A second of noise as FFmpeg's own program encodes it, beside a clip."""
    clip, whole = make_clip(folder / "clip.mkv", Clip()), folder / "whole.mkv"
    noise = ["-f", "lavfi", "-i", f"anoisesrc=d=1:r={rate}:a=0.1:seed=3"]
    sound = ["-af", f"aformat=channel_layouts={layout}", "-c:a", codec, "-strict", "-2"]
    inputs = ["-i", str(clip), *noise, "-map", "0", "-map", "1:a", "-c:v", "copy"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *sound, str(whole)], check=True)
    return whole


@pytest.mark.parametrize("lost", [1, 5, 200])
@pytest.mark.parametrize("rate", [48_000, 44_100, 96_000])
@pytest.mark.parametrize("codec", ["truehd", "mlp"])
def test_lost_lossless_sound_is_said(codec: str, rate: int, lost: int, tmp_path: Path) -> None:
    """What is left is whole, but for the numbers of its samples."""
    whole, path = lossless(tmp_path, codec, rate=rate), tmp_path / "in.mkv"
    assert transcode(whole, tmp_path / "good.mkv").damaged_packets == 0
    with av.open(str(whole)) as source, av.open(str(path), "w") as output:
        streams = [output.add_stream_from_template(stream) for stream in source.streams]
        sound = 0
        for packet in source.demux():
            sound += packet.stream.type == "audio"
            if packet.size and not (packet.stream.type == "audio" and 300 <= sound < 300 + lost):
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    sink = transcode(path, tmp_path / "out.mkv")
    assert sink.damaged_packets >= 1
    assert any(line.startswith("in.mkv is damaged: audio stream 1") for line in sink.notices)


def test_lossless_sound_that_was_joined_is_no_damage(tmp_path: Path) -> None:
    """Its numbers begin anew there, and its times go on."""
    whole, path = lossless(tmp_path, "truehd"), tmp_path / "in.mkv"
    with av.open(str(whole)) as source:
        packets = [packet for packet in source.demux(audio=0) if packet.size][:1100]
        with av.open(str(path), "w") as output:
            video = output.add_stream_from_template(source.streams.video[0])
            sound = output.add_stream_from_template(source.streams.audio[0])
            with av.open(str(whole)) as pictures:
                for picture in pictures.demux(video=0):
                    if picture.size:
                        picture.stream = video
                        output.mux(picture)
            for number, packet in enumerate(packets + packets[:500]):
                unit: Packet[Stream] = Packet(bytes(packet))
                unit.pts = unit.dts = number * 1000 // 1200
                unit.time_base, unit.stream = MILLISECOND, sound
                output.mux(unit)
    assert transcode(path, tmp_path / "out.mkv").damaged_packets == 0


@pytest.mark.parametrize("layout", ["stereo", "5.1(side)"])
@pytest.mark.parametrize("codec", ["truehd", "mlp"])
@pytest.mark.parametrize("change", [cut, flipped])
def test_damaged_lossless_sound_is_said(
    codec: str, layout: str, change: Change, tmp_path: Path
) -> None:
    """Its decoder only logs that the parity is wrong, and refuses some that is whole."""
    whole = lossless(tmp_path, codec, layout)
    assert transcode(whole, tmp_path / "good.mkv").damaged_packets == 0
    with_changed_sound(whole, tmp_path / "in.mkv", 40, change)
    sink = transcode(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert sink.damaged_packets == 1
    assert any(line.startswith("in.mkv is damaged: audio stream 1") for line in sink.notices)


@pytest.mark.parametrize("codec", ["aac", "ac3", "libmp3lame", "flac", "mp2"])
def test_sound_from_the_middle_of_a_whole_file_is_no_damage(codec: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", Clip(audio=[codec], time_base=MILLISECOND, frames=75))
    assert transcode(path, tmp_path / "out.mkv", start_s=1.3).damaged_packets == 0


@pytest.mark.parametrize("codec", ["libvorbis", "libopus"])
def test_an_ogg_that_cuts_its_last_sound_is_no_damage(codec: str, tmp_path: Path) -> None:
    """A packet that is cut off whole has no time there."""
    clip = make_clip(tmp_path / "clip.mp4", Clip(frames=12, audio=["aac"]))
    path = tmp_path / "in.ogv"
    codecs = ["-c:v", "libtheora", "-c:a", codec]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(clip), *codecs, str(path)], check=True)
    assert transcode(path, tmp_path / "out.mkv").damaged_packets == 0


@pytest.fixture
def broadcast(tmp_path: Path) -> Path:
    clip = Clip(frames=50, audio=["aac"], time_base=Fraction(1, 90_000))
    return make_clip(tmp_path / "in.ts", clip)


def headers_of_sound(data: bytes) -> list[int]:
    """Where ADTS frames begin that lie with their header in one packet of the transport."""
    sync = bytes([0xFF, 0xF1])
    return [at for at in range(len(data) - 2) if data[at : at + 2] == sync]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_damaged_sound_header_costs_no_more_than_its_packets(
    tmp_path: Path, broadcast: Path, suffix: str, place: float
) -> None:
    data = bytearray(broadcast.read_bytes())
    headers = headers_of_sound(bytes(data))
    at = headers[int(len(headers) * place)]
    data[at : at + 3] = b"\x00\x00\x00"
    damaged, target = tmp_path / "damaged.ts", tmp_path / f"out{suffix}"
    damaged.write_bytes(data)
    result = enhance_file(damaged, target, strength=0)
    assert result.frames == 50
    assert not result.intact
    assert any(line.startswith("damaged.ts is damaged: audio stream 1") for line in result.notices)
    readable = len(track(damaged, "audio").packets)  # a reader takes some frames for one packet
    assert len(track(target, "audio").packets) >= readable - 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_lost_sound_packets_of_a_broadcast_are_said(
    tmp_path: Path, broadcast: Path, suffix: str
) -> None:
    data = broadcast.read_bytes()
    packets = [data[at : at + TS_PACKET] for at in range(0, len(data), TS_PACKET)]
    sound = [n for n, packet in enumerate(packets) if packet[1] & 0x1F == 1 and packet[2] == 1]
    lost = set(sound[len(sound) // 2 : len(sound) // 2 + 3])
    source, target = tmp_path / "lost.ts", tmp_path / f"out{suffix}"
    source.write_bytes(b"".join(p for n, p in enumerate(packets) if n not in lost))
    result = enhance_file(source, target, strength=0)
    assert result.frames == 50
    assert not result.intact
    assert any(line.startswith("lost.ts is damaged: audio stream 1") for line in result.notices)
    begin = frame_times(target)[0]
    assert begin < Fraction(1, 10)


# Subtitles that overlap ---------------------------------------------------------------------------

CUES = [(0, 9500, b"sign"), (1000, 1000, b"one"), (3000, 1000, b"three"), (5000, 6000, b"five")]


def subtitled(
    path: Path, codec: str, lines: Sequence[tuple[int, int, bytes]] = CUES, frames: int = 20
) -> Path:
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=2, options={"g": "10"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        subtitles = output.add_stream(codec)
        context = subtitles.codec_context
        assert isinstance(context, SubtitleCodecContext)
        context.subtitle_header = ASS_HEADER
        context.time_base = MILLISECOND
        output.start_encoding()
        output.mux(list(cues(subtitles, context, lines)))
        for index in range(frames):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts = index
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def cues(
    stream: Stream, context: SubtitleCodecContext, lines: Sequence[tuple[int, int, bytes]]
) -> Iterable[Packet[Stream]]:
    for start, duration, text in lines:
        line = b"0,0,Default,,0,0,0,," + text
        packet = context.encode_subtitle(SubtitleSet.create(line, 0, duration))
        packet.pts = packet.dts = start
        packet.duration, packet.time_base = duration, MILLISECOND
        packet.stream = stream
        yield packet


@pytest.mark.parametrize(("codec", "suffix"), [("subrip", ".mkv"), ("ass", ".mkv")])
def test_a_sign_over_dialogue_moves_no_line(tmp_path: Path, codec: str, suffix: str) -> None:
    source = subtitled(tmp_path / "in.mkv", codec)
    transcode(source, tmp_path / f"out{suffix}")
    found = track(tmp_path / f"out{suffix}", "subtitle").packets
    assert found == track(source, "subtitle").packets
    assert [time / MILLISECOND for time, _, _ in found] == [start for start, _, _ in CUES]


@pytest.mark.parametrize("codec", ["subrip", "ass"])
def test_webm_shows_lines_that_overlap_when_they_are(tmp_path: Path, codec: str) -> None:
    transcode(subtitled(tmp_path / "in.mkv", codec), tmp_path / "out.webm")
    found = track(tmp_path / "out.webm", "subtitle").packets
    times = [(int(time / MILLISECOND), int(length / MILLISECOND)) for time, length, _ in found]
    assert times == [(start, duration) for start, duration, _ in CUES]


@pytest.mark.parametrize("codec", ["subrip", "ass"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_mp4_shows_lines_that_overlap_together(tmp_path: Path, codec: str, suffix: str) -> None:
    transcode(subtitled(tmp_path / "in.mkv", codec), tmp_path / f"out{suffix}")
    found = track(tmp_path / f"out{suffix}", "subtitle").packets
    shown = [(int(time / MILLISECOND), data[2 : 2 + data[1]].decode()) for time, _, data in found]
    assert shown[:7] == [
        (0, "sign"),
        (1000, "sign\none"),
        (2000, "sign"),
        (3000, "sign\nthree"),
        (4000, "sign"),
        (5000, "sign\nfive"),
        (9500, "five"),
    ]


def test_a_line_ends_where_the_range_does(tmp_path: Path) -> None:
    source = subtitled(tmp_path / "in.mkv", "subrip")
    transcode(source, tmp_path / "out.mkv", start_s=1.5, duration_s=2)
    found = track(tmp_path / "out.mkv", "subtitle").packets
    times = [(int(time / MILLISECOND), int(length / MILLISECOND)) for time, length, _ in found]
    assert times == [(0, 2000), (0, 500), (1500, 500)]


@pytest.mark.parametrize("codec", ["subrip", "ass"])
def test_a_sign_that_began_long_before_the_start_is_kept(codec: str, tmp_path: Path) -> None:
    lines = [(25_000, 60_000, b"sign"), (82_000, 2000, b"line")]
    source = subtitled(tmp_path / "in.mkv", codec, lines, frames=180)
    transcode(source, tmp_path / "out.mkv", start_s=80)
    found = track(tmp_path / "out.mkv", "subtitle").packets
    times = [(int(time / MILLISECOND), int(length / MILLISECOND)) for time, length, _ in found]
    assert times == [(0, 5000), (2000, 2000)]


# Data ---------------------------------------------------------------------------------------------


def with_data(path: Path, kind: bytes, *, chapters: bool = False) -> Path:
    """A clip with a timecode, and a track of data of the kind that four letters say."""
    clip = Clip(subtitles="mov_text", chapters=chapters, video_metadata={"timecode": "01:02:03:04"})
    data = make_clip(path, clip).read_bytes()
    path.write_bytes(data.replace(b"tx3g", kind).replace(b"sbtl", b"meta").replace(b"text", kind))
    return path


@pytest.mark.parametrize("chapters", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_telemetry_is_copied_whole(tmp_path: Path, suffix: str, chapters: bool) -> None:
    source = with_data(tmp_path / "in.mov", b"gpmd", chapters=chapters)
    sink = transcode(source, tmp_path / f"out{suffix}")
    found = [t for t in tracks(tmp_path / f"out{suffix}") if t.codec == "bin_data" and t.packets]
    (before,) = (t for t in tracks(source) if t.codec == "bin_data" and t.packets)
    assert [t.packets for t in found] == [before.packets]
    assert len(before.packets) >= 3
    assert sink.notices == []


@pytest.mark.parametrize("kind", ["mebx", "djmd", "rtmd", "camm"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_data_that_cannot_be_written_is_named(tmp_path: Path, kind: str, suffix: str) -> None:
    source = with_data(tmp_path / "in.mov", kind.encode())
    sink = transcode(source, tmp_path / f"out{suffix}")
    kinds = [found.kind for found in tracks(tmp_path / f"out{suffix}")]
    assert kinds in (["video"], ["video", "data"])  # the timecode
    assert f"data stream 1 ({kind}, fra) cannot be stored in {suffix}, dropped" in sink.notices


@pytest.mark.parametrize(("start_s", "begin"), [(0, "01:02:03:04"), (0.4, "01:02:03:14")])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_timecode_moves_with_the_start(
    tmp_path: Path, suffix: str, start_s: float, begin: str
) -> None:
    source = with_data(tmp_path / "in.mov", b"mebx")
    transcode(source, tmp_path / f"out{suffix}", start_s=start_s)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        metadata = {k.lower(): v for k, v in container.streams.video[0].metadata.items()}
    assert metadata["timecode"] == begin


# A second video -----------------------------------------------------------------------------------


def two_videos(path: Path, codec: str) -> Path:
    """Two videos of 50 pictures, with B-frames where the codec has them, a key frame a second."""
    with av.open(str(path), "w") as output:
        videos = []
        for _ in range(2):
            options = {"g": "25", "bf": "3"} if codec != "libvpx-vp9" else {"g": "25"}
            video = output.add_stream(codec, rate=25, options=options)
            assert isinstance(video, VideoStream)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            videos.append(video)
        for index in range(50):
            for video in videos:
                frame = picture(Clip(), index)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                output.mux(video.encode(frame))
        for video in videos:
            output.mux(video.encode(None))
    return path


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9"])
@pytest.mark.parametrize(("source", "target"), [("in.mkv", "out.mkv"), ("in.mkv", "out.mp4")])
@pytest.mark.parametrize("start_s", [0, 0.6])
def test_a_second_video_keeps_order_and_times(
    tmp_path: Path, codec: str, source: str, target: str, start_s: float
) -> None:
    clip = two_videos(tmp_path / source, codec)
    sink = transcode(clip, tmp_path / target, start_s=start_s)
    with av.open(str(clip)) as container:
        stream = container.streams.video[1]
        packets = [p for p in container.demux(stream) if p.size]
    if start_s and target.endswith(".mkv"):  # which hides nothing that lies before the start
        keys = [p.pts or 0 for p in packets if p.is_keyframe]
        first = next(key for key in keys if key >= 1000 * start_s)
        at = next(n for n, p in enumerate(packets) if p.pts == first)
        packets = [p for p in packets[at:] if (p.pts or 0) >= first]
    with av.open(str(tmp_path / target)) as container:
        stream = container.streams.video[1]
        copied = [p for p in container.demux(stream) if p.size]
        base = Fraction(stream.time_base or 0)
    assert [p.size for p in copied] == [p.size for p in packets]
    times = [float((p.pts or 0) * base) for p in copied]
    moved = [(p.pts or 0) / 1000 - start_s for p in packets]
    assert times == pytest.approx(moved, abs=0.0015)
    assert any("is a second video; copied as it is" in line for line in sink.notices)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_second_video_of_an_avi_whose_pictures_have_no_times_is_named(
    tmp_path: Path, codec: str
) -> None:
    """AVI numbers them in the order of decoding; with B-frames they are shown in another."""
    sink = transcode(two_videos(tmp_path / "in.avi", codec), tmp_path / "out.mkv")
    assert [found.kind for found in tracks(tmp_path / "out.mkv")] == ["video"]
    (line,) = (line for line in sink.notices if "second video" in line)
    assert line.endswith("it does not say when its pictures are shown, dropped")


def with_middle_cut_out(path: Path) -> Path:
    """An MP4 of which two edits of half a second show the begin, and what follows 2 s later."""
    data = path.read_bytes()
    place = data.find(b"elst")
    while place > 0:
        timescale = 48_000 if data.rfind(b"trak", 0, place) != data.find(b"trak") else 12_800
        begin = struct.unpack_from(">i", data, place + 16)[0]
        entries = [(500, begin, 1, 0), (500, begin + 2 * timescale, 1, 0)]
        table = struct.pack(">II", 0, 2) + b"".join(struct.pack(">Iihh", *e) for e in entries)
        grown = bytearray(data[: place + 4] + table + data[place + 24 :])
        for box in (b"elst", b"edts", b"trak", b"moov"):
            size_at = grown.rfind(box, 0, place + 4) - 4
            size = struct.unpack_from(">I", grown, size_at)[0]
            struct.pack_into(">I", grown, size_at, size + 12)
        data = bytes(grown)
        place = data.find(b"elst", place + 4)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_that_an_edit_list_cuts_out_of_the_middle_is_not_heard(
    tmp_path: Path, suffix: str
) -> None:
    """FFmpeg reads what leads up to the second edit, too; it was taken for damage, and played."""
    clip = Clip(frames=75, audio=["aac"], options={"g": "25"})
    source = with_middle_cut_out(make_clip(tmp_path / "in.mp4", clip))
    encoder = EncoderSettings(codec="vp9", preset="8") if suffix == ".webm" else None
    sink = transcode(source, tmp_path / f"out{suffix}", encoder)
    assert not sink.damaged_packets
    assert not any("damaged" in line for line in sink.notices)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        times = [(p.pts or 0) * Fraction(p.time_base) for p in container.demux(audio=0) if p.size]
    assert min(after - before for before, after in itertools.pairwise(times)) > 0.005
    assert float(times[-1]) == pytest.approx(1.0, abs=0.05)
