"""Frames turned and mirrored as their file says that they are shown."""

from __future__ import annotations

from dataclasses import replace

from tapetum.realtime.frame import Frame, Plane

_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}


def is_sideways(display_matrix: tuple[int, ...]) -> bool:
    """Whether FFmpeg's display matrix makes columns of rows."""
    return abs(display_matrix[3]) > abs(display_matrix[0])


def turnable_format(format_name: str) -> str:
    """The format for frames to be turned: planar, and chroma subsampled alike both ways."""
    return _PLANAR.get(format_name, format_name).replace("422", "444")


def turned(frame: Frame, display_matrix: tuple[int, ...]) -> Frame:
    """A frame as it is shown.

    Args:
        frame: of a format as `turnable_format` has it.
        display_matrix: the nine integers of FFmpeg's.
    """
    return replace(frame, planes=tuple(_turned(plane, display_matrix) for plane in frame.planes))


def _turned(plane: Plane, display_matrix: tuple[int, ...]) -> Plane:
    x_from_x, y_from_x, _, x_from_y, y_from_y = display_matrix[:5]
    if is_sideways(display_matrix):
        plane, x_from_x, y_from_y = plane.T, x_from_y, y_from_x
    return plane[:: -1 if y_from_y < 0 else 1, :: -1 if x_from_x < 0 else 1].copy()
