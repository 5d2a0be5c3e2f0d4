"""Filters as enhancers of frames, which a user might take instead: OpenCV's and FFmpeg's."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.filter import Graph

from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime import Frame
from tapetum.realtime.media.av_frame import from_av, to_av
from tapetum.realtime.sample_range import sample_range

GAMMA = 0.5
"""Exponent of the `gamma` peer: what people write first for dark video."""
_FORMAT = "yuv420p"
_TIME_BASE = Fraction(1, 1000)


def clahe() -> Subject:
    """OpenCV's contrast-limited adaptive histogram equalisation of the luma plane.

    Raises:
        ImportError: there is no OpenCV.
    """
    import cv2

    def make() -> Enhance:
        equaliser = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))

        def enhance(frame: Frame) -> Frame:
            luma = np.asarray(equaliser.apply(_eight_bit_luma(frame, "clahe")), np.uint8)
            return frame.with_planes((luma, *frame.planes[1:]))

        return enhance

    return Subject("clahe", make, f"OpenCV {cv2.__version__} on CPU, {cv2.getNumThreads()} threads")


def gamma() -> Subject:
    """A gamma curve as OpenCV's lookup table; colour differences are left as they are.

    Raises:
        ImportError: there is no OpenCV.
    """
    import cv2

    def enhance(frame: Frame) -> Frame:
        source = _eight_bit_luma(frame, "gamma")
        luma = np.asarray(cv2.LUT(source, gamma_table(frame)), np.uint8)
        return frame.with_planes((luma, *frame.planes[1:]))

    return Subject(
        "gamma",
        lambda: enhance,
        f"OpenCV {cv2.__version__} on CPU, {cv2.getNumThreads()} threads",
    )


def gamma_table(frame: Frame) -> npt.NDArray[np.uint8]:
    """The (256,) table of the gamma curve over the frame's own sample range."""
    levels = sample_range(frame)
    light = np.clip((np.arange(256) - levels.black) / levels.luma_span, 0, 1)
    table = levels.black + levels.luma_span * light**GAMMA
    return np.rint(table).astype(np.uint8)


def _eight_bit_luma(frame: Frame, name: str) -> npt.NDArray[np.uint8]:
    luma = frame.planes[0]
    if luma.dtype != np.uint8:
        raise BenchmarkError(f"{name} takes 8-bit frames; these are {frame.format_name}")
    return luma.astype(np.uint8, copy=False)


def ffmpeg(description: str) -> Subject:
    """Any filter of FFmpeg, as `ffmpeg -vf` takes it, through PyAV.

    Raises:
        BenchmarkError: FFmpeg knows no such filter, or an option is wrong.
    """
    _graph(description, 64, 64)
    return Subject(
        f"ffmpeg:{description}", lambda: FFmpegFilter(description), "FFmpeg's filter through PyAV"
    )


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
