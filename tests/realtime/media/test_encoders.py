"""Encoders: which is chosen, how it is described, and what it refuses."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from support.media import Clip, make_clip, picture
from support.transcoding import frame_times, transcode

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media import encoder
from tapetum.realtime.media.encoder import repeatable
from tapetum.realtime.media.file_sink import EncoderSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mp4", Clip(frames=3))


@pytest.mark.parametrize(
    ("settings", "suffix", "description"),
    [
        (EncoderSettings(), ".mp4", "libx264 crf 20 veryfast"),
        (EncoderSettings(crf=30, preset="ultrafast"), ".mkv", "libx264 crf 30 ultrafast"),
        (EncoderSettings(codec="h265"), ".mp4", "libx265 crf 22 veryfast"),
        (EncoderSettings(codec="libx265", preset="fast"), ".mkv", "libx265 crf 22 fast"),
        (EncoderSettings(), ".webm", "libvpx-vp9 crf 31 cpu-used 6"),
        (EncoderSettings(codec="av1", preset="12"), ".mp4", "libsvtav1 crf 32 preset 12"),
        (EncoderSettings(codec="ffv1"), ".mkv", "ffv1"),
    ],
)
def test_encoders_are_chosen_and_described(
    tmp_path: Path, clip_path: Path, settings: EncoderSettings, suffix: str, description: str
) -> None:
    sink = transcode(clip_path, tmp_path / f"out{suffix}", settings)
    assert sink.description == description
    assert len(frame_times(tmp_path / f"out{suffix}")) == 3


def test_encoders_say_nothing_on_the_terminal(
    tmp_path: Path, clip_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for codec in ("h264", "hevc", "av1", "vp9"):
        transcode(clip_path, tmp_path / f"{codec}.mp4", EncoderSettings(codec=codec))
    assert capfd.readouterr() == ("", "")


def test_hevc_in_mp4_is_tagged_for_apple(tmp_path: Path, clip_path: Path) -> None:
    transcode(clip_path, tmp_path / "out.mp4", EncoderSettings(codec="hevc"))
    with av.open(str(tmp_path / "out.mp4"), "r") as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_mp4_has_its_index_first(tmp_path: Path, clip_path: Path) -> None:
    transcode(clip_path, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("settings", "name", "words"),
    [
        (EncoderSettings(codec="nonsense"), "o.mp4", "codec nonsense is unknown; use h264"),
        (EncoderSettings(codec="aac"), "o.mp4", "encodes audio, not video"),
        (EncoderSettings(codec="h264"), "o.webm", "h264 cannot be stored in .webm; use .mp4"),
        (EncoderSettings(codec="prores"), "o.mp4", "cannot be stored in .mp4; use .mov, .mkv"),
        (EncoderSettings(crf=99), "o.mp4", "crf of libx264 must be 0 to 51, got 99"),
        (EncoderSettings(crf=20, codec="ffv1"), "o.mkv", "ffv1 takes no crf"),
        (EncoderSettings(preset="warp"), "o.mp4", "must be one of ultrafast, .* got warp"),
        (EncoderSettings(codec="dnxhd"), "o.mov", "dnxhd refuses 64x48"),
        (EncoderSettings(), "o.txt", r"has .txt; use one of .mp4, .m4v, .mov, .mkv, .webm"),
        (EncoderSettings(), "o", "has no suffix; use one of"),
    ],
)
def test_impossible_settings_are_one_clear_line(
    tmp_path: Path, clip_path: Path, settings: EncoderSettings, name: str, words: str
) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        transcode(clip_path, tmp_path / name, settings)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


@pytest.mark.parametrize("width", [128, 250, 256, 384, 640, 1280])
def test_x264_by_the_machines_widest_instructions_gives_the_bytes_of_avx2(width: int) -> None:
    assert repeatable("libx264", width) == {}
    by_avx2 = encoded(width, {"x264-params": "asm=avx2"})
    assert [encoded(width, {}) for _ in range(3)] == [by_avx2] * 3


@pytest.mark.parametrize("width", [160, 320, 854, 1264])
def test_x264_is_kept_from_what_reads_beyond_a_row(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(encoder, "cpu_features", lambda: ["avx2", "avx512f"])
    assert repeatable("libx264", width) == {"x264-params": "asm=avx2"}


def encoded(width: int, options: dict[str, str]) -> list[bytes]:
    clip = Clip(width=width, height=64, frames=40)
    output = io.BytesIO()
    with av.open(output, "w", format="nut") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast"} | options)
        stream.width, stream.height = clip.width, clip.height
        pictures = [picture(clip, index).reformat(format="yuv420p") for index in range(clip.frames)]
        return [bytes(packet) for each in [*pictures, None] for packet in stream.encode(each)]
