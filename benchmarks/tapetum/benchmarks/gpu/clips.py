"""Clips to decode: the frames of `tapetum bench`, encoded on the CPU."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

from tapetum.benchmarks.bench.frames import synthetic_frames
from tapetum.realtime import EncoderSettings, FileSink
from tapetum.realtime.media.video_info import VideoInfo

_PRESETS = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12"}
CODECS = tuple(_PRESETS)
_RATE = 30


def make_clip(path: Path, codec: str, size: tuple[int, int], frames: int) -> Path:
    """Encode frames of a dark scene, 30 a second.

    Args:
        path: the file, .mkv.
        codec: one of `CODECS`.
        size: width and height.
        frames: how many.
    """
    pictures = synthetic_frames(*size)
    info = VideoInfo(
        width=size[0],
        height=size[1],
        format_name=pictures[0].format_name,
        time_base=Fraction(1, _RATE),
        color=pictures[0].color,
        average_rate=Fraction(_RATE),
    )
    settings = EncoderSettings(codec, preset=_PRESETS[codec])
    with FileSink(path, info=info, encoder=settings, overwrite=True) as sink:
        for index, picture in enumerate(islice(cycle(pictures), frames)):
            sink.write(replace(picture, pts=index))
    return path
