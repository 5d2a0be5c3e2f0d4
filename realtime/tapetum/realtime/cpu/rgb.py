"""NumPy RGB images as frames and back, exactly: an untouched image returns bit for bit.

The frame between is full-range BT.709 YUV 4:4:4 with 10 bits, whose rounding errors stay under
half a level of 8-bit RGB.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.frame import ColorInfo, Frame

Order = Literal["rgb", "bgr"]
"""Channel order of an image; OpenCV's is `bgr`."""

RgbImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8."""

_FORMAT = "yuv444p10le"
_COLOR = ColorInfo(matrix=1, range=2, primaries=1, transfer=13)
_TIME_BASE = Fraction(1, 1_000_000)


def frame_from_rgb(image: RgbImage, *, order: Order = "rgb", time_s: float | None = None) -> Frame:
    """Convert an (H, W, 3) uint8 image to a frame.

    Raises:
        ValueError: `image` is not of that shape and type, or `order` is unknown.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"an image is (H, W, 3) uint8; got {image.shape} {image.dtype}")
    y, u, v = (np.empty(image.shape[:2], np.uint16) for _ in range(3))
    _rgb_to_yuv(image, _red_index(order), y, u, v)
    pts = None if time_s is None else round(time_s / _TIME_BASE)
    return Frame((y, u, v), _FORMAT, pts=pts, time_base=_TIME_BASE, color=_COLOR)


def rgb_from_frame(frame: Frame, *, order: Order = "rgb") -> RgbImage:
    """Convert a frame that `frame_from_rgb` made, or its enhanced twin, to (H, W, 3) uint8."""
    image = np.empty((frame.height, frame.width, 3), np.uint8)
    y, u, v = (plane.astype(np.uint16, copy=False) for plane in frame.planes)
    _yuv_to_rgb(y, u, v, _red_index(order), image)
    return image


def _red_index(order: Order) -> int:
    if order not in get_args(Order):
        raise ValueError(f"order is rgb or bgr; got {order!r}")
    return 0 if order == "rgb" else 2


_KR, _KB = np.float32(0.2126), np.float32(0.0722)
_KG = np.float32(1) - _KR - _KB
_RED_FROM_V = np.float32(2) * (np.float32(1) - _KR)
_BLUE_FROM_U = np.float32(2) * (np.float32(1) - _KB)
_SCALE = np.float32(1023 / 255)
_MIDDLE = np.float32(512)
_HALF = np.float32(0.5)


@part
def _to_uint8(value: np.float32) -> np.uint8:
    return np.uint8(min(max(value, np.float32(0)), np.float32(255)) + _HALF)


@kernel
def _rgb_to_yuv(
    image: RgbImage,
    red_index: int,
    y_plane: npt.NDArray[np.uint16],
    u_plane: npt.NDArray[np.uint16],
    v_plane: npt.NDArray[np.uint16],
) -> None:
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            red = np.float32(image[row, column, red_index])
            green = np.float32(image[row, column, 1])
            blue = np.float32(image[row, column, 2 - red_index])
            y = _KR * red + _KG * green + _KB * blue
            u = (blue - y) / _BLUE_FROM_U * _SCALE + _MIDDLE
            v = (red - y) / _RED_FROM_V * _SCALE + _MIDDLE
            y_plane[row, column] = np.uint16(y * _SCALE + _HALF)
            u_plane[row, column] = np.uint16(min(u + _HALF, np.float32(1023)))
            v_plane[row, column] = np.uint16(min(v + _HALF, np.float32(1023)))


@kernel
def _yuv_to_rgb(
    y_plane: npt.NDArray[np.uint16],
    u_plane: npt.NDArray[np.uint16],
    v_plane: npt.NDArray[np.uint16],
    red_index: int,
    image: RgbImage,
) -> None:
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            y = np.float32(y_plane[row, column]) / _SCALE
            red = y + _RED_FROM_V * (np.float32(v_plane[row, column]) - _MIDDLE) / _SCALE
            blue = y + _BLUE_FROM_U * (np.float32(u_plane[row, column]) - _MIDDLE) / _SCALE
            image[row, column, red_index] = _to_uint8(red)
            image[row, column, 1] = _to_uint8((y - _KR * red - _KB * blue) / _KG)
            image[row, column, 2 - red_index] = _to_uint8(blue)
