"""Writes the tables of `docs/performance.md` from the files in `benchmarks/results`.

`bench-*.json` are runs of `tapetum bench`, `quality-*.json` of `tapetum evaluate`; `cpu.json`,
`live.json`, `soak.json` and `governor.json` are what `python -m tapetum.benchmarks` recorded. What
no file has a figure for is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapetum.benchmarks.bench.choices import PRECISIONS
from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.benchmarks.bench.result import read_run
from tapetum.benchmarks.bench.subjects import EMPTY
from tapetum.benchmarks.document_charts import TITLES, charted, write_document_charts
from tapetum.benchmarks.harness_targets import harness_rows
from tapetum.benchmarks.json_file import Figures
from tapetum.benchmarks.live_tables import live_table
from tapetum.benchmarks.machine import machine_line
from tapetum.benchmarks.markdown_table import MISSING, TARGET_HEAD, table, target_row
from tapetum.benchmarks.marked_document import around_figures
from tapetum.benchmarks.recorded_tables import flicker_table, recorded_table
from tapetum.gan.whole_file import write_whole

_CHARTS = "charts"
"""The folder of the pictures, beside the document."""
_SIZES = ("1280x720", "1920x1080", "3840x2160")


@dataclass(frozen=True)
class Target:
    """A bound that a figure of a run is held to.

    Attributes:
        label: what is bounded.
        key: scenario, subject and size of the results that have the figure.
        limit: the largest value that meets it.
        unit: of the limit and the figure.
        figure: takes it from a result.
    """

    label: str
    key: tuple[str, str, str]
    limit: float
    unit: str
    figure: Callable[[Figures], float]


def _median(result: Figures) -> float:
    return float(result["latency_ms"]["p50"])


def _p99(result: Figures) -> float:
    return float(result["latency_ms"]["p99"])


TARGETS = (
    Target("enhancing alone", ("single-stream", "grid", "1280x720"), 4, "ms median", _median),
    Target("enhancing alone", ("single-stream", "grid", "1920x1080"), 8, "ms median", _median),
    Target("enhancing alone", ("single-stream", "grid", "3840x2160"), 32, "ms median", _median),
    Target("enhancing alone", ("single-stream", "unet", "640x360"), 200, "ms median", _median),
    Target(
        "a file, against a plain transcode",
        ("offline", "grid", "1920x1080"),
        1.25,
        "times",
        lambda result: float(result["figures"]["ratio_to_transcode"]),
    ),
    Target("camera of 30 fps", ("paced 30 fps", "grid", "1280x720"), 6, "ms median age", _median),
    Target("camera of 30 fps", ("paced 30 fps", "grid", "1280x720"), 15, "ms p99 age", _p99),
    Target(
        "camera of 30 fps",
        ("paced 30 fps", "grid", "1280x720"),
        0,
        "drops",
        lambda result: float(result["figures"]["dropped"]),
    ),
    Target("camera of 30 fps", ("paced 30 fps", "grid", "1920x1080"), 12, "ms median age", _median),
    Target("camera of 30 fps", ("paced 30 fps", "grid", "1920x1080"), 25, "ms p99 age", _p99),
    # 1 % of the 4 ms that enhancing a frame of this size may take.
    Target("the harness alone", ("single-stream", EMPTY, "1280x720"), 0.04, "ms median", _median),
)


def write_document(results: Path, document: Path) -> None:
    """Replace what lies between the two marks of a document, and the charts beside it.

    Raises:
        BenchmarkError: the document lacks the marks, the folder holds no results, a file cannot
            be read or written, or matplotlib is missing.
    """
    before, after = around_figures(document)
    if not any(results.glob("*.json")):  # or every figure became "not measured"
        raise BenchmarkError(f"{results} holds no results; give their folder as --results")
    write_document_charts(list(runs_in(results).values()), document.parent / _CHARTS)
    write_whole(document, f"{before}{tables(results)}{after}", error=BenchmarkError)


def runs_in(results: Path) -> dict[str, Figures]:
    """The runs of a folder by the names of their files.

    Raises:
        BenchmarkError: a file cannot be read.
    """
    return {path.name: read_run(path) for path in sorted(results.glob("bench-*.json"))}


def tables(results: Path) -> str:
    """All figures of a folder as Markdown."""
    runs = runs_in(results)
    parts = [
        "### Targets on two CPU cores",
        _target_table([result for run in runs.values() for result in run["results"]]),
        "### Targets of the harness on two CPU cores",
        table(TARGET_HEAD, harness_rows(list(runs.values()))),
        "### Live video on two CPU cores",
        live_table(results),
        *(f"![{TITLES[name]}]({_CHARTS}/{name}.svg)" for name in charted(runs.values())),
        *(_run_table(name, run) for name, run in runs.items()),
        "### Flicker",
        flicker_table(results),
        "### Memory and training",
        recorded_table(results),
        "### On NVIDIA GPUs",
        table(("what", "figure"), [(f"`grid`, one frame, {size}", MISSING) for size in _SIZES]),
    ]
    return "\n\n".join(parts)


def _target_table(results: Sequence[Figures]) -> str:
    return table(TARGET_HEAD, [_target_row(target, results) for target in TARGETS])


def _target_row(target: Target, results: Sequence[Figures]) -> list[str]:
    scenario, subject, size = target.key
    label = f"{target.label}: `{subject}`, {size}"
    for result in results:
        # A unet file counts as unet: its speed does not depend on the weights.
        ours = result["runs_on"].startswith(f"{subject} on CPU, OpenVINO")
        usual = result["subject"].split(" ")[-1] not in PRECISIONS
        of_subject = result["subject"] == subject or (ours and usual)
        if of_subject and (result["scenario"], result["size"]) == (scenario, size):
            return target_row(label, target.limit, target.unit, target.figure(result))
    return target_row(label, target.limit, target.unit, None)


def _run_table(name: str, run: Figures) -> str:
    load, machine = run["load_average"], run["machine"]
    stopped = "" if run["complete"] else " It was stopped early."
    took = f" It took {run['wall_s']:g} s." if run.get("wall_s") else ""
    head = ("ms", "median", "95 % of it", "p99", "noise", "against the limit")
    rows = [_run_row(result) for result in run["results"]]
    return (
        f"### `{name}`\n\n`{run['command']}`\n\n{machine_line(machine)} Load average"
        f" {load['before'][0]} before and {load['after'][0]} after.{took}{stopped}\n\n"
        f"{table(head, rows)}{_quality(run['results'])}"
    )


def _quality(results: Sequence[Figures]) -> str:
    """A table of the results that have quality beside speed, or nothing."""
    judged = [result for result in results if "psnr_db" in result["figures"]]
    if not judged:
        return ""
    head = ("quality", "PSNR, dB", "NIQE", "NIQE of the truth", "flicker", "median ms")
    rows = [_quality_row(result) for result in judged]
    return f"\n\n{table(head, rows)}"


def _quality_row(result: Figures) -> list[str]:
    names = ("psnr_db", "niqe", "truth_niqe", "flicker_levels")
    figures = (f"{result['figures'][name]:.4g}" for name in names)
    median = f"{result['latency_ms']['p50']:.4g}"
    return [f"`{result['subject']}`, {result['size']}", *figures, median]


def _run_row(result: Figures) -> list[str]:
    latency, limits = result["latency_ms"], result["floors"]
    low, high = latency["median_ci95"]
    what = f"{result['scenario']}, {result['input']}, `{result['subject']}`, {result['size']}"
    return [
        f"{what}: {result['measure']}",
        f"{latency['p50']:.4g}",
        f"{low:.4g} to {high:.4g}",
        f"{latency['p99']:.4g}",
        f"{result['noise_percent']:.0f} %",
        f"{limits[-1]['ratio']:.3g}x" if limits else "",
    ]
