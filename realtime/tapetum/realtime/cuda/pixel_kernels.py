"""Launches the kernels of every frame: their geometry and arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.gan.model_kinds import CELLS, GRID_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cuda.grid_fit_kernels import GridFitKernels
from tapetum.realtime.cuda.kernel_arguments import (
    CIRCLES,
    PAST,
    DeviceArray,
    DevicePlanes,
    Launch,
    Structure,
    address,
    check_array,
    colors,
    device_planes,
    picture,
    tensor,
)
from tapetum.realtime.cuda.restoring_kernels import RestoringKernels
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.stream_picture import VIEW_SIDE
from tapetum.realtime.temporal import VIEW

_THREADS = 128
_SHARED_BYTES = 48 << 10
"""Of a block, without asking for more, on every GPU."""
_THREADS_OF_ROW = 256
"""Threads that share one row of chroma when a grid is applied."""
_THUMBNAIL_GRID = (8, 256)
"""Blocks of 32 bins; see `BLOCK_BINS` in kernels.cu."""
_CELLS_OF_BLOCK = 32
CELLS_SHAPE = (CELLS, CELLS)
"""Of the mean luma of a thumbnail's cells."""
CORNERS = 12
"""Numbers in the corners of a thumbnail."""


class PixelKernels:
    """The pixel kernels, for frames that are in GPU memory, in one of `DEVICE_FORMATS`.

    Every call queues its work and returns: arguments must stay alive and unchanged until the
    stream has done it. All calls raise DeviceError for a frame that is not in GPU memory,
    MediaError for one in another format, and ValueError for a tensor of another kind.

    Attributes:
        fitting: those that fit a grid to what a network made.
        restoring: those of the restoring stage.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self.fitting = GridFitKernels(launch)
        self.restoring = RestoringKernels(launch)

    def planes_to_rgb(self, frame: Frame, rgb: DeviceArray) -> None:
        """Convert a frame by its own matrix and range, like `rgb_from_planes`.

        Args:
            frame: the picture.
            rgb: (1, 3, H, W) float16; gets RGB in [-1, 1], the picture in the middle, padded by
                reflection.
        """
        arguments = (*_source(frame), tensor(frame, rgb))
        grid = _blocks(rgb.shape[3]), rgb.shape[2]
        self._launch(_named("planes_to_rgb", frame), grid, _THREADS, arguments, 0)

    def change_to_planes(
        self,
        frame: Frame,
        result: DeviceArray,
        planes: DevicePlanes,
        *,
        fault: DeviceArray,
        strength: float = 1.0,
    ) -> None:
        """Add what a network changed to a frame's planes, like `planes_with_change`.

        The change is `result`, clipped, less what `planes_to_rgb` gave the network.

        Args:
            frame: the picture that the network was given.
            result: (1, 3, H, W) float16, the network's output, of the size of its input.
            planes: get the enhanced picture.
            fault: (2,) float32; its first becomes 1 where `result` is no finite number.
            strength: share of the change; over 1, and up to 2, it goes on as far as there is room.
        """
        check_array(fault, (2,), np.float32)
        placed = tensor(frame, result)
        out = picture(frame, planes)
        arguments = (*_source(frame), placed, np.float32(strength), out, fault)
        grid = _blocks(frame.width), planes[1].shape[0]
        self._launch(_named("change_to_planes", frame), grid, _THREADS, arguments, 0)

    def apply_grid(self, frame: Frame, grid: DeviceArray, planes: DevicePlanes) -> None:
        """Apply a bilateral grid, like `tapetum.realtime.cpu.grid_kernels.apply_grid`.

        Args:
            frame: the picture.
            grid: (8, 8, 16, 16) float32: coefficient, luma level, row, column.
            planes: get the enhanced picture; they may be the frame's own.
        """
        check_array(grid, GRID_SHAPE, np.float32)
        out = picture(frame, planes)
        arguments = (*_source(frame), grid, out)
        rows = planes[1].shape[0], 1
        self._launch(_named("apply_grid", frame), rows, _THREADS_OF_ROW, arguments, 0)

    def thumbnail(self, frame: Frame, out: DeviceArray) -> None:
        """Reduce a frame to means of 256x256 bins, like `tapetum.realtime.cpu.thumbnail`.

        Args:
            frame: the picture.
            out: (1, 3, 256, 256) float32; gets RGB in [0, 1].
        """
        check_array(out, THUMBNAIL_SHAPE, np.float32)
        arguments = (*_source(frame), out)
        shared = thumbnail_shared_bytes(frame.width, chroma_x=frame.format.chroma_x)
        if shared > _SHARED_BYTES:
            raise DeviceError(
                f"a picture of {frame.width} columns is too wide for a GPU; use --device cpu"
            )
        self._launch(_named("thumbnail", frame), _THUMBNAIL_GRID, _THREADS, arguments, shared)

    def smooth_grid(
        self,
        thumbnail: DeviceArray,
        grid: DeviceArray,
        by: Structure,
        past: Past,
        coming: Past,
        *,
        applied: DeviceArray,
        fault: DeviceArray,
    ) -> None:
        """Make the grid of a frame, like `GridEnhancer`: aimed, smoothed over time, and as strong.

        Args:
            thumbnail: (1, 3, 256, 256) float32, of the frame.
            grid: (8, 8, 16, 16) float32, what the network gave for it.
            by: `SMOOTHING`: times and thresholds, and what is wanted.
            past: what the frame before left.
            coming: gets what this one leaves; an array of its own each.
            applied: (8, 8, 16, 16) float32; gets what is to be applied.
            fault: (2,) float32; its first becomes 1 where `grid` is no finite number, its second
                the greatest share that a cell of the frame needs.
        """
        check_array(thumbnail, THUMBNAIL_SHAPE, np.float32)
        check_array(grid, GRID_SHAPE, np.float32)
        check_array(applied, GRID_SHAPE, np.float32)
        check_array(fault, (2,), np.float32)
        arguments = (thumbnail, grid, by, past.structure(), coming.structure(), applied, fault)
        self._launch("smooth_grid", (1, 1), VIEW * VIEW, arguments, 0)

    def look_around(self, frame: Frame, thumbnail: DeviceArray, found: DeviceArray) -> None:
        """Collect what bars and circles are looked for in.

        Args:
            frame: whole.
            thumbnail: (1, 3, 256, 256) float32, of its picture.
            found: (N,) uint8, of `Around.size_bytes`; gets the thumbnail's corners, float32, and
                then what `Around.parts` takes apart.
        """
        check_array(thumbnail, THUMBNAIL_SHAPE, np.float32)
        check_array(found, (Around.of(frame).size_bytes,), np.uint8)
        bytes_: Any = found
        places = bytes_[: 4 * CORNERS], bytes_[4 * CORNERS :]
        arguments = (_source(frame)[0], thumbnail, *places)
        threads = CORNERS + Around.of(frame).samples
        self._launch(
            _named("look_around", frame), (-(-threads // _THREADS), 1), _THREADS, arguments, 0
        )

    def keep_outside(self, frame: Frame, circles: Structure, planes: DevicePlanes) -> None:
        """Put the samples of a frame back that lie outside of circles.

        Args:
            frame: the picture, in whose thumbnail the circles lie.
            circles: of `circles_structure`.
            planes: its, enhanced.
        """
        arguments = _source(frame)[0], circles, picture(frame, planes)
        grid = -(-frame.width // _THREADS), frame.height
        self._launch(_named("keep_outside", frame), grid, _THREADS, arguments, 0)

    def measure_cells(self, thumbnail: DeviceArray, luma: DeviceArray) -> None:
        """Measure how bright the cells of a picture are, like `exposure.cell_luma`.

        Args:
            thumbnail: (1, 3, 256, 256) float32.
            luma: (16, 16) float32; gets the mean luma of each cell, in [0, 1].
        """
        check_array(thumbnail, THUMBNAIL_SHAPE, np.float32)
        check_array(luma, CELLS_SHAPE, np.float32)
        blocks = CELLS * CELLS // _CELLS_OF_BLOCK, 1
        self._launch("measure_cells", blocks, _CELLS_OF_BLOCK, (thumbnail, luma), 0)


class Past(NamedTuple):
    """What a frame leaves to the next, all float32.

    Attributes:
        grid: (8, 8, 16, 16), smoothed.
        scene: (32, 32), the smoothed guide.
        view: (32, 32), the guide of the last frame.
    """

    grid: DeviceArray
    scene: DeviceArray
    view: DeviceArray

    def structure(self) -> Structure:
        """The `Past` of `steady_grid.cu`."""
        shapes = (GRID_SHAPE, (VIEW, VIEW), (VIEW, VIEW))
        for array, shape in zip(self, shapes, strict=True):
            check_array(array, shape, np.float32)
        return np.array(tuple(address(array) for array in self), PAST)


class Around(NamedTuple):
    """What is seen of a frame by a few of its samples.

    Attributes:
        width: of luma.
        height: of it.
        chroma_width: samples in a row of U and V, interleaved.
        chroma_height: its rows.
        dtype: of a sample.
    """

    width: int
    height: int
    chroma_width: int
    chroma_height: int
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, frame: Frame) -> Around:
        """That of a frame on a device."""
        (height, width), (rows, samples) = frame.format.plane_shapes(frame.width, frame.height)
        return cls(width, height, samples, rows, device_planes(frame)[0].dtype)

    @property
    def samples(self) -> int:
        """How many there are."""
        border = 2 * (self.width + self.height) + 2 * (self.chroma_width + 2 * self.chroma_height)
        return min(self.width, VIEW_SIDE) * min(self.height, VIEW_SIDE) + 2 * border

    @property
    def size_bytes(self) -> int:
        """With the thumbnail's corners."""
        return 4 * CORNERS + self.samples * self.dtype.itemsize

    def parts(self, found: npt.NDArray[np.uint8]) -> tuple[Any, list[Any], list[Any]]:
        """The view, (H, W), and (luma, chroma) of the border's four lines.

        Then the same of lines as long, right within those at the border (`lines_at_border`).
        """
        across, down = min(self.width, VIEW_SIDE), min(self.height, VIEW_SIDE)
        luma = [self.width] * 2 + [self.height] * 2
        chroma = [self.chroma_width] * 2 + [2 * self.chroma_height] * 2
        ends = np.cumsum([across * down, *luma, *luma, *chroma, *chroma])
        view, *lines = np.split(found.view(self.dtype), ends[:-1])
        pairs = list(zip(lines[:8], lines[8:], strict=True))
        return view.reshape(down, across), pairs[:4], pairs[4:]


def circles_structure(circles: Sequence[tuple[float, float, float, float]]) -> Structure:
    """The `Circles` of one ellipse or two: centre and radii, across and down."""
    numbers = np.zeros((4, 2), np.float32)
    numbers[:, : len(circles)] = np.transpose(circles)
    return np.array((len(circles), *numbers), CIRCLES)


def thumbnail_shared_bytes(width: int, *, chroma_x: int = 1) -> int:
    """Shared memory for the column sums of a block: an eighth of a row of luma and of chroma.

    Args:
        width: of the picture in pixels.
        chroma_x: log2 of the horizontal chroma subsampling.
    """
    chroma = 2 * (-(-width >> chroma_x))
    return 4 * (width // 8 + 12 + chroma // 8 + 36)


def _source(frame: Frame) -> tuple[Any, Any]:
    return picture(frame, device_planes(frame)), colors(frame)


def _named(kernel: str, frame: Frame) -> str:
    layout = frame.format
    chroma = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}[layout.chroma_x, layout.chroma_y]
    return f"{kernel}_{chroma}_{8 if layout.depth == 8 else 16}"


def _blocks(width: int) -> int:
    """Blocks of threads that do four columns each."""
    return -(-width // (4 * _THREADS))
