"""PyAV's exceptions turned into one clear `MediaError` that names the file."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.error import FFmpegError

from tapetum.realtime.errors import MediaError

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; free some space or write elsewhere",
    errno.EFBIG: "the file is larger than the file system allows",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the device reports an input/output error",
}


def reason(error: BaseException) -> str:
    """Say in plain words why FFmpeg or the system refused."""
    code = getattr(error, "errno", None)
    if code in _REASONS:
        return _REASONS[code]
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


@contextmanager
def media_errors(doing: str, path: Path, kind: type[MediaError] = MediaError) -> Iterator[None]:
    """Turn an FFmpeg or system error inside the block into a `MediaError`.

    Args:
        doing: what was tried, like "cannot write".
        path: the file that the message names.
        kind: of the error.

    Raises:
        MediaError: anything inside the block failed.
    """
    try:
        yield
    except (FFmpegError, OSError, ValueError) as error:
        raise kind(f"{doing} {path}: {reason(error)}") from error
