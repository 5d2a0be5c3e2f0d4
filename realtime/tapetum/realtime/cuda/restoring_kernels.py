"""Launches the kernels of `restoring.cu` on 4:2:0 frames: argument layouts, and geometry."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tapetum.gan.model_kinds import GRID_SHAPE
from tapetum.realtime.cuda.kernel_arguments import (
    DeviceArray,
    DevicePlanes,
    Launch,
    Structure,
    check_array,
    colors,
    device_planes,
    picture,
)
from tapetum.realtime.frame import Frame

FIXED_BITS = 15
"""Bits of a fixed-point sample."""
TABLE_SIZE = 256
"""Steps of luma in a table."""
WIDE = 4
"""Cells across and down of a block in which faint changes and texture are looked for."""
BLOCK_MEANS = 7
"""Means that are kept of such a block."""
SCALES = 4
"""Sizes at which luma is smoothed: the full one, and each half the one before."""

FRAME_NOISE = np.dtype(
    [
        ("luma", np.float32, (TABLE_SIZE,)),
        ("seen", np.float32, (TABLE_SIZE,)),
        ("floor", np.float32),
        ("blocked", np.float32),
        ("coded", np.float32),
        ("smoothness", np.float32),
        ("amount", np.float32),
        ("black", np.float32),
        ("span", np.float32),
        ("still", np.int32),
        ("careful", np.int32),
        ("sure", np.int32),
    ]
)
"""`FrameNoise` of `restoring.cu`: noise by luma as the host measured it, and what is wanted."""

ADDRESSES = (
    *("luma", "known", "new_known", "u", "v", "new_u", "new_v", "half", "last"),
    *("remains", "deviation", "change"),
    *("quarter_y", "quarter_u", "quarter_v", "eighth_y", "eighth_u", "eighth_v"),
    *("quarter_change_y", "quarter_change_u", "quarter_change_v"),
    *("eighth_change_y", "eighth_change_u", "eighth_change_v"),
    *("blocks", "wide", "flatness", "means", "places", "evidence", "plan", "light"),
    *("restored_luma", "restored_chroma"),
)
"""Of arrays, in the order in which `Restoring` of `restoring.cu` begins."""

RESTORING = np.dtype(
    [
        *((name, np.uint64) for name in ADDRESSES),
        ("width", np.int32),
        ("height", np.int32),
        ("depth", np.int32),
        ("restarts", np.int32),
        ("every", np.int32),
        ("still", np.int32),
        ("black", np.float32),
        ("mean_lean", np.float32),
        ("wide_lean", np.float32),
        ("told", np.float32),
        ("chroma_noise", np.float32, (2,)),
        ("factors", np.float32, (3, SCALES)),
    ]
)
"""`Restoring` of `restoring.cu`: addresses, sizes, and what differs from frame to frame."""

PLAN = np.dtype(
    [
        ("idle", np.int32),
        ("is_new", np.int32),
        ("learns", np.int32),
        ("restarts", np.int32),
        ("quiet", np.float32, (TABLE_SIZE,)),
        ("measured", np.float32, (TABLE_SIZE,)),
        ("cells", np.int32, (TABLE_SIZE,)),
    ]
)
"""`Plan` of `restoring.cu`."""

_LIGHT_BINS = 16
LIGHT = np.dtype(
    [
        ("counts", np.int32, (3, _LIGHT_BINS)),
        ("known", np.float32, (_LIGHT_BINS, 2)),
        ("change", np.float32, (_LIGHT_BINS, 2)),
        ("changed", np.int32),
        ("more", np.int16, (TABLE_SIZE + 1,)),
        ("gain", np.int16, (TABLE_SIZE + 1,)),
    ]
)
"""`Light` of `restoring.cu`."""

_THREADS = 128
_THREADS_OF_TILE = 256
_LEARNT = 32, 8
"""Columns and rows of cells that a block learns."""
_CORRECTIONS = ("correct_eighth", "correct_quarter", "correct_half")
_TILE = 64, 16
"""Columns and rows of samples that a block smooths."""


class FrameStep(NamedTuple):
    """What the kernels go by for one frame.

    Attributes:
        noise: `FRAME_NOISE`.
        state: `RESTORING`.
        means: pairs of means by which new light is found.
        kept: the arrays whose addresses `state` has.
    """

    noise: Structure
    state: Structure
    means: int
    kept: tuple[DeviceArray, ...]


class RestoringKernels:
    """The kernels of the restoring stage, for 4:2:0 frames in GPU memory.

    Every call queues its work and returns, like those of `PixelKernels`.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    def restore(self, frame: Frame, grid: DeviceArray, step: FrameStep) -> None:
        """Learn from a frame, and restore it, if there is anything to do.

        Args:
            frame: the next of its stream.
            grid: (8, 8, 16, 16) float32: what will brighten it.
            step: its noise, and where its stream is kept.
        """
        self.follow_light(frame, step)
        self.plan(grid, step)
        self.learn(frame, step)
        self.smooth(frame, step)

    def follow_light(self, frame: Frame, step: FrameStep) -> None:
        """Halve a frame, and bring what is known into its light."""
        across, down = cells(frame)
        state, means = step.state, _blocks(step.means)
        self._launch(*self._of(frame, "halve_frame", (_blocks(across), down), _THREADS, state))
        self._launch("compare_means", (means, 1), _THREADS, (state,), 0)
        self._launch("find_medians", (means, 1), _THREADS, (state,), 0)
        self._launch("draw_light", (_blocks(TABLE_SIZE + 1), 1), _THREADS, (state,), 0)
        self._launch("relight_cells", (_blocks(across), down), _THREADS, (state,), 0)

    def plan(self, grid: DeviceArray, step: FrameStep) -> None:
        """Find out what is to be done, by the noise and by how it will be seen."""
        check_array(grid, GRID_SHAPE, np.float32)
        arguments = grid, step.noise, step.state
        self._launch("plan_restoring", (1, 1), TABLE_SIZE, arguments, 0)

    def learn(self, frame: Frame, step: FrameStep) -> None:
        """Find what moves, and move the estimates towards the frame."""
        across, down = cells(frame)
        wide = _blocks(-(-across // WIDE)), -(-down // WIDE)
        for name in ("compare_wide", "judge_wide"):
            self._launch(name, wide, _THREADS, (step.state,), 0)
        grid = _tiles(across, down, _LEARNT)
        self._launch(*self._of(frame, "learn", grid, _THREADS_OF_TILE, step.state))

    def smooth(self, frame: Frame, step: FrameStep) -> None:
        """Smooth what time left, from coarse to fine, and mix it with the frame."""
        state, sizes = step.state, [cells(frame)]
        for scale in range(2):
            across, down = (-(-side // 2) for side in sizes[-1])
            sizes.append((across, down))
            grid = _blocks(across), 3 * down
            self._launch("halve_known", grid, _THREADS, (np.int32(scale), state), 0)
        for name, size, planes in zip(_CORRECTIONS, sizes[::-1], (3, 3, 1), strict=True):
            across, down = _tiles(*size, _TILE)
            self._launch(name, (across, planes * down), _THREADS_OF_TILE, (state,), 0)
        grid = _tiles(frame.width, frame.height, _TILE)
        self._launch(*self._of(frame, "finish_luma", grid, _THREADS_OF_TILE, state))
        grid = _tiles(*sizes[0], _TILE)
        self._launch(*self._of(frame, "finish_chroma", grid, _THREADS_OF_TILE, state))

    def apply_grid(
        self, frame: Frame, grid: DeviceArray, planes: DevicePlanes, step: FrameStep
    ) -> None:
        """Apply a grid to what was restored, or to the frame where that was nothing.

        Args:
            frame: the picture.
            grid: (8, 8, 16, 16) float32.
            planes: get the enhanced picture.
            step: the frame's.
        """
        check_array(grid, GRID_SHAPE, np.float32)
        source = picture(frame, device_planes(frame)), colors(frame)
        out = picture(frame, planes)
        arguments = (*source, grid, out, step.state)
        rows = planes[1].shape[0], 1
        name = f"apply_grid_to_restored_{_bits(frame)}"
        self._launch(name, rows, _THREADS_OF_TILE, arguments, 0)

    @staticmethod
    def _of(
        frame: Frame, name: str, grid: tuple[int, int], threads: int, state: Structure
    ) -> tuple[str, tuple[int, int], int, tuple[Any, ...], int]:
        """The launch of a kernel that reads the frame."""
        arguments = picture(frame, device_planes(frame)), colors(frame), state
        return f"{name}_{_bits(frame)}", grid, threads, arguments, 0


def cells(frame: Frame) -> tuple[int, int]:
    """Cells of 2x2 pixels across and down."""
    return -(-frame.width // 2), -(-frame.height // 2)


def _bits(frame: Frame) -> int:
    return 8 if frame.format.depth == 8 else 16


def _blocks(items: int) -> int:
    return -(-max(items, 1) // _THREADS)


def _tiles(width: int, height: int, tile: tuple[int, int]) -> tuple[int, int]:
    return -(-width // tile[0]), -(-height // tile[1])
