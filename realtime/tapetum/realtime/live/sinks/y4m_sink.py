"""Frames as YUV4MPEG2, the uncompressed stream that ffmpeg, mpv, x264 and others read by a pipe.

The format is described at https://wiki.multimedia.cx/index.php/YUV4MPEG2. It has no timestamps:
a reader takes the frames to come at the rate in the header.
"""

from __future__ import annotations

from fractions import Fraction
from typing import IO

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.sinks.planar import write_planes
from tapetum.realtime.pixel_format import PixelFormat

_CHROMA = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}


class Y4mSink:
    """A `FrameSink` that writes YUV4MPEG2 to a binary file or pipe.

    Semi-planar frames are written planar; samples keep their depth and range.
    """

    def __init__(self, output: IO[bytes], *, rate: Fraction = Fraction(30)) -> None:
        """Prepare; the header is written with the first frame.

        Args:
            output: where to write; it is flushed after each frame, and never closed.
            rate: frames per second, for the header.
        """
        self._output = output
        self._rate = rate
        self._header: bytes | None = None

    def write(self, frame: Frame) -> None:
        """Write one frame.

        Raises:
            MediaError: nobody reads the pipe any more, or frames change their size or format.
        """
        header = _header(frame, self._rate)
        if self._header not in (None, header):
            raise MediaError("frames of a y4m stream cannot change their size or format")
        begin = header if self._header is None else b""
        self._header = header
        write_planes(self._output, frame, header=begin + b"FRAME\n")

    def close(self) -> None:
        """Do nothing: the output is the caller's."""

    def discard(self) -> None:
        """Do nothing: what was written is gone down the pipe."""


def _header(frame: Frame, rate: Fraction) -> bytes:
    pace = f"{rate.numerator}:{rate.denominator}"
    size = f"W{frame.width} H{frame.height} F{pace} Ip A1:1"
    color_range = "FULL" if frame.full_range else "LIMITED"
    return f"YUV4MPEG2 {size} C{_colour(frame.format)} XCOLORRANGE={color_range}\n".encode()


def _colour(fmt: PixelFormat) -> str:
    chroma = _CHROMA[fmt.chroma_x, fmt.chroma_y]
    if fmt.depth > 8:
        return f"{chroma}p{fmt.depth}"
    return "420mpeg2" if chroma == "420" else chroma
