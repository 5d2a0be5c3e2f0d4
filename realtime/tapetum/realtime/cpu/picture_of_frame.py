"""What of a frame is picture: within its bars (`black_bars`) and its circle (`picture_circle`)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.black_bars import BarFinder
from tapetum.realtime.cpu.picture_circle import CircleFinder, RoundPicture
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.frame import Frame, Plane

Floats = npt.NDArray[np.float32]


class EnhanceStrip(Protocol):
    """Enhances rows of a picture of which it knows the rest."""

    def __call__(self, frame: Frame, *, top: int, height: int) -> tuple[Plane, ...]:
        """The planes of rows that begin at `top` of a picture of `height` rows."""


class Picture(NamedTuple):
    """What of a frame is picture.

    Attributes:
        frame: its rectangle, as views of the frame's planes.
        small: the thumbnail of that, with black around what is round.
        area: where it lies in the frame; None where it is all of it.
        circles: the edge of a round picture.
    """

    frame: Frame
    small: Floats
    area: Area | None
    circles: RoundPicture | None

    @property
    def seen(self) -> Floats:
        """The thumbnail of a picture that fills it, (1, 3, 256, 256) RGB in [0, 1]."""
        return self.small if self.circles is None else self.circles.continued(self.small)

    def replaced_in(self, frame: Frame, planes: tuple[Plane, ...]) -> Frame:
        """The whole frame, with enhanced planes, new ones, where there is picture."""
        if self.circles is not None:
            self.circles.keep_outside(self.frame, planes)
        return frame.with_planes(planes if self.area is None else self.area.paste(frame, planes))


class PictureStrips:
    """What of a large picture is picture, seen in a small one of it, for its strips.

    Args:
        picture: what of the small one is picture.
        height: rows of the small one.
        width: its columns.
    """

    def __init__(self, picture: Picture, height: int, width: int) -> None:
        self._area = picture.area
        self._circles = picture.circles
        self._height, self._width = height, width

    def __call__(self, strip: Frame, *, top: int, height: int, enhance: EnhanceStrip) -> Frame:
        """Have a strip enhanced where there is picture.

        Args:
            strip: rows of the large picture; they begin with a whole row of chroma.
            top: where they begin.
            height: rows of the large picture.
            enhance: gives the planes of a strip of what is picture.
        """
        if self._area is None:
            return strip.with_planes(enhance(strip, top=top, height=height))
        area = self._in_the_large(self._area, height, strip)
        first, end = max(area.top, top), min(area.bottom, top + strip.height)
        if first >= end:
            return strip
        place = Area(first - top, end - top, area.left, area.right)
        part = place.cut(strip)
        rows = area.bottom - area.top
        planes = enhance(part, top=first - area.top, height=rows)
        if self._circles is not None:
            self._circles.keep_outside(part, planes, first - area.top, rows)
        return strip.with_planes(place.paste(strip, planes))

    def _in_the_large(self, area: Area, height: int, strip: Frame) -> Area:
        down, across = 1 << strip.format.chroma_y, 1 << strip.format.chroma_x
        y, x = height / self._height, strip.width / self._width

        def begin(place: float, step: int) -> int:
            return int(place) // step * step

        def end(place: float, step: int, most: int) -> int:
            return min(-(-int(np.ceil(place)) // step) * step, most)

        return Area(
            begin(area.top * y, down),
            end(area.bottom * y, down, height),
            begin(area.left * x, across),
            end(area.right * x, across, strip.width),
        )


class PictureFinder:
    """Tells picture from the black around it in the frames of one stream."""

    def __init__(self) -> None:
        """Start with no past."""
        self._bars = BarFinder()
        self._circles = CircleFinder()

    def reset(self) -> None:
        """Forget the past."""
        self._bars.reset()
        self._circles.reset()

    @property
    def lasting(self) -> tuple[object, ...]:
        """What is remembered for as long as the stream lasts."""
        return *self._bars.lasting, self._circles.is_round

    def __call__(self, frame: Frame) -> Picture:
        """Look at the next frame.

        Raises:
            DeviceError: it is not in main memory.
        """
        area = self._bars(frame)
        picture = frame if area is None else area.cut(frame)
        small = thumbnail(picture)
        circles = self._circles(small, area or Area(0, frame.height, 0, frame.width))
        if circles is None:
            return Picture(picture, small, area, None)
        circles = circles.tight((1 << frame.format.chroma_y, 1 << frame.format.chroma_x))
        picture = circles.area.cut(frame)
        return Picture(picture, thumbnail(picture), circles.area, circles)
