"""`SyntheticSource`: dark moving frames from arithmetic, for trying things without a file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import PixelFormat, pixel_format


class SyntheticSource:
    """A `FrameSource` of a dim gradient that drifts one pixel a frame; the same every time.

    Attributes:
        closed: whether `close` was called; a closed source yields no more frames.
    """

    def __init__(
        self,
        width: int = 320,
        height: int = 180,
        *,
        frames: int | None = 30,
        rate: Fraction = Fraction(30),
        format_name: str = "yuv420p",
        color: ColorInfo = ColorInfo(),  # noqa: B008 - frozen
        brightness: float = 0.1,
    ) -> None:
        """Describe the frames.

        Args:
            width: in pixels, from 1.
            height: in pixels, from 1.
            frames: how many; None goes on for ever.
            rate: frames per second; `pts` counts frames.
            format_name: one of `PIXEL_FORMATS`.
            color: tags of the frames.
            brightness: mean luma from 0 to 1 of the sample range.
        """
        if width < 1 or height < 1:
            raise ValueError(f"a frame has at least 1x1 pixels, got {width}x{height}")
        self.closed = False
        self._size = (width, height)
        self._frames = frames
        self._time_base = 1 / rate
        self._format = pixel_format(format_name)
        self._color = color
        self._brightness = brightness

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while not self.closed and (self._frames is None or index < self._frames):
            yield self._frame(index)
            index += 1

    def _frame(self, index: int) -> Frame:
        luma, *chroma = self._format.plane_shapes(*self._size)
        return Frame(
            planes=(self._luma(luma, index), *(self._chroma(shape) for shape in chroma)),
            format_name=self._format.name,
            pts=index,
            time_base=self._time_base,
            color=self._color,
            duration=1,
        )

    def _luma(self, shape: tuple[int, int], index: int) -> Plane:
        rows, columns = np.indices(shape, sparse=True)
        wave = 0.5 + 0.25 * np.sin((columns + index) / 17) + 0.25 * np.cos(rows / 11)
        return _samples(2 * self._brightness * wave, self._format)

    def _chroma(self, shape: tuple[int, int]) -> Plane:
        tint = np.linspace(0.45, 0.55, shape[1])
        return _samples(np.broadcast_to(tint, shape), self._format)

    def close(self) -> None:
        """Yield no more frames."""
        self.closed = True


def _samples(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], fmt: PixelFormat) -> Plane:
    levels = np.clip(np.rint(values * ((1 << fmt.depth) - 1)), 0, (1 << fmt.depth) - 1)
    if fmt.depth == 8:
        return levels.astype(np.uint8)
    return levels.astype(np.uint16) << np.uint16(fmt.shift)
