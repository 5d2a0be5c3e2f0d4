"""Awkward clips and photos, made with PyAV, and damage to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet
from av.video.stream import VideoStream

from tapetum.realtime.media.thread_priority import without_real_time_threads

SAMPLE_RATE = 48_000
AUDIO_BLOCK = 1024
ASS_HEADER = b"[Script Info]\nScriptType: v4.00+\n[Events]\n"


@dataclass(frozen=True)
class Clip:
    """A clip to be made; the defaults are one second of small H.264 in MP4 at 25 fps.

    `times` are the frames' times in `time_base` units; None makes them 0, 1, 2, ... frames.
    """

    width: int = 64
    height: int = 48
    frames: int = 25
    rate: int = 25
    times: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 12_800)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    color: tuple[int, int, int, int] = (2, 0, 2, 2)
    """Matrix, range, primaries, transfer."""
    sample_aspect_ratio: Fraction | None = None
    rotation: tuple[int, bool] | None = None
    """Counter-clockwise degrees, and whether it is mirrored."""
    audio: Sequence[str] = ()
    """Codecs of the audio tracks."""
    audio_languages: Sequence[str] = ("eng", "deu", "fra")
    audio_start_s: Fraction = Fraction(0)
    subtitles: str | None = None
    """Codec of a subtitle track with three lines."""
    chapters: bool = False
    cover: bool = False
    font: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    video_metadata: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)

    def frame_times(self) -> list[int]:
        """Each frame's time in `time_base` units."""
        if self.times is not None:
            return list(self.times)
        return [round(i / (self.rate * self.time_base)) for i in range(self.frames)]


VFR_TIMES = [0, 512, 1536, 1600, 3072, 3584, 5120, 8192, 8704, 12288, 20480, 20481]
"""Times in 1/12800 s that follow no frame rate."""

SUBTITLE_LINES = [(100, 400, b"first"), (550, 200, b"second"), (800, 150, b"third")]
"""Start and duration in milliseconds, and text."""

RICH = Clip(
    frames=50,
    audio=["aac", "aac"],
    chapters=True,
    cover=True,
    metadata={"title": "Night walk", "artist": "A. Cat", "creation_time": "2020-01-02T03:04:05Z"},
    video_metadata={"language": "nor"},
)
"""With all that can lie beside a video but subtitles and fonts."""


def make_clip(path: Path, clip: Clip = Clip()) -> Path:
    """Write a clip and return its path."""
    with av.open(str(path), "w", container_options=clip.container_options) as output:
        video = _add_video(output, clip)
        audio = [_add_audio(output, clip, index) for index in range(len(clip.audio))]
        subtitles = _add_subtitles(output, clip)
        cover = _add_cover(output, path) if clip.cover else None
        if clip.font:
            output.add_attachment("font.ttf", "application/x-truetype-font", b"not a font" * 99)
        _describe(output, clip)
        with without_real_time_threads():  # or SVT-AV1 makes the tests' thread one
            output.start_encoding()
        if cover is not None:
            output.mux(cover)
        _write(output, clip, video, audio, subtitles)
    return path


def make_resized_clip(folder: Path) -> Path:
    """Write a recording whose pictures of 64x48 become 96x64, and return its path."""
    clip = Clip(codec="mpeg2video", time_base=Fraction(1, 25))
    first = make_clip(folder / "a.ts", clip)
    later = replace(clip, width=96, height=64, times=range(60, 70))
    second = make_clip(folder / "b.ts", later)
    joined = folder / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    return joined


def picture(clip: Clip, index: int) -> av.VideoFrame:
    """The clip's picture number `index`: moving ramps, which compress well but not to nothing."""
    frame = av.VideoFrame(clip.width, clip.height, "gray")
    rows, columns = np.mgrid[: clip.height, : clip.width]
    values = (rows * 3 + columns * 2 + index * 5) % 200 + 20
    fill_plane(frame.planes[0], values.astype(np.uint8))
    return frame.reformat(format=clip.pixel_format, dst_color_range=clip.color[1] or 1, threads=1)


def fill_plane(plane: av.video.plane.VideoPlane, values: npt.NDArray[Any]) -> None:
    """Write values into a plane of a frame."""
    memory: Any = plane
    rows = np.frombuffer(memory, values.dtype).reshape(plane.height, -1)
    rows[:, : values.shape[1]] = values


def _add_video(output: OutputContainer, clip: Clip) -> VideoStream:
    stream = output.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))
    assert isinstance(stream, VideoStream)
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = clip.width, clip.height, clip.pixel_format
    context.time_base = clip.time_base
    context.colorspace, context.color_range = clip.color[:2]
    context.color_primaries, context.color_trc = clip.color[2:]
    context.thread_count = 1
    if clip.sample_aspect_ratio:
        context.sample_aspect_ratio = clip.sample_aspect_ratio
    if clip.rotation:
        stream.set_display_rotation(clip.rotation[0], hflip=clip.rotation[1])
    stream.metadata.update(clip.video_metadata)
    return stream


