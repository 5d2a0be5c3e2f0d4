"""Output containers by file suffix, and what each holds."""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.stream import Disposition, Stream

from tapetum.realtime.errors import MediaError

# fmt: off
_MP4_METADATA = frozenset(
    {
        "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre",
        "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
        "network", "keywords", "episode_sort", "season_number", "media_type", "hd_video",
        "gapless_playback", "compilation", "track", "disc", "creation_time", "location",
        "sort_name", "sort_artist", "sort_album", "sort_album_artist", "sort_composer",
        "sort_show",
    }
)
_MOV_METADATA = frozenset(
    {
        "title", "author", "artist", "copyright", "description", "comment", "date",
        "creation_time", "album", "original_source", "original_format", "keywords", "genre",
        "track", "location", "make", "model",
    }
)
# fmt: on
_WEBM_MARKS = Disposition.forced | Disposition.captions | Disposition.descriptions
_MP4_MARKS = _WEBM_MARKS | Disposition.dub | Disposition.comment
_MP4_MARKS |= Disposition.hearing_impaired | Disposition.visual_impaired
_MATROSKA_MARKS = (_MP4_MARKS | Disposition.original) & ~Disposition.captions
ALL_MARKS = _MP4_MARKS | Disposition.original | Disposition.lyrics | Disposition.karaoke
"""What a stream may be marked as, for whom it is meant; not whether it is played by default."""


class Container(NamedTuple):
    """A container format that videos are written to.

    Attributes:
        suffix: the file suffix, with its dot.
        format_name: FFmpeg's name of the muxer.
        video_encoder: default encoder of 8-bit video.
        deep_encoder: default encoder of video of more than 8 bits.
        audio_encoder: what audio is transcoded to where its own codec cannot be stored.
        text_subtitles: what text subtitles are converted to, None where there are none.
        edit_lists: whether packets before time 0 (an encoder's priming) can be stored as such.
        attachments: whether files such as fonts, and so cover art, can be attached.
        picture_streams: whether cover art can be stored as a picture stream.
        metadata_keys: keys that the muxer stores in the common way; None for all.
        marks: what of `ALL_MARKS` it can say of a stream.
        options: options of the muxer.
    """

    suffix: str
    format_name: str
    video_encoder: str = "libx264"
    deep_encoder: str = "libx264"
    audio_encoder: str = "aac"
    text_subtitles: str | None = None
    edit_lists: bool = False
    attachments: bool = False
    picture_streams: bool = False
    metadata_keys: frozenset[str] | None = None
    marks: Disposition = _MATROSKA_MARKS
    options: Mapping[str, str] = {}

    @property
    def is_mov(self) -> bool:
        """Whether it belongs to the MP4 and QuickTime family."""
        return self.edit_lists


def _mov_family(suffix: str, format_name: str, metadata_keys: frozenset[str]) -> Container:
    return Container(
        suffix,
        format_name,
        text_subtitles="mov_text",
        edit_lists=True,
        picture_streams=format_name == "mp4",
        metadata_keys=metadata_keys,
        marks=_MP4_MARKS if format_name == "mp4" else Disposition(0),
        options={"movflags": "+faststart"},
    )


CONTAINERS: dict[str, Container] = {
    container.suffix: container
    for container in (
        _mov_family(".mp4", "mp4", _MP4_METADATA),
        _mov_family(".m4v", "mp4", _MP4_METADATA),
        _mov_family(".mov", "mov", _MOV_METADATA),
        Container(".mkv", "matroska", text_subtitles="subrip", attachments=True),
        Container(
            ".webm",
            "webm",
            video_encoder="libvpx-vp9",
            deep_encoder="libsvtav1",
            audio_encoder="libopus",
            text_subtitles="webvtt",
            marks=_WEBM_MARKS,
        ),
    )
}
"""Every container that can be written, by suffix."""


def container_for(path: Path) -> Container:
    """Look a container up by the suffix of a file name.

    Raises:
        MediaError: the suffix is none of `CONTAINERS`.
    """
    try:
        return CONTAINERS[path.suffix.lower()]
    except KeyError:
        suffix = path.suffix or "no suffix"
        known = ", ".join(CONTAINERS)
        raise MediaError(f"output {path} has {suffix}; use one of {known}") from None


_AAC_SETUP_APART = frozenset({"flv", "matroska", "mp4"})
"""Formats that have what says how to decode AAC once, and not in its packets."""


@functools.cache
def stored_codecs(format_name: str) -> frozenset[str]:
    """Names of the codecs (and encoders) whose streams a muxer can hold."""
    with av.open(io.BytesIO(), "w", format=format_name) as output:
        return frozenset(output.supported_codecs)


def can_store(template: Stream, container: Container) -> bool:
    """Whether a stream can be copied into a container, found out by writing a header for it."""
    if template.type == "attachment" and not container.attachments:
        return False
    if container.format_name == "mp4" and _is_pcm_without_layout(template):
        return False
    if _is_aac_without_setup(template):
        return False
    output = av.open(io.BytesIO(), "w", format=container.format_name)
    try:
        stream = output.add_stream_from_template(template, opaque=True)
        stream.disposition = template.disposition
        output.start_encoding()
        output.close()
    except (FFmpegError, ValueError, NotImplementedError):
        return False
    return True


def _is_pcm_without_layout(template: Stream) -> bool:
    """Whether a stream is raw sound with channels in no known order, found out too late by MP4."""
    if not isinstance(template, AudioStream) or template.codec_context is None:
        return False
    return template.codec.name.startswith("pcm_") and "channels" in template.layout.name


def _is_aac_without_setup(template: Stream) -> bool:
    """Whether AAC lost what says how to decode it, found out too late by Matroska, by MP4 never.

    Its decoder guesses. Elsewhere, as in MPEG-TS, every packet says it.
    """
    context = template.codec_context
    if context is None or context.name != "aac" or context.extradata:
        return False
    return not _AAC_SETUP_APART.isdisjoint(template.container.format.name.split(","))


def container_that_stores(template: Stream) -> str | None:
    """The suffix of a container that can hold a stream that another cannot; None for no such."""
    return next((suffix for suffix, c in CONTAINERS.items() if can_store(template, c)), None)
