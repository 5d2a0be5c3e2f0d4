"""The frames that the file source reads, and their times."""

from __future__ import annotations

from pathlib import Path

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_source import FileSource


def read(path: Path, **options: float) -> list[Frame]:
    with FileSource(path, **options) as source:  # type: ignore[arg-type]  # start_s, duration_s
        return list(source)


def times(frames: list[Frame]) -> list[int | None]:
    return [frame.pts for frame in frames]
