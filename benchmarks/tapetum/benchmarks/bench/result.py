"""One measurement's result, the file of a whole run (`schema.json` describes it), and its CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench.checks import Check
from tapetum.benchmarks.bench.floors import Floor
from tapetum.benchmarks.bench.quality import Quality
from tapetum.benchmarks.bench.schema_check import first_violation
from tapetum.benchmarks.measure.clocks import Stages
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import read_json
from tapetum.benchmarks.measure.machine import Resources
from tapetum.benchmarks.measure.sampling import (
    LEAST_SAMPLES,
    Distribution,
    Samples,
    WarmUp,
    distribution,
    noise_percent,
    percentile_ms,
)
from tapetum.gan.whole_file import write_whole
from tapetum.realtime import Frame

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).with_name("schema.json")

NOISY_PERCENT = 5.0
"""Between the medians of repeats: from here on a reader is told that it is noisy."""

_DIGITS = 5


@dataclass(frozen=True)
class Key:
    """What was measured: results of equal keys can be compared.

    Attributes:
        scenario: `single-stream` and so on.
        subject: `grid` and so on.
        input: `synthetic`, or the name of a clip.
        size: like "1280x720".
        measure: what the milliseconds are, like "latency".
    """

    scenario: str
    subject: str
    input: str
    size: str
    measure: str

    def __str__(self) -> str:
        return f"{self.scenario}, {self.subject}, {self.input} {self.size}, {self.measure}"


@dataclass(frozen=True)
class Result:
    """One subject in one scenario on one input.

    Attributes:
        key: what was measured.
        runs_on: what ran where.
        repeats_ms: every sample, repeat by repeat, in milliseconds; less is better.
        yardsticks_ms: of each repeat, see `yardstick`; none where that does not tell.
        stages: samples of each stage.
        resources: CPU, memory and threads.
        floors: limits beside the median.
        checks: what held for the output.
        figures: further numbers of the scenario, units in their names.
        quality: how near its pictures come to each truth.
        notes: what a reader must know, such as noise.
    """

    key: Key
    runs_on: str
    repeats_ms: Sequence[Samples]
    yardsticks_ms: Sequence[float] = ()
    stages: Stages = field(default_factory=dict)
    resources: Resources | None = None
    floors: Sequence[Floor] = ()
    checks: Sequence[Check] = ()
    figures: dict[str, float] = field(default_factory=dict)
    quality: Sequence[Quality] = ()
    notes: Sequence[str] = ()

    @property
    def distribution(self) -> Distribution:
        """All samples as percentiles."""
        return distribution(self.repeats_ms)

    def as_json(self) -> dict[str, Any]:
        """As `schema.json` describes a result."""
        whole = self.distribution
        return {
            **asdict(self.key),
            "runs_on": self.runs_on,
            "latency_ms": asdict(whole),
            "noise_percent": noise_percent(self.repeats_ms),
            "stages": self._stages(whole.mean) if self.stages else None,
            "resources": asdict(self.resources) if self.resources else None,
            "floors": [asdict(floor.against(whole.p50)) for floor in self.floors],
            "checks": [asdict(check) for check in self.checks],
            "figures": self.figures,
            "quality": [asdict(each) for each in self.quality],
            "notes": list(self.notes),
            "yardsticks_ms": [round(ms, _DIGITS) for ms in self.yardsticks_ms] or None,
            "samples_ms": [[round(ms, _DIGITS) for ms in repeat] for repeat in self.repeats_ms],
        }

    def _stages(self, whole_mean_ms: float) -> dict[str, Any]:
        """Each stage, and their sum beside the whole: means, because only means add up."""
        parts = {name: samples.as_json() for name, samples in self.stages.items()}
        sum_ms = sum(part["mean"] for part in parts.values() if not part["overlaps"])
        return {
            "parts": parts,
            "sum_of_means_ms": round(sum_ms, _DIGITS),
            "end_to_end_mean_ms": whole_mean_ms,
            "difference_percent": round(100 * (sum_ms / whole_mean_ms - 1), 2),
        }


def frames_per_s(result: Mapping[str, Any]) -> float | None:
    """Throughput of a file's result; None where no frames follow one another."""
    figures: dict[str, float] = result["figures"]
    if "frames_per_s" in figures:
        return figures["frames_per_s"]
    if "dropped" in figures:  # of what a camera gave
        return figures["rate_fps"] * (1 - figures["dropped"] / figures["frames"])
    if result["measure"] != "latency":
        return None
    return 1000 / float(result["latency_ms"]["mean"])


STAGES_APART_PERCENT = 10.0
"""From here on a reader is told that the stages do not add up to the whole."""


def stages_apart_percent(result: Mapping[str, Any]) -> float | None:
    """How far the sum of a file's stages is from the whole; None where it is near."""
    percent: float = result["stages"]["difference_percent"] if result["stages"] else 0.0
    return percent if abs(percent) >= STAGES_APART_PERCENT else None


def size_text(frame: Frame) -> str:
    """A frame's size as keys have it."""
    return f"{frame.width}x{frame.height}"


def warm_up_notes(*warm_ups: WarmUp) -> list[str]:
    """A line if any warm-up was given up."""
    stable = all(warm_up.stable for warm_up in warm_ups)
    return [] if stable else ["the warm-up did not become stable"]


def read_run(path: Path) -> dict[str, Any]:
    """Read the file of a run.

    Raises:
        BenchmarkError: it is missing, or none that this version can read.
    """
    run = read_json(path, remedy="; tapetum bench --json FILE writes it")
    if not isinstance(run, dict) or not {"results", "schema_version"} <= run.keys():
        raise BenchmarkError(f"{path} is no result of tapetum bench --json")
    if run["schema_version"] != SCHEMA_VERSION:
        raise BenchmarkError(
            f"{path} has schema version {run['schema_version']}; this is {SCHEMA_VERSION}:"
            " measure again"
        )
    _check_whole(run, path)
    return run


def _check_whole(run: dict[str, Any], path: Path) -> None:
    """Refuse what was cut or edited by hand, by what the schema requires."""
    if violation := first_violation(run, json.loads(SCHEMA.read_text())):
        raise BenchmarkError(f"{path} is not whole, {violation}: measure again")
    for result in run["results"]:
        samples_ms, readings_ms = result["samples_ms"], result.get("yardsticks_ms")
        if readings_ms and len(readings_ms) != len(samples_ms):
            raise BenchmarkError(f"{path} is not whole, a repeat has no yardstick: measure again")


_KEY = ("scenario", "subject", "input", "size", "measure", "runs_on")
_TIMES = ("samples", "mean", "min", "p50", "p90", "p95", "p99", "p99_9", "max")
_TRUST = ("median_low", "median_high", "noise_percent", "limit_ratio", "run_complete")
_THROUGHPUT = ("frames_per_s", "frames", "dropped")
_COST = ("cpu_percent", "rss_mb", "threads")

COLUMNS = (*_KEY, *_TIMES, *_TRUST, *_THROUGHPUT, *_COST)
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
    added |= {name: percentile_ms(result["latency_ms"], name) for name in LEAST_SAMPLES}
    added["frames_per_s"] = frames_per_s(result)
    flat: dict[str, Any] = result | inner | added
    return flat
