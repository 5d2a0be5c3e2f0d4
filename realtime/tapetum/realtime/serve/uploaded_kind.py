"""What kind of file was uploaded: found out from its content, never from the name it came with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from tapetum.realtime.errors import ServeError
from tapetum.realtime.media.media_input import best_video_stream
from tapetum.realtime.serve.limits import MB, Limits

_PHOTOS = {
    "jpeg_pipe": ".jpg",
    "png_pipe": ".png",
    "apng": ".png",
    "webp_pipe": ".webp",
    "webp": ".webp",
    "tiff_pipe": ".tif",
    "bmp_pipe": ".bmp",
}
"""FFmpeg's demuxers of photos, and the suffix that each kind gets here."""
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
    whitelist = {"format_whitelist": ",".join((*_PHOTOS, *_VIDEOS)), "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=whitelist) as container:
            stream = best_video_stream(container, path)
            width, height, format_name = stream.width, stream.height, container.format.name
    except (FFmpegError, OSError, ValueError) as error:
        raise ServeError("this file is no video or photo that can be read here") from error
    if width * height > limits.file_pixels:
        most = f"{limits.file_pixels / MB:g} million pixels are the most"
        raise ServeError(f"pictures of {width}x{height} are too large: {most}")
    return _kind(format_name)


def _kind(format_name: str) -> UploadedKind:
    suffix = _PHOTOS.get(format_name)
    if suffix is None:
        return _VIDEO
    if suffix == ".jpg":
        return UploadedKind(suffix, ".jpg", "image/jpeg")
    return UploadedKind(suffix, ".png", "image/png")
