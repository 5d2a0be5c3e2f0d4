"""Frames down a pipe, uncompressed: YUV4MPEG2, or raw video for readers that are told the rest.

YUV4MPEG2 is what ffmpeg, mpv, x264 and others read; it is described at
https://wiki.multimedia.cx/index.php/YUV4MPEG2. It has no timestamps: a reader takes the frames to
come at the rate in the header. In both, each frame's planes follow one another, Y, U, V; samples of
over 8 bits are 16-bit words, low byte first.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import IO

import numpy as np

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame, Plane
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
        _write_planes(self._output, frame, header=begin + b"FRAME\n")

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


class RawVideoSink:
    """A `FrameSink` that writes the planes of each frame, and nothing else, to a file or pipe.

    Semi-planar frames are written planar.
    """

    def __init__(
        self,
        output: IO[bytes],
        *,
        rate: Fraction = Fraction(30),
        on_start: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Prepare.

        Args:
            output: where to write; it is flushed after each frame, and never closed.
            rate: frames per second, to be told.
            on_start: called before the first frame with a line that says what is written, in
                FFmpeg's options: the stream itself does not say it.
        """
        self._output = output
        self._rate = rate
        self._on_start = on_start
        self._layout: tuple[int, int, str] | None = None

    def write(self, frame: Frame) -> None:
        """Write one frame.

        Raises:
            MediaError: nobody reads the pipe any more, or frames change their size or format.
        """
        layout = (frame.width, frame.height, _planar_name(frame.format))
        if self._layout is None:
            self._layout = layout
            self._on_start(_description(*layout, self._rate))
        elif layout != self._layout:
            raise MediaError("frames of a raw video stream cannot change their size or format")
        _write_planes(self._output, frame)

    def close(self) -> None:
        """Do nothing: the output is the caller's."""

    def discard(self) -> None:
        """Do nothing: what was written is gone down the pipe."""


def _description(width: int, height: int, pixel_format: str, rate: Fraction) -> str:
    layout = f"-pixel_format {pixel_format} -video_size {width}x{height} -framerate {rate}"
    return f"stdout is raw video; FFmpeg reads it with -f rawvideo {layout} -i -"


def _write_planes(output: IO[bytes], frame: Frame, *, header: bytes = b"") -> None:
    """Write `header` and the planes of a frame, and flush.

    Args:
        output: a binary file or pipe.
        frame: of any format; semi-planar ones are written planar.
        header: what comes before the planes.

    Raises:
        MediaError: nobody reads the pipe any more, or the disk is full.
    """
    try:
        output.write(header)
        for plane in _planar(frame):
            output.write(np.ascontiguousarray(plane).data)
        output.flush()
    except OSError as error:
        raise MediaError(f"cannot write frames to the pipe: {error.strerror}") from error


def _planar_name(layout: PixelFormat) -> str:
    """FFmpeg's name of the format that `_write_planes` makes of a format."""
    if not layout.semi_planar:
        return layout.name
    return "yuv420p" if layout.depth == 8 else f"yuv420p{layout.depth}le"


def _planar(frame: Frame) -> tuple[Plane, ...]:
    planes = frame.planes
    if frame.format.shift:
        planes = tuple(np.right_shift(plane, np.uint16(frame.format.shift)) for plane in planes)
    if not frame.format.semi_planar:
        return planes
    luma, chroma = planes
    return luma, chroma[:, 0::2], chroma[:, 1::2]
