"""Between main memory and a GPU: for video that the GPU cannot decode or encode itself.

Wrap a source in `UploadSource` and a sink in `DownloadSink`; the pipeline runs both in threads of
their own, so that transfers overlap with what the device computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import CENTER, ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format
from tapetum.realtime.protocols import FrameSink, FrameSource

_FULL_RANGE = 2
_P010_SHIFT = 6


def device_format(format_name: str) -> str:
    """The format in GPU memory that holds every sample of a format: `nv12` or `p010le`.

    Raises:
        MediaError: there is none, for the format is not 4:2:0, or is deeper than 10 bits.
    """
    layout = pixel_format(format_name)
    if (layout.chroma_x, layout.chroma_y) != (1, 1) or layout.depth > 10:
        raise MediaError(
            f"on a GPU, 4:2:0 video of 8 and 10 bits is enhanced, not {format_name};"
            " use --device cpu"
        )
    return "nv12" if layout.depth == 8 else "p010le"


class UploadSource:
    """Yields the frames of another source in GPU memory, as NV12 or P010."""

    def __init__(self, source: FrameSource, device: ComputeDevice) -> None:
        self._source = source
        self._device = device

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; each is whole in GPU memory.

        Raises:
            MediaError: a frame is not 4:2:0, or is deeper than 10 bits.
            DeviceError: a frame is not in main memory.
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
        """Fetch one frame, which must be done, and hand it on as NV12 or P010.

        Raises:
            DeviceError: the frame is not in GPU memory.
        """
        self._sink.write(downloaded(frame, self._device))

    def close(self) -> None:
        """Close the other sink."""
        self._sink.close()

    def discard(self) -> None:
        """Discard what the other sink has written."""
        self._sink.discard()


def uploaded(frame: Frame, device: ComputeDevice) -> Frame:
    """A frame of main memory in a device's, as NV12 or P010; it is whole when this returns.

    Raises:
        MediaError: the frame is not 4:2:0, or is deeper than 10 bits.
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
    """A frame in main memory as NV12 or P010, the same samples.

    Raises:
        MediaError: the frame is not 4:2:0, or is deeper than 10 bits.
    """
    name = device_format(frame.format_name)
    if name == frame.format_name:
        return frame
    luma, u, v = frame.planes
    chroma: Plane = np.empty((u.shape[0], 2 * u.shape[1]), u.dtype)
    chroma[:, ::2], chroma[:, 1::2] = u, v
    planes: tuple[Plane, ...] = luma, chroma
    if name == "p010le":
        planes = tuple(np.left_shift(plane, _P010_SHIFT, dtype=np.uint16) for plane in planes)
    return replace(frame, planes=planes, format_name=name, color=_said_by_name(frame))


def format_as(frame: Frame, given: Frame) -> Frame:
    """An NV12 or P010 frame in the format of the one that `semi_planar` made its like of.

    Args:
        frame: in main memory.
        given: 4:2:0 of the same size and of no more bits; what its colours mean is kept.
    """
    if given.format_name == frame.format_name:
        return frame
    planes = frame.planes
    if frame.format_name == "p010le":
        planes = tuple(np.right_shift(plane, _P010_SHIFT) for plane in planes)
    luma, chroma = planes
    u, v = (np.ascontiguousarray(chroma[:, first::2]) for first in (0, 1))
    apart = cast("tuple[Plane, ...]", (luma, u, v))
    return replace(frame, planes=apart, format_name=given.format_name, color=given.color)


def _said_by_name(frame: Frame) -> ColorInfo:
    """A frame's colour with what yuvj420p says by its name, which is lost."""
    if not frame.format.full_range:
        return frame.color
    location = frame.color.chroma_location or CENTER
    return replace(frame.color, range=_FULL_RANGE, chroma_location=location)
