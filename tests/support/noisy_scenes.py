"""Frames of a dark scene with noise, in which things move, with the same without noise."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tapetum.realtime.frame import ColorInfo, Frame

Array = npt.NDArray[Any]


class NoisyFrame(NamedTuple):
    """A frame as a camera sees it, and as it is."""

    seen: Frame
    truth: Frame


class NoisyScene:
    """A night in NV12 or P010, of limited or full range, in which a bright box goes right."""

    def __init__(
        self, width: int, height: int, *, name: str = "nv12", range_: int = 1, noise: float = 2.0
    ) -> None:
        self._name, self._range, self._noise = name, range_, noise
        self._random = np.random.default_rng(3)
        y, x = np.mgrid[:height, :width]
        self._luma = 42 + 20 * np.sin(x / 23) + 14 * np.cos(y / 17) + 24 * ((x // 40 + y // 30) % 2)
        self._luma -= 0 if range_ == 1 else 14
        self._chroma = np.full((-(-height // 2), -(-width // 2), 2), (120.0, 133.0))

    def frames(self, count: int, *, brighter_from: int = 1 << 30) -> Iterator[NoisyFrame]:
        """So many frames; from one on, all light is stronger by a fifth."""
        height, width = self._luma.shape
        for index in range(count):
            luma = self._luma.copy()
            left = (7 + 3 * index) % width
            luma[height // 4 : height // 2, left : left + width // 5] += 30
            if index >= brighter_from:
                luma = 1.2 * luma - 0.2 * (16 if self._range == 1 else 0)
            noise = self._random.normal(0, self._noise, luma.shape)
            of_chroma = self._random.normal(0, 0.6 * self._noise, self._chroma.shape)
            yield NoisyFrame(
                self._frame(luma + noise, self._chroma + of_chroma, index),
                self._frame(luma, self._chroma, index),
            )

    def _frame(self, luma: Array, chroma: Array, index: int) -> Frame:
        deep = self._name != "nv12"
        step, shift = (4, 6) if deep else (1, 0)
        dtype = np.uint16 if deep else np.uint8
        both: Any = luma, chroma.reshape(len(chroma), -1)
        planes: Any = tuple(
            (np.rint(plane * step).clip(0, 256 * step - 1) * (1 << shift)).astype(dtype)
            for plane in both
        )
        color = ColorInfo(1, self._range)
        return Frame(planes, self._name, pts=index, time_base=Fraction(1, 25), color=color)


def psnr_db(found: Array, truth: Array, peak: float) -> float:
    """Of a plane, against another."""
    error = float(np.mean((found.astype(np.float64) - truth.astype(np.float64)) ** 2))
    return float(20 * np.log10(peak) - 10 * np.log10(max(error, 1e-9)))
