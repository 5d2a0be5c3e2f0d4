"""Follows the circle of a fish-eye lens in black, in the thumbnails of a stream.

A round picture is found by its edge, and continued over the black.
The network then sees a picture that fills its thumbnail, as it knows them. Two lenses side by side
give two circles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.realtime.cpu.area import Area
from tapetum.realtime.cpu.circle_of_thumbnail import (
    MARGIN,
    MOST_NOISE,
    NEAR,
    TEXT,
    Circle,
    black_up_to,
    find_circles,
)
from tapetum.realtime.frame import Frame, Plane

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_STEADY_FRAMES = 12
"""For so many frames must another circle be there before it is believed in mid-stream."""
_LOOK_FRAMES = 6
"""How often a circle is looked for, while there is none."""


class RoundPicture(NamedTuple):
    """One circle or two, and the area of the frame in whose thumbnail they lie."""

    circles: tuple[Circle, ...]
    area: Area

    def within(self, area: Area) -> RoundPicture:
        """The same in the thumbnail of another area."""
        circles = tuple(circle.moved(self.area, area) for circle in self.circles)
        return RoundPicture(circles, area)

    def tight(self, chroma: tuple[int, int]) -> RoundPicture:
        """The same in the area right around it.

        Args:
            chroma: pixels of a chroma sample, down and across.
        """
        area, (down, across) = self.area, chroma

        def begin(places: list[float], start: int, end: int, step: int) -> int:
            place = start + int((min(places) + 0.5) / THUMBNAIL * (end - start))
            return max(start, place // step * step)

        def stop(places: list[float], start: int, end: int, step: int) -> int:
            place = start + int(-(-(max(places) + 0.5) / THUMBNAIL * (end - start) // 1))
            return min(end, -(-place // step) * step)

        rows, columns = (area.top, area.bottom, down), (area.left, area.right, across)
        return self.within(
            Area(
                begin([c.y - c.radius_y for c in self.circles], *rows),
                stop([c.y + c.radius_y for c in self.circles], *rows),
                begin([c.x - c.radius_x for c in self.circles], *columns),
                stop([c.x + c.radius_x for c in self.circles], *columns),
            )
        )

    def distance(self, height: int, width: int, rows: slice = slice(None)) -> Floats:
        """Of each pixel of the area, or of some rows of it, how far it is from the nearest centre.

        It is 1 at the edge.
        """
        distances = [circle.distance(height, width, rows) for circle in self.circles]
        nearest: Floats = np.minimum.reduce(distances)
        return nearest

    def continued(self, thumbnail: Floats) -> Floats:
        """A thumbnail whose picture goes on outside of its edge as it is there.

        Of what could lie there, this is the likeliest: of 55 dark pictures that were cut to a
        circle the brightness inside changed by 1.4 levels, with the picture mirrored by 2.2.
        """
        height, width = thumbnail.shape[-2:]
        distances = np.stack([circle.distance(height, width) for circle in self.circles])
        nearest, distance = distances.argmin(axis=0), distances.min(axis=0)
        full = thumbnail
        for index, circle in enumerate(self.circles):
            # The edge itself is half black: what is there is taken from further inside.
            edge = 1 - 2 * NEAR / min(circle.radius_x, circle.radius_y)
            outside = (nearest == index) & (distance > edge)
            inward = edge / np.maximum(distance, edge)
            y = circle.y + (np.arange(height)[:, np.newaxis] - circle.y) * inward
            x = circle.x + (np.arange(width)[np.newaxis] - circle.x) * inward
            rows = np.clip(np.rint(y), 0, height - 1).astype(np.intp)
            columns = np.clip(np.rint(x), 0, width - 1).astype(np.intp)
            full = np.where(outside, thumbnail[..., rows, columns], full)
        return full

    def keep_outside(
        self, frame: Frame, planes: tuple[Plane, ...], top: int = 0, height: int | None = None
    ) -> None:
        """Put the samples of the area's frame back into enhanced planes of it, outside.

        Args:
            frame: the area, or a strip of it.
            planes: changed in place.
            top: where the strip begins.
            height: rows of the area; None for the frame's.
        """
        for index, (plane, own) in enumerate(zip(planes, frame.planes, strict=True)):
            interleaved = 2 if index and frame.format.semi_planar else 1
            down = frame.format.chroma_y if index else 0
            whole = -(-(frame.height if height is None else height) >> down)
            rows = slice(top >> down, (top >> down) + plane.shape[0])
            distance = self.distance(whole, plane.shape[1] // interleaved, rows)
            outside = np.repeat(distance > 1, interleaved, axis=1)
            np.copyto(plane, own, where=outside)

    def keep_pixels_outside(self, image: Pixels, out: Pixels) -> None:
        """The same of (H, W, C) pixels of the area."""
        outside = self.distance(*image.shape[:2]) > 1
        np.copyto(out, image, where=outside[..., np.newaxis])


class CircleFinder:
    """Follows the round picture of one stream, from its thumbnails."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._known: RoundPicture | None = None
        self._first = True
        self._other_frames = 0
        self._until_look = 0

    @property
    def is_round(self) -> bool:
        """Whether circles are known."""
        return self._known is not None

    def __call__(self, thumbnail: Floats, area: Area) -> RoundPicture | None:
        """The circles of a frame, in an area of it; None where its picture is not round.

        Args:
            thumbnail: (1, 3, 256, 256) RGB in [0, 1] of the area.
            area: the part of the frame that is no bar.
        """
        return self.follow(thumbnail[0, :, ::255, ::255], area, lambda: thumbnail)

    def follow(
        self, corners: Floats, area: Area, fetch: Callable[[], Floats]
    ) -> RoundPicture | None:
        """The same, where the thumbnail is to be had, but is mostly not needed.

        Args:
            corners: (3, 2, 2) of it.
            area: as for a call.
            fetch: gives the thumbnail.
        """
        if self._known is None and (corners.max(axis=0) > MOST_NOISE + MARGIN).sum() > 2:
            self._first, self._other_frames = False, 0
            return None
        if self._known is not None and self._known.area != area:
            self._known = self._known.within(area)
        thumbnail = fetch()
        if thumbnail.max() <= MARGIN:
            return self._known
        if self._known is None and self._until_look > 0 and not self._first:
            self._until_look -= 1
            return None
        light: Floats = thumbnail[0].max(axis=0)
        if self._known is None or not self._agrees(light, self._known):
            self._look(light, area)
        else:
            self._other_frames = 0
        return self._known

    def _look(self, light: Floats, area: Area) -> None:
        self._until_look = _LOOK_FRAMES - 1
        circles = find_circles(light, (area.bottom - area.top) / (area.right - area.left))
        frames = 1 if self._known is not None else _LOOK_FRAMES
        self._other_frames = self._other_frames + frames if circles or self._known else 0
        if self._first or self._other_frames >= _STEADY_FRAMES:
            self._known = RoundPicture(circles, area) if circles else None
            self._other_frames = 0
        self._first = False

    @staticmethod
    def _agrees(light: Floats, known: RoundPicture) -> bool:
        """Whether all is black that should be, and the picture reaches the edge somewhere.

        Nothing more can be asked of a picture that is dark itself.
        """
        black = light <= black_up_to(light)
        distance = known.distance(*light.shape)
        smallest = min(min(c.radius_x, c.radius_y) for c in known.circles)
        one = 2 * NEAR / smallest
        outside, rim = distance > 1 + one, (distance < 1 - one) & (distance > 1 - 4 * one)
        dark = not rim.any() or black[rim].mean() > 0.995
        return bool(black[outside].mean() >= 1 - 2 * TEXT) and not (
            dark and not black[distance < 1].all()
        )
