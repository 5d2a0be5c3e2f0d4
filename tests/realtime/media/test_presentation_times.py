"""Pictures whose container does not say, or does not know, when they are shown."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from support.media import Clip, make_clip
from support.transcoding import frame_times, transcode

from tapetum.realtime.media.file_source import FileSource

STEP_S = Fraction(1, 25)


def remuxed(raw: Path, target: Path, *, sound_from_s: float | None = None) -> Path:
    """Raw pictures in a container as FFmpeg copies them: only B-frames have times of showing.

    Args:
        raw: an elementary stream.
        target: the file.
        sound_from_s: when sound begins, after the first picture is decoded; None for none.
    """
    with av.open(str(raw)) as source, av.open(str(target), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream("mp2", rate=48_000) if sound_from_s is not None else None
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts = packet.pts if packet.pts == packet.dts else None
                packet.stream = video
                output.mux(packet)
        for number in range(20 if sound is not None else 0):
            frame = av.AudioFrame("s16", "stereo", 1152)
            frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
            frame.pts = round((sound_from_s or 0) * 48_000) + 1152 * number
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            output.mux(sound.encode(frame) if sound is not None else [])
    return target


def raw_pictures(path: Path, codec: str) -> Path:
    """50 pictures with B-frames, and nothing around them."""
    options = {"bf": "2", "g": "12", "b_strategy": "0"}
    return make_clip(path, Clip(frames=50, codec=codec, time_base=STEP_S, options=options))


def first_sound_s(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        packet = next(container.demux(audio=0))
        return (packet.pts or 0) * Fraction(packet.time_base or 0)


@pytest.mark.parametrize("suffix", [".mpg", ".vob"])
@pytest.mark.parametrize("sound_from_s", [None, 0.0, 0.5])
def test_a_first_picture_without_a_time_begins_the_output(
    tmp_path: Path, suffix: str, sound_from_s: float | None
) -> None:
    """FFmpeg has the file begin with the first time that is given, which is the second's."""
    raw = raw_pictures(tmp_path / "in.m2v", "mpeg2video")
    source = remuxed(raw, tmp_path / f"in{suffix}", sound_from_s=sound_from_s)
    with FileSource(source) as frames:
        count = sum(1 for _ in frames)
        assert (count, frames.notices, frames.damaged_frames) == (50, [], 0)
    transcode(source, tmp_path / "out.mp4")
    shown = frame_times(tmp_path / "out.mp4")
    assert {later - before for before, later in pairwise(shown)} == {STEP_S}
    first_s = float(STEP_S) if sound_from_s == 0 else 0.0
    assert float(shown[0]) == pytest.approx(first_s, abs=0.011)  # the sound's own delay
    if sound_from_s is not None:
        late_s = float(first_sound_s(tmp_path / "out.mp4") - shown[0])
        assert late_s == pytest.approx(sound_from_s - float(STEP_S), abs=0.03)


def in_matroska(avi: Path, target: Path) -> Path:
    """An AVI's packets as they are (V_MS/VFW/FOURCC), as mkvmerge copies them, by their slots."""
    header = struct.pack("<IiiHH4sIiiII", 40, 64, 48, 1, 24, b"XVID", 9216, 0, 0, 0, 0)
    with av.open(str(avi)) as source, av.open(str(target), "w") as output:
        twins = {s.index: output.add_stream_from_template(s) for s in source.streams}
        twins[0].codec_context.extradata = header
        for packet in source.demux():
            if packet.size:
                packet.pts = packet.dts
                packet.stream = twins[packet.stream_index]
                output.mux(packet)
    data = target.read_bytes()
    assert data.count(b"V_MPEG4/ISO/ASP") == 1
    target.write_bytes(data.replace(b"V_MPEG4/ISO/ASP", b"V_MS/VFW/FOURCC"))
    return target


@pytest.mark.parametrize("bframes", ["0", "2"])
def test_an_avi_in_matroska_is_shown_with_its_sound(tmp_path: Path, bframes: str) -> None:
    """Its pictures have slots there, too, which are late by the order of decoding."""
    clip = Clip(codec="mpeg4", time_base=STEP_S, audio=["mp2"], options={"bf": bframes})
    source = in_matroska(make_clip(tmp_path / "in.avi", clip), tmp_path / "in.mkv")
    transcode(source, tmp_path / "out.mp4")
    shown = frame_times(tmp_path / "out.mp4")
    assert shown == [number * STEP_S for number in range(25)]
    assert abs(first_sound_s(tmp_path / "out.mp4")) < Fraction(1, 50)


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".h264"), ("mpeg2video", ".m2v")])
def test_pictures_alone_begin_at_0(tmp_path: Path, codec: str, suffix: str) -> None:
    """FFmpeg's parser counts from the first one's decoding."""
    transcode(raw_pictures(tmp_path / f"in{suffix}", codec), tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == [number * STEP_S for number in range(50)]


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".h264"), ("mpeg2video", ".m2v")])
def test_times_of_decoding_alone_are_not_taken_for_those_of_showing(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    """FFmpeg writes such an MP4 of raw pictures, and warns; pictures of it seem to jump back."""
    raw = raw_pictures(tmp_path / f"in{suffix}", codec)
    source = tmp_path / "in.mp4"
    with av.open(str(raw)) as untimed, av.open(str(source), "w") as output:
        twin = output.add_stream_from_template(untimed.streams.video[0])
        for slot, packet in enumerate(p for p in untimed.demux(video=0) if p.size):
            packet.pts = packet.dts = round(slot * STEP_S / Fraction(packet.time_base))
            packet.stream = twin
            output.mux(packet)
    with FileSource(source) as frames:
        shown = [(frame.pts or 0) * frame.time_base for frame in frames]
        assert len(shown) == 50
        assert "did not believe the time" in frames.notices[0]
    steps = [float(later - before) for before, later in pairwise(shown)]
    assert min(steps) > 0
    assert steps[10:] == pytest.approx([float(STEP_S)] * 39, abs=1e-3)
