"""A fast wrong answer is worth nothing: what is measured must have done its work."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.bench.stages import StagedGrid
from tapetum.benchmarks.bench.subjects import Enhance, Network, Subject
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime import Frame
from tapetum.realtime.aim import ALWAYS
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.sample_range import sample_range

Levels = npt.NDArray[np.int32]

_ROWS = 16
"""Rows of a frame that are computed again in float64: all would take seconds."""
_GPU_LARGEST, _GPU_MEAN = 2.0, 0.5
"""Levels by which a GPU's half precision may differ from the CPU, as in the tests of that path."""


@dataclass(frozen=True)
class Check:
    """Something that held.

    Attributes:
        name: what was checked.
        largest_difference: in integer levels, where two pictures were compared.
        tolerance: what would have been accepted.
        changed_percent: share of luma samples that changed.
    """

    name: str
    largest_difference: float | None = None
    tolerance: float | None = None
    changed_percent: float | None = None


def check_output(subject: Subject, frames: Sequence[Frame]) -> list[Check]:
    """Enhance the frames anew and hold the results to each other and to the reference.

    Raises:
        BenchmarkError: the output is not what it must be.
    """
    staged = subject.staged() if subject.staged else None
    enhanced = _enhanced(subject.make(), frames)
    checks = [_changed(subject, frames, enhanced)]
    tolerance = _repeated(subject)
    again = _enhanced(subject.make(), frames)
    checks.append(_same(subject, "a second run", enhanced, again, tolerance))
    if staged is not None:
        parts = _enhanced(staged, frames)
        checks.append(_same(subject, "its stages one by one", enhanced, parts, tolerance))
    if isinstance(staged, StagedGrid):
        checks.append(_reference(subject, frames))
    if subject.cpu_twin is not None:
        checks += _like_the_cpu(subject, subject.cpu_twin, frames, enhanced)
    return checks


def _repeated(subject: Subject) -> float:
    """How many levels two runs of a subject may lie apart."""
    if subject.cpu_twin is not None:
        return _GPU_LARGEST  # each engine of a GPU chooses its own algorithms
    # A network on several threads may add up in another order.
    return 1.0 if subject.network and subject.network.threads != 1 else 0.0


def _enhanced(enhance: Enhance, frames: Sequence[Frame]) -> list[Frame]:
    return [enhance(frame) for frame in frames]


def _changed(subject: Subject, before: Sequence[Frame], after: Sequence[Frame]) -> Check:
    shares = [
        float(np.mean(_levels(a)[0] != _levels(b)[0])) for a, b in zip(before, after, strict=True)
    ]
    percent = round(100 * min(shares), 2)
    if subject.changes_pixels and percent < 1:
        raise BenchmarkError(f"{subject.name} left {100 - percent:.4g} % of the pixels untouched")
    if not subject.changes_pixels and percent:
        raise BenchmarkError(f"{subject.name} changed {percent:.4g} % of the pixels")
    return Check("pixels changed", changed_percent=percent)


def _same(
    subject: Subject, name: str, one: Sequence[Frame], other: Sequence[Frame], tolerance: float
) -> Check:
    largest = max(float(plane.max()) for plane in _differences(one, other))
    return _within(subject, f"equal to {name}", largest, tolerance)


def _like_the_cpu(
    subject: Subject, twin: Network, frames: Sequence[Frame], enhanced: Sequence[Frame]
) -> list[Check]:
    """Hold a GPU's output to the CPU path's: of `unet` the first frame, each is by itself."""
    # No GPU cuts a picture into tiles, or leaves one that is well lit.
    enhancer = twin.enhancer(max_pixels=sys.maxsize, aim=ALWAYS)
    some = frames[:1] if twin.whole_frame else frames
    wanted = [enhancer(semi_planar(frame)) for frame in some]
    planes = list(_differences(enhanced[: len(some)], wanted))
    largest = max(float(plane.max()) for plane in planes)
    mean = max(round(float(plane.mean()), 3) for plane in planes)
    name = f"equal to {enhancer.description}"
    return [
        _within(subject, name, largest, _GPU_LARGEST),
        _within(subject, f"{name} in the mean of each plane", mean, _GPU_MEAN),
    ]


