"""Runs of bench that nobody measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapetum.benchmarks.bench.result import Key, Result


def made_run(medians_ms: list[float], *, size: str = "96x64", cores: int = 2) -> dict[str, Any]:
    """A run of one measurement whose repeats lie around these medians."""
    rng = np.random.default_rng(0)
    repeats = [list(rng.normal(median, 0.02 * median, 200)) for median in medians_ms]
    result = Result(Key("single-stream", "grid", "synthetic", size, "latency"), "CPU", repeats)
    return {
        "schema_version": 1,
        "complete": True,
        "stopped_by": None,
        "command": "tapetum bench",
        "started": "2026-01-01T00:00:00+00:00",
        "commit": None,
        "seed": 0,
        "machine": {
            "cpu": "a CPU",
            "cores": cores,
            "system": "an OS",
            "python": "3.11.0",
            "packages": {},
            "date": "2026-01-01",
            "memory_bytes_per_s": 1e10,
        },
        "load_average": {"before": [0.1, 0.1, 0.1], "after": [0.1, 0.1, 0.1]},
        "results": [result.as_json()],
    }
