"""Clips sent through the file sink as they are, and what came out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource


def transcode(
    source: Path,
    target: Path,
    encoder: EncoderSettings | None = None,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> FileSink:
    with FileSource(source, start_s=start_s, duration_s=duration_s) as frames:
        sink = FileSink(
            target,
            info=frames.info,
            encoder=encoder or EncoderSettings(),
            copy_from=source,
            start_s=start_s,
            duration_s=duration_s,
        )
        with sink:
            for frame in frames:
                sink.write(frame)
    return sink


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        base = Fraction(stream.time_base or 0)
        return [(frame.pts or 0) * base for frame in container.decode(stream)]


def duration_s(path: Path) -> Fraction:
    """From the first instant that is shown to the last; a stream's own also counts its delay."""
    with av.open(str(path), "r") as container:
        return Fraction(container.duration or 0, av.time_base)
