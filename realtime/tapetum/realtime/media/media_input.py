"""Opening a media file, with one clear message for everything that can be wrong with it."""

from __future__ import annotations

import errno
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.media.media_errors import reason
from tapetum.realtime.media.text_encoding import TEXT_OPTIONS
from tapetum.realtime.media.truncation import lacks_index

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def open_input(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises:
        MediaError: it is missing, a folder, empty, not readable, incomplete, or no media file.
    """
    check_file(path)
    try:
        opened: InputContainer = av.open(f"file:{path}", **TEXT_OPTIONS)
    except (InvalidDataError, EOFError) as error:
        unknown = "it is no video or image file that FFmpeg knows, or is damaged"
        raise MediaError(_unless_cut(path, f"cannot open {path}: {unknown}")) from error
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot open {path}: {reason(error)}") from error
    return opened


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


def _unless_cut(path: Path, message: str) -> str:
    """The message, or the better one that an MP4 or MOV whose index is missing deserves."""
    if lacks_index(path):
        return f"cannot open {path}: the file is incomplete: its index (moov) is missing"
    return message


def best_video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that a player would show; cover art is none.

    Raises:
        MediaError: there is none, or FFmpeg has no decoder for it.
    """
    videos = [s for s in container.streams.video if not is_attached_picture(s)]
    if not videos:
        raise MediaError(_unless_cut(path, f"{path} has no video stream"))
    best = container.streams.best("video")
    stream = next((s for s in videos if best is not None and s.index == best.index), videos[0])
    if stream.codec_context is None:
        raise MediaError(f"{path} holds video that FFmpeg cannot decode")
    return stream


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
