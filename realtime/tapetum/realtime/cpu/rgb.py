"""NumPy images: as rows of pixels, and as frames and back, exactly: untouched ones bit for bit.

The frame is full-range BT.709 YUV 4:4:4 with 10 bits, whose rounding errors stay under half a level
of 8-bit RGB.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.compiled import kernel, part
from tapetum.realtime.cpu.plane_rows import read_only
from tapetum.realtime.frame import ColorInfo, Frame

Order = Literal["rgb", "bgr"]
"""Channel order of an image; OpenCV's is `bgr`."""

Floats = npt.NDArray[np.float32]
RgbImage = npt.NDArray[np.uint8]
"""(H, W, 3) uint8; with a fourth channel of alpha, or (H, W) grey, where that is said."""

_FORMAT = "yuv444p10le"
COLOR = ColorInfo(matrix=1, range=2, primaries=1, transfer=13)
TIME_BASE = Fraction(1, 1_000_000)


class PixelRows(NamedTuple):
    """An image as rows of samples: channel c of row y, column x is at y * pitch + x * channels + c.

    Attributes:
        samples: 1-D, without gaps.
        pitch: samples from row to row.
        width: columns.
        height: rows.
        channels: 3, or 4 with alpha.
        red_first: whether the first channel is red; else it is blue.
    """

    samples: RgbImage
    pitch: int
    width: int
    height: int
    channels: int
    red_first: bool


def check_image(image: object) -> None:
    """Check that something is a picture, whatever its type says.

    Raises:
        TypeError: it is no array.
        ValueError: it is not (H, W), (H, W, 3) or (H, W, 4) uint8.
    """
    if not isinstance(image, np.ndarray):
        kind = type(image).__name__
        raise TypeError(f"an image is a NumPy array; got {kind}: np.asarray makes one of it")
    is_grey, has_colours = image.ndim == 2, image.ndim == 3 and image.shape[-1] in {3, 4}
    if not (is_grey or has_colours) or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f"an image is (H, W), (H, W, 3) or (H, W, 4) uint8; got {image.shape} {image.dtype}"
        )


def output_for(image: RgbImage, out: RgbImage | None) -> RgbImage:
    """Where the picture that is made of an image goes: a new array, or `out`.

    Raises:
        TypeError: `out` is no array.
        ValueError: `out` has another shape or type, or cannot be written.
    """
    if out is None:
        return np.empty(image.shape, np.uint8)
    wanted = f"out is a writable {image.shape} uint8 array"
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{wanted}; got {type(out).__name__}")
    if out.shape != image.shape or out.dtype != np.uint8 or not out.flags.writeable:
        kind = "" if out.flags.writeable else ", read-only"
        raise ValueError(f"{wanted}; got {out.shape} {out.dtype}{kind}")
    return out


def has_whole_rows(image: RgbImage) -> bool:
    """Whether the samples of each row lie without gaps, rows from top to bottom."""
    _, width, channels = image.shape
    return image.strides[1:] == (channels, 1) and image.strides[0] >= width * channels


def pixel_rows(image: RgbImage, *, red_first: bool) -> PixelRows:
    """An (H, W, 3) or (H, W, 4) image as rows to be read.

    Nothing is copied unless rows have gaps within or go upwards.
    """
    whole = image if has_whole_rows(image) else np.ascontiguousarray(image)
    return _rows(whole, red_first=red_first, to_fill=False)


def pixel_rows_to_fill(image: RgbImage, *, red_first: bool) -> PixelRows:
    """An (H, W, 3) or (H, W, 4) image, which has whole rows, as rows to be written."""
    return _rows(image, red_first=red_first, to_fill=True)


def _rows(image: RgbImage, *, red_first: bool, to_fill: bool) -> PixelRows:
    height, width, channels = image.shape
    pitch = image.strides[0]
    length = (height - 1) * pitch + width * channels
    strided: Any = np.lib.stride_tricks.as_strided
    samples = strided(image, (length,), (1,), writeable=to_fill)
    return PixelRows(samples, pitch, width, height, channels, red_first)


def is_red_first(order: Order) -> bool:
    """Whether red is the first channel of an order.

    Raises:
        ValueError: there is no such order.
    """
    if order not in get_args(Order):
        raise ValueError(f"order is rgb or bgr; got {order!r}")
    return order == "rgb"


def luma_of(image: RgbImage) -> npt.NDArray[np.float32]:
    """Luma of an (H, W, 3) RGB image, (H, W) in [0, 255]."""
    weights = np.array([KR, KG, KB], np.float32)
    luma: npt.NDArray[np.float32] = np.asarray(image, np.float32) @ weights
    return luma


