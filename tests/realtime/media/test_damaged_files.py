"""Reading videos that are cut, damaged or inconsistent, and one clear line for what is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream
from support.frames_of_file import read, times
from support.media import Clip, cut_short, make_clip, make_resized_clip, scribble
from support.mutations import elements, pages, tags
from support.transcoding import frame_times, transcode

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.matroska_structure import broken_elements
from tapetum.realtime.media.ogg_pages import broken_pages
from tapetum.realtime.media.truncation import broken_tags, is_cut

pytestmark = pytest.mark.slow


def test_the_beginning_of_a_cut_mp4_is_read(long_clip: Path) -> None:
    with FileSource(cut_short(long_clip, 0.6)) as source:
        frames = list(source)
    assert source.truncated
    assert 25 < len(frames) < 120
    found = times(frames)
    assert found[:25] == [512 * index for index in range(25)]
    assert set(found) <= {512 * index for index in range(150)}
    assert f"is incomplete: {len(frames)} frames decoded" in source.notices[-1]


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFF000002])
@pytest.mark.parametrize("track", [0, 1])
def test_a_sample_of_impossible_size_is_told(track: int, size: int, tmp_path: Path) -> None:
    """What follows it in its track is lost, and FFmpeg tells of nothing."""
    path = make_clip(tmp_path / "in.mp4", Clip(audio=["aac"]))
    content = bytearray(path.read_bytes())
    table = -1
    for _ in range(track + 1):
        table = content.index(b"stsz", table + 1)
    content[table + 56 : table + 60] = size.to_bytes(4, "big")  # of sample 10
    path.write_bytes(content)
    with FileSource(path) as source:
        frames = list(source)
    assert len(frames) == (25 if track else 10)
    assert source.truncated
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


def assert_one_is_damaged_and_none_moved(path: Path, times_s: list[Fraction]) -> None:
    """One picture's time is not believed, and all are shown when they were."""
    with FileSource(path) as source:
        found = [frame.pts * frame.time_base for frame in source if frame.pts is not None]
    assert [float(t - found[0]) for t in found] == pytest.approx(
        [t - times_s[0] for t in times_s], abs=0.001
    )
    assert source.damaged_frames == 1


def test_a_picture_that_has_the_time_of_another_in_an_mp4_is_damaged(tmp_path: Path) -> None:
    """Where each has its own, the one that follows in decoding lies between its neighbours."""
    path = make_clip(tmp_path / "in.mp4", Clip(frames=12, options={"bf": "2"}))
    plain = frame_times(path)
    data = bytearray(path.read_bytes())
    table = data.rindex(b"ctts") + 12
    rows = np.frombuffer(data[table : table + 8 * 12], ">u4").reshape(-1, 2)
    step = rows[:, 1].max() - np.sort(np.unique(rows[:, 1]))[-2]
    row = next(i for i in range(4, 11) if rows[i, 1] == rows[:, 1].min())
    place = table + 8 * row + 4
    data[place : place + 4] = int(rows[row, 1] - step).to_bytes(4, signed=True)
    path.write_bytes(data)
    assert_one_is_damaged_and_none_moved(path, plain)


def test_a_picture_that_has_the_time_of_another_in_an_flv_is_damaged(tmp_path: Path) -> None:
    clip = Clip(frames=12, options={"bf": "0"}, time_base=Fraction(1, 1000))
    path = make_clip(tmp_path / "in.flv", clip)
    plain, data = frame_times(path), bytearray(path.read_bytes())
    times_of_pictures = [tag.begin + 4 for tag in tags(bytes(data)) if data[tag.begin] == 9]
    before, at = times_of_pictures[5:7]
    data[at : at + 3] = data[before : before + 3]
    path.write_bytes(data)
    assert_one_is_damaged_and_none_moved(path, plain)


