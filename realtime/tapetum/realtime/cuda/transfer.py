"""Between main memory and a GPU: for video that the GPU cannot decode or encode itself.

Wrap a source in `UploadSource` and a sink in `DownloadSink`; the pipeline runs both in threads of
their own, so that transfers overlap with what the device computes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.frame import CENTER, ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import (
    DEVICE_FORMATS,
    PIXEL_FORMATS,
    PixelFormat,
    pixel_format,
)
from tapetum.realtime.protocols import FrameSink, FrameSource

_FULL_RANGE = 2


def device_format(format_name: str) -> str:
    """The format in GPU memory that holds every sample of a format, one of `DEVICE_FORMATS`."""
    return _alike(pixel_format(format_name), DEVICE_FORMATS)


def planar_format(format_name: str) -> str:
    """The format in main memory, with U and V apart, that holds every sample of a format."""
    return _alike(pixel_format(format_name), PIXEL_FORMATS)


def _alike(layout: PixelFormat, formats: Mapping[str, PixelFormat]) -> str:
    """The first of some formats with the same chroma and depth."""
    wanted = layout.chroma_x, layout.chroma_y, layout.depth
    return next(
        name
        for name, known in formats.items()
        if (known.chroma_x, known.chroma_y, known.depth) == wanted
    )


class FetchFromDevice:
    """`Frame.fetch` of a frame that is done."""

    def __init__(self, frame: Frame, device: ComputeDevice, given: Frame | None = None) -> None:
        """Fetch nothing yet.

        Args:
            frame: in the device's memory.
            device: where it lies.
            given: the frame of main memory that it was made of, whose format it gets there.
        """
        self._frame = frame
        self._device = device
        self._given = given
        self._fetched: Frame | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Frame:
        """The whole picture; see `Fetch`."""
        with self._lock:  # of several sinks the first one fetches
            if self._fetched is None:
                fetched = downloaded(self._frame, self._device)
                given = self._given
                self._fetched = fetched if given is None else format_as(fetched, given)
            return self._fetched

    def luma_rows(self, count: int) -> Plane:
        """Rows of luma; see `Fetch`."""
        luma: Any = device_planes(self._frame)[0]
        height = luma.shape[0]
        step = height // count
        if step == 0:
            whole = cast("Plane", self._device.download(luma))
            rows: Plane = whole.take(np.arange(count) * height // count, 0)
            return rows
        return cast("Plane", self._device.download(luma[: count * step : step]))


class UploadSource:
    """Yields the frames of another source in GPU memory, in one of `DEVICE_FORMATS`."""

    def __init__(self, source: FrameSource, device: ComputeDevice) -> None:
        self._source = source
        self._device = device

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; each is whole in GPU memory.

        Raises:
            DeviceError: a frame is not in main memory, or the GPU is full, or lost.
        """
        for frame in self._source:
            yield uploaded(frame, self._device)

    def close(self) -> None:
        """Close the other source."""
        self._source.close()


class DownloadSink:
    """Writes frames that are in GPU memory to a sink that takes them in main memory."""

    def __init__(self, sink: FrameSink, device: ComputeDevice) -> None:
        self._sink = sink
        self._device = device

    def write(self, frame: Frame) -> None:
        """Fetch one frame, which must be done, and hand it on in one of `PIXEL_FORMATS`.

        Raises:
            DeviceError: the frame is not in GPU memory.
        """
        self._sink.write(taken_apart(downloaded(frame, self._device)))

    def close(self) -> None:
        """Close the other sink."""
        self._sink.close()

    def discard(self) -> None:
        """Discard what the other sink has written."""
        self._sink.discard()


def uploaded(frame: Frame, device: ComputeDevice) -> Frame:
    """A frame of main memory in a device's, in one of `DEVICE_FORMATS`; it is whole on return.

    Raises:
        DeviceError: the frame is not in main memory, or the GPU is full, or lost.
    """
    given = semi_planar(frame)
    planes: Any = tuple(device.upload(plane) for plane in given.planes)
    return given.with_planes(planes)


def downloaded(frame: Frame, device: ComputeDevice) -> Frame:
    """A frame of a device's memory, which must be done, in main memory.

    Raises:
        DeviceError: the frame is not in GPU memory.
    """
    planes = tuple(device.download(plane) for plane in device_planes(frame))
    return frame.with_planes(cast("tuple[Plane, ...]", planes))


def semi_planar(frame: Frame) -> Frame:
    """A frame in main memory with U and V interleaved, the same samples."""
    name = device_format(frame.format_name)
    if name == frame.format_name:
        return frame
    luma, u, v = frame.planes
    chroma: Plane = np.empty((u.shape[0], 2 * u.shape[1]), u.dtype)
    chroma[:, ::2], chroma[:, 1::2] = u, v
    planes: tuple[Plane, ...] = luma, chroma
    shift = pixel_format(name).shift
    if shift:
        planes = tuple(np.left_shift(plane, shift, dtype=np.uint16) for plane in planes)
    return replace(frame, planes=planes, format_name=name, color=_said_by_name(frame))


def format_as(frame: Frame, given: Frame) -> Frame:
    """A frame in the format of the one that `semi_planar` made its like of.

    Args:
        frame: in main memory, in one of `DEVICE_FORMATS`.
        given: of the same size, chroma and depth; what its colours mean is kept.
    """
    if given.format_name == frame.format_name:
        return frame
    apart = _apart(frame)
    return replace(frame, planes=apart, format_name=given.format_name, color=given.color)


def taken_apart(frame: Frame) -> Frame:
    """A frame of `DEVICE_FORMATS` in main memory in one of `PIXEL_FORMATS`, the same samples.

    One with alpha becomes planar, for only such formats have alpha.
    """
    if frame.format_name in PIXEL_FORMATS and frame.alpha is None:
        return frame
    return replace(frame, planes=_apart(frame), format_name=planar_format(frame.format_name))


def _apart(frame: Frame) -> tuple[Plane, ...]:
    planes, shift = frame.planes, frame.format.shift
    if shift:
        planes = tuple(np.right_shift(plane, shift) for plane in planes)
    luma, chroma = planes
    u, v = (np.ascontiguousarray(chroma[:, first::2]) for first in (0, 1))
    return cast("tuple[Plane, ...]", (luma, u, v))


def _said_by_name(frame: Frame) -> ColorInfo:
    """A frame's colour with what yuvj420p says by its name, which is lost."""
    if not frame.format.full_range:
        return frame.color
    location = frame.color.chroma_location or CENTER
    return replace(frame.color, range=_FULL_RANGE, chroma_location=location)
