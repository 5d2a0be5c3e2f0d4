"""The charts that documents show, drawn from the runs in `benchmarks/results`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.result import Key
from tapetum.benchmarks.bench.subjects import EMPTY
from tapetum.benchmarks.json_file import Figures

TITLES = {
    "latency": "Latency of a frame: how many samples lie at or under each time",
    "stages": "Where the time of a frame goes",
    "quality": "Quality against latency, each on a well-lit clip that was darkened",
}
"""Names of the charts, which are also those of their files, and what they show."""


def charted(runs: Iterable[Figures]) -> dict[str, list[Figures]]:
    """The results that each chart shows; a chart without any is left out.

    What several runs measured, as `grid` beside its peers, has its place in the charts of time
    once: the first run's.
    """
    results = [result for run in runs for result in run["results"] if result["subject"] != EMPTY]
    first: dict[tuple[str, ...], Figures] = {}
    for result in results:
        first.setdefault(_key(result), result)
    single = [each for each in first.values() if each["scenario"].startswith("single-stream")]
    found = {
        "latency": [result for result in single if not result["scenario"].endswith("codec")],
        "stages": [result for result in single if result["stages"]],
        "quality": [result for result in results if "psnr_db" in result["figures"]],
    }
    return {name: shown for name, shown in found.items() if shown}


def _key(result: Figures) -> tuple[str, ...]:
    return tuple(result[name] for name in Key.__dataclass_fields__)


def write_document_charts(runs: Sequence[Figures], folder: Path) -> None:
    """Write each chart that there are figures for as FOLDER/NAME.svg.

    Raises:
        BenchmarkError: matplotlib is missing, or a file cannot be written.
    """
    drawings = _drawings()
    from tapetum.benchmarks.bench.charts import svg

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, results in charted(runs).items():
            picture = svg(drawings[name](results), description=fingerprint(results))
            (folder / f"{name}.svg").write_bytes(picture)
    except OSError as error:
        raise BenchmarkError(f"{error.filename} cannot be written: {error.strerror}") from error


def fingerprint(results: Sequence[Figures]) -> str:
    """What a chart was drawn from, as a hash: the same whichever matplotlib drew it."""
    text = json.dumps(results, sort_keys=True)
    return f"sha256 of the results: {hashlib.sha256(text.encode()).hexdigest()}"


def _drawings() -> dict[str, Callable[[Any], Any]]:
    try:
        from tapetum.benchmarks.bench.charts import distribution_chart, quality_chart, stage_chart
    except ImportError as error:
        raise BenchmarkError(f"charts need {error.name}: pip install 'tapetum[bench]'") from error
    return {"latency": distribution_chart, "stages": stage_chart, "quality": quality_chart}
