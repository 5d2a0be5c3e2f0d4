"""What a stream does not do anew: tables of a grid that rests, a picture that comes again."""

from __future__ import annotations

import numpy as np
import pytest
from support.grids import random_grid
from support.random_frames import random_frame
from support.tolerance import EXACT, assert_planes_close

from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.live.kept_grid import MOST_FRAMES, KeptGrid, SamePicture
from tapetum.realtime.live.look_pace import luma_shares

SHARES = luma_shares(np.full((32, 32), 0.1, np.float32))
VIEW = np.zeros((32, 32), np.float32)


def test_a_grid_that_hardly_moves_stays_the_same_array_for_some_frames() -> None:
    kept, grid = KeptGrid(), random_grid()
    taken = [kept(grid + np.float32(1e-6 * n), SHARES) for n in range(2 * MOST_FRAMES)]
    assert all(one is taken[0] for one in taken[:MOST_FRAMES])
    assert taken[MOST_FRAMES] is not taken[0]
    assert all(one is taken[MOST_FRAMES] for one in taken[MOST_FRAMES:])


@pytest.mark.parametrize(
    ("coefficient", "cells", "change"),
    [
        (1, slice(None), 0.06 / 255),  # all pixels, by a little
        (1, slice(0, 1), 0.6 / 255),  # few pixels, by more
        (0, slice(0, 1), 1.0 / 255),
        (2, slice(0, 1), 1.1 / 112),  # their colour
        (7, slice(0, 1), 1.1 / 255),
    ],
)
def test_a_grid_that_moves_visibly_is_taken_at_once(
    coefficient: int, cells: slice, change: float
) -> None:
    kept, grid = KeptGrid(), random_grid()
    other, nearer = grid.copy(), grid.copy()
    other[coefficient, :, cells, 0 if cells.stop else cells] += np.float32(change)
    nearer[coefficient, :, cells, 0 if cells.stop else cells] += np.float32(change / 2)
    assert kept(grid, SHARES) is grid
    assert kept(nearer, SHARES) is grid
    assert kept(other, SHARES) is other


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv420p10le"])
def test_kept_tables_make_the_same_pictures(name: str) -> None:
    tables, grids = GridTables(), (random_grid(1), random_grid(2))
    for seed, (grid, other) in enumerate([(0, "yuv420p"), (0, name), (0, name), (1, name)]):
        frame = random_frame(other, 62, 34, seed=seed)
        made = apply_grid(frame, grids[grid], tables=tables)
        assert_planes_close(made, apply_grid(frame, grids[grid]), EXACT)


def test_a_picture_that_comes_again_is_not_made_again() -> None:
    same, frame, grid = SamePicture(), random_frame("yuv420p", 32, 16), random_grid()
    again = frame.with_planes(tuple(plane.copy() for plane in frame.planes))
    made = again.planes
    assert same.planes(frame, VIEW, grid) is None
    same.keep(frame, VIEW, made, grid)
    assert same.planes(again, VIEW.copy(), grid) is made
    assert same.planes(again, VIEW, grid.copy()) is None, "another grid"
    assert same.planes(again, VIEW + 1, grid) is None, "another picture by its luma"
    again.planes[2][3, 3] ^= 1
    assert same.planes(again, VIEW, grid) is None, "another picture by one sample"
    assert same.planes(frame, VIEW, grid) is None, "memory that may have been written to since"
