"""The arguments of the CUDA kernels: structures that `kernels.cu` declares, made from frames.

A structure is a 0-d NumPy array of the same layout, which CuPy passes by value. Nothing here
needs a GPU: an array in GPU memory is whatever has the CUDA array interface.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.pixel_format import DEVICE_FORMATS
from tapetum.realtime.sample_range import sample_range

Structure = npt.NDArray[np.void]

PICTURE = np.dtype(
    [
        ("luma", np.uint64),
        ("chroma", np.uint64),
        ("luma_pitch", np.int64),
        ("chroma_pitch", np.int64),
        ("width", np.int32),
        ("height", np.int32),
    ]
)
"""`Picture` of `kernels.cu`: addresses, pitches in bytes, size in pixels."""

COLORS = np.dtype(
    [
        ("shift", np.int32),
        ("cosited_x", np.int32),
        ("cosited_y", np.int32),
        ("black", np.float32),
        ("luma_span", np.float32),
        ("grey", np.float32),
        ("chroma_span", np.float32),
        ("luma_low", np.float32),
        ("luma_high", np.float32),
        ("chroma_low", np.float32),
        ("chroma_high", np.float32),
        ("kr", np.float32),
        ("kb", np.float32),
    ]
)
"""`Colors` of `kernels.cu`: shift, place of chroma, levels, legal limits, matrix."""

TENSOR = np.dtype(
    [
        ("samples", np.uint64),
        ("width", np.int32),
        ("height", np.int32),
        ("left", np.int32),
        ("top", np.int32),
    ]
)
"""`Tensor` of `kernels.cu`: address, size, and where the picture lies in it."""

SMOOTHING = np.dtype(
    [
        ("elapsed_s", np.float32),
        ("time_constant_s", np.float32),
        ("cut_change", np.float32),
        ("cut_correlation", np.float32),
        ("quick_change", np.float32),
        ("restart", np.int32),
        ("when_dark", np.int32),
        ("brightness", np.float32),
        ("strength", np.float32),
    ]
)
"""`Smoothing` of `steady_grid.cu`: times, thresholds, and what is wanted."""

PAST = np.dtype([("grid", np.uint64), ("scene", np.uint64), ("view", np.uint64)])
"""`Past` of `steady_grid.cu`: addresses of what one frame leaves to the next."""

CIRCLES = np.dtype(
    [
        ("count", np.int32),
        *((name, np.float32, (2,)) for name in ("x", "y", "radius_x", "radius_y")),
    ]
)
"""`Circles` of `picture_edges.cu`: ellipses in pixels of the thumbnail."""

REDUCED = np.dtype([("before", np.uint64), ("after", np.uint64), ("light", np.uint64)])
"""`Reduced` of `grid_fit.cu`: addresses of a small picture, and of what lights it, or 0."""


class DeviceArray(Protocol):
    """An array in GPU memory, such as CuPy's."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from element to element along each axis."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Address and layout; https://numba.readthedocs.io/en/stable/cuda/."""


class Launch(Protocol):
    """Queues one kernel on a stream, and does not wait for it."""

    def __call__(
        self,
        name: str,
        grid: tuple[int, int],
        threads: int,
        arguments: tuple[Any, ...],
        shared: int,
    ) -> None:
        """Launch.

        Args:
            name: the kernel.
            grid: blocks along x and y.
            threads: threads of a block, along x.
            arguments: arrays in GPU memory, and NumPy values that are copied.
            shared: bytes of dynamic shared memory.
        """


DevicePlanes = tuple[DeviceArray, ...]
"""Luma (H, W), and U and V interleaved: for 4:2:0 (ceil(H / 2), 2 * ceil(W / 2)), and so on."""


def is_device_array(array: object) -> bool:
    """Whether an object is an array in GPU memory, by its type.

    It is asked for each kernel of each frame, for which `isinstance` with a protocol is too slow.
    """
    return hasattr(type(array), "__cuda_array_interface__")


def device_planes(frame: Frame) -> DevicePlanes:
    """The planes of a frame in GPU memory.

    Raises:
        DeviceError: a plane is not in GPU memory.
        MediaError: the frame is in none of `DEVICE_FORMATS`.
    """
    for plane in frame.planes:
        if not is_device_array(plane):
            kind = type(plane).__name__
            raise DeviceError(f"this enhancer takes frames in GPU memory; got a plane of {kind}")
    if frame.format_name not in DEVICE_FORMATS:
        known = ", ".join(DEVICE_FORMATS)
        raise MediaError(f"a GPU's frames are {known}; got {frame.format_name}")
    return cast("DevicePlanes", frame.planes)


def picture(frame: Frame, planes: DevicePlanes) -> Structure:
    """The `Picture` of planes that have the format and size of `frame`.

    Raises:
        MediaError: they have not, or the samples of a row are apart.
    """
    dtype = np.dtype(np.uint8 if frame.format.depth == 8 else np.uint16)
    shapes = frame.format.plane_shapes(frame.width, frame.height)
    for plane, shape in zip(planes, shapes, strict=True):
        rows_fit = plane.strides[1] == dtype.itemsize
        if plane.shape != shape or plane.dtype != dtype or not rows_fit:
            raise MediaError(
                f"a {frame.format_name} plane of rows of {shape} {dtype} is needed; got"
                f" {plane.shape} {plane.dtype} with strides {plane.strides}"
            )
    luma, chroma = planes
    size = frame.width, frame.height
    pitches = luma.strides[0], chroma.strides[0]
    return np.array((address(luma), address(chroma), *pitches, *size), PICTURE)


def colors(frame: Frame) -> Structure:
    """The `Colors` of a frame's depth, range, place of chroma and matrix."""
    levels, shift = sample_range(frame), frame.format.shift
    spans = (levels.black, levels.luma_span, levels.grey, levels.chroma_span)
    limits = (*levels.luma_limits, *levels.chroma_limits)
    return np.array((shift, *frame.cosited, *spans, *limits, *frame.luma_weights), COLORS)


def tensor(frame: Frame, rgb: DeviceArray) -> Structure:
    """The `Tensor` that holds a frame's picture in its middle, as the tiles of the CPU path do.

    Args:
        frame: the picture.
        rgb: (1, 3, H, W) float16 without gaps, at least as large as the frame.

    Raises:
        ValueError: `rgb` is another array.
    """
    check_array(rgb, (1, 3, *rgb.shape[2:]), np.float16)
    height, width = rgb.shape[2:]
    if height < frame.height or width < frame.width:
        raise ValueError(
            f"a tensor of {width}x{height} cannot hold a frame of {frame.width}x{frame.height}"
        )
    left, top = (width - frame.width) // 2, (height - frame.height) // 2
    return np.array((address(rgb), width, height, left, top), TENSOR)


def check_array(array: DeviceArray, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Check that an array has a shape and type, and no gaps.

    Raises:
        ValueError: it has not.
    """
    steps = [np.dtype(dtype).itemsize]
    for length in shape[:0:-1]:
        steps.insert(0, steps[0] * length)
    if array.shape != shape or array.dtype != dtype or array.strides != tuple(steps):
        raise ValueError(
            f"an array {shape} {np.dtype(dtype)} without gaps is needed; got {array.shape}"
            f" {array.dtype} with strides {array.strides}"
        )


def address(array: DeviceArray) -> int:
    """Where an array begins in GPU memory."""
    return int(array.__cuda_array_interface__["data"][0])
