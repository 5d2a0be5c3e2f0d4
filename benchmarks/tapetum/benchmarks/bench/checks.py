"""A fast wrong answer is worth nothing: what is measured must have done its work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.reference import luma_rows
from tapetum.benchmarks.bench.stages import StagedGrid
from tapetum.benchmarks.bench.subjects import Enhance, Subject
from tapetum.realtime import Frame

_ROWS = 16
"""Rows of a frame that are computed again in float64: all would take seconds."""


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
    staged = subject.network.staged() if subject.network else None
    enhanced = _enhanced(subject.make(), frames)
    checks = [_changed(subject, frames, enhanced)]
    # A network on several threads may add up in another order.
    tolerance = 1.0 if subject.network and subject.network.threads != 1 else 0.0
    again = _enhanced(subject.make(), frames)
    checks.append(_same(subject, "a second run", enhanced, again, tolerance))
    if staged is not None:
        parts = _enhanced(staged, frames)
        checks.append(_same(subject, "its stages one by one", enhanced, parts, tolerance))
    if isinstance(staged, StagedGrid):
        checks.append(_reference(subject, frames[-1], enhanced[-1], staged))
    return checks


def _enhanced(enhance: Enhance, frames: Sequence[Frame]) -> list[Frame]:
    return [enhance(frame) for frame in frames]


def _changed(subject: Subject, before: Sequence[Frame], after: Sequence[Frame]) -> Check:
    shares = [
        float(np.mean(a.planes[0] != b.planes[0])) for a, b in zip(before, after, strict=True)
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
    pairs = [
        (a, b)
        for first, second in zip(one, other, strict=True)
        for a, b in zip(first.planes, second.planes, strict=True)
    ]
    largest = max(int(np.abs(a.astype(np.int32) - b.astype(np.int32)).max()) for a, b in pairs)
    return _within(subject, f"equal to {name}", float(largest), tolerance)


def _reference(subject: Subject, frame: Frame, enhanced: Frame, staged: StagedGrid) -> Check:
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