def _add_audio(output: OutputContainer, clip: Clip, index: int) -> AudioStream:
    stream = output.add_stream(clip.audio[index], rate=SAMPLE_RATE)
    assert isinstance(stream, AudioStream)
    stream.codec_context.layout = "stereo"
    stream.metadata["language"] = clip.audio_languages[index]
    if index == 1:
        stream.metadata["title"] = "Commentary"
        stream.disposition = Disposition.comment
    return stream


def _add_subtitles(output: OutputContainer, clip: Clip) -> Stream | None:
    if clip.subtitles is None:
        return None
    stream = output.add_stream(clip.subtitles)
    context = stream.codec_context
    assert isinstance(context, SubtitleCodecContext)
    context.subtitle_header = ASS_HEADER
    context.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "fra"
    return stream


def _add_cover(output: OutputContainer, path: Path) -> Packet[Stream] | None:
    """Cover art: a file in Matroska, a picture stream elsewhere."""
    data = encode_picture("png", "rgb24", 8, 8)
    if path.suffix == ".mkv":
        output.add_attachment("cover.png", "image/png", data)
        return None
    stream = output.add_mux_stream("png", width=8, height=8)
    stream.time_base = Fraction(1, 1000)
    stream.disposition = Disposition.attached_pic
    packet = Packet(data)
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    packet.time_base = Fraction(1, 1000)
    packet.is_keyframe = True
    return packet


def encode_picture(codec: str, pixel_format: str, width: int, height: int) -> bytes:
    """One mid-gray picture as the bytes of an image file."""
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, pixel_format
    context.time_base = Fraction(1, 25)
    frame = picture(Clip(width=width, height=height, pixel_format=pixel_format), 0)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def _describe(output: OutputContainer, clip: Clip) -> None:
    output.metadata.update(clip.metadata)
    if clip.chapters:
        base = Fraction(1, 1000)
        halves = [(0, 500, "One"), (500, 1000, "Two")]
        output.set_chapters(
            [
                {"id": i, "start": s, "end": e, "time_base": base, "metadata": {"title": title}}
                for i, (s, e, title) in enumerate(halves, start=1)
            ]
        )


def _write(
    output: OutputContainer,
    clip: Clip,
    video: VideoStream,
    audio: Sequence[AudioStream],
    subtitles: Stream | None,
) -> None:
    times = clip.frame_times()
    packets = [*_video_packets(video, clip, times)]
    length_s = max(times, default=0) * clip.time_base
    for stream in audio:
        packets += _audio_packets(stream, length_s, clip.audio_start_s)
    if subtitles is not None:
        packets += _subtitle_packets(subtitles)
    for packet in sorted(packets, key=_seconds):
        output.mux(packet)


def _seconds(packet: Packet[Stream]) -> Fraction:
    return Fraction(packet.dts or 0) * Fraction(packet.time_base)


def _video_packets(
    stream: VideoStream, clip: Clip, times: Sequence[int]
) -> Iterable[Packet[Stream]]:
    for index, time in enumerate(times):
        frame = picture(clip, index)
        frame.pts, frame.time_base, frame.pict_type = time, clip.time_base, 0
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _audio_packets(
    stream: AudioStream, length_s: Fraction, start_s: Fraction
) -> Iterable[Packet[Stream]]:
    first = round(start_s * SAMPLE_RATE)
    for block in range(math.ceil(length_s * SAMPLE_RATE / AUDIO_BLOCK)):
        phase = (np.arange(AUDIO_BLOCK) + block * AUDIO_BLOCK) * 440 * 2 * np.pi / SAMPLE_RATE
        tone = (np.sin(phase) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = first + block * AUDIO_BLOCK, Fraction(1, SAMPLE_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _subtitle_packets(stream: Stream) -> Iterable[Packet[Stream]]:
    context = stream.codec_context
    assert isinstance(context, SubtitleCodecContext)
    for start, duration, text in SUBTITLE_LINES:
        line = b"0,0,Default,,0,0,0,," + text
        packet = context.encode_subtitle(SubtitleSet.create(line, 0, duration))
        packet.pts = packet.dts = start
        packet.duration, packet.time_base = duration, Fraction(1, 1000)
        packet.stream = stream
        yield packet


def cut_short(path: Path, fraction: float) -> Path:
    """A copy of a file of which only the first part is left."""
    target = path.with_name(f"cut_{path.name}")
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * fraction)])
    return target


def scribble(path: Path, begin: float, end: float) -> Path:
    """A copy of a file with noise from one part of its length to another."""
    target = path.with_name(f"bad_{path.name}")
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * begin), int(len(data) * end)
    data[first:last] = np.random.default_rng(0).bytes(last - first)
    target.write_bytes(data)
    return target


def blank_packet(path: Path, number: int) -> None:
    """Overwrite one packet of a file's video, but for its beginning."""
    with av.open(path) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    assert packet.pos is not None
    data = bytearray(path.read_bytes())
    data[packet.pos + 4 : packet.pos + packet.size] = b"\xff" * (packet.size - 4)
    path.write_bytes(data)
