"""The round picture of a fish-eye lens in a black frame: found, and continued over the black.

The network then sees a picture that fills its thumbnail, as it knows them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.black_bars import Area
from tapetum.realtime.frame import Frame, Plane

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_BLACK = 0.012
"""Mean of a thumbnail's pixel, as RGB in [0, 1], up to which it is black."""
_LEAST_BLACK, _MOST_BLACK = 0.03, 0.75
"""Part of a thumbnail that may lie outside a circle."""
_NEAR = 1.5
"""Distance in thumbnail pixels of an edge that lies on a circle."""
_ON_CIRCLE = 0.5
"""Part of the edge that has to lie on it, with picture right inside."""
_CURVED = 10
"""Thumbnail pixels by which an edge that lies on it must leave the straight line."""
_BEYOND = 0.02
"""Part of the edge that may lie outside of it."""
_STEADY_FRAMES = 12
"""For so many frames must another circle be there before it is believed in mid-stream."""


class Circle(NamedTuple):
    """An ellipse along the axes (a thumbnail's pixels are not square), in thumbnail pixels."""

    x: float
    y: float
    radius_x: float
    radius_y: float

    def distance(self, height: int, width: int) -> Floats:
        """Of each pixel of a picture, the distance from the centre, 1 at the edge."""
        y = ((np.arange(height) + 0.5) / height * 256 - 0.5 - self.y) / self.radius_y
        x = ((np.arange(width) + 0.5) / width * 256 - 0.5 - self.x) / self.radius_x
        distance: Floats = np.hypot(x[np.newaxis], y[:, np.newaxis]).astype(np.float32)
        return distance

    def area(self, within: Area, chroma: tuple[int, int]) -> Area:
        """The rectangle around it, of pixels of the frame, on whole chroma samples.

        Args:
            within: the area whose thumbnail it was found in.
            chroma: pixels of a chroma sample, down and across.
        """
        height, width = within.bottom - within.top, within.right - within.left
        down, across = chroma
        top = within.top + int((self.y - self.radius_y + 0.5) / 256 * height) // down * down
        left = within.left + int((self.x - self.radius_x + 0.5) / 256 * width) // across * across
        bottom = within.top - int(-(self.y + self.radius_y + 0.5) / 256 * height) // down * down
        right = within.left - int(-(self.x + self.radius_x + 0.5) / 256 * width) // across * across
        return Area(
            max(top, within.top),
            min(bottom, within.bottom),
            max(left, within.left),
            min(right, within.right),
        )

    def moved(self, within: Area, to: Area) -> Circle:
        """The same, in the thumbnail of an area inside that whose thumbnail it was found in."""

        def along(center: float, radius: float, size: int, start: int, part: int) -> list[float]:
            scale = size / part
            return [(center + 0.5) * scale - 256 * start / part - 0.5, radius * scale]

        height, width = within.bottom - within.top, within.right - within.left
        y, radius_y = along(self.y, self.radius_y, height, to.top - within.top, to.bottom - to.top)
        x, radius_x = along(self.x, self.radius_x, width, to.left - within.left, to.right - to.left)
        return Circle(x, y, radius_x, radius_y)


