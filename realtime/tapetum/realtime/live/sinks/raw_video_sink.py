"""Frames as raw video: nothing but pixels, for readers that are told the rest."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import IO

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.sinks.planar import planar_name, write_planes


class RawVideoSink:
    """A `FrameSink` that writes the planes of each frame, one after the other, to a file or pipe.

    Semi-planar frames are written planar, Y, U, V; samples of over 8 bits are 16-bit words, low
    byte first.
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
        layout = (frame.width, frame.height, planar_name(frame.format))
        if self._layout is None:
            self._layout = layout
            self._on_start(_description(*layout, self._rate))
        elif layout != self._layout:
            raise MediaError("frames of a raw video stream cannot change their size or format")
        write_planes(self._output, frame)

    def close(self) -> None:
        """Do nothing: the output is the caller's."""

    def discard(self) -> None:
        """Do nothing: what was written is gone down the pipe."""


def _description(width: int, height: int, pixel_format: str, rate: Fraction) -> str:
    layout = f"-pixel_format {pixel_format} -video_size {width}x{height} -framerate {rate}"
    return f"stdout is raw video; FFmpeg reads it with -f rawvideo {layout} -i -"
