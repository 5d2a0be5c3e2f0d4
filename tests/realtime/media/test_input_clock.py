"""One clock for all streams of an input: broadcasts, wraps, and recordings that are joined."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.packet import Packet
from av.stream import Stream
from support.frames_of_file import read
from support.media import Clip, make_clip
from support.transcoding import frame_times, transcode

from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.input_clock import InputClock

MPEG_CLOCK = Fraction(1, 90_000)
WRAP = 1 << 33

Keep = Callable[["Packet[Stream]"], bool]


def broadcast(path: Path, begin: int, *, frames: int = 50, codec: str = "libx264") -> Path:
    """A clip with sound whose clock begins at `begin`."""
    clip = Clip(
        frames=frames,
        codec=codec,
        audio=["mp2"],
        time_base=Fraction(1, 25) if codec == "mpeg2video" else MPEG_CLOCK,
        options={"bf": "2", "g": "12"},
    )
    plain = make_clip(path.with_name(f"plain_{path.name}"), clip)
    with av.open(str(plain)) as container:
        first = container.start_time or 0
    return rewritten(plain, path, lambda _: True, move=begin - round(first * 9 / 100))


def rewritten(path: Path, target: Path, keep: Keep, move: int = 0) -> Path:
    """A file's packets, without those that are not kept, and with the clock moved on."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        twins = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is None or not keep(packet):
                continue
            packet.pts, packet.dts = (packet.pts or 0) + move, packet.dts + move
            packet.stream = twins[packet.stream.index]
            output.mux(packet)
    return target


def audio_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        base = Fraction(container.streams.audio[0].time_base or 0)
        packets = container.demux(audio=0)
        return [packet.pts * base for packet in packets if packet.pts is not None]


def assert_whole(path: Path, frames: int) -> None:
    """All frames are there, evenly, from about 0, and the sound with them."""
    times = frame_times(path)
    assert len(times) == frames
    assert 0 <= times[0] < 0.05
    assert {round(float(b - a), 3) for a, b in pairwise(times)} == {0.04}
    sound = audio_times(path)
    assert 0 <= sound[0] < 0.05
    assert sound[-1] == pytest.approx(float(times[-1]), abs=0.1)


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
@pytest.mark.parametrize("output", [".mp4", ".mkv"])
def test_a_broadcast_begins_at_0(tmp_path: Path, suffix: str, output: str) -> None:
    codec = "mpeg2video" if suffix == ".mpg" else "libx264"
    source = broadcast(tmp_path / f"in{suffix}", 50_000 * 90_000, codec=codec)
    transcode(source, tmp_path / f"out{output}")
    assert_whole(tmp_path / f"out{output}", 50)


@pytest.mark.parametrize("before_s", [0.02, 0.3, 1.0, 1.9, 70.0])
def test_a_clock_that_wraps_loses_no_frame(tmp_path: Path, before_s: float) -> None:
    source = broadcast(tmp_path / "in.ts", WRAP - round(before_s * 90_000))
    transcode(source, tmp_path / "out.mp4")
    assert_whole(tmp_path / "out.mp4", 50)


