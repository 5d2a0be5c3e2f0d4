"""Opening a media file, with one clear message for everything that can be wrong with it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import reason
from tapetum.realtime.media.truncation import lacks_index

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}

_AnyStream = TypeVar("_AnyStream", bound=Stream)

InputPlace = Path | str
"""A file, or what is none: the address of a stream, or the name of a series of pictures."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # a drive is one letter
_SERIES = re.compile(r"%(?:0(\d+))?d")
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".dpx"})
_NETWORK_TIMEOUT_S = 10.0

_DECODES_ANY_BYTES = 19
"""The major version of PyAV that does so by itself, and no longer takes the option."""

TEXT_OPTIONS: dict[str, Any] = (
    {}
    if int(av.__version__.partition(".")[0]) >= _DECODES_ANY_BYTES
    else {"metadata_errors": "surrogateescape"}
)
"""Keyword arguments of `av.open`, by which texts of any bytes go through unchanged."""


def input_place(source: str | Path) -> InputPlace:
    """What a user's words for an input mean.

    Args:
        source: a file; an address, like "http://host/clip.mp4"; or a series of pictures, like
            "img_%04d.png".
    """
    text = str(source)
    if os.path.exists(text):  # noqa: PTH110 - which takes names of any length
        return Path(text)
    if is_series(text):
        return text
    is_address = isinstance(source, str) and _ADDRESS.match(text) is not None
    return with_known_scheme(text) if is_address else Path(text)


def with_known_scheme(address: str) -> str:
    """An address as FFmpeg knows it: by "http", and not by "HTTP"."""
    scheme, separator, rest = address.partition("://")
    return scheme.lower() + separator + rest


def is_series(place: InputPlace) -> bool:
    """Whether a place is a series of pictures that no file is named like."""
    text = str(place)
    one_number = len(_SERIES.findall(Path(text).name)) == 1 and text.count("%") == 1
    pictures = one_number and Path(text).suffix.lower() in _PICTURES
    return pictures and not os.path.exists(text)  # noqa: PTH110 - as above


def place_name(place: InputPlace) -> str:
    """The last part of a place, for messages."""
    return place.name if isinstance(place, Path) else place.rpartition("/")[2] or place


def open_input(place: InputPlace, *, rate: Fraction | None = None) -> InputContainer:
    """Open a file, address or series of pictures for reading.

    Args:
        place: as `input_place` gives it.
        rate: pictures a second of a series; None is 25.

    Raises:
        MediaError: it is missing, a folder, empty, not readable, incomplete, or no media file.
    """
    if rate is not None and not is_series(place):
        raise MediaError(f"{place} has times of its own; a rate is for pictures, like img_%04d.png")
    try:
        return _opened(place, rate)
    except (InvalidDataError, EOFError) as error:
        what = _said_of_text(place) or "no video or image file that FFmpeg knows, or is damaged"
        raise MediaError(_unless_cut(place, f"cannot open {place}: it is {what}")) from error
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot open {place}: {reason(error)}") from error


_TEXTS = {
    b"<mpd": "a list of the pieces of a stream (DASH), which is not read; HLS (.m3u8) is",
    b"<html": "a web page, and no video",
    b"<!doctype html": "a web page, and no video",
}
"""What is met under a video's name, by a word near its beginning."""
_HEAD_BYTES = 2048


def _said_of_text(place: InputPlace) -> str | None:
    """What a text is that was given for a video; of an address only its name is known."""
    if isinstance(place, str):
        is_list = place.partition("?")[0].lower().endswith(".mpd")
        return _TEXTS[b"<mpd"] if is_list else None
    with place.open("rb") as file:
        head = file.read(_HEAD_BYTES).lower()
    is_text = head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")
    return next((said for word, said in _TEXTS.items() if is_text and word in head), None)


def _opened(place: InputPlace, rate: Fraction | None) -> InputContainer:
    opened: InputContainer
    if is_series(place):
        options = {"start_number": str(_first_number(str(place)))}
        if rate is not None:
            options["framerate"] = str(rate)
        opened = av.open(f"file:{place}", format="image2", options=options)
    elif isinstance(place, str):
        opened = av.open(place, timeout=_NETWORK_TIMEOUT_S, **TEXT_OPTIONS)
    else:
        check_file(place)
        opened = av.open(f"file:{place}", **TEXT_OPTIONS)
    return opened


