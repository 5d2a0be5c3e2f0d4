"""Frames written to a pipe plane by plane, as y4m and raw video both have them."""

from __future__ import annotations

from typing import IO

import numpy as np

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.pixel_format import PixelFormat


def write_planes(output: IO[bytes], frame: Frame, *, header: bytes = b"") -> None:
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


def planar_name(layout: PixelFormat) -> str:
    """FFmpeg's name of the format that `write_planes` makes of a format."""
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
