"""How NVENC takes a picture in GPU memory: one address, one pitch, the chroma below the luma.

`nvenc_register_frame` in FFmpeg's libavcodec/nvenc.c gives NVENC the address of the luma alone.
Enhancers write what they make into such surfaces, so that it is encoded where it lies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, address
from tapetum.realtime.frame import Frame
from tapetum.realtime.pixel_format import PixelFormat

_ALIGNMENT = 256
"""Bytes of which a row of a surface is a multiple, as in FFmpeg's own surfaces."""


def surface_shape(layout: PixelFormat, width: int, height: int) -> tuple[int, int]:
    """Rows and samples a row of a surface: those of luma, and of chroma below.

    Args:
        layout: one of `DEVICE_FORMATS`.
        width: of the picture in pixels.
        height: of the picture in pixels; for NVENC both are even.
    """
    itemsize = 1 if layout.depth == 8 else 2
    (rows, columns), (chroma_rows, chroma_columns) = layout.plane_shapes(width, height)
    row = max(columns, chroma_columns) * itemsize
    pitch = -(-row // _ALIGNMENT) * _ALIGNMENT
    return rows + chroma_rows, pitch // itemsize


def empty_surface(frame: Frame, empty: Callable[..., DeviceArray]) -> DevicePlanes:
    """Planes of a new surface for a frame's twin; nothing is in them yet.

    Args:
        frame: in one of `DEVICE_FORMATS`.
        empty: makes an array of a shape and a type in the device's memory.
    """
    dtype = np.dtype(np.uint8 if frame.format.depth == 8 else np.uint16)
    block: Any = empty(surface_shape(frame.format, frame.width, frame.height), dtype)
    luma, chroma = frame.format.plane_shapes(frame.width, frame.height)
    return block[: luma[0], : luma[1]], block[luma[0] :, : chroma[1]]


def is_surface(planes: DevicePlanes) -> bool:
    """Whether planes lie as `empty_surface` makes them."""
    luma, chroma = planes
    pitch = luma.strides[0]
    below = address(luma) + pitch * luma.shape[0]
    return chroma.strides[0] == pitch and pitch % _ALIGNMENT == 0 and address(chroma) == below
