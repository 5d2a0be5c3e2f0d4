"""What lies beside the video: copied exactly, or changed with a notice, never lost unsaid."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Disposition
from media import SUBTITLE_LINES, Clip, make_clip
from media_contents import Track, track, tracks

from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource

RICH = Clip(
    frames=50,
    audio=["aac", "aac"],
    chapters=True,
    cover=True,
    metadata={"title": "Night walk", "artist": "A. Cat", "creation_time": "2020-01-02T03:04:05Z"},
    video_metadata={"language": "nor"},
)


def transcode(
    source: Path, target: Path, *, start_s: float = 0.0, duration_s: float | None = None
) -> list[str]:
    """Re-encode the video, copy the rest, and return the sink's notices."""
    with (
        FileSource(source, start_s=start_s, duration_s=duration_s) as frames,
        FileSink(
            target, info=frames.info, copy_from=source, start_s=start_s, duration_s=duration_s
        ) as sink,
    ):
        for frame in frames:
            sink.write(frame)
    return sink.notices


def of_kind(path: Path, kind: str) -> list[Track]:
    return [found for found in tracks(path) if found.kind == kind]


def texts(found: Track) -> list[tuple[Fraction, Fraction]]:
    """Time and duration of the lines of a subtitle track, without MP4's empty gaps."""
    return [(time, duration) for time, duration, data in found.packets if len(data) > 2]


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


@pytest.fixture(scope="module")
def rich_mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two AAC tracks, MP4 text, chapters, cover art, metadata."""
    clip = replace(RICH, subtitles="mov_text")
    return make_clip(tmp_path_factory.mktemp("rich") / "rich.mp4", clip)


@pytest.fixture(scope="module")
def rich_mkv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in Matroska, with ASS subtitles, Opus as the second track, and a font."""
    clip = replace(
        RICH,
        audio=["aac", "libopus"],
        subtitles="ass",
        font=True,
        time_base=Fraction(1, 1000),
    )
    return make_clip(tmp_path_factory.mktemp("rich") / "rich.mkv", clip)


# Audio -------------------------------------------------------------------------------------------


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


def test_audio_that_starts_late_stays_late(tmp_path: Path) -> None:
    clip = Clip(audio=["aac"], audio_start_s=Fraction(1, 2))
    source = make_clip(tmp_path / "in.mp4", clip)
    transcode(source, tmp_path / "out.mp4")
    assert track(tmp_path / "out.mp4", "audio").times == track(source, "audio").times


def test_a_clip_without_audio_gets_none(tmp_path: Path) -> None:
    transcode(make_clip(tmp_path / "in.mp4"), tmp_path / "out.mkv")
    assert [found.kind for found in tracks(tmp_path / "out.mkv")] == ["video"]


def test_audio_that_webm_cannot_hold_becomes_opus(tmp_path: Path, rich_mp4: Path) -> None:
    notices = transcode(rich_mp4, tmp_path / "out.webm")
    after = of_kind(tmp_path / "out.webm", "audio")
    assert [found.codec for found in after] == ["opus", "opus"]
    assert "audio stream 1 (aac, eng) is transcoded to libopus" in notices
    last = after[0].packets[-1]
    assert float(last[0] + last[1]) == pytest.approx(1.96, abs=0.05)
    assert after[0].metadata["language"] == "eng"


def test_opus_goes_through_webm_unchanged(tmp_path: Path) -> None:
    clip = Clip(codec="libvpx-vp9", audio=["libopus"], time_base=Fraction(1, 1000))
    source = make_clip(tmp_path / "in.webm", clip)
    assert transcode(source, tmp_path / "out.webm") == []
    assert track(tmp_path / "out.webm", "audio").packets == track(source, "audio").packets


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


# Subtitles ---------------------------------------------------------------------------------------

LINES = [(Fraction(start, 1000), Fraction(length, 1000)) for start, length, _ in SUBTITLE_LINES]


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
    notices = transcode(rich_mkv, tmp_path / f"out{suffix}")
    after = track(tmp_path / f"out{suffix}", "subtitle")
    assert after.codec == codec
    assert texts(after) == LINES
    words = [data for _, _, data in after.packets if len(data) > 2]
    assert all(text in data for (_, _, text), data in zip(SUBTITLE_LINES, words, strict=True))
    assert f"subtitle stream 3 (ass, fra) is converted to {codec}" in notices


def test_mp4_text_is_converted_for_matroska(tmp_path: Path, rich_mp4: Path) -> None:
    notices = transcode(rich_mp4, tmp_path / "out.mkv")
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
    notices = transcode(source, tmp_path / "out.mp4")
    assert notices == [
        "subtitle stream 1 (hdmv_pgs_subtitle) cannot be stored in .mp4, dropped; .mkv keeps it"
    ]


# Cover art, attachments, data --------------------------------------------------------------------


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
    notices = transcode(rich_mp4, tmp_path / f"out{suffix}")
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
        notices = transcode(rich_mkv, tmp_path / f"out{suffix}")
        assert any("font.ttf" in line and "dropped; .mkv keeps it" in line for line in notices)


# The file as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_chapters_are_kept(tmp_path: Path, rich_mkv: Path, rich_mp4: Path, suffix: str) -> None:
    for source in (rich_mkv, rich_mp4):
        target = tmp_path / f"{source.suffix[1:]}{suffix}"
        transcode(source, target)
        half, one = Fraction(1, 2), Fraction(1)
        assert chapters(target) == [(Fraction(0), half, "One"), (half, one, "Two")]


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


# Start and duration ------------------------------------------------------------------------------


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


def test_a_subtitle_that_is_shown_at_the_start_begins_there(tmp_path: Path, rich_mkv: Path) -> None:
    transcode(rich_mkv, tmp_path / "out.mkv", start_s=0.6)
    after = texts(track(tmp_path / "out.mkv", "subtitle"))
    assert after == [
        (Fraction(0), Fraction(150, 1000)),
        (Fraction(200, 1000), Fraction(150, 1000)),
    ]
