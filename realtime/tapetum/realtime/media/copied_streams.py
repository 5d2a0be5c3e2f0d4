"""One input stream on its way to the output: copied, transcoded, converted or attached."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

from tapetum.realtime.media.containers import (
    ALL_MARKS,
    CONTAINERS,
    Container,
    can_store,
    container_that_stores,
)

if TYPE_CHECKING:
    from tapetum.realtime.media.mp4_text import SharedSamples

PacketRoute = Callable[["Packet[Stream]"], "Iterable[Packet[Stream]]"]
"""Turns a packet of an input stream into packets for the output; a damaged one raises FFmpeg's
InvalidDataError."""

_STALE_METADATA = (
    *("bps", "duration", "number_of_", "_statistics", "encoder", "vendor_id", "variant_bitrate"),
    *("major_brand", "minor_version", "compatible_brands", "id3v2_priv", "file_package_umid"),
)
"""Keys that describe the stream as it lay in the old file; the muxer writes its own."""

_MP4_STREAM_METADATA = ("language", "title", "handler_name", "timecode", "creation_time", "rotate")
"""Keys that MP4 and QuickTime can say of a single stream, or say otherwise."""

_STEREO_MODE = "stereo_mode"
_WEBM_STEREO_MODES = ("mono", "left_right", "bottom_top", "top_bottom", "right_left")
"""How two views lie in a picture, where WebM can say so; its muxer refuses the others."""

_QUICKTIME_LANGUAGES = {"deu": "ger", "nld": "dut", "swe": "sve"}
"""Codes that FFmpeg's QuickTime muxer knows by another name only."""

_EMPTY_LINE = b"\0\0"
"""How MP4 text fills the time between two lines; the muxer does so by itself."""

_LAYOUTS = {1: "mono", 6: "5.1", 8: "7.1"}
"""The usual layouts of so many channels, where theirs is not known or not encoded."""

_OPUS_RATE = 48_000
_BIT_RATE_PER_CHANNEL = 96_000


def kept_metadata(metadata: dict[str, str], container: Container) -> dict[str, str]:
    """A stream's metadata as a container takes it, without what is not true of the copy."""
    kept = {k: v for k, v in metadata.items() if not k.lower().startswith(_STALE_METADATA)}
    if container.format_name == "webm" and kept.get(_STEREO_MODE) not in _WEBM_STEREO_MODES:
        kept.pop(_STEREO_MODE, None)
    if "name" in kept:  # how FFmpeg reads the title of an MP4 track
        kept.setdefault("title", kept.pop("name"))
    if container.format_name == "mov" and "language" in kept:
        kept["language"] = _QUICKTIME_LANGUAGES.get(kept["language"], kept["language"])
    return kept


def lost_keys(metadata: dict[str, str], container: Container) -> list[str]:
    """Keys of a stream's metadata that a container has no place for."""
    keys = kept_metadata(metadata, container)
    if not container.is_mov:
        return [key for key in (_STEREO_MODE,) if key in metadata and key not in keys]
    return [key for key, value in keys.items() if not _is_kept_in_mov(key.lower(), value)]


def _is_kept_in_mov(key: str, value: str) -> bool:
    """Whether MP4 and QuickTime say it of a stream; languages by three letters (ISO 639-2) alone.

    Matroska says "zh-Hans", too.
    """
    if key == "language":
        return len(value) == 3 and value.isascii() and value.islower()
    return key.startswith(_MP4_STREAM_METADATA)