def test_streams_of_a_broadcast_keep_their_distance(tmp_path: Path) -> None:
    whole = broadcast(tmp_path / "whole.ts", 50_000 * 90_000)
    late = Fraction(50_000) + Fraction(1, 2)
    source = rewritten(
        whole,
        tmp_path / "in.ts",
        lambda p: p.stream.type != "audio" or (p.pts or 0) * MPEG_CLOCK >= late,
    )
    transcode(source, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4")[0] == 0
    assert float(audio_times(tmp_path / "out.mp4")[0]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("second_begin_s", [1, 0, 50_000, 95_000])
@pytest.mark.parametrize("short", ["audio", "video"])
def test_joined_recordings_keep_lip_sync(tmp_path: Path, second_begin_s: int, short: str) -> None:
    """Sound or picture of the first ends a second early: what follows stays together."""
    first = broadcast(tmp_path / "first.ts", 90_000)
    cut = rewritten(
        first,
        tmp_path / "cut.ts",
        lambda p: p.stream.type != short or (p.pts or 0) * MPEG_CLOCK < 2,
    )
    second = broadcast(tmp_path / "second.ts", second_begin_s * 90_000 + 9000)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(cut.read_bytes() + second.read_bytes())
    transcode(joined, tmp_path / "out.mkv")
    times, sound = frame_times(tmp_path / "out.mkv"), audio_times(tmp_path / "out.mkv")
    assert len(times) >= 50 + (25 if short == "video" else 50) - 1
    begin = times[-50]
    behind = [time for time in sound if time > begin - Fraction(1, 10)]
    assert len(behind) == pytest.approx(len(audio_times(second)), abs=3)
    assert sound[-1] == pytest.approx(float(times[-1]), abs=0.1)
    assert times[-1] < 4.3
    assert all(later > sooner for sooner, later in pairwise(sound))


@pytest.mark.parametrize("bframes", [0, 1, 3])
def test_pictures_of_joined_files_do_not_overlap(tmp_path: Path, bframes: int) -> None:
    """FFmpeg knows no decode times of the second, and takes those of showing for them."""
    clip = Clip(
        frames=30,
        audio=["aac"],
        time_base=Fraction(1, 1000),
        options={"bf": str(bframes), "b_strategy": "0"},
    )
    one = make_clip(tmp_path / "one.mkv", clip)
    joined = tmp_path / "joined.mkv"
    joined.write_bytes(one.read_bytes() * 2)
    with FileSource(joined) as source:
        times = [(frame.pts or 0) * frame.time_base for frame in source]
    assert (source.damaged_frames, source.corrupt_packets) == (0, 0)
    assert len(times) == 60
    steps = [float(later - time) for time, later in pairwise(times)]
    assert steps[:29] + steps[30:] == pytest.approx([0.04] * 58)
    assert 0.04 <= steps[29] < 0.2


def test_a_pause_of_a_broadcast_is_kept(tmp_path: Path) -> None:
    """Behind 20 s without a packet goes on what went before: that is no join."""
    source = broadcast(tmp_path / "first.ts", 90_000)
    later = rewritten(source, tmp_path / "later.ts", lambda _: True, move=22 * 90_000)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(source.read_bytes() + later.read_bytes())
    times = [frame.time_s or 0.0 for frame in read(joined)]
    assert len(times) == 100
    assert times[50] - times[0] == pytest.approx(22, abs=0.05)


STEADY = range(0, 2000, 40)
GAPS = {
    "slides": [15_000 * n for n in range(9)],
    "lapse": [70_000 * n for n in range(9)],
    "two gaps": [time + (time > 800) * 28_000 + (time > 840) * 12_000 for time in STEADY],
    **{f"behind {n}": [t + (t >= 40 * n) * 90_000 for t in STEADY] for n in (1, 2, 20, 49)},
}
"""Times in milliseconds, of pictures that stand still for long."""


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv", ".mp4"])
@pytest.mark.parametrize("sound", [[], ["mp2"]], ids=["silent", "sound"])
@pytest.mark.parametrize("times_ms", GAPS.values(), ids=GAPS)
def test_pictures_that_stand_still_for_long_are_no_damage(
    times_ms: list[int], sound: list[str], suffix: str, tmp_path: Path
) -> None:
    clip = Clip(
        times=times_ms,
        time_base=Fraction(1, 1000),
        audio=["aac"] if sound and suffix == ".flv" else sound,
        options={"bf": "2", "b_strategy": "0"},
    )
    with FileSource(make_clip(tmp_path / f"in{suffix}", clip)) as source:
        frames = list(source)
    assert (source.corrupt_packets, source.damaged_frames, source.truncated) == (0, 0, False)
    assert source.notices == []
    found = [(frame.pts or 0) * frame.time_base for frame in frames]
    assert [round(1000 * (time - found[0])) for time in found] == times_ms
    lasting = [frame.duration * frame.time_base for frame in frames]
    assert lasting[:-1] == [later - time for time, later in pairwise(found)]


def test_several_damaged_times_in_a_row_move_nothing_else(tmp_path: Path) -> None:
    """Also where each is later than the one before, as behind gaps."""
    source = make_clip(tmp_path / "in.mkv", Clip(frames=50, time_base=Fraction(1, 1000)))
    with av.open(str(source)) as container:
        right = [packet.pts for packet in container.demux() if packet.size]
    with av.open(str(source)) as container:
        clock, placed = InputClock(container, container.streams), []
        for number, packet in enumerate(container.demux(clock.streams)):
            if number in {20, 21}:
                packet.pts = packet.dts = (packet.pts or 0) + 60_000 * (number - 19)
            placed += clock.place(packet)
    assert clock.joins == 0
    found = [packet.pts for packet in placed if packet.size]
    assert found[:20] + found[22:] == right[:20] + right[22:]


def test_one_damaged_time_moves_nothing_else(tmp_path: Path) -> None:
    source = broadcast(tmp_path / "in.ts", 90_000)
    with av.open(str(source)) as container:
        clock = InputClock(container, container.streams)
        placed, count = [], 0
        for packet in container.demux(clock.streams):
            if packet.stream.type == "audio" and packet.size:
                count += 1
                if count == 20:
                    packet.pts = packet.dts = (packet.pts or 0) + 500 * 90_000
            placed += clock.place(packet)
        sound = [p.pts for p in placed if p.stream.type == "audio" and p.size]
    assert (clock.joins, clock.bad_times) == (0, 1)
    assert sound.index(None) == 19
    kept = [pts for pts in sound if pts is not None]
    assert all(0 < later - sooner < 9000 for sooner, later in pairwise(kept))


def test_a_packet_that_contradicts_itself_is_no_join(tmp_path: Path) -> None:
    """It is shown when it should be, and decoded a day before."""
    source = broadcast(tmp_path / "in.ts", 90_000)
    with av.open(str(source)) as container:
        clock = InputClock(container, container.streams)
        placed = []
        for number, packet in enumerate(container.demux(clock.streams)):
            if number == 0:
                packet.dts = (packet.pts or 0) - 86_400 * 90_000
            placed += clock.place(packet)
    assert (clock.joins, clock.bad_times) == (0, 1)
    with av.open(str(source)) as container:
        right = [packet.pts for packet in container.demux()]
    assert [packet.pts for packet in placed] == right


def test_readers_of_other_streams_get_the_same_times(tmp_path: Path) -> None:
    first = broadcast(tmp_path / "first.ts", 90_000)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() * 3)
    found = []
    for kinds in ({"video"}, {"audio"}, {"audio", "video"}):
        with av.open(str(joined)) as container:
            streams = [s for s in container.streams if s.type in kinds]
            clock = InputClock(container, streams)
            packets = [
                p for demuxed in container.demux(clock.streams) for p in clock.place(demuxed)
            ]
            found.append({(p.stream.type, p.pts) for p in packets if p.size})
            assert clock.joins == 2
    assert found[0] | found[1] == found[2]


@pytest.mark.parametrize("start_s", [0.5, 0.51, 0.7])
def test_a_start_between_two_pictures_of_an_avi_moves_sound_and_picture_alike(
    tmp_path: Path, start_s: float
) -> None:
    clip = Clip(frames=50, time_base=Fraction(1, 25), audio=["mp2"], options={"bf": "2"})
    source = make_clip(tmp_path / "in.avi", clip)
    whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
    transcode(source, whole)
    transcode(source, part, start_s=start_s)
    moved = {
        later - sooner
        for later, sooner in zip(frame_times(whole)[-9:], frame_times(part)[-9:], strict=True)
    }
    heard = {
        later - sooner
        for later, sooner in zip(audio_times(whole)[-9:], audio_times(part)[-9:], strict=True)
    }
    assert len(moved) == 1
    assert float(max(heard)) == pytest.approx(float(max(moved)), abs=0.001)
    assert float(min(heard)) == pytest.approx(float(max(moved)), abs=0.001)


@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("bframes", [1, 2, 3])
def test_empty_slots_between_the_pictures_of_an_avi_are_no_late_begin(
    tmp_path: Path, every: int, bframes: int
) -> None:
    clip = Clip(
        times=range(0, 30 * every, every),
        time_base=Fraction(1, 50),
        rate=50,
        audio=["mp2"],
        options={"bf": str(bframes), "b_strategy": "0"},
    )
    target = tmp_path / "out.mp4"
    transcode(make_clip(tmp_path / "in.avi", clip), target)
    assert frame_times(target) == [Fraction(time, 50) for time in clip.frame_times()]


def test_sound_that_begins_before_the_picture_of_an_avi_stays_before_it(tmp_path: Path) -> None:
    late = Clip(
        frames=30,
        time_base=Fraction(1, 25),
        times=range(20, 50),
        audio=["mp2"],
        options={"bf": "2"},
    )
    source, target = make_clip(tmp_path / "in.avi", late), tmp_path / "out.mp4"
    transcode(source, target)
    assert float(frame_times(target)[0] - audio_times(target)[0]) == pytest.approx(0.8, abs=0.03)


def test_a_picture_lasts_up_to_a_join_though_it_does_not_say_how_long(tmp_path: Path) -> None:
    """A leap of over an hour, in a broadcast, is another recording."""
    frame = 3600
    times = [0, *(3700 * 90_000 + number * frame for number in range(1, 12))]
    clip = Clip(times=times, time_base=Fraction(1, 90_000), options={"bf": "0"})
    transcode(make_clip(tmp_path / "in.ts", clip), tmp_path / "out.mp4")
    found = frame_times(tmp_path / "out.mp4")
    assert [float(time) for time in found] == pytest.approx([n / 25 for n in range(12)], abs=1e-3)
