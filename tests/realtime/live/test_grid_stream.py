"""How the look of one stream moves: never by a step."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from support.ladder_parts import luma

from tapetum.realtime import SyntheticSource
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.live.grid_stream import GridStream, Kernels, Look

KERNELS = Kernels(thumbnail, apply_grid, look_up)


def half_gain() -> npt.NDArray[np.float32]:
    """A grid that brightens the left half of a picture only."""
    grid = identity_grid()
    grid[0, ..., :8] = 3
    return grid


def looked_at(*, dark_side: slice) -> Look:
    """A look at the same scene when one side of it was nearly black."""
    small = np.full((1, 3, 256, 256), 0.1, np.float32)
    small[..., dark_side] = 0.001
    return Look("half", half_gain(), small)


def test_a_curve_moves_slowly_where_a_new_look_weighs_dark_and_bright_otherwise() -> None:
    (frame,) = SyntheticSource(128, 96, frames=1, brightness=0.1)
    stream, levels = GridStream(), list[float]()
    for number in range(60):
        stream.look_at(frame)
        if number % 30 == 0:
            side = slice(0, 128) if number else slice(128, 256)
            stream.take(looked_at(dark_side=side), number / 30)
        shown = stream.enhanced(frame, flat=True, strength=1, kernels=KERNELS)
        levels.append(luma(shown))
    assert abs(levels[-1] - levels[29]) > 3, "the looks differ, or this shows nothing"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= 2
