"""Finds circles of fish-eye lenses in one thumbnail; `picture_circle` follows them over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.realtime.cpu.area import Area
from tapetum.realtime.exposure import quantile

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]

MOST_NOISE = 10 / 219
"""Mean of a thumbnail's pixel, as RGB in [0, 1], over which none is black, however noisy."""
MARGIN = 0.008
"""By so much a picture is brighter than the black around it."""
_LEAST_BLACK, _MOST_BLACK = 0.008, 0.9
"""Part of a thumbnail that may lie outside a circle."""
NEAR = 1.5
"""Distance in thumbnail pixels of an edge that lies on a circle."""
_INSIDE, _FURTHER = 4.0, 12.0
"""So far inside the edge the picture is compared, to tell an edge from light that fades out."""
_AT_ONCE = 0.5
"""Part of the light further inside that is there at once, right behind an edge."""
_SEEN = 0.3
"""Part of an ellipse, as far as it lies in the frame, that must be seen as such an edge."""
_SEEN_OF_ROUND = 0.15
"""The same of a round one, as part of all of it: an arch in the dark shows a short piece of one."""
_ROUND = 1.05
"""Ratio of the radii in pixels up to which a circle is round."""
_IN_FRAME = 0.3
"""Part of the circle that must lie in the frame."""
_IN_CORNERS = ((0.1, 0.5), (0.05, 0.8))
"""Parts of a round one that must lie in the frame, and of that be seen, where its edge lies in the
frame's corners alone: one of these."""
_OFF_CENTER = 16
"""Thumbnail pixels by which such a one is off the frame's centre, at most."""
_MOST_OFF_CENTER = 0.35
"""Part of the thumbnail by which any is off its centre, at most: half a disc is a lit floor."""
_LONGEST_GAP = 0.45
"""Part of the circle that may be unseen in one piece: a picture is black there."""
TEXT = 0.06
"""Part of the black outside that may be text."""
_MOST_SQUEEZED = 1.6
"""Ratio of the radii in pixels of the frame, which may not be square."""
_TRIES = 400
"""Ellipses that are tried, each through four points of the edge, and circles through three."""
_ROUND_VOTES = 0.85
"""What of the best ellipse's points have to lie on a circle that is taken instead."""
_POINTS = 300
"""Points of the edge by which a try is judged."""
_TRACES, _EDGE_LIGHT = 10, 0.4
"""Thumbnail pixels in which coding leaves traces of an edge; and what of the light behind them is
reached where the picture begins."""
_ANGLES = 256
_ALIKE = 8
"""Thumbnail pixels by which the circles of two lenses may differ."""


class Circle(NamedTuple):
    """An ellipse along the axes (a thumbnail's pixels are not square), in thumbnail pixels."""

    x: float
    y: float
    radius_x: float
    radius_y: float

    def distance(self, height: int, width: int, rows: slice = slice(None)) -> Floats:
        """Of each pixel, or of some rows, the distance from the centre, 1 at the edge."""
        y = ((np.arange(height)[rows] + 0.5) / height * THUMBNAIL - 0.5 - self.y) / self.radius_y
        x = ((np.arange(width) + 0.5) / width * THUMBNAIL - 0.5 - self.x) / self.radius_x
        distance: Floats = np.hypot(x[np.newaxis], y[:, np.newaxis]).astype(np.float32)
        return distance

    def moved(self, within: Area, to: Area) -> Circle:
        """The same circle of the frame, in the thumbnail of another area of it."""

        def along(center: float, radius: float, old: int, shift: int, new: int) -> list[float]:
            place = (center + 0.5) * old / THUMBNAIL + shift
            return [place * THUMBNAIL / new - 0.5, radius * old / new]

        height, new_height = within.bottom - within.top, to.bottom - to.top
        width, new_width = within.right - within.left, to.right - to.left
        y, radius_y = along(self.y, self.radius_y, height, within.top - to.top, new_height)
        x, radius_x = along(self.x, self.radius_x, width, within.left - to.left, new_width)
        return Circle(x, y, radius_x, radius_y)


