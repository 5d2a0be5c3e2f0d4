"""Before/after pictures: the original beside the enhanced frame, or wiped into it.

Both work on the planes of any `PixelFormat`, without conversion. In a video that players rotate,
what counts is how it is shown: original on the left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tapetum.realtime.choices import LAYOUTS, Layout
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.pixel_format import PixelFormat, pixel_format
from tapetum.realtime.protocols import FrameEnhancer

if TYPE_CHECKING:
    from tapetum.realtime.media.video_info import VideoInfo

_WIPE_PERIOD_S = 8.0
_WIPE_REACH = 0.35
"""How far the divider moves from the middle, as a part of the width."""


@dataclass(frozen=True, slots=True)
class Direction:
    """Where, in the coded picture, the viewer's left-to-right lies.

    Attributes:
        vertical: whether it runs along the columns of the planes.
        backward: whether it runs from the last row or column to the first.
    """

    vertical: bool = False
    backward: bool = False


def direction(display_matrix: tuple[int, ...] | None) -> Direction:
    """Read the direction out of FFmpeg's nine-number display matrix; None is not rotated."""
    if display_matrix is None:
        return Direction()
    x_from_x, x_from_y = display_matrix[0], display_matrix[3]
    vertical = abs(x_from_y) > abs(x_from_x)
    return Direction(vertical, (x_from_y if vertical else x_from_x) < 0)


class Comparison:
    """A pipeline stage that shows what an enhancer does to each frame.

    Pass it to `pipeline.run` in the enhancer's place. Frames have the size that `output_size`
    says; everything else about a frame stays.
    """

    def __init__(
        self,
        enhancer: FrameEnhancer,
        layout: Layout,
        *,
        display_matrix: tuple[int, ...] | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"compare is one of {', '.join(LAYOUTS)}; got {layout!r}")
        self._enhancer = enhancer
        self._layout = layout
        self._direction = direction(display_matrix)
        self._start_s: float | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame and show it together with the original."""
        enhanced = self._enhancer(frame)
        if self._layout == "side-by-side":
            return side_by_side(frame, enhanced, along=self._direction)
        return wipe(frame, enhanced, position=self._position(frame), along=self._direction)

    def _position(self, frame: Frame) -> float:
        time_s = frame.time_s or 0.0
        if self._start_s is None:
            self._start_s = time_s
        angle = 2 * math.pi * (time_s - self._start_s) / _WIPE_PERIOD_S
        return 0.5 + _WIPE_REACH * math.sin(angle)


def output_size(info: VideoInfo, layout: Layout | None) -> tuple[int, int]:
    """Width and height of the output frames for an input as `info` says."""
    if layout != "side-by-side":
        return info.width, info.height
    axis = _Axis(pixel_format(info.format_name), direction(info.display_matrix).vertical)
    if axis.vertical:
        return info.width, 2 * axis.aligned(info.height)
    return 2 * axis.aligned(info.width), info.height


def side_by_side(original: Frame, enhanced: Frame, *, along: Direction = Direction()) -> Frame:
    """`original` on the left and `enhanced` on the right.

    An odd width is padded by one column where the chroma is subsampled, so that the chroma of
    the right half lies on its luma.
    """
    axis = _Axis(original.format, along.vertical)
    size = axis.aligned(original.height if along.vertical else original.width)
    first, second = (enhanced, original) if along.backward else (original, enhanced)

    def beside(index: int, one: Plane, two: Plane) -> Plane:
        return _beside(one, two, axis.samples(index, size))

    planes = _per_plane(beside, first, second, axis)
    return replace(original, planes=planes, alpha=_alpha_beside_itself(original, axis, size))


def _alpha_beside_itself(frame: Frame, axis: _Axis, size: int) -> Plane | None:
    alpha = frame.alpha
    if alpha is None or not axis.vertical:
        return alpha if alpha is None else _beside(alpha, alpha, size)
    return _beside(alpha.T, alpha.T, size).T.copy()


def wipe(
    original: Frame,
    enhanced: Frame,
    *,
    position: float = 0.5,
    along: Direction = Direction(),
) -> Frame:
    """`original` left of a thin bright line at `position` (0 to 1), `enhanced` right of it."""
    axis = _Axis(original.format, along.vertical)
    size = original.height if along.vertical else original.width
    first, second = (enhanced, original) if along.backward else (original, enhanced)
    place = 1 - position if along.backward else position
    line = axis.aligned(max(1, size // 320))
    begin = axis.aligned(int(max(0.0, place * (size - line))))

    def wiped(index: int, one: Plane, two: Plane) -> Plane:
        left, right = axis.samples(index, begin), axis.samples(index, begin + line)
        plane = two.copy()
        plane[:, :left] = one[:, :left]
        plane[:, left:right] = _gray(original.format) if index else _white(original)
        return plane

    return replace(original, planes=_per_plane(wiped, first, second, axis))


@dataclass(frozen=True, slots=True)
class _Axis:
    """One direction of a pixel format's planes."""

    format: PixelFormat
    vertical: bool

    @property
    def _shift(self) -> int:
        return self.format.chroma_y if self.vertical else self.format.chroma_x

    def aligned(self, size: int) -> int:
        """`size`, rounded up to whole chroma samples."""
        return -(-size >> self._shift) << self._shift

    def samples(self, index: int, size: int) -> int:
        """Samples of plane `index` along the axis for an aligned `size` in luma samples."""
        if index == 0:
            return size
        interleaved = 2 if self.format.semi_planar and not self.vertical else 1
        return interleaved * (size >> self._shift)


def _per_plane(
    combine: Callable[[int, Plane, Plane], Plane], first: Frame, second: Frame, axis: _Axis
) -> tuple[Plane, ...]:
    """Combine the planes pair by pair, turned so that the axis runs along their rows."""
    pairs = enumerate(zip(first.planes, second.planes, strict=True))
    if not axis.vertical:
        return tuple(combine(index, one, two) for index, (one, two) in pairs)
    return tuple(combine(index, one.T, two.T).T.copy() for index, (one, two) in pairs)


def _beside(left: Plane, right: Plane, width: int) -> Plane:
    """Both planes in one, each repeating its last column up to `width`."""
    both = np.empty_like(left, shape=(left.shape[0], 2 * width))  # on the device of `left`
    for panel, plane in zip((both[:, :width], both[:, width:]), (left, right), strict=True):
        panel[:, : plane.shape[1]] = plane
        panel[:, plane.shape[1] :] = plane[:, -1:]
    return both


def _white(frame: Frame) -> int:
    fmt = frame.format
    level = (1 << fmt.depth) - 1 if frame.full_range else 235 << (fmt.depth - 8)
    return level << fmt.shift


def _gray(fmt: PixelFormat) -> int:
    return 1 << (fmt.depth - 1 + fmt.shift)
