"""One plane of a stream: its estimate, and how it is smoothed on a pyramid of four sizes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cpu.fixed_point import FIXED_BITS, Fixed, Samples, halve_plane
from tapetum.realtime.cpu.noise_level import NoiseLevel
from tapetum.realtime.cpu.restoring_space import REMAINS_BITS, Tolerance, correct, finish
from tapetum.realtime.cpu.shifted_plane import shift_plane
from tapetum.realtime.cpu.still_noise import SIZES, StillNoise

NOTHING: Fixed = np.empty((0, 0), np.int16)
"""No plane."""
_SCALES = 4
"""Sizes at which luma is smoothed, each half the one before."""
_LUMA_TOLERANCE = 3.7
_CHROMA_TOLERANCE = 5.0
"""Tolerances in deviations of the noise that remains."""
_STILL_LUMA_TOLERANCE = 3.3
_STILL_CHROMA_TOLERANCE = 5.0
"""The same for a first frame, of whose noise less is measured."""
_SMALLER = 0.6
"""Noise at a size by that at double the size, where it is not measured."""
_CODED_TOLERANCE = 0.7
"""So much more where a codec made the noise smooth: the measures see less of it than there is."""


def tolerance_factors(noise: NoiseLevel) -> list[list[float]]:
    """Tolerances of Y, U and V, of the full size and each half of it.

    Of Y by `Cells.deviation`, of U and V by `Cells.remains`.
    """
    smoothness = 1 - noise.whiteness
    wide = smoothness * noise.width
    fine, more = max(noise.fineness, 0.5), _CODED_TOLERANCE
    luma = [fine * (1 + more * smoothness), *_by_size(1 + more * (smoothness + wide) / 2, wide)]
    chroma = [fine, *_by_size(1.0, smoothness)]
    u, v = (_CHROMA_TOLERANCE * noise.chroma / (1 << REMAINS_BITS)).tolist()
    planes = (_LUMA_TOLERANCE, luma), (u, chroma), (v, chroma)
    return [[own * factor for factor in factors] for own, factors in planes]


def _by_size(half: float, wide: float) -> list[float]:
    """Noise at half the size and each half of it: half as much where white, more where wide."""
    lessened = 0.5 + 0.4 * wide
    return [half * lessened**scale for scale in range(_SCALES - 1)]


def still_tolerance_factors(noise: StillNoise) -> list[list[float]]:
    """The same for a first frame, all by `Cells.deviation`."""
    coarser = _SMALLER ** np.arange(1, _SCALES - SIZES + 1)
    by_size = np.append(noise.by_size, noise.by_size[:, -1:] * coarser, axis=1)
    by_size[0] *= _STILL_LUMA_TOLERANCE
    by_size[1:] *= _STILL_CHROMA_TOLERANCE
    return [[float(own) for own in plane] for plane in by_size]


class RestoredPlane:
    """One plane's estimate, and the pyramid that it is smoothed on.

    Attributes:
        estimate: (H, W), averaged over time.
        known: (h, w), the same at half the size of luma; `estimate` itself where it is as small.
        down: 1 where a cell is two samples high, else 0.
        across: 1 where a cell is two samples wide, else 0.
    """

    def __init__(self, shape: tuple[int, int], cell: tuple[int, int]) -> None:
        self.estimate: Fixed = np.zeros(shape, np.int16)
        self.down, self.across = cell
        # New memory for every frame would cost as much as filling it.
        self._restored: npt.NDArray[np.uint16] = np.empty(shape, np.uint16)
        self._coarser: list[tuple[Fixed, Fixed]] = []
        height, width = shape
        cells = -(-height >> self.down), -(-width >> self.across)
        self.known, self._spare = self.estimate, NOTHING
        if cells != shape:
            self.known, self._spare = (np.empty(cells, np.int16) for _ in range(2))
        for _ in range(_SCALES - 2 + self.across):
            height, width = -(-height // 2), -(-width // 2)
            plane, change = (np.empty((height, width), np.int16) for _ in range(2))
            self._coarser.append((plane, change))

    def follow(self, shift: npt.NDArray[np.float64]) -> None:
        """Take what is known for what it is some rows and columns of luma on."""
        spare = self._restored.view(np.int16)  # what it held was for the last frame
        shift_plane(self.estimate, shift * (1 + self.down, 1 + self.across) / 2, spare)
        self.estimate, self._restored = spare, self.estimate.view(np.uint16)
        if self._spare.size:
            shift_plane(self.known, shift / 2, self._spare)
            self.known, self._spare = self._spare, self.known
        else:
            self.known = self.estimate

    def restored(
        self,
        source: Samples,
        tolerance: tuple[Fixed, list[float]],
        weight: Fixed,
        top: int,
        depth: int,
    ) -> npt.NDArray[np.uint16]:
        """The plane restored, as levels with fractions.

        Args:
            source: the frame's own samples.
            tolerance: one cell's, and the factor for each scale.
            weight: of what is restored, by cell.
            top: highest fixed-point sample.
            depth: bits of the result.
        """
        finer = self.estimate
        pyramid = []
        for plane, change in self._coarser:
            if plane.shape == self.known.shape and self.across and self.down:
                coarser = self.known
            else:
                halve_plane(finer, plane)
                coarser = plane
            pyramid.append((coarser, change))
            finer = coarser
        cells, factors = tolerance
        tolerances = [
            Tolerance(cells, np.float32(factor), scale - self.down, scale - self.across)
            for scale, factor in enumerate(factors[1 - self.across :])
        ]
        change = NOTHING
        for (plane, changed), allowed in zip(pyramid[::-1], tolerances[:0:-1], strict=True):
            correct(plane, change, allowed, top, changed)
            change = changed
        drop = FIXED_BITS - depth
        finish(source, self.estimate, change, tolerances[0], weight, top, drop, self._restored)
        return self._restored
