"""What lies beside the video: copied exactly, or changed with a notice, never lost unsaid.

Subtitles have tests of their own, `test_copied_subtitles.py`.
"""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from support.media import Clip, make_clip
from support.media_contents import Track, track, tracks
from support.transcoding import transcode

from tapetum.realtime.media.file_source import FileSource

pytestmark = pytest.mark.slow


def of_kind(path: Path, kind: str) -> list[Track]:
    return [found for found in tracks(path) if found.kind == kind]


def metadata(path: Path) -> dict[str, str]:
    with av.open(str(path), "r") as container:
        return {key.lower(): value for key, value in container.metadata.items()}


def chapters(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    with av.open(str(path), "r") as container:
        return [
            (
                chapter["start"] * Fraction(chapter["time_base"] or 1),
                chapter["end"] * Fraction(chapter["time_base"] or 1),
                chapter["metadata"]["title"],
            )
            for chapter in container.chapters()
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_mp4_audio_is_copied_packet_by_packet(tmp_path: Path, rich_mp4: Path, suffix: str) -> None:
    transcode(rich_mp4, tmp_path / f"out{suffix}")
    before, after = of_kind(rich_mp4, "audio"), of_kind(tmp_path / f"out{suffix}", "audio")
    assert [a.packets for a in after] == [b.packets for b in before]


def test_matroska_audio_is_copied_packet_by_packet(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv")
    before, after = of_kind(rich_mkv, "audio"), of_kind(tmp_path / "out.mkv", "audio")
    assert [a.codec for a in after] == ["aac", "opus"]
    assert [a.packets for a in after] == [b.packets for b in before]


def test_the_video_does_not_move_for_audio_that_begins_before_it(
    tmp_path: Path, rich_mp4: Path
) -> None:
    transcode(rich_mp4, tmp_path / "out.mkv")
    before, after = of_kind(rich_mp4, "audio")[0], of_kind(tmp_path / "out.mkv", "audio")[0]
    assert track(tmp_path / "out.mkv", "video").times[0] == 0
    assert after.times[0] == 0
    assert [p[2] for p in after.packets] == [p[2] for p in before.packets[1:]]


def test_sound_is_kept_where_the_format_cannot_be_sought_in(tmp_path: Path) -> None:
    source = tmp_path / "in.swf"
    inputs = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=5:duration=13"]
    inputs += ["-f", "lavfi", "-i", "sine=duration=13:sample_rate=22050"]
    command = ["ffmpeg", "-v", "error", *inputs, "-c:v", "flv1", "-c:a", "libmp3lame", str(source)]
    subprocess.run(command, check=True)
    for start_s in (1, 11):
        transcode(source, tmp_path / f"{start_s}.mkv", start_s=start_s)
        sound = track(tmp_path / f"{start_s}.mkv", "audio")
        assert len(sound.packets) == pytest.approx((13 - start_s) * 22050 / 576, rel=0.1)
        assert abs(sound.times[0]) < 0.05


def test_the_last_sound_is_kept_where_packets_say_no_length(tmp_path: Path) -> None:
    """An MP4 would show nothing of it."""
    source = make_clip(tmp_path / "in.nut", Clip(audio=["flac"]))
    transcode(source, tmp_path / "out.mp4")
    before, after = (
        [data for _, _, data in track(path, "audio").packets if data]
        for path in (source, tmp_path / "out.mp4")
    )
    assert len(before) > 2
    assert after == before


def test_encrypted_sound_is_not_copied_as_noise(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(audio=["aac"]))
    source.write_bytes(source.read_bytes().replace(b"mp4a", b"enca"))
    notices = transcode(source, tmp_path / "out.mp4").notices
    assert any(line.endswith("is encrypted, dropped") for line in notices)
    assert [found.kind for found in tracks(tmp_path / "out.mp4")] == ["video"]


def test_audio_that_starts_late_stays_late(tmp_path: Path) -> None:
    clip = Clip(audio=["aac"], audio_start_s=Fraction(1, 2))
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / "out.mp4")
    assert track(tmp_path / "out.mp4", "audio").times == track(source, "audio").times


def test_a_clip_without_audio_gets_none(tmp_path: Path) -> None:
    transcode(make_clip(tmp_path / "in.mp4"), tmp_path / "out.mkv")
    assert [found.kind for found in tracks(tmp_path / "out.mkv")] == ["video"]


def test_audio_that_webm_cannot_hold_becomes_opus(tmp_path: Path, rich_mp4: Path) -> None:
    notices = transcode(rich_mp4, tmp_path / "out.webm").notices
    after = of_kind(tmp_path / "out.webm", "audio")
    assert [found.codec for found in after] == ["opus", "opus"]
    assert "audio stream 1 (aac, eng) is transcoded to libopus" in notices
    last = after[0].packets[-1]
    assert float(last[0] + last[1]) == pytest.approx(1.96, abs=0.05)
    assert after[0].metadata["language"] == "eng"


def test_opus_goes_through_webm_unchanged(tmp_path: Path) -> None:
    clip = Clip(codec="libvpx-vp9", audio=["libopus"], time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.webm", clip)
    assert transcode(source, tmp_path / "out.webm").notices == []
    assert track(tmp_path / "out.webm", "audio").packets == track(source, "audio").packets


@pytest.mark.parametrize(
    ("suffix", "kept"), [(".mkv", True), (".mp4", True), (".mov", False), (".webm", False)]
)
def test_what_a_stream_is_marked_as_is_kept_or_its_loss_said(
    suffix: str, kept: bool, tmp_path: Path
) -> None:
    source = make_clip(tmp_path / "in.mkv", Clip(audio=["aac", "aac"], time_base=Fraction(1, 1000)))
    sink = transcode(source, tmp_path / f"out{suffix}")
    commentary = tracks(tmp_path / f"out{suffix}")[2]
    assert (commentary.disposition == Disposition.comment) == kept
    said = [line for line in sink.notices if "is not marked as comment any more" in line]
    assert len(said) == (not kept)


@pytest.mark.parametrize(("suffix", "kept"), [(".mkv", True), (".mp4", False)])
def test_what_the_video_is_marked_as_is_kept_or_its_loss_said(
    suffix: str, kept: bool, tmp_path: Path
) -> None:
    plain = make_clip(tmp_path / "plain.mkv", Clip(time_base=Fraction(1, 1000)))
    source = tmp_path / "in.mkv"
    with av.open(str(plain)) as read, av.open(str(source), "w") as written:
        twin = written.add_stream_from_template(read.streams.video[0])
        twin.disposition = Disposition.original
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = twin
                written.mux(packet)
    sink = transcode(source, tmp_path / f"out{suffix}")
    found = track(tmp_path / f"out{suffix}", "video").disposition
    assert bool(found & Disposition.original) == kept
    lost = "the video is not marked as original any more, which .mp4 cannot say; .mkv can"
    assert sink.notices == ([] if kept else [lost])


@pytest.mark.parametrize(
    ("mode", "suffix", "kept"),
    [
        ("left_right", ".mkv", True),
        ("left_right", ".webm", True),
        ("left_right", ".mp4", False),
        ("block_lr", ".mkv", True),
        ("block_lr", ".webm", False),
        ("anaglyph_cyan_red", ".webm", False),
    ],
)
def test_a_3d_layout_is_kept_or_its_loss_said(
    mode: str, suffix: str, kept: bool, tmp_path: Path
) -> None:
    clip = Clip(time_base=Fraction(1, 1000), video_metadata={"stereo_mode": mode})
    source, target = make_clip(tmp_path / "in.mkv", clip), tmp_path / f"out{suffix}"
    with FileSource(source) as frames:
        assert frames.notices == []
    sink = transcode(source, target)
    found = track(target, "video").metadata
    assert (found.get("stereo_mode") == mode) == kept
    lost = [line for line in sink.notices if "stereo_mode" in line]
    said = f"{suffix} cannot hold stereo_mode of a single stream; .mkv can"
    assert lost == ([] if kept else [said])


@pytest.mark.parametrize(("suffix", "kept"), [(".mkv", True), (".mp4", False), (".mov", False)])
def test_a_language_of_more_than_three_letters_is_kept_or_its_loss_said(
    suffix: str, kept: bool, tmp_path: Path
) -> None:
    clip = Clip(audio=["aac"], audio_languages=["zh-Hans"], time_base=Fraction(1, 1000))
    target = tmp_path / f"out{suffix}"
    sink = transcode(make_clip(tmp_path / "in.mkv", clip), target)
    assert (track(target, "audio").metadata.get("language") == "zh-Hans") == kept
    said = f"{suffix} cannot hold language of a single stream; .mkv can"
    assert sink.notices == ([] if kept else [said])


def test_metadata_of_a_stream_that_mp4_cannot_hold_is_named_once(tmp_path: Path) -> None:
    clip = Clip(
        audio=["aac"],
        time_base=Fraction(1, 1000),
        video_metadata={"REEL_NAME": "A001", "language": "nor", "title": "Night", "BPS": "1000"},
    )
    source = make_clip(tmp_path / "in.mkv", clip)
    assert transcode(source, tmp_path / "out.mp4").notices == [
        ".mp4 cannot hold REEL_NAME of a single stream; .mkv can"
    ]
    assert transcode(source, tmp_path / "out.mkv").notices == []
    found = track(tmp_path / "out.mp4", "video").metadata
    assert (found["language"], found["name"]) == ("nor", "Night")


def test_languages_titles_and_dispositions_are_kept(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv")
    after = of_kind(tmp_path / "out.mkv", "audio")
    assert [found.metadata["language"] for found in after] == ["eng", "deu"]
    assert after[1].metadata["title"] == "Commentary"
    assert after[1].disposition == Disposition.comment


def test_track_titles_are_kept_from_mp4_to_mp4(tmp_path: Path, rich_mp4: Path) -> None:
    transcode(rich_mp4, tmp_path / "out.mp4")
    commentary = of_kind(tmp_path / "out.mp4", "audio")[1]
    assert commentary.metadata["name"] == "Commentary"
    assert commentary.disposition == Disposition.comment


def covers(path: Path) -> list[bytes]:
    with av.open(str(path), "r") as container:
        pictures = [
            stream
            for stream in container.streams.video
            if stream.disposition & Disposition.attached_pic
        ]
        return [bytes(packet) for packet in container.demux(pictures) if pictures and packet.size]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cover_art_is_kept(tmp_path: Path, rich_mp4: Path, rich_mkv: Path, suffix: str) -> None:
    for source in (rich_mp4, rich_mkv):
        target = tmp_path / f"{source.suffix[1:]}{suffix}"
        transcode(source, target)
        assert covers(target) == covers(source) != []


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_cover_art_that_cannot_be_stored_is_named(
    tmp_path: Path, rich_mp4: Path, suffix: str
) -> None:
    notices = transcode(rich_mp4, tmp_path / f"out{suffix}").notices
    assert f"cover art (png) cannot be stored in {suffix}; .mkv keeps it" in notices


def test_fonts_are_kept_in_matroska_and_named_elsewhere(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv"), "r") as container:
        attachment = container.streams.attachments[0]
        assert (attachment.name, attachment.mimetype) == (
            "font.ttf",
            "application/x-truetype-font",
        )
        assert attachment.data == b"not a font" * 99
    for suffix in (".mp4", ".webm"):
        notices = transcode(rich_mkv, tmp_path / f"out{suffix}").notices
        assert any("font.ttf" in line and "dropped; .mkv keeps it" in line for line in notices)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_chapters_are_kept(tmp_path: Path, rich_mkv: Path, rich_mp4: Path, suffix: str) -> None:
    for source in (rich_mkv, rich_mp4):
        target = tmp_path / f"{source.suffix[1:]}{suffix}"
        transcode(source, target)
        half, one = Fraction(1, 2), Fraction(1)
        assert chapters(target) == [(Fraction(0), half, "One"), (half, one, "Two")]


def with_chapters(folder: Path, marks: list[tuple[int, int, str]]) -> Path:
    """Two seconds of video, with chapters from and to so many milliseconds."""
    plain = make_clip(folder / "plain.mkv", Clip(frames=50, time_base=Fraction(1, 1000)))
    source, unit = folder / "in.mkv", Fraction(1, 1000)
    with av.open(str(plain)) as read, av.open(str(source), "w") as written:
        twin = written.add_stream_from_template(read.streams.video[0])
        written.set_chapters(
            [
                {"id": i, "start": a, "end": b, "time_base": unit, "metadata": {"title": name}}
                for i, (a, b, name) in enumerate(marks, 1)
            ]
        )
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = twin
                written.mux(packet)
    return source


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_chapter_without_a_length_is_kept(tmp_path: Path, suffix: str) -> None:
    """A mark, as of a remote control or an editor."""
    marks = [(0, 1000, "One"), (1000, 1000, "Mark"), (1200, 2000, "Two")]
    source = with_chapters(tmp_path, marks)
    assert len(chapters(source)) == 3
    transcode(source, tmp_path / f"out{suffix}")
    found = chapters(tmp_path / f"out{suffix}")
    assert [(float(a), name) for a, _, name in found] == [(0, "One"), (1, "Mark"), (1.2, "Two")]
    transcode(source, tmp_path / f"cut{suffix}", start_s=1.4)
    assert [name for _, _, name in chapters(tmp_path / f"cut{suffix}")] == ["Two"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_gaps_between_chapters_are_kept_or_said(tmp_path: Path, suffix: str) -> None:
    whole = [(0, 500, "One"), (500, 1000, "Two")]
    assert transcode(with_chapters(tmp_path, whole), tmp_path / f"a{suffix}").notices == []
    gap = with_chapters(tmp_path, [(0, 300, "One"), (500, 1000, "Two")])
    notices = transcode(gap, tmp_path / f"b{suffix}").notices
    if suffix == ".mkv":
        assert notices == []
        assert chapters(tmp_path / "b.mkv")[0][1] == Fraction(3, 10)
    else:
        assert notices == [".mp4 makes each chapter last up to the next; .mkv keeps the gaps"]


def test_chapters_that_are_not_read_are_said(tmp_path: Path) -> None:
    twins = with_chapters(tmp_path, [(0, 500, "One"), (500, 600, "Twin"), (500, 1000, "Two")])
    assert transcode(twins, tmp_path / "out.mkv").notices == [
        "1 of 3 chapters, which begin with another or lie within it, are not read"
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_metadata_is_kept(tmp_path: Path, rich_mp4: Path, suffix: str) -> None:
    transcode(rich_mp4, tmp_path / f"out{suffix}")
    after = metadata(tmp_path / f"out{suffix}")
    assert after["title"] == "Night walk"
    assert after["artist"] == "A. Cat"
    assert after["creation_time"].startswith("2020-01-02T03:04:05")
    video = track(tmp_path / f"out{suffix}", "video")
    assert suffix == ".mov" or video.metadata["language"] == "nor"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_uncommon_metadata_is_kept(tmp_path: Path, suffix: str) -> None:
    clip = Clip(
        metadata={"com.apple.quicktime.make": "Apple", "title": "T"},
        container_options={"movflags": "use_metadata_tags"},
    )
    transcode(make_clip(tmp_path / "in.mov", clip), tmp_path / f"out{suffix}")
    after = metadata(tmp_path / f"out{suffix}")
    assert after["com.apple.quicktime.make"] == "Apple"
    assert after["title"] == "T"


def test_streams_keep_their_order(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv")
    order = [(found.kind, found.codec) for found in tracks(rich_mkv)]
    assert [(found.kind, found.codec) for found in tracks(tmp_path / "out.mkv")] == order


def test_video_and_audio_lie_side_by_side(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(frames=250, audio=["aac"]))
    transcode(source, tmp_path / "out.mp4")
    gap = Fraction(0)
    last = {"video": Fraction(0), "audio": Fraction(0)}
    with av.open(str(tmp_path / "out.mp4"), "r") as container:
        packets = [packet for packet in container.demux() if packet.size]
        for packet in sorted(packets, key=lambda packet: packet.pos or 0):
            last[packet.stream.type] = Fraction(packet.dts or 0) * Fraction(packet.time_base)
            gap = max(gap, abs(last["video"] - last["audio"]))
    assert gap < 2


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_all_streams_are_cut_alike(tmp_path: Path, rich_mkv: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    transcode(rich_mkv, target, start_s=0.6, duration_s=0.3)
    video, audio = track(target, "video"), track(target, "audio")
    assert video.times == [Fraction(4 * index, 100) for index in range(8)]
    assert 0 <= audio.times[0] < Fraction(22, 1000)
    assert Fraction(27, 100) < audio.times[-1] < Fraction(3, 10)
    begin = Fraction(6, 10)
    before = {data: time for time, _, data in track(rich_mkv, "audio").packets}
    moved = [before[data] - begin for _, _, data in audio.packets]
    assert [float(t) for t in audio.times] == pytest.approx([float(t) for t in moved], abs=1e-3)
    assert chapters(target) == [(Fraction(0), Fraction(3, 10), "Two")]


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_f32le"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_pcm_that_older_programs_play_as_noise_is_said(
    codec: str, suffix: str, tmp_path: Path
) -> None:
    """MP4 says how many bits it has in a box of 2020, and 16 where they look."""
    source = make_clip(tmp_path / "in.mov", Clip(audio=[codec]))
    sink = transcode(source, tmp_path / f"out{suffix}")
    assert track(tmp_path / f"out{suffix}", "audio").codec == codec
    noise = [line for line in sink.notices if "play noise" in line]
    assert len(noise) == (suffix == ".mp4" and codec != "pcm_s16le")