def find_circles(light: Floats, aspect: float) -> tuple[Circle, ...]:
    """The round picture that fills a thumbnail but for black, or two side by side; else none.

    Args:
        light: (256, 256) the brightest channel of a thumbnail, in [0, 1].
        aspect: height by width of the frame.
    """
    half = light.shape[1] // 2
    left = find_circle(light[:, :half], 2 * aspect)
    right = None if left is None else find_circle(light[:, half:], 2 * aspect)
    if left is not None and right is not None and _are_twins(left, right, half):
        return left, right._replace(x=right.x + half)
    circle = find_circle(light, aspect)
    return () if circle is None else (circle,)


def _are_twins(left: Circle, right: Circle, half: int) -> bool:
    """Whether two circles are alike and each in the middle of its half, as two lenses' are."""
    apart = left.y - right.y, left.radius_x - right.radius_x, left.radius_y - right.radius_y
    off = left.x - half / 2, right.x - half / 2
    return max(map(abs, apart)) <= _ALIKE and max(map(abs, off)) <= 2 * _ALIKE


def find_circle(light: Floats, aspect: float) -> Circle | None:
    """Find the ellipse that a picture fills, from where it begins, seen from the four sides.

    The picture may be black in places at the circle's edge, but nowhere goes over it, but for text;
    elsewhere it begins at once, where a picture that a lens only darkens fades out.

    Args:
        light: (H, W) the brightest channel of a thumbnail, in [0, 1].
        aspect: height by width of what it shows, in pixels of the frame.
    """
    level = black_up_to(light)
    black = light <= level
    corners = black[0, 0], black[0, -1], black[-1, 0], black[-1, -1]
    if sum(corners) < 2 or not _LEAST_BLACK <= black.mean() <= _MOST_BLACK:
        return None
    x, y = _begin(light, black)
    if len(x) < sum(light.shape) // 8:
        return None
    # Ratio of the radii in thumbnail pixels, where the frame's pixels are square.
    height, width = light.shape
    squeeze = aspect * width / height
    circle = _best_ellipse(x, y, light.shape, squeeze)
    if circle is None:
        return None
    off = max(abs(circle.x / width - 0.5), abs(circle.y / height - 0.5))
    if off > _MOST_OFF_CENTER:
        return None
    is_round = abs(np.log(circle.radius_y / circle.radius_x * squeeze)) <= np.log(_ROUND)
    parts = [(_IN_FRAME, 0.0, _SEEN_OF_ROUND) if is_round else (_IN_FRAME, _SEEN, 0.0)]
    if is_round and abs(circle.x - width / 2) + abs(circle.y - height / 2) <= _OFF_CENTER:
        parts += [(part, seen, 0.0) for part, seen in _IN_CORNERS]
    return circle if _is_edge(light, level, circle, parts) else None


def black_up_to(light: Floats) -> float:
    """The level up to which a thumbnail's pixel is black, by the noise of its corners."""
    part = light.shape[0] // 32
    corners = [light[rows, columns] for rows in _ends(part) for columns in _ends(part)]
    noise = [quantile(np.sort(corner, axis=None), 0.75) for corner in corners]
    black = [level for level in noise if level <= min(MOST_NOISE, min(noise) + MARGIN)]
    return max(black, default=0.0) + MARGIN


def _ends(part: int) -> tuple[slice, slice]:
    return slice(part), slice(-part, None)


def _begin(light: Floats, black: Mask) -> tuple[Doubles, Doubles]:
    """Where the picture begins, seen from left, right, top and bottom; not at the frame's edge."""
    xs, ys = list[Doubles](), list[Doubles]()
    for across, lines, shades in ((xs, black, light), (ys, black.T, light.T)):
        along = ys if across is xs else xs
        size = lines.shape[1]
        before = _to_light(shades, np.logical_and.accumulate(lines, axis=1).sum(axis=1))
        turned = lines[:, ::-1]
        behind = np.logical_and.accumulate(turned, axis=1).sum(axis=1)
        behind = _to_light(shades[:, ::-1], behind)
        for count, places in ((before, before - 0.5), (behind, size - behind - 0.5)):
            index = np.flatnonzero((count > 0) & (count < size))
            across.append(places[index].astype(np.float64))
            along.append(index.astype(np.float64))
    return np.concatenate(xs), np.concatenate(ys)


