"""The results of a run as CSV: for a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.gan.whole_file import write_whole

_KEY = ("scenario", "subject", "input", "size", "measure", "runs_on")
_TIMES = ("samples", "mean", "min", "p50", "p90", "p95", "p99", "p99_9", "max")
_TRUST = ("median_low", "median_high", "noise_percent", "limit_ratio", "run_complete")
_THROUGHPUT = ("frames_per_s", "frames", "dropped")
_COST = ("cpu_percent", "rss_mb", "threads")
_QUALITY = ("psnr_db", "niqe", "flicker_levels")

COLUMNS = (*_KEY, *_TIMES, *_TRUST, *_THROUGHPUT, *_COST, *_QUALITY)
"""Of the file; times in milliseconds, empty where a result has no such figure."""


def write_csv(run: dict[str, Any], path: Path) -> None:
    """One line a result, without the samples; each says whether the run was complete.

    Raises:
        BenchmarkError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for result in run["results"]:
        writer.writerow(_flat(result) | {"run_complete": run["complete"]})
    write_whole(path, text.getvalue(), error=BenchmarkError)


def _flat(result: dict[str, Any]) -> dict[str, Any]:
    """A result without anything inside anything."""
    low, high = result["latency_ms"]["median_ci95"]
    ratio = result["floors"][-1]["ratio"] if result["floors"] else None
    inner = result["latency_ms"] | (result["resources"] or {}) | result["figures"]
    added = {"median_low": low, "median_high": high, "limit_ratio": ratio}
    flat: dict[str, Any] = result | inner | added
    return flat