def _differences(one: Sequence[Frame], other: Sequence[Frame]) -> Iterator[Levels]:
    """How far the samples lie apart, in integer levels, plane by plane."""
    for first, second in zip(one, other, strict=True):
        for a, b in zip(_levels(first), _levels(second), strict=True):
            yield np.abs(a - b)


def _levels(frame: Frame) -> list[Levels]:
    """The planes as integer levels, which P010 keeps in the upper bits."""
    return [(plane >> frame.format.shift).astype(np.int32) for plane in frame.planes]


def _reference(subject: Subject, frames: Sequence[Frame]) -> Check:
    """Hold the last frame to float64 arithmetic, noise left in: taking it out is arithmetic too."""
    assert subject.network is not None
    staged = replace(subject.network, denoise="off").staged()
    assert isinstance(staged, StagedGrid)
    frame, enhanced = frames[-1], _enhanced(staged, frames)[-1]
    rows = np.unique(np.linspace(0, frame.height - 1, _ROWS).astype(np.int64))
    exact = luma_rows(frame, staged.grid, rows)
    found = (enhanced.planes[0][rows] >> frame.format.shift).astype(np.float64)
    largest = round(float(np.abs(found - exact).max()), 3)
    # Half a level for rounding, half for the kernels' fixed point.
    return _within(subject, f"luma equal to float64 arithmetic, {rows.size} rows", largest, 1.0)


def _within(subject: Subject, name: str, largest: float, tolerance: float) -> Check:
    if largest > tolerance:
        raise BenchmarkError(
            f"the output of {subject.name} is not {name}: it differs by {largest:g} levels,"
            f" more than {tolerance:g}"
        )
    return Check(name, largest_difference=largest, tolerance=tolerance)


Array = npt.NDArray[Any]

_LEVELS, _CELLS = 8, 16


def luma_rows(frame: Frame, grid: Array, rows: Array) -> Array:
    """Some rows of the enhanced luma plane, exactly, in integer levels but not rounded.

    Args:
        frame: the frame before.
        grid: (8, 8, 16, 16): coefficient, luma level, row, column.
        rows: numbers of the rows.

    Returns:
        (len(rows), width) float64, clipped as the kernels clip: to the legal range, widened to
        each sample's own old level.
    """
    levels = sample_range(frame)
    old = (frame.planes[0][rows] >> frame.format.shift).astype(np.float64)
    luma = (old - levels.black) / levels.luma_span
    gain, offset = _sliced(grid[:2], luma, rows, frame.height)
    new = (gain * luma + offset) * levels.luma_span + levels.black
    low, high = levels.luma_limits
    return np.asarray(np.clip(new, np.minimum(old, low), np.maximum(old, high)))


def _sliced(coefficients: Array, luma: Array, rows: Array, height: int) -> Array:
    """Coefficients of each pixel: trilinear between the centres of cells and levels."""
    width = luma.shape[1]
    axes = (
        _corners(np.sqrt(np.clip(luma, 0, 1)), _LEVELS),
        _corners(((rows + 0.5) / height)[:, np.newaxis], _CELLS),
        _corners(((np.arange(width) + 0.5) / width)[np.newaxis], _CELLS),
    )
    total = np.zeros((len(coefficients), *luma.shape))
    for (level, a), (row, b), (column, c) in product(*axes):
        total += a * b * c * coefficients[:, level, row, column]
    return total


def _corners(position: Array, count: int) -> list[tuple[Array, Array]]:
    """The two centres around each position in [0, 1], and their weights."""
    place = np.clip(position * count - 0.5, 0, count - 1)
    before = np.minimum(place.astype(np.int64), count - 2)
    after_weight = place - before
    return [(before, 1 - after_weight), (before + 1, after_weight)]