def _to_light(light: Floats, counts: Counts) -> Counts:
    """How many pixels each line begins with that are black or hold an edge's traces alone."""
    places = np.minimum(counts[:, np.newaxis] + np.arange(_TRACES), light.shape[1] - 1)
    behind = np.take_along_axis(light, places, axis=1)
    traces = (behind >= _EDGE_LIGHT * behind.max(axis=1, keepdims=True)).argmax(axis=1)
    return np.where((counts > 0) & (counts < light.shape[1]), counts + traces, counts)


def _best_ellipse(x: Doubles, y: Doubles, shape: tuple[int, ...], squeeze: float) -> Circle | None:
    """The ellipse that most of the points lie on, and as good as none outside of.

    A circle in the frame, if as good as so many lie on it: a lens's picture is one, and coding
    pulls an ellipse along.
    """
    points = _Points.of(x, y, shape, squeeze)
    free, votes = points.best(np.eye(4))
    as_circles = np.array([[1, squeeze**2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float64)
    circle, votes_of_circle = points.best(as_circles)
    return circle if circle is not None and votes_of_circle >= _ROUND_VOTES * votes else free


class _Points(NamedTuple):
    """Points at which a picture seems to begin.

    Attributes:
        x: in pixels of the thumbnail.
        y: the same.
        terms: (N, 4) the squares and the places, on a scale of about 1.
        scale: pixels of its 1.
        height: of the thumbnail.
        width: of it.
        squeeze: ratio of a circle's radii in it, across by down.
    """

    x: Doubles
    y: Doubles
    terms: Doubles
    scale: float
    height: int
    width: int
    squeeze: float

    @classmethod
    def of(cls, x: Doubles, y: Doubles, shape: tuple[int, ...], squeeze: float) -> _Points:
        """Points of a thumbnail."""
        height, width = shape
        scale = max(shape) / 2
        u, v = (x - width / 2) / scale, (y - height / 2) / scale
        terms = np.stack([u * u, v * v, u, v], axis=1)
        return cls(x, y, terms, scale, height, width, squeeze)

    def best(self, kind: Doubles) -> tuple[Circle | None, int]:
        """The best ellipse of one kind, and how many of some points lie on it, less those outside.

        Args:
            kind: (K, 4) the ellipses' a, b, c and d (`_ellipses`) by each of their K coefficients.
        """
        rng = np.random.default_rng(0)  # the same picture gives the same circle
        some = rng.permutation(len(self.x))[:_POINTS]
        terms = self.terms @ kind.T
        free = len(kind)
        picked = terms[rng.integers(0, len(terms), (_TRIES, free))]
        sure = np.abs(np.linalg.det(picked)) > 1e-6
        if not sure.any():
            return None, 0
        found = np.linalg.solve(picked[sure], np.ones((int(sure.sum()), free, 1)))[..., 0]
        circles = self._possible(found @ kind)
        if not len(circles):
            return None, 0
        outwards = _outwards(circles.T[..., np.newaxis], self.x[some], self.y[some])
        votes = (np.abs(outwards) <= NEAR).sum(axis=1) - (outwards > 2 * NEAR).sum(axis=1)
        circle = circles[votes.argmax()]
        for _ in range(3):
            on_it = np.abs(_outwards(circle, self.x, self.y)) <= NEAR
            if on_it.sum() < len(self.x) // 8:
                return None, 0
            fitted, *_ = np.linalg.lstsq(terms[on_it], np.ones(int(on_it.sum())), rcond=None)
            circles = self._possible((fitted @ kind)[np.newaxis])
            if not len(circles):
                return None, 0
            circle = circles[0]
        return Circle(*circle.tolist()), int(votes.max())

    def _possible(self, found: Doubles) -> Doubles:
        """Those of the ellipses with such coefficients that a lens's picture may be."""
        circles = _ellipses(found, self.scale, self.height, self.width)
        return circles[_is_possible(circles, self.scale, self.squeeze)]


def _ellipses(found: Doubles, scale: float, height: int, width: int) -> Doubles:
    """(N, 4) x, y and radii, from (N, 4) a, b, c, d of a u^2 + b v^2 + c u + d v = 1."""
    a, b, c, d = found.T
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = -c / (2 * a), -d / (2 * b)
        square = 1 + a * u**2 + b * v**2
        radii = np.sqrt(square / a), np.sqrt(square / b)
    return np.stack([u * scale + width / 2, v * scale + height / 2, *(scale * r for r in radii)], 1)


def _is_possible(circles: Doubles, scale: float, squeeze: float) -> Mask:
    """Which have numbers at all, a centre in the frame, and a size that a lens's picture has."""
    x, y, across, down = circles.T
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = down / across * squeeze
        small, large = np.minimum(across, down), np.maximum(across, down)
        possible: Mask = (
            (np.abs(np.log(ratio)) <= np.log(_MOST_SQUEEZED))
            & (small > 0.12 * scale)
            & (large < 2 * scale)
            & (x > 0)
            & (x < 2 * scale)
            & (y > 0)
            & (y < 2 * scale)
        )
    return possible


def _outwards(circle: Doubles, x: Doubles, y: Doubles) -> Doubles:
    """Distance of points from a circle's edge, over 0 outside of it."""
    center_x, center_y, radius_x, radius_y = circle
    part = np.hypot((x - center_x) / radius_x, (y - center_y) / radius_y) - 1
    distance: Doubles = part * np.minimum(radius_x, radius_y)
    return distance


def _is_edge(
    light: Floats, level: float, circle: Circle, parts: Sequence[tuple[float, float, float]]
) -> bool:
    """Whether a circle is where the picture begins, at least in a part, and black outside.

    Args:
        light: of a thumbnail.
        level: up to which it is black.
        circle: in it.
        parts: of the circle that must lie in the frame, of that must be seen, and of all of the
            circle: one of these.
    """
    distance = _distance_px(light, circle)
    outside = distance > _TRACES
    if not outside.any() or float((light[outside] <= level).mean()) < 1 - TEXT:
        return False
    rings = [_along(light, circle, inwards) for inwards in (-2 * NEAR, _INSIDE, _FURTHER)]
    beyond, behind, further = (ring[0] for ring in rings)
    in_frame = rings[0][1] & rings[1][1]
    if in_frame.mean() < min(part for part, *_ in parts):
        return False
    begins = (beyond <= level) & (behind > level + MARGIN / 2)
    # Noise is on both sides of a limit: light that fades out is told from an edge by their sum.
    rise, whole_rise = (behind - beyond)[in_frame], (further - beyond)[in_frame]
    if rise.sum() < _AT_ONCE * whole_rise.sum():
        return False
    seen = (begins & (behind - beyond >= _AT_ONCE * (further - beyond)))[in_frame]
    there, visible = float(in_frame.mean()), float(seen.mean())
    enough = any(
        there >= part and visible >= least and there * visible >= least_of_all
        for part, least, least_of_all in parts
    )
    return enough and _longest_gap(seen) <= _LONGEST_GAP


def _distance_px(light: Floats, circle: Circle) -> Doubles:
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return _outwards(np.array(circle), x, y)


def _along(light: Floats, circle: Circle, inwards: float) -> tuple[Floats, Mask]:
    """The light at some distance inside of a circle, by angle, and where that is in the frame."""
    angles = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    x = np.rint(circle.x + (circle.radius_x - inwards) * np.cos(angles)).astype(np.intp)
    y = np.rint(circle.y + (circle.radius_y - inwards) * np.sin(angles)).astype(np.intp)
    in_frame = (x >= 0) & (x < light.shape[1]) & (y >= 0) & (y < light.shape[0])
    height, width = light.shape
    return light[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], in_frame


def _longest_gap(seen: Mask) -> float:
    """The longest part of a circle's angles at which no edge is seen."""
    places = np.flatnonzero(seen)
    if not places.size:
        return 1.0
    gaps = np.diff(np.append(places, places[0] + len(seen))) - 1
    return float(gaps.max()) / len(seen)