@pytest.mark.parametrize("damage", ["twice", "missing", "changed", "cut", "none"])
def test_pages_of_an_ogg_that_are_not_whole_are_said(damage: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.ogv", Clip(codec="libvpx", frames=50, audio=["libopus"]))
    data = path.read_bytes()
    begin, _, end, *_ = list(pages(data))[-3]
    flipped = data[: end - 9] + bytes([data[end - 9] ^ 1]) + data[end - 8 :]
    path.write_bytes(
        {
            "twice": data[:end] + data[begin:],
            "missing": data[:begin] + data[end:],
            "changed": flipped,
            "cut": data[:-5],
            "none": data,
        }[damage]
    )
    assert bool(broken_pages(path)) == (damage != "none")
    with FileSource(path) as source:
        list(source)
    assert bool(source.corrupt_packets) == (damage != "none")


def test_a_change_of_size_is_scaled_with_a_notice(tmp_path: Path) -> None:
    with FileSource(make_resized_clip(tmp_path)) as source:
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


def test_bad_inputs_give_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no film\n" * 50)
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html>\n<html><body>404</body></html>")
    (tmp_path / "list.mpd").write_text('<?xml version="1.0"?>\n<MPD type="static"></MPD>')
    index_last = make_clip(tmp_path / "plain.mp4", Clip(frames=100))
    cases = {
        tmp_path / "missing.mp4": "does not exist",
        tmp_path: "is a folder",
        tmp_path / "empty.mp4": "is empty",
        tmp_path / "text.mp4": "no video or image file",
        tmp_path / "page.mp4": "it is a web page, and no video",
        tmp_path / "list.mpd": "a list of the pieces of a stream (DASH), which is not read",
        cut_short(index_last, 0.5): "its index (moov) is missing",
    }
    for path, words in cases.items():
        with pytest.raises(MediaError) as caught:
            FileSource(path)
        message = str(caught.value)
        assert words in message
        assert str(path) in message
        assert "\n" not in message


def test_uncompressed_video_of_an_unknown_order_is_no_avi(tmp_path: Path) -> None:
    """FFmpeg writes yuv420p to MOV under a name by which nobody knows it again."""
    path = make_clip(tmp_path / "in.mov", Clip(codec="rawvideo", frames=2))
    with pytest.raises(MediaError, match=r"in\.mov says .* in an order of samples that FFmpeg"):
        FileSource(path)


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4")
    path.chmod(0)
    with pytest.raises(MediaError, match="permission denied"):
        FileSource(path)


_FLV_SOUND, _FLV_VIDEO = 8, 9


_SIMPLE_BLOCK = 0xA3


def flv_tags(content: bytes, kind: int) -> Iterator[slice]:
    """Where the tags of one kind lie, each with the size of it that follows."""
    start = 13
    while start + 11 <= len(content):
        end = start + 11 + int.from_bytes(content[start + 1 : start + 4], "big") + 4
        if content[start] == kind:
            yield slice(start, end)
        start = end


def flv_with_damaged_time(path: Path, kind: int, number: int, moved_ms: int) -> Path:
    """A clip with B-frames and sound, of which one packet has another time."""
    bframes = Clip(audio=["aac"], time_base=Fraction(1, 1000), options={"bf": "2"})
    content = bytearray(make_clip(path, bframes).read_bytes())
    begin = list(flv_tags(bytes(content), kind))[number].start
    time_ms = int.from_bytes(content[begin + 4 : begin + 7], "big") + moved_ms
    content[begin + 4 : begin + 7] = max(time_ms, 0).to_bytes(3, "big")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("number", [9, 10, 11])
@pytest.mark.parametrize("moved_ms", [-300, 300, 475, 15_000])
def test_one_damaged_time_is_set_between_its_neighbours(
    moved_ms: int, number: int, suffix: str, tmp_path: Path
) -> None:
    plain = flv_with_damaged_time(tmp_path / "plain.flv", _FLV_VIDEO, number, 0)
    source = flv_with_damaged_time(tmp_path / "in.flv", _FLV_VIDEO, number, moved_ms)
    output = tmp_path / f"out{suffix}"
    transcode(source, output)
    right, found = frame_times(plain), frame_times(output)
    first = found[0] - right[0]
    assert len(found) == len(right)
    moved = [a - b for a, b in zip(found, right, strict=True) if abs(a - b - first) > 0.002]
    assert len(moved) <= 1
    assert all(abs(apart) < 0.04 for apart in moved)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_first_picture_before_the_file_begins_is_shown(suffix: str, tmp_path: Path) -> None:
    """An MP4 would hide it."""
    source = make_clip(
        tmp_path / "in.flv", Clip(time_base=Fraction(1, 1000), options={"bf": "2"}, frames=12)
    )
    content = bytearray(source.read_bytes())
    first = list(flv_tags(bytes(content), _FLV_VIDEO))[1].start
    content[first + 13 : first + 16] = (-90).to_bytes(3, "big", signed=True)
    source.write_bytes(content)
    with FileSource(source) as frames:
        count = len(list(frames))
    assert frames.damaged_frames == 1
    transcode(source, tmp_path / f"out{suffix}")
    assert len(frame_times(tmp_path / f"out{suffix}")) == count == 12


@pytest.mark.parametrize("moved_ms", [475, 15_000])
def test_one_damaged_time_of_the_sound_moves_no_other(moved_ms: int, tmp_path: Path) -> None:
    source = flv_with_damaged_time(tmp_path / "in.flv", _FLV_SOUND, 20, moved_ms)
    transcode(source, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as output:
        found = [float((p.pts or 0) * p.time_base) for p in output.demux(audio=0) if p.size]
    assert found[-1] - found[0] == pytest.approx((len(found) - 1) * 1024 / 48_000, abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_that_lost_its_setup_ends_nothing(suffix: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.flv", Clip(audio=["aac"], time_base=Fraction(1, 1000)))
    content = path.read_bytes()
    setup = next(tag for tag in flv_tags(content, _FLV_SOUND) if content[tag.start + 12] == 0)
    path.write_bytes(content[: setup.start] + content[setup.stop :])
    transcode(path, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as output:
        assert output.streams.video[0].codec_context.width == 64
        assert sum(frame.samples for frame in output.decode(audio=0)) > 40_000


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [
        (b"stco", 2, 0x7FFF_0000),  # the first chunk lies behind the end
        (b"stts", 2, 1),  # times of one sample
        (b"stts", 3, 0x7F00_0000),  # hours between two pictures
        (b"stsc", 3, 0),  # no sample in the first chunks
        (b"stsz", 2, 5),  # five samples
        (b"stsz", 3, 0x7FFF_FFFF),  # the first sample is larger than the file
    ],
)
def test_an_index_whose_tables_cannot_be_true_is_said(
    kind: bytes, number: int, value: int, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "in.mp4")
    assert not is_cut(path)
    data = bytearray(path.read_bytes())
    at = data.rindex(kind) + 4 + 4 * number
    data[at : at + 4] = value.to_bytes(4)
    path.write_bytes(data)
    assert is_cut(path)


def test_boxes_that_have_changed_places_are_said(tmp_path: Path) -> None:
    """FFmpeg leaves pictures out, or not, depending on its version."""
    path = make_clip(tmp_path / "in.mp4", Clip(frames=25, options={"bf": "2"}))
    data = path.read_bytes()
    one, other = (data[at : at + int.from_bytes(data[at : at + 4])] for at in _boxes_at(data))
    assert not is_cut(path)
    between = data[data.index(one) + len(one) : data.index(other)]
    swapped = data.replace(one + between + other, other + between + one)
    sizes = {b"edts": len(other) - len(one), b"stbl": len(one) - len(other)}
    for kind, grows in sizes.items():
        at = swapped.index(kind) - 4
        size = int.from_bytes(swapped[at : at + 4]) + grows
        swapped = swapped[:at] + size.to_bytes(4) + swapped[at + 4 :]
    path.write_bytes(swapped)
    assert is_cut(path)


@pytest.mark.parametrize("kind", [b"minf", b"stbl", b"elst", b"stts"])
def test_a_box_that_is_larger_than_what_holds_it_is_said(kind: bytes, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", Clip(frames=25, options={"bf": "2"}))
    data = bytearray(path.read_bytes())
    at = data.rindex(kind) - 4
    data[at : at + 4] = (748_498_403).to_bytes(4)
    path.write_bytes(data)
    assert is_cut(path)


def _boxes_at(data: bytes) -> list[int]:
    """Where the edit list and the list of key frames begin."""
    return [data.index(kind) - 4 for kind in (b"elst", b"stss")]


@pytest.mark.parametrize("offset", [10_000_000, -900_000])
def test_a_picture_shown_far_from_its_decoding_is_told(offset: int, tmp_path: Path) -> None:
    """FFmpeg leaves it out, as outside of what the file says is shown."""
    path = make_clip(tmp_path / "in.mp4", Clip(frames=25, options={"bf": "2"}))
    content = bytearray(path.read_bytes())
    row = content.rindex(b"ctts") + 12 + 8 * 4
    content[row + 4 : row + 8] = offset.to_bytes(4, signed=True)
    path.write_bytes(content)
    with FileSource(path) as source:
        assert len(list(source)) < 25
    assert source.truncated


def test_a_stream_that_appears_on_the_way_is_told(tmp_path: Path) -> None:
    """An FLV without sound by its header, which begins behind all that FFmpeg looks at."""
    path = make_clip(tmp_path / "in.flv", Clip(audio=["aac"], time_base=Fraction(1, 1000)))
    content = path.read_bytes()
    video, sound = (
        [content[tag] for tag in flv_tags(content, kind)] for kind in (_FLV_VIDEO, _FLV_SOUND)
    )
    filler = (6_000_000).to_bytes(4) + b"\x0c" + b"\xff" * 5_999_998 + b"\x80"
    body = video[9][11:-4] + filler  # a part of H.264 that shows nothing
    video[9] = video[9][:1] + len(body).to_bytes(3) + video[9][4:11] + body
    video[9] += len(video[9]).to_bytes(4)
    head = content[:4] + b"\x01" + content[5:13]
    path.write_bytes(head + b"".join([*video, *sound]))
    transcode(path, tmp_path / "out.mkv")
    assert len(frame_times(tmp_path / "out.mkv")) == 25
    with FileSource(path) as source:
        list(source)
        notices = source.notices
    assert [line for line in notices if "begins later" in line]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_damaged_last_picture_takes_no_other_with_it(threads: int, tmp_path: Path) -> None:
    """A decoder with threads meets the damage while it is emptied, with good pictures behind."""
    path = make_clip(tmp_path / "in.mp4", Clip(options={"bf": "2"}))
    with av.open(str(path)) as container:
        last = max((p for p in container.demux(video=0) if p.size), key=lambda p: p.dts or 0)
        content = bytearray(path.read_bytes())
        assert last.pos is not None
        content[last.pos : last.pos + 4] = b"\x7f\xff\xff\xff"  # the length of its first part
        lost = last.pts
    path.write_bytes(content)
    with FileSource(path, threads=threads) as source:
        found = times(list(source))
        assert source.corrupt_packets == 1
    assert found == [time for time in range(0, 25 * 512, 512) if time != lost]


def is_called_good(path: Path) -> bool:
    with FileSource(path) as source:
        list(source)
        return not (source.truncated or source.corrupt_packets or source.damaged_frames)


def test_the_last_picture_s_time_is_behind_the_others(tmp_path: Path) -> None:
    path = flv_with_damaged_time(tmp_path / "in.flv", _FLV_VIDEO, 25, -300)
    with FileSource(path) as source:
        found = [round(1000 * (frame.time_s or 0)) for frame in source]
    assert [after - before for before, after in pairwise(found)] == [40] * 24
    assert source.damaged_frames == 1


@pytest.mark.parametrize("moved_ms", [0, 300])
def test_a_picture_whose_time_was_damaged_is_not_called_good(moved_ms: int, tmp_path: Path) -> None:
    path = flv_with_damaged_time(tmp_path / "in.flv", _FLV_VIDEO, 10, moved_ms)
    assert is_called_good(path) == (moved_ms == 0)


@pytest.mark.parametrize("time", [None, -30_000])
def test_a_picture_that_lost_its_time_is_not_called_good(time: int | None, tmp_path: Path) -> None:
    """In Matroska a time before the file's 0 is none."""
    path = make_clip(tmp_path / "in.mkv", Clip(time_base=Fraction(1, 1000)))
    content = bytearray(path.read_bytes())
    block = [part for part in elements(bytes(content)) if content[part.begin] == _SIMPLE_BLOCK][9]
    if time is not None:
        content[block.body + 1 : block.body + 3] = time.to_bytes(2, "big", signed=True)
    path.write_bytes(content)
    with FileSource(path) as source:
        frames = list(source)
    assert [round(1000 * (frame.time_s or 0)) for frame in frames] == list(range(0, 1000, 40))
    assert is_called_good(path) == (time is None)


@pytest.mark.parametrize(
    "change", ["none", "header", "track", "length", "lacing", "zeros at the end"]
)
@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_matroska_whose_parts_do_not_follow_each_other_is_not_called_good(
    change: str, suffix: str, tmp_path: Path
) -> None:
    """FFmpeg goes on at the next cluster; here there is none, and most of the file is lost."""
    codec = "libvpx" if suffix == ".webm" else "libx264"
    path = make_clip(tmp_path / f"in{suffix}", Clip(codec=codec, time_base=Fraction(1, 1000)))
    content = bytearray(path.read_bytes())
    block = [part for part in elements(bytes(content)) if content[part.begin] == _SIMPLE_BLOCK][9]
    if change == "header":
        content[block.begin] = 0
    elif change == "track":
        content[block.body] = 0
    elif change == "length":
        content[block.length_at : block.body] = b"\x1f" * (block.body - block.length_at)
    elif change == "lacing":
        content[block.body + 3] = 0x04
        content[block.body + 4] = 154
    elif change == "zeros at the end":
        content += bytes(4096)
    path.write_bytes(content)
    whole = change in {"none", "zeros at the end"}
    assert broken_elements(path) == (not whole)
    assert is_called_good(path) == whole


@pytest.mark.parametrize("moved_ms", [0, -60])
def test_flv_whose_times_fall_is_not_called_good(moved_ms: int, tmp_path: Path) -> None:
    path = flv_with_damaged_time(tmp_path / "in.flv", _FLV_VIDEO, 10, moved_ms)
    assert is_called_good(path) == (not moved_ms)


@pytest.mark.parametrize("kind", [_FLV_VIDEO, _FLV_SOUND])
def test_flv_whose_codec_changes_is_not_called_good(kind: int, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.flv", Clip(audio=["aac"], time_base=Fraction(1, 1000)))
    content = bytearray(path.read_bytes())
    tags = list(flv_tags(bytes(content), kind))
    assert not broken_tags(path)
    content[tags[-3].start + 11] = 0
    path.write_bytes(content)
    assert broken_tags(path)


@pytest.mark.parametrize("change", ["none", "longer", "first", "zeros", "every"])
def test_flv_whose_lengths_do_not_agree_is_not_called_good(change: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.flv", Clip(audio=["aac"], time_base=Fraction(1, 1000)))
    content = bytearray(path.read_bytes())
    tags = [*flv_tags(bytes(content), _FLV_VIDEO), *flv_tags(bytes(content), _FLV_SOUND)]
    if change == "longer":
        content[tags[9].stop - 4 : tags[9].stop - 4] = b"\0"
    elif change == "first":  # no writer states all but one
        first = next(flv_tags(bytes(content), 18))
        content[first.stop - 4 : first.stop] = bytes(4)
    elif change == "zeros":
        content[86:4182] = bytes(4096)
    elif change == "every":  # of a writer that never states the second length
        for tag in flv_tags(bytes(content), 18):
            content[tag.stop - 4 : tag.stop] = bytes(4)
        for tag in tags:
            content[tag.stop - 4 : tag.stop] = bytes(4)
    path.write_bytes(content)
    assert broken_tags(path) == (change not in {"none", "every"})
    if change not in {"zeros", "every"}:  # which FFmpeg cannot read, or reads with gaps
        assert is_called_good(path) == (change == "none")


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi"])
@pytest.mark.parametrize("bframes", [0, 2])
def test_a_picture_that_its_decoder_passes_over_in_silence_is_damaged(
    suffix: str, bframes: int, tmp_path: Path
) -> None:
    """MPEG-2 whose picture's start is damaged: FFmpeg shows nothing of it, and tells no error."""
    clip = Clip(
        codec="mpeg2video", time_base=Fraction(1, 25), options={"bf": str(bframes), "g": "12"}
    )
    path = make_clip(tmp_path / f"in{suffix}", clip)
    start = b"\0\0\1\0"
    data = bytearray(path.read_bytes())
    begin, end = max(0, data.find(b"movi")), data.find(b"idx1") % len(data)  # of an AVI
    places = [at for at in range(begin, end - 4) if data[at : at + 4] == start]
    assert len(places) == 25
    data[places[16] + 1] = 0x12
    path.write_bytes(data)
    with FileSource(path) as source:
        assert len(list(source)) == 24
        assert source.corrupt_packets
        assert any("damaged packet" in line for line in source.notices)


@pytest.mark.parametrize("bframes", [0, 2])
@pytest.mark.parametrize("places", [(), (14,), (20, 21)])
def test_pictures_of_an_avi_that_vanish_in_silence_are_counted(
    places: tuple[int, ...], bframes: int, tmp_path: Path
) -> None:
    """Its packets have no times, by which others are missed."""
    clip = Clip(
        frames=50, codec="mpeg2video", time_base=Fraction(1, 25), options={"bf": str(bframes)}
    )
    path = make_clip(tmp_path / "in.avi", clip)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    for place in places:
        at = data.index(packets[place])
        data[at : at + len(packets[place])] = bytes(len(packets[place]))
    path.write_bytes(data)
    with FileSource(path) as source:
        assert len(list(source)) == 50 - len(places)
        assert source.corrupt_packets == len(places)


def test_an_avi_that_does_not_name_its_codec_is_not_called_incomplete(tmp_path: Path) -> None:
    """FFmpeg's older versions write HEVC so, and take it for uncompressed pictures then."""
    path = make_clip(tmp_path / "in.avi", Clip(codec="mpeg4", time_base=Fraction(1, 25)))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"FMP4", bytes(4)).replace(b"fmp4", bytes(4)))
    with pytest.raises(MediaError, match="says that its video is uncompressed, and it is not"):
        FileSource(path)


def test_nothing_is_said_of_avi_where_the_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "in.nut"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("rawvideo", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        short: Packet[Stream] = Packet(bytes(100))  # of 4608
        short.pts = short.dts = 0
        short.stream, short.time_base, short.is_keyframe = stream, Fraction(1, 25), True
        output.mux(short)
    with pytest.raises(MediaError, match="can be decoded") as raised:
        FileSource(path)
    assert "AVI" not in str(raised.value)


def test_an_uncompressed_avi_that_is_cut_in_its_first_picture_is_incomplete(tmp_path: Path) -> None:
    clip = Clip(codec="rawvideo", pixel_format="bgr24", time_base=Fraction(1, 25))
    path = make_clip(tmp_path / "in.avi", clip)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 3000])
    with pytest.raises(MediaError, match="incomplete"):
        FileSource(path)
