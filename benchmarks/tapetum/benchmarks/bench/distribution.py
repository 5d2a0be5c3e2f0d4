"""Durations as percentiles, with the uncertainty of their median; no sample is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = Sequence[float]
"""Durations in milliseconds, in the order in which they were taken."""

_RESAMPLES = 400


@dataclass(frozen=True)
class Distribution:
    """Percentiles in milliseconds over all repeats.

    Attributes:
        samples: how many there were.
        median_ci95: 95 % confidence interval of the median, see `bootstrap_medians`.
    """

    samples: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    p99_9: float
    max: float
    median_ci95: tuple[float, float]


def distribution(repeats: Sequence[Samples]) -> Distribution:
    """Describe the samples of all repeats.

    Raises:
        ValueError: there is no sample.
    """
    values = np.concatenate([np.asarray(repeat, float) for repeat in repeats])
    low, high = np.percentile(bootstrap_medians(repeats), (2.5, 97.5))
    p50, p90, p95, p99, p99_9 = np.percentile(values, (50, 90, 95, 99, 99.9))
    return Distribution(
        samples=values.size,
        mean=_rounded(values.mean()),
        min=_rounded(values.min()),
        p50=_rounded(p50),
        p90=_rounded(p90),
        p95=_rounded(p95),
        p99=_rounded(p99),
        p99_9=_rounded(p99_9),
        max=_rounded(values.max()),
        median_ci95=(_rounded(low), _rounded(high)),
    )


def bootstrap_medians(repeats: Sequence[Samples], *, seed: int = 0) -> npt.NDArray[np.float64]:
    """Medians of resampled measurements.

    Both levels at which a benchmark varies are drawn anew, with replacement: repeats (Kalibera,
    Jones, "Rigorous benchmarking in reasonable time", 2013), and in each of them blocks of
    consecutive samples, because a slow sample has slow neighbours (Kuensch, "The jackknife and
    the bootstrap for general stationary observations", 1989).
    """
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(repeat, float) for repeat in repeats if len(repeat)]
    if not arrays:
        raise ValueError("a distribution needs at least one sample")
    drawn = rng.integers(0, len(arrays), (_RESAMPLES, len(arrays)))
    return np.array(
        [np.median(np.concatenate([_blocks(arrays[i], rng) for i in row])) for row in drawn]
    )


def _blocks(values: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    length = max(1, round(values.size ** (1 / 3)))
    starts = rng.integers(0, values.size - length + 1, -(-values.size // length))
    places = starts[:, np.newaxis] + np.arange(length)
    return np.asarray(values[places.ravel()[: values.size]])


def noise_percent(repeats: Sequence[Samples]) -> float:
    """How far the medians of the repeats lie apart, in percent of the smallest."""
    medians = [float(np.median(repeat)) for repeat in repeats if len(repeat)]
    return round(100 * (max(medians) - min(medians)) / min(medians), 2) if min(medians) else 0.0


def _rounded(value: float) -> float:
    return round(float(value), 5)