class CircleFinder:
    """Follows the circle of one stream, from its thumbnails."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._circle: Circle | None = None
        self._first = True
        self._other_frames = 0

    def __call__(self, thumbnail: Floats) -> Circle | None:
        """The circle of a frame; None where its picture is no circle.

        Args:
            thumbnail: (1, 3, 256, 256) RGB in [0, 1].
        """
        corners = thumbnail[0, :, ::255, ::255]
        if self._circle is None and corners.max(axis=0).max() > _BLACK:
            self._first, self._other_frames = False, 0
            return None
        light: Floats = thumbnail[0].max(axis=0)
        black = light <= _BLACK
        if black.all():
            return self._circle
        found = find_circle(light)
        if self._agrees(black) if found is None else self._is_known(found):
            self._other_frames = 0
        elif self._first or self._other_frames >= _STEADY_FRAMES:
            self._circle, self._other_frames = found, 0
        else:
            self._other_frames += 1
        self._first = False
        return self._circle

    def _is_known(self, found: Circle) -> bool:
        known = self._circle
        return known is not None and float(np.abs(np.subtract(found, known)).max()) < 3

    def _agrees(self, black: Mask) -> bool:
        """Whether all is black that should be, though the edge itself cannot be seen."""
        if self._circle is None:
            return True
        outside = self._circle.distance(*black.shape) > 1.03
        return bool(black[outside].mean() > 0.9)


def find_circle(light: Floats) -> Circle | None:
    """Fit an ellipse to where a picture begins, seen from the left and the right edge.

    The picture may be black in places at the circle's edge, but nowhere goes over it; elsewhere it
    begins at once, where a picture that a lens only darkens fades out.

    Args:
        light: (256, 256) the brightest channel of a thumbnail, in [0, 1].
    """
    black = light <= _BLACK
    size = black.shape[1]
    corners = (black[0, 0], black[0, -1], black[-1, 0], black[-1, -1])
    if not all(corners) or not _LEAST_BLACK <= black.mean() <= _MOST_BLACK:
        return None
    left = np.logical_and.accumulate(black, axis=1).sum(axis=1)
    right = np.logical_and.accumulate(black[:, ::-1], axis=1).sum(axis=1)
    rows = np.flatnonzero((left < size) & (left > 0) & (right > 0))
    if len(rows) < size // 8:
        return None
    x = np.concatenate([left[rows] - 0.5, size - right[rows] - 0.5])
    y = np.concatenate([rows, rows]).astype(np.float64)
    circle = _fit(x, y)
    if circle is None or not _begins_at_once(light, circle):
        return None
    return circle


def _fit(x: Doubles, y: Doubles) -> Circle | None:
    """Least squares, again and again without what lies inside: picture that is black there."""
    kept = np.ones(len(x), bool)
    circle, outwards = None, np.zeros(len(x))
    for _ in range(8):
        circle = _ellipse(x[kept], y[kept])
        if circle is None:
            return None
        outwards = _outwards(circle, x, y)
        kept = outwards >= min(-_NEAR, float(np.percentile(outwards, 30)))
    on_it = float((np.abs(outwards) <= _NEAR).mean())
    is_round = on_it >= _ON_CIRCLE and float((outwards > 2 * _NEAR).mean()) <= _BEYOND
    left = x[: len(x) // 2]
    curved = np.ptp(left[np.abs(outwards[: len(left)]) <= _NEAR]) if is_round else 0
    return circle if curved > _CURVED else None


def _outwards(circle: Circle, x: Doubles, y: Doubles) -> Doubles:
    """Distance of points from a circle's edge, over 0 outside of it."""
    part = np.hypot((x - circle.x) / circle.radius_x, (y - circle.y) / circle.radius_y) - 1
    distance: Doubles = part * min(circle.radius_x, circle.radius_y)
    return distance


def _begins_at_once(light: Floats, circle: Circle) -> bool:
    angles = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    x = circle.x + (circle.radius_x - 2 * _NEAR) * np.cos(angles)
    y = circle.y + (circle.radius_y - 2 * _NEAR) * np.sin(angles)
    seen = (x >= 0) & (x < light.shape[1] - 1) & (y >= 0) & (y < light.shape[0] - 1)
    inside = light[np.rint(y[seen]).astype(np.intp), np.rint(x[seen]).astype(np.intp)]
    return bool((inside > 2 * _BLACK).mean() >= _ON_CIRCLE)


def _ellipse(x: Doubles, y: Doubles) -> Circle | None:
    """A x^2 + b y^2 + c x + d y = 1, in coordinates around the middle."""
    u, v = (x - 128) / 128, (y - 128) / 128
    terms = np.stack([u * u, v * v, u, v], axis=1)
    (a, b, c, d), *_ = np.linalg.lstsq(terms, np.ones(len(u)), rcond=None)
    if a <= 0 or b <= 0:
        return None
    center_x, center_y = -c / (2 * a), -d / (2 * b)
    square = 1 + a * center_x**2 + b * center_y**2
    radius_x, radius_y = np.sqrt(square / a), np.sqrt(square / b)
    if max(abs(center_x), abs(center_y)) > 0.5 or not 0.2 < min(radius_x, radius_y) < 1.5:
        return None
    return Circle(*(128 * np.array([center_x + 1, center_y + 1, radius_x, radius_y])).tolist())


def continued(thumbnail: Floats, circle: Circle) -> Floats:
    """A thumbnail whose picture is mirrored outwards at a circle's edge, over the black."""
    height, width = thumbnail.shape[-2:]
    # The edge itself is half black: what is there is taken from further inside, too.
    distance = circle.distance(height, width) / np.float32(0.97)
    outside = distance > 1
    inward = np.clip(2 - distance, 0.05, 1) / distance
    y = circle.y + (np.arange(height)[:, np.newaxis] - circle.y) * inward
    x = circle.x + (np.arange(width)[np.newaxis] - circle.x) * inward
    rows = np.clip(np.rint(y), 0, height - 1).astype(np.intp)
    columns = np.clip(np.rint(x), 0, width - 1).astype(np.intp)
    full: Floats = np.where(outside, thumbnail[..., rows, columns], thumbnail)
    return full


def keep_outside(circle: Circle, frame: Frame, planes: tuple[Plane, ...]) -> None:
    """Put a frame's own samples back into enhanced planes of its, outside a circle."""
    for index, (plane, own) in enumerate(zip(planes, frame.planes, strict=True)):
        interleaved = 2 if index and frame.format.semi_planar else 1
        height, width = plane.shape[0], plane.shape[1] // interleaved
        outside = np.repeat(circle.distance(height, width) > 1, interleaved, axis=1)
        np.copyto(plane, own, where=outside)
