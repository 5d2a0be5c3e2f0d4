"""What is missing in the middle of a broadcast: said, and damage where packets were lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from support.media import Clip, make_clip
from support.media_contents import track
from support.transcoding import frame_times

from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.transport_stream import losses

PICTURES, SOUND = 0x100, 0x101
BYTES = 188


@pytest.fixture(scope="module")
def broadcast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds with a key frame each, and sound."""
    clip = Clip(frames=125, audio=["mp2"], time_base=Fraction(1, 90_000), options={"g": "25"})
    return make_clip(tmp_path_factory.mktemp("broadcast") / "in.ts", clip)


def without_packets(path: Path, target: Path, lost: Callable[[int], bool]) -> Path:
    """Without the packets of some PIDs from two fifths of the file to four fifths."""
    data = path.read_bytes()
    packets = [data[at : at + BYTES] for at in range(0, len(data), BYTES)]
    kept = []
    for number, packet in enumerate(packets):
        pid = int.from_bytes(packet[1:3]) & 0x1FFF
        is_there = 2 * len(packets) <= 5 * number < 4 * len(packets)
        if not (is_there and lost(pid)):
            kept.append(packet)
    target.write_bytes(b"".join(kept))
    return target


def without_times(path: Path, target: Path, kind: str) -> Path:
    """Without the pictures or the sound from 1 s to 3 s, written anew, so that packets count on."""
    with av.open(str(path)) as source, av.open(str(target), "w") as output:
        begin = Fraction(source.start_time or 0, av.time_base)
        twins = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            time_s = (packet.pts or 0) * Fraction(packet.time_base) - begin
            if packet.stream.type == kind and 1 <= time_s < 3:
                continue
            packet.stream = twins[packet.stream.index]
            output.mux(packet)
    return target


def copied(path: Path, target: Path) -> tuple[list[str], int]:
    """What is said, and how many packets are called damaged."""
    with FileSource(path) as frames:
        with FileSink(target, info=frames.info, copy_from=path) as sink:
            for frame in frames:
                sink.write(frame)
        return [*frames.notices, *sink.notices], frames.corrupt_packets + sink.damaged_packets


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_gap_of_pictures_or_sound_is_kept(broadcast: Path, tmp_path: Path, kind: str) -> None:
    source = without_times(broadcast, tmp_path / "in.ts", kind)
    notices, damaged = copied(source, tmp_path / "out.mp4")
    assert (notices, damaged) == ([], 0)
    times = frame_times(tmp_path / "out.mp4")
    if kind == "audio":
        times = [Fraction(time) for time in track(tmp_path / "out.mp4", "audio").times]
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(2.03, abs=0.05)


@pytest.mark.parametrize("lost", [{PICTURES}, {SOUND}, {PICTURES, SOUND}], ids=str)
def test_lost_packets_of_a_broadcast_are_damage(
    broadcast: Path, tmp_path: Path, lost: set[int]
) -> None:
    source = without_packets(broadcast, tmp_path / "in.ts", lambda pid: pid in lost)
    assert losses(source).pids == lost
    notices, damaged = copied(source, tmp_path / "out.mkv")
    assert damaged
    text = "\n".join(notices)
    for what, pid in (("the pictures", PICTURES), (r"audio stream 1 \(mp2, eng\)", SOUND)):
        said = re.search(rf"{what}: [12]\.\d\d s are missing from [12]\.\d\d s on", text)
        assert bool(said) == (pid in lost)


def test_whole_broadcasts_lose_nothing(broadcast: Path, tmp_path: Path) -> None:
    assert losses(broadcast).pids == set()
    assert copied(broadcast, tmp_path / "out.mkv") == ([], 0)
    other = make_clip(tmp_path / "other.mp4", Clip())
    assert losses(other).pids == set()


def test_packets_with_a_clock_before_them_are_counted_too(broadcast: Path, tmp_path: Path) -> None:
    """As cameras write them for Blu-ray."""
    cut = without_packets(broadcast, tmp_path / "cut.ts", lambda pid: pid == SOUND).read_bytes()
    packets = [cut[at : at + BYTES] for at in range(0, len(cut), BYTES)]
    stamped = tmp_path / "in.m2ts"
    stamped.write_bytes(b"".join(b"\0\0\0\0" + packet for packet in packets))
    assert losses(stamped).pids == {SOUND}


def test_a_join_with_a_later_recording_is_no_loss(broadcast: Path, tmp_path: Path) -> None:
    """Its packets count anew from 0, the list of programs too."""
    later = tmp_path / "later.ts"
    with av.open(str(broadcast)) as source, av.open(str(later), "w") as output:
        twins = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.pts, packet.dts = (packet.pts or 0) + 9_000_000, packet.dts + 9_000_000
                packet.stream = twins[packet.stream.index]
                output.mux(packet)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(broadcast.read_bytes() + later.read_bytes())
    assert losses(joined).pids.isdisjoint({PICTURES, SOUND})
    assert losses(joined).joined
    notices, damaged = copied(joined, tmp_path / "out.mkv")
    assert not damaged
    (line,) = notices
    assert re.fullmatch(r"recordings were joined: \d\d\.\d\d s lie between from 4\.\d\d s on", line)
    times = frame_times(tmp_path / "out.mkv")
    assert len(times) == 250
    assert float(times[125] - times[0]) == pytest.approx(100, abs=0.1)
    sound = track(tmp_path / "out.mkv", "audio").times
    assert float(sound[-1]) == pytest.approx(float(times[-1]), abs=0.1)
