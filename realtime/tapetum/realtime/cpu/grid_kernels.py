"""Slices a bilateral grid and applies it to the integer planes of a YUV frame.

The same transform as `tapetum.gan.bilateral_grid`, done in the order that is cheapest for
integers: see `grid_luma` and `grid_chroma`.
"""

from __future__ import annotations

import numpy as np

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.cpu.grid_axis import Floats, strip_axis
from tapetum.realtime.cpu.grid_chroma import apply_to_chroma
from tapetum.realtime.cpu.grid_luma import apply_to_luma
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.plane_rows import planes_for
from tapetum.realtime.cpu.side_by_side import cores
from tapetum.realtime.frame import Frame, Plane


def identity_grid() -> Floats:
    """The grid that leaves every picture as it is."""
    grid = np.zeros(GRID_SHAPE, np.float32)
    grid[[0, 2, 5]] = 1
    return grid


def apply_grid(
    frame: Frame,
    grid: Floats,
    *,
    top: int = 0,
    height: int | None = None,
    seen: Frame | None = None,
    out: tuple[Plane, ...] | None = None,
    tables: GridTables | None = None,
) -> tuple[Plane, ...]:
    """Enhance a frame's planes by a grid.

    A chroma sample's place is the centre of its share of the picture, its luma the mean of the
    luma samples that it covers.

    Args:
        top: where the frame begins in a picture of which it is a strip; a whole row of chroma.
        height: rows of that picture; None for a frame that is all of it.
        frame: in main memory, in any of `PIXEL_FORMATS`.
        grid: (8, 8, 16, 16): coefficient, luma level, row, column. Coefficients are gain,
            offset, m_uu, m_uv, m_vu, m_vv, c_u, c_v; of an HDR frame, for its SDR twin.
        seen: the frame restored, planar, with at least its bits, to be enhanced in its place.
        out: as for `planes_for`.
        tables: where those of the grid are kept, for the next frame of the same.

    Returns:
        `out`, by default new planes, each sample within one level of exact arithmetic. Samples are
        clipped to the legal range of the format, widened to the sample's own old value, so that
        the identity keeps illegal samples too.

    Raises:
        DeviceError: the frame is not in main memory.
    """
    seen = frame if seen is None else seen
    planes = planes_for(frame, out)
    grid = np.ascontiguousarray(grid, np.float32)
    tables = GridTables() if tables is None else tables
    shift, whole = frame.format.chroma_y, height or frame.height
    rows = strip_axis(top, frame.height, whole)
    chroma_axis = strip_axis(top >> shift, planes[1].shape[0], -(-whole >> shift))
    cores().side_by_side(
        lambda: apply_to_luma(seen, grid, frame, planes[0], rows, tables),
        lambda: apply_to_chroma(seen, grid, frame, planes, chroma_axis, tables),
    )
    return planes
