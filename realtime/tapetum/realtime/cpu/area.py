"""A rectangle of a frame, such as that of the picture between bars."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tapetum.realtime.frame import Frame, Plane


class Area(NamedTuple):
    """A rectangle of a frame, in luma pixels, on the edges of whole chroma samples."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, frame: Frame) -> Frame:
        """The frame within the area, as views; its colour means what it meant in the whole."""
        planes = tuple(
            plane[rows, columns]
            for plane, (rows, columns) in zip(frame.planes, self.slices(frame), strict=True)
        )
        return replace(frame, planes=planes, color=replace(frame.color, matrix=frame.matrix))

    def paste(self, frame: Frame, planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
        """The frame's planes, new ones, with others in the area."""
        whole = tuple(plane.copy() for plane in frame.planes)
        for plane, part, place in zip(whole, planes, self.slices(frame), strict=True):
            plane[place] = part
        return whole

    def slices(self, frame: Frame) -> list[tuple[slice, slice]]:
        """Its rows and columns in each plane of a frame."""
        layout = frame.format
        y, x = layout.chroma_y, layout.chroma_x
        wide = 2 if layout.semi_planar else 1
        rows = slice(self.top >> y, -(-self.bottom >> y))
        columns = slice(wide * (self.left >> x), wide * -(-self.right >> x))
        luma = slice(self.top, self.bottom), slice(self.left, self.right)
        return [luma, *[(rows, columns)] * (len(frame.planes) - 1)]
