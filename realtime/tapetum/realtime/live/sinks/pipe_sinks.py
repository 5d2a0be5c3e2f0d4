"""Frames down a pipe, uncompressed: YUV4MPEG2, or raw video for readers that are told the rest.

YUV4MPEG2 is what ffmpeg, mpv, x264 and others read; it is described at
https://wiki.multimedia.cx/index.php/YUV4MPEG2. It has no timestamps: a reader takes the frames to
come at the rate in the header. In both, each frame's planes follow one another, Y, U, V; samples of
over 8 bits are 16-bit words, low byte first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import IO

import numpy as np

from tapetum.realtime.choices import Sync
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.pixel_format import PixelFormat

_LONGEST_GAP_S = 10
"""A longer one, as where the machine slept, is not filled with the last frame."""

_CHROMA = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}


class Y4mSink:
    """A `FrameSink` that writes YUV4MPEG2 to a binary file or pipe.

    Semi-planar frames are written planar; samples keep their depth and range.
    """

    def __init__(
        self, output: IO[bytes], *, rate: Fraction = Fraction(30), sync: Sync = "repeat"
    ) -> None:
        """Prepare; the header is written with the first frame.

        Args:
            output: where to write; it is flushed after each frame, and never closed.
            rate: frames per second, for the header.
            sync: what keeps a reader's time right where frames are missing; see `_Slots`.
        """
        self._output = output
        self._rate = rate
        self._slots = _Slots(rate, sync)
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
        for due in self._slots.fill(frame):
            _write_planes(self._output, due, header=begin + b"FRAME\n")
            begin = b""

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
        sync: Sync = "repeat",
        on_start: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Prepare.

        Args:
            output: where to write; it is flushed after each frame, and never closed.
            rate: frames per second, to be told.
            sync: what keeps a reader's time right where frames are missing; see `_Slots`.
            on_start: called before the first frame with a line that says what is written, in
                FFmpeg's options: the stream itself does not say it.
        """
        self._output = output
        self._rate = rate
        self._slots = _Slots(rate, sync)
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
        for due in self._slots.fill(frame):
            _write_planes(self._output, due)

    def close(self) -> None:
        """Do nothing: the output is the caller's."""

    def discard(self) -> None:
        """Do nothing: what was written is gone down the pipe."""


def _description(width: int, height: int, pixel_format: str, rate: Fraction) -> str:
    layout = f"-pixel_format {pixel_format} -video_size {width}x{height} -framerate {rate}"
    return f"stdout is raw video; FFmpeg reads it with -f rawvideo {layout} -i -"


class _Slots:
    """Frames for a reader that takes them to come at a fixed rate.

    With "repeat" the last frame stands in for each that is missing, and one that comes a whole
    slot early is left out, so that 5 s stay 5 s; with "drop" each frame is written once.
    """

    def __init__(self, rate: Fraction, sync: Sync) -> None:
        self._rate = rate
        self._sync = sync
        self._last: Frame | None = None
        self._begin_s = Fraction(0)
        self._filled = 0

    def fill(self, frame: Frame) -> list[Frame]:
        """What is to be written when a frame comes: mostly the frame itself."""
        if self._sync == "drop" or frame.pts is None:
            return [frame]
        time_s = frame.pts * frame.time_base
        late = (time_s - self._begin_s) * self._rate - self._filled
        last, self._last = self._last, frame
        if last is None or late > _LONGEST_GAP_S * self._rate:
            self._begin_s, self._filled = time_s, 1
            return [frame]
        if late <= -1:
            return []
        missing = [last] * math.floor(late)
        self._filled += len(missing) + 1
        return [*missing, frame]


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