def _first_number(series: str) -> int:
    """The number of a series' first picture.

    Raises:
        MediaError: there is none, or one between the first and the last is missing.
    """
    path = Path(series)
    width = _SERIES.search(path.name)
    before, after = _SERIES.split(path.name)[0], _SERIES.split(path.name)[-1]
    digits = r"(0|[1-9]\d*)"
    if width is not None and width[1]:  # as "%04d" writes 1 and 12345
        digits = rf"(\d{{{width[1]}}}|[1-9]\d{{{width[1]},}})"
    name = re.compile(re.escape(before) + digits + re.escape(after))
    folder = path.parent if path.parent.is_dir() else Path()
    found = sorted(int(m[1]) for p in folder.iterdir() if (m := name.fullmatch(p.name)))
    if not found or not path.parent.is_dir():
        raise MediaError(f"no picture of {series} exists")
    missing = next((n for n, m in pairwise(found) if m != n + 1), None)
    if missing is not None:
        raise MediaError(f"{str(path.parent / path.name) % (missing + 1)} is missing in the series")
    return found[0]


def check_file(path: Path) -> None:
    """Refuse an input that is missing, no file, empty or not readable.

    Raises:
        MediaError: it is one of these.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise MediaError(f"input {path} is a folder; give a video or image file")
        if not path.is_file():
            raise MediaError(f"input {path} is no file, and cannot be read twice; save it first")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise MediaError(f"input {path} does not exist") from None
    except OSError as error:
        why = "permission denied" if error.errno == errno.EACCES else reason(error)
        raise MediaError(f"cannot open {path}: {why}") from error
    if size == 0:
        raise MediaError(f"input {path} is empty")


def _unless_cut(place: InputPlace, message: str) -> str:
    """The message, or the better one that an MP4 or MOV whose index is missing deserves."""
    if isinstance(place, Path) and lacks_index(place):
        return f"cannot open {place}: the file is incomplete: its index (moov) is missing"
    return message


def best_video_stream(container: InputContainer, place: InputPlace) -> VideoStream:
    """The video stream that a player would show; cover art is none.

    Raises:
        MediaError: there is none, or FFmpeg has no decoder for it.
    """
    videos = [s for s in container.streams.video if not is_attached_picture(s)]
    if not videos:
        raise MediaError(_unless_cut(place, f"{place} has no video stream"))
    best = container.streams.best("video")
    stream = next((s for s in videos if best is not None and s.index == best.index), videos[0])
    if stream.codec_context is None:
        raise MediaError(f"{place} holds video that FFmpeg cannot decode")
    return stream


def demuxed(
    container: InputContainer,
    streams: Iterable[_AnyStream],
    *,
    on_late_stream: Callable[[], None] | None = None,
) -> Iterator[Packet[_AnyStream]]:
    """Packets of some streams of an input, then an empty one of each.

    Args:
        container: the input.
        streams: of it.
        on_late_stream: called at the end if a stream appeared on the way, as it may in FLV and
            MPEG-TS. It is none of those that were there when the input was opened, and cannot be
            read; PyAV then ends, behind the empty packets, with an IndexError.

    Raises:
        FFmpegError: what follows cannot be read.
    """
    try:
        yield from cast("Iterator[Packet[_AnyStream]]", container.demux(list(streams)))
    except IndexError:
        if on_late_stream is not None:
            on_late_stream()


def decoder_of_alpha(stream: VideoStream) -> VideoCodecContext | None:
    """Libvpx's decoder, for VP8 and VP9 with alpha: FFmpeg's own gives their colours only."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = _ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)
    if name is None or tags.get("alpha_mode") != "1":
        return None
    decoder = av.CodecContext.create(name, "r")
    return decoder if isinstance(decoder, VideoCodecContext) else None


def is_attached_picture(stream: VideoStream) -> bool:
    """Whether a video stream is a single picture attached to the file, like cover art."""
    return bool(stream.disposition & Disposition.attached_pic)