def describe(stream: Stream, content: str | None = None) -> str:
    """A stream in words, like "audio stream 1 (aac, eng)"; `content` is what FFmpeg cannot name."""
    words = [content or codec_name(stream), stream.language or ""]
    inside = ", ".join(word for word in words if word and word != "und")
    return f"{stream.type} stream {stream.index}" + (f" ({inside})" if inside else "")


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec, or of an attached file."""
    context: CodecContext | None = stream.codec_context
    if context is not None:
        return str(context.codec.canonical_name)
    return str(getattr(stream, "name", None) or "unknown codec")


def route_stream(
    source: Stream, output: OutputContainer, container: Container, notices: list[str]
) -> PacketRoute | None:
    """Add a stream like `source` to the output and say how its packets get there.

    Args:
        source: a stream of the input, not the enhanced video.
        output: the opened output.
        container: what it is.
        notices: gets a line for every stream that is changed or dropped.

    Returns:
        The way of its packets, or None where it has none to copy or cannot be kept.
    """
    if can_store(source, container):
        return _copy(source, output, container, notices)
    if isinstance(source, AudioStream) and source.codec_context is not None:
        return _transcode(source, output, container, notices)
    if isinstance(source, SubtitleStream) and _is_text(source) and container.text_subtitles:
        return _convert(source, output, container, notices)
    home = container_that_stores(source)
    advice = f"; {home} keeps it" if home else ""
    notices.append(f"{describe(source)} cannot be stored in {container.suffix}, dropped{advice}")
    return None


def _copy(
    source: Stream, output: OutputContainer, container: Container, notices: list[str]
) -> PacketRoute:
    stream = output.add_stream_from_template(source, opaque=True)
    _carry_description(source, stream, container, notices)
    name = codec_name(source)
    if container.format_name == "mp4" and name.startswith("pcm_") and "16" not in name:
        notices.append(
            f"{describe(source)} is kept; programs that take any PCM in MP4 for 16 bits, as FFmpeg"
            " 5 does, play noise: .mov suits them"
        )
    gaps_written_anew = name == "mov_text"

    def route(packet: Packet[Stream]) -> Iterable[Packet[Stream]]:
        if not packet.size or (gaps_written_anew and bytes(packet) == _EMPTY_LINE):
            return ()
        packet.stream = stream
        return (packet,)

    return route


def _carry_description(
    source: Stream, stream: Stream, container: Container, notices: list[str]
) -> None:
    stream.disposition = source.disposition
    notices += lost_marks(describe(source), source.disposition, container)
    stream.metadata.update(kept_metadata(source.metadata, container))


def lost_marks(what: str, disposition: Disposition, container: Container) -> list[str]:
    """A line where a container cannot say what a stream is marked as; `what` names the stream."""
    marks = disposition & ALL_MARKS
    lost = marks & ~container.marks
    if not lost:
        return []
    names = " and ".join(str(flag.name).replace("_", " ") for flag in lost)
    homes = (suffix for suffix, c in CONTAINERS.items() if not marks & ~c.marks)
    home = next((f"; {suffix} can" for suffix in homes), "")
    return [f"{what} is not marked as {names} any more, which {container.suffix} cannot say{home}"]


def _transcode(
    source: AudioStream, output: OutputContainer, container: Container, notices: list[str]
) -> PacketRoute | None:
    layout = _usable_layout(source, container.audio_encoder)
    if layout is None:
        notices.append(f"{describe(source)} cannot be stored in {container.suffix}, dropped")
        return None
    stream = _audio_stream(source, output, container.audio_encoder, layout)
    _carry_description(source, stream, container, notices)
    is_mixed = av.AudioLayout(layout).nb_channels != source.layout.nb_channels
    changed = f" and mixed to {layout}" if is_mixed else ""
    notices.append(f"{describe(source)} is transcoded to {container.audio_encoder}{changed}")

    def route(packet: Packet[Stream]) -> Iterable[Packet[Stream]]:
        frames = source.decode(packet)
        packets = [encoded for frame in frames for encoded in stream.encode(frame)]
        return packets if packet.size else [*packets, *stream.encode(None)]

    return route


def _audio_stream(
    source: AudioStream, output: OutputContainer, encoder: str, layout: str
) -> AudioStream:
    rates = av.Codec(encoder, "w").audio_rates
    rate = source.rate if rates is None or source.rate in rates else _OPUS_RATE
    stream = output.add_stream(encoder, rate=rate)
    if not isinstance(stream, AudioStream):
        raise TypeError(f"{encoder} is no audio encoder")
    stream.codec_context.layout = layout
    stream.codec_context.bit_rate = _BIT_RATE_PER_CHANNEL * stream.codec_context.layout.nb_channels
    stream.codec_context.time_base = Fraction(1, rate)
    return stream


def _usable_layout(source: AudioStream, encoder: str) -> str | None:
    """The first channel layout, from the source's own to stereo, that the encoder opens with."""
    own = source.layout
    for layout in (own.name, _LAYOUTS.get(own.nb_channels, "stereo"), "stereo"):
        context = av.CodecContext.create(encoder, "w")
        if not isinstance(context, av.AudioCodecContext):
            return None
        try:
            context.layout = layout
            context.sample_rate = _OPUS_RATE
            context.format = (context.codec.audio_formats or [av.AudioFormat("fltp")])[0]
            context.time_base = Fraction(1, _OPUS_RATE)
            context.open()
        except (FFmpegError, ValueError):
            continue
        return layout
    return None


def _is_text(source: SubtitleStream) -> bool:
    context = source.codec_context
    return context is not None and bool(context.codec.text_sub)


def _convert(
    source: SubtitleStream, output: OutputContainer, container: Container, notices: list[str]
) -> PacketRoute:
    encoder = container.text_subtitles or ""
    decoder = source.codec_context
    decoder.open(strict=False)
    stream = output.add_stream(encoder)
    context = stream.codec_context
    if not isinstance(context, SubtitleCodecContext):
        raise TypeError(f"{encoder} is no subtitle encoder")
    context.subtitle_header = decoder.subtitle_header
    context.time_base = Fraction(1, 1000)
    _carry_description(source, stream, container, notices)
    notices.append(f"{describe(source)} is converted to {encoder}")

    shared: SharedSamples | None = None
    if encoder == "mov_text":
        from tapetum.realtime.media.mp4_text import SharedSamples

        shared = SharedSamples()

    def route(packet: Packet[Stream]) -> Iterable[Packet[Stream]]:
        if not packet.size:
            return [] if shared is None else shared.finish()
        converted = _convert_packet(packet, decoder, context)
        if converted is None:
            return []
        converted.stream = stream
        return [converted] if shared is None else shared.add(converted)

    return route


def _convert_packet(
    packet: Packet[Stream], decoder: SubtitleCodecContext, encoder: SubtitleCodecContext
) -> Packet[Stream] | None:
    subtitles = decoder.decode2(packet)
    if subtitles is None or not len(subtitles):
        return None
    converted = encoder.encode_subtitle(subtitles)
    converted.pts = converted.dts = packet.pts
    converted.duration = packet.duration
    converted.time_base = packet.time_base
    return converted
