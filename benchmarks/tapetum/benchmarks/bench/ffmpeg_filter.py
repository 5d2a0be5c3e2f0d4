"""A filter of FFmpeg as an enhancer of frames."""

from __future__ import annotations

from fractions import Fraction

import av
from av.error import FFmpegError
from av.filter import Graph

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.realtime import Frame
from tapetum.realtime.media.av_frame import from_av, to_av

_FORMAT = "yuv420p"
_TIME_BASE = Fraction(1, 1000)


def checked_filter(description: str) -> str:
    """`description` itself, if FFmpeg knows such a filter.

    Raises:
        BenchmarkError: it does not, or an option is wrong.
    """
    _graph(description, 64, 64)
    return description


class FFmpegFilter:
    """Runs one filter, like `curves=preset=lighter`, on 8-bit 4:2:0 frames of one stream.

    Copying the planes into FFmpeg's memory is counted: it is part of using FFmpeg from here.
    """

    def __init__(self, description: str) -> None:
        self._description = description
        self._graph: Graph | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Filter one frame.

        Raises:
            BenchmarkError: the frame is of another format.
        """
        if frame.format_name != _FORMAT:
            raise BenchmarkError(f"ffmpeg takes {_FORMAT} frames here; got {frame.format_name}")
        if self._graph is None:
            self._graph = _graph(self._description, frame.width, frame.height)
        self._graph.vpush(to_av(frame))
        picture = self._graph.vpull()
        filtered = from_av(picture, pts=frame.pts, time_base=frame.time_base)
        return frame.with_planes(filtered.planes)


def _graph(description: str, width: int, height: int) -> Graph:
    """Buffer -> filter -> the same format -> sink."""
    name, _, options = description.partition("=")
    graph = Graph()
    try:
        parts = [
            graph.add_buffer(
                width=width, height=height, format=av.VideoFormat(_FORMAT), time_base=_TIME_BASE
            ),
            graph.add(name, options or None),
            graph.add("format", _FORMAT),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*parts).configure()
    except (FFmpegError, ValueError) as error:
        raise BenchmarkError(f"FFmpeg cannot make the filter {description}: {error}") from error
    return graph
