"""What of a frame on a device is picture: `PictureFinder`'s twin, whose own code it is.

The host gets some thousand samples of each frame: those of its border, some between, and the
corners of its thumbnail. All luma it gets where the border is black, ten times a second, and the
thumbnail where the corners are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, device_planes
from tapetum.realtime.cuda.pixel_kernels import CORNERS, Around, circles_structure
from tapetum.realtime.cuda.surface import empty_surface
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.stream_picture import Area, RoundPicture, StreamPicture

Floats = npt.NDArray[np.float32]


class DevicePicture(NamedTuple):
    """What of a frame is picture.

    Attributes:
        frame: its rectangle, as views of the frame's planes.
        area: where it lies in the frame; None where it is all of it.
        circles: the edge of a round picture.
        seen: the thumbnail of a round picture that fills it; None where no host has to make it.
    """

    frame: Frame
    area: Area | None
    circles: RoundPicture | None
    seen: Floats | None


class DevicePictureFinder:
    """Tells picture from the black around it in the frames of one stream.

    Attributes:
        small: (1, 3, 256, 256) float32, the thumbnail of the last picture; see `show`.
    """

    def __init__(self, device: ComputeDevice) -> None:
        """Start with no past.

        Args:
            device: where the frames are.
        """
        self._device = device
        self._stream = StreamPicture()
        self._area: Area | None = None
        self._kind: tuple[str, int, int] | None = None
        self.small = device.empty(THUMBNAIL_SHAPE, np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._stream.reset()

    def __call__(self, frame: Frame) -> DevicePicture:
        """Look at the next frame, which is waited for; `small` is then its picture's thumbnail."""
        kind = frame.format_name, frame.width, frame.height
        expected = self._area if kind == self._kind else None  # mostly it is where it was
        sight = self._sight(frame, expected)
        area = self._stream.area(frame, sight)
        if area != expected:
            sight = self._sight(frame, area)
        self._area, self._kind = area, kind
        circles = self._stream.circles(frame, area, sight.corners, self._thumbnail)
        if circles is None:
            return DevicePicture(_cut(frame, area), area, None, None)
        picture = circles.area.cut(frame)
        self._device.kernels.thumbnail(picture, self.small)
        seen = np.ascontiguousarray(circles.continued(self._thumbnail()))
        found = DevicePicture(picture, circles.area, circles, seen)
        self.show(found)
        return found

    def show(self, picture: DevicePicture, frame: Frame | None = None) -> None:
        """Make `small` the thumbnail of a picture, or of another frame in its place."""
        if frame is not None or picture.seen is None:
            self._device.kernels.thumbnail(frame or picture.frame, self.small)
        else:
            rows = THUMBNAIL_SHAPE[1] * THUMBNAIL_SHAPE[2], THUMBNAIL_SHAPE[3]
            target: Any = self.small
            self._device.queue_copy(
                self._device.put(picture.seen.reshape(rows)), target.reshape(*rows)
            )

    def _sight(self, frame: Frame, area: Area | None) -> DeviceSight:
        self._device.kernels.thumbnail(_cut(frame, area), self.small)
        return DeviceSight(frame, self.small, self._device)

    def _thumbnail(self) -> Floats:
        return self._device.get(self.small)


def replaced_in(
    frame: Frame,
    picture: DevicePicture,
    device: ComputeDevice,
    enhance: Callable[[DevicePlanes], None],
) -> Frame:
    """The whole frame, in a new surface, enhanced where there is picture; not waited for.

    Args:
        frame: on the device.
        picture: of it.
        device: where it lies.
        enhance: queues what fills planes of the picture's size.
    """
    planes: Any = empty_surface(frame, device.empty)
    whole = frame.with_planes(planes)
    if picture.area is not None:
        for plane, own in zip(planes, device_planes(frame), strict=True):
            device.queue_copy(own, plane)
    within = cast("DevicePlanes", _cut(whole, picture.area).planes)
    enhance(within)
    if picture.circles is not None:
        circles = circles_structure(picture.circles.circles)
        device.kernels.keep_outside(picture.frame, circles, within)
    return whole


class DeviceSight:
    """A `Sight` of a frame on a device; what is asked of every frame is fetched at once."""

    def __init__(self, frame: Frame, thumbnail: DeviceArray, device: ComputeDevice) -> None:
        self._frame, self._device = frame, device
        around = Around.of(frame)
        fetched = device.empty((around.size_bytes,), np.uint8)
        device.kernels.look_around(frame, thumbnail, fetched)
        found = device.get(fetched)
        corners = found[: 4 * CORNERS].view(np.float32)
        self.corners: Floats = corners.reshape(3, 2, 2)
        view, self._outer, self._inner = around.parts(found[4 * CORNERS :])
        self._view: Plane = view

    def border(self, area: Area) -> tuple[Plane, ...]:
        """See `Sight`."""
        rows, columns = area.slices(self._frame)[0]
        top, bottom, left, right = (luma for luma, _ in self._around(area))
        return top[columns], bottom[columns], left[rows], right[rows]

    def chroma_border(self, area: Area) -> tuple[tuple[Plane, ...], ...]:
        """See `Sight`."""
        rows, columns = area.slices(self._frame)[1]
        top, bottom, left, right = (uv for _, uv in self._around(area))
        pairs = (uv.reshape(-1, 2)[rows].reshape(-1) for uv in (left, right))
        return (top[columns],), (bottom[columns],), *((uv,) for uv in pairs)

    def _around(self, area: Area) -> Iterator[tuple[Plane, Plane]]:
        """The lines at the sides of an area, luma and chroma, each as long as the frame's."""
        height, width = self._frame.height, self._frame.width
        inset = area.top > 0, area.bottom < height, area.left > 0, area.right < width
        for outer, inner, within in zip(self._outer, self._inner, inset, strict=True):
            yield inner if within else outer

    def view(self) -> Plane:
        """See `Sight`."""
        return self._view

    def luma(self) -> Plane:
        """See `Sight`."""
        return cast("Plane", self._device.get(device_planes(self._frame)[0]))


def _cut(frame: Frame, area: Area | None) -> Frame:
    return frame if area is None else area.cut(frame)
