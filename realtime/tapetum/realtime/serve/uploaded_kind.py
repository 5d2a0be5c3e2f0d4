"""What kind of file was uploaded: found out from its content, never from the name it came with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from tapetum.realtime.errors import MediaError, ServeError
from tapetum.realtime.media.media_input import best_video_stream
from tapetum.realtime.photos.formats import (
    BMP,
    HEIF,
    JPEG,
    JPEG2000,
    PNG,
    TIFF,
    photo_format,
)
from tapetum.realtime.photos.reader import photo_size
from tapetum.realtime.serve.limits import MB, Limits

_RESULTS = {HEIF: JPEG, JPEG2000: PNG, BMP: PNG, TIFF: PNG}
"""What photos become whose format browsers do not show; the others keep theirs."""
_VIDEOS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "ogg", "asf", "yuv4mpegpipe", "h264")
"""Its demuxers of videos. Playlists and other formats that name further files are none of them:
who uploads a file must not read the server's others by it."""


@dataclass(frozen=True, slots=True)
class UploadedKind:
    """What an uploaded file is.

    Attributes:
        suffix: what its name here ends in.
        result_suffix: what the name of the enhanced file ends in.
        media_type: of the enhanced file.
    """

    suffix: str
    result_suffix: str
    media_type: str


_VIDEO = UploadedKind(".video", ".mp4", "video/mp4")


def uploaded_kind(path: Path, limits: Limits) -> UploadedKind:
    """Look into a file.

    Raises:
        ServeError: it is no video or photo, or its pictures are too large.
    """
    photo = photo_format(path)
    width, height = _video_size(path) if photo is None else _photo_size(path)
    if width * height > limits.file_pixels:
        most = f"{limits.file_pixels / MB:g} million pixels are the most"
        raise ServeError(f"pictures of {width}x{height} are too large: {most}")
    if photo is None:
        return _VIDEO
    result = _RESULTS.get(photo, photo)
    return UploadedKind(photo.suffix, result.suffix, result.media_type)


def _photo_size(path: Path) -> tuple[int, int]:
    try:
        return photo_size(path)
    except MediaError as error:
        raise ServeError("this photo is damaged: its beginning cannot be read") from error


def _video_size(path: Path) -> tuple[int, int]:
    whitelist = {"format_whitelist": ",".join(_VIDEOS), "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=whitelist) as container:
            stream = best_video_stream(container, path)
            return stream.width, stream.height
    except MediaError as error:
        raise ServeError("this file holds no picture: give a video or a photo") from error
    except (FFmpegError, OSError, ValueError) as error:
        raise ServeError("this file is no video or photo that can be read here") from error
