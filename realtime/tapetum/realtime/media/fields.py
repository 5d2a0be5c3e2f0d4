"""Fields of interlaced pictures: which comes first, how a picture says so, and deinterlacing.

PyAV shows no order of fields, so FFmpeg's filters read and write it. Files are deinterlaced by
FFmpeg's too; live pictures, which cannot wait for the next, by `with_fields_joined`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from av.error import BlockingIOError as NothingPassedError
from av.filter import Graph

from tapetum.realtime.frame import Frame, Plane

_BOTTOM_FIRST = "eq(interlace_type,BOTTOMFIRST)"
_ANY_TIME_BASE = Fraction(1, 25)
_BWDIF = "mode=send_frame:deint=interlaced"


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


class Deinterlacer:
    """Makes progressive pictures of interlaced ones, one of each, by FFmpeg's bwdif.

    A picture that does not say that it is interlaced stays as it is.

    Attributes:
        found: whether any picture so far was interlaced.
    """

    def __init__(self) -> None:
        self.found = False

    def __call__(
        self, pictures: Iterable[av.VideoFrame], time_base: Fraction
    ) -> Iterator[av.VideoFrame]:
        """The pictures, each with its own time, late by one.

        Args:
            pictures: in main memory, each with a time.
            time_base: seconds per unit of their `pts`.
        """
        graph: Graph | None = None
        shape = None
        for picture in pictures:
            self.found = self.found or picture.interlaced_frame
            picture.time_base = time_base
            if graph is None or shape != _shape(picture):
                if graph is not None:
                    yield from _filtered(graph, None, time_base)
                graph, shape = _graph(picture, "bwdif", _BWDIF), _shape(picture)
            yield from _filtered(graph, picture, time_base)
        if graph is not None:
            yield from _filtered(graph, None, time_base)


def with_fields_joined(frame: Frame) -> Frame:
    """An interlaced frame without the comb that its two fields make of what moves.

    A line of the second field stays where it lies between the lines above and below, and is brought
    there where it does not: edges that rest are kept, and no line flickers.
    """
    return frame.with_planes(tuple(_joined(plane) for plane in frame.planes))


def _joined(plane: Plane) -> Plane:
    joined = plane.copy()
    lines, above = plane[1::2], plane[::2]
    below = above[1:] if len(above) > len(lines) else np.concatenate([above[1:], above[-1:]])
    above = above[: len(lines)]
    np.clip(lines, np.minimum(above, below), np.maximum(above, below), out=joined[1::2])
    return joined


_NEAR, _FAR = (7, 1), (5, 3)
"""Eighths that a field's line gets of the nearest line of chroma, and of the next: in 4:2:0 chroma
of the upper field lies nearer to the first of its two lines, that of the lower to the second."""


def with_chroma_of_fields(frame: Frame) -> Frame:
    """An interlaced planar 4:2:0 frame as 4:2:2: each field's lines get chroma of that field alone.

    What scales whole pictures would mix the colours of two moments.
    """
    luma, *chroma = frame.planes
    name = frame.format_name.replace("420", "422")
    planes = (luma, *(_chroma_for_each_line(plane, len(luma)) for plane in chroma))
    return replace(frame, format_name=name, planes=planes)


def _chroma_for_each_line(plane: Plane, lines: int) -> Plane:
    tall = np.empty((lines, plane.shape[1]), plane.dtype)
    for parity, (upper, lower) in enumerate(((_NEAR, _FAR), (_FAR, _NEAR))):
        field = plane[parity::2].astype(np.int32)
        above = np.concatenate([field[:1], field[:-1]])
        below = np.concatenate([field[1:], field[-1:]])
        both = np.empty((2 * len(field), plane.shape[1]), np.int32)
        both[::2] = (upper[0] * field + upper[1] * above + 4) >> 3
        both[1::2] = (lower[0] * field + lower[1] * below + 4) >> 3
        target = tall[parity::2]
        target[:] = both[np.minimum(np.arange(len(target)), len(both) - 1)]
    return tall


def _shape(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name


def _filtered(
    graph: Graph, picture: av.VideoFrame | None, time_base: Fraction
) -> Iterator[av.VideoFrame]:
    """What comes out for one picture, or at the end (None), with times in `time_base` again."""
    graph.vpush(picture)
    while True:
        try:
            passed = graph.vpull()
        except (NothingPassedError, EOFError):
            return
        units = Fraction(passed.time_base or time_base) / time_base
        passed.pts = round((passed.pts or 0) * units)
        passed.duration = round(passed.duration * units)
        passed.time_base = time_base
        yield passed


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
