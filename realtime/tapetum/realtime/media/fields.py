"""Fields of interlaced pictures: which comes first, read from a picture and written on it.

PyAV shows neither, so FFmpeg's filters do both.
"""

from __future__ import annotations

from fractions import Fraction

import av
from av.error import BlockingIOError as NothingPassedError
from av.filter import Graph

_BOTTOM_FIRST = "eq(interlace_type,BOTTOMFIRST)"
_ANY_TIME_BASE = Fraction(1, 25)


def is_bottom_field_first(picture: av.VideoFrame) -> bool:
    """Whether a picture is interlaced and its bottom field is shown first.

    Args:
        picture: in main memory.
    """
    graph = _graph(picture, "select", _BOTTOM_FIRST)
    graph.vpush(picture)
    try:
        graph.vpull()
    except NothingPassedError:
        return False
    return True


class FieldTagger:
    """Says on each picture that it is interlaced, and which of its fields is shown first.

    Args:
        bottom_first: whether that is the bottom field.
    """

    def __init__(self, *, bottom_first: bool) -> None:
        self._mode = "bff" if bottom_first else "tff"
        self._graph: Graph | None = None

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture with its fields said; it shares its memory with the one given.

        Args:
            picture: in main memory, always of one size and format.
        """
        if self._graph is None:
            self._graph = _graph(picture, "setfield", f"mode={self._mode}")
        self._graph.vpush(picture)
        return self._graph.vpull()


def _graph(picture: av.VideoFrame, name: str, arguments: str) -> Graph:
    """One filter between a source for such pictures and a sink."""
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=picture.time_base or _ANY_TIME_BASE,
    )
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    return graph