def frame_from_rgb(image: RgbImage, *, order: Order = "rgb", time_s: float | None = None) -> Frame:
    """Convert an (H, W, 3) uint8 image to a frame; of (H, W, 4) the alpha is left out.

    Raises:
        ValueError: `image` is not of that shape and type, or `order` is unknown.
    """
    colours = image.ndim == 3 and image.shape[2] in {3, 4}
    if not colours or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f"an image is (H, W, 3) or (H, W, 4) uint8; got {image.shape} {image.dtype}"
        )
    y, u, v = (np.empty(image.shape[:2], np.uint16) for _ in range(3))
    _rgb_to_yuv(pixel_rows(image, red_first=is_red_first(order)), y, u, v)
    pts = None if time_s is None else round(time_s / TIME_BASE)
    return Frame((y, u, v), _FORMAT, pts=pts, time_base=TIME_BASE, color=COLOR)


def rgb_from_frame(frame: Frame, *, order: Order = "rgb") -> RgbImage:
    """Convert a frame that `frame_from_rgb` made, or its enhanced twin, to (H, W, 3) uint8.

    Raises:
        ValueError: the frame is of another format.
    """
    if frame.format_name != _FORMAT:
        raise ValueError(f"a frame of frame_from_rgb is {_FORMAT}; got {frame.format_name}")
    image = np.empty((frame.height, frame.width, 3), np.uint8)
    y, u, v = (read_only(np.ascontiguousarray(plane, np.uint16)) for plane in frame.planes)
    _yuv_to_rgb(y, u, v, 0 if is_red_first(order) else 2, image)
    return image


KR, KB = np.float32(0.2126), np.float32(0.0722)
KG = np.float32(1) - KR - KB
RED_FROM_V = np.float32(2) * (np.float32(1) - KR)
BLUE_FROM_U = np.float32(2) * (np.float32(1) - KB)
SCALE = np.float32(1023 / 255)
MIDDLE = np.float32(512)
HALF = np.float32(0.5)


@part
def _to_uint8(value: np.float32) -> np.uint8:
    return np.uint8(min(max(value, np.float32(0)), np.float32(255)) + HALF)


# Two of one kind, each with a step that LLVM knows. Unsigned places spare numba's tests for
# negative indices, which would end SIMD.


@part
def load_three(line: RgbImage, first: Floats, middle: Floats, last: Floats) -> None:
    """Take the channels of a row of an RGB image apart."""
    for x in range(np.uint64(first.size)):
        place = np.uint64(3) * x
        first[x] = np.float32(line[place])
        middle[x] = np.float32(line[place + np.uint64(1)])
        last[x] = np.float32(line[place + np.uint64(2)])


@part
def load_four(line: RgbImage, first: Floats, middle: Floats, last: Floats) -> None:
    """Take the colours of a row of an image with alpha apart."""
    for x in range(np.uint64(first.size)):
        place = np.uint64(4) * x
        first[x] = np.float32(line[place])
        middle[x] = np.float32(line[place + np.uint64(1)])
        last[x] = np.float32(line[place + np.uint64(2)])


@kernel
def _rgb_to_yuv(
    image: PixelRows,
    y_plane: npt.NDArray[np.uint16],
    u_plane: npt.NDArray[np.uint16],
    v_plane: npt.NDArray[np.uint16],
) -> None:
    width, length = image.width, image.width * image.channels
    channels = np.empty((3, width), np.float32)
    first, middle, last = channels[0], channels[1], channels[2]
    first_weight, last_weight = (KR, KB) if image.red_first else (KB, KR)
    first_plane, last_plane = (v_plane, u_plane) if image.red_first else (u_plane, v_plane)
    to_v, to_u = SCALE / RED_FROM_V, SCALE / BLUE_FROM_U
    to_first, to_last = (to_v, to_u) if image.red_first else (to_u, to_v)
    top, grey = np.float32(1023), MIDDLE + HALF
    for row in range(image.height):
        line = image.samples[row * image.pitch : row * image.pitch + length]
        if image.channels == 3:
            load_three(line, first, middle, last)
        else:
            load_four(line, first, middle, last)
        y_row, first_row, last_row = y_plane[row], first_plane[row], last_plane[row]
        for x in range(width):
            y = first_weight * first[x] + KG * middle[x] + last_weight * last[x]
            y_row[x] = np.int32(y * SCALE + HALF)
            first_row[x] = np.int32(min((first[x] - y) * to_first + grey, top))
            last_row[x] = np.int32(min((last[x] - y) * to_last + grey, top))


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
            y = np.float32(y_plane[row, column]) / SCALE
            red = y + RED_FROM_V * (np.float32(v_plane[row, column]) - MIDDLE) / SCALE
            blue = y + BLUE_FROM_U * (np.float32(u_plane[row, column]) - MIDDLE) / SCALE
            image[row, column, red_index] = _to_uint8(red)
            image[row, column, 1] = _to_uint8((y - KR * red - KB * blue) / KG)
            image[row, column, 2 - red_index] = _to_uint8(blue)
