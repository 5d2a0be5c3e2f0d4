"""Writes the tables of `docs/performance.md` from the files in `benchmarks/results`.

First what most readers want, at a glance and in charts, and then all else.

`bench-*.json` are runs of `tapetum bench`, `quality-*.json` of `tapetum evaluate`; `cpu.json`,
`live.json`, `soak.json`, `governor.json` and `hosts.json` are what `python -m tapetum.benchmarks`
recorded. What no file has a figure for is "not measured".
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from tapetum.benchmarks.bench import capacity, glance
from tapetum.benchmarks.bench.comparison import by_key, compare
from tapetum.benchmarks.bench.quality import MEANING
from tapetum.benchmarks.bench.result import Key, read_run
from tapetum.benchmarks.bench.subjects import EMPTY
from tapetum.benchmarks.bench.tables import (
    QUALITY_HEAD,
    fps_text,
    percentile_text,
    quality_rows,
)
from tapetum.benchmarks.documents.experiments import (
    ab_table,
    batch_table,
    hosts_table,
    motions_table,
    noise_table,
)
from tapetum.benchmarks.documents.live import live_table, load_table, viewers_table
from tapetum.benchmarks.documents.markdown import (
    MISSING,
    TARGET_HEAD,
    around_figures,
    table,
    target_row,
)
from tapetum.benchmarks.measure.choices import PRECISIONS
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.files import Figures, read_figures, recorded_figures
from tapetum.benchmarks.measure.machine import machine_lines
from tapetum.benchmarks.measure.sampling import percentile_ms, unsteady_percent
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
    figure: Callable[[Figures], float | None]


def _median(result: Figures) -> float:
    return float(result["latency_ms"]["p50"])


def _p99(result: Figures) -> float | None:
    return percentile_ms(result["latency_ms"], "p99")


_NOISY = "grid denoise=off"
"""Without the stage that takes noise out, which the first two targets have room for."""

TARGETS = (
    Target("enhancing alone", ("single-stream", "grid", "1280x720"), 7, "ms median", _median),
    Target("enhancing alone", ("single-stream", "grid", "1920x1080"), 14, "ms median", _median),
    Target("noise left in", ("single-stream", _NOISY, "1280x720"), 4, "ms median", _median),
    Target("noise left in", ("single-stream", _NOISY, "1920x1080"), 8, "ms median", _median),
    Target("noise left in", ("single-stream", _NOISY, "3840x2160"), 32, "ms median", _median),
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
        glance_table(runs),
        *machine_lines(_machines(results)),
        *(f"![{TITLES[name]}]({_CHARTS}/{name}.svg)" for name in charted(runs.values())),
        "## Appendix",
        "### Targets on two CPU cores",
        _target_table([result for run in runs.values() for result in run["results"]]),
        "### Targets of the harness on two CPU cores",
        table(TARGET_HEAD, harness_rows(list(runs.values()))),
        "### Whether `tapetum bench ab` tells the truth",
        ab_table(results),
        "### How many streams fit",
        capacity_table(results),
        "### Live video on two CPU cores",
        live_table(results),
        "### Live video beside busy processes on two CPU cores",
        load_table(results),
        "### Several viewers of the page on two CPU cores",
        viewers_table(results),
        "### Many files on two CPU cores",
        batch_table(results),
        "### In other programs on two CPU cores",
        hosts_table(results),
        *(_run_table(name, run) for name, run in runs.items()),
        "### Flicker",
        flicker_table(results),
        "### Noise taken out, after brightening",
        noise_table(results),
        "### Noise taken out where things move",
        motions_table(results),
        "### Memory and training",
        recorded_table(results),
        "### On NVIDIA GPUs",
        table(("what", "figure"), [(f"`grid`, one frame, {size}", MISSING) for size in _SIZES]),
    ]
    return "\n\n".join(parts)


_MAIN_RUN = "bench-cpu.json"


def glance_table(runs: Mapping[str, Figures]) -> str:
    """Tapetum's own models, from the run of all scenarios first."""
    ordered = sorted(runs, key=lambda name: name != _MAIN_RUN)
    results = [result for name in ordered for result in runs[name]["results"]]
    own = [result for result in results if "on CPU, OpenVINO" in result["runs_on"]]
    rows = [each.cells(MISSING) for each in glance.glances(own)]
    return table(glance.HEAD, rows) if rows else MISSING


_NOT_HERE = ("gpu-", "quality-", "fuzz", "plugins")
"""How files begin whose times are in other documents, or that have none."""


def _machines(results: Path) -> Iterator[Figures]:
    """What the times of a folder's files were measured on."""
    for path in sorted(results.glob("*.json")):
        figures = read_figures(path)
        if "machine" in figures and not path.name.startswith(_NOT_HERE):
            yield figures["machine"]


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
    head = (
        "ms",
        "median",
        "95 % of it",
        "p99",
        "n",
        "frames a second",
        "noise",
        "against the limit",
    )
    rows = [_run_row(result) for result in run["results"]]
    return (
        f"### `{name}`\n\n`{run['command']}`\n\nOn {machine['date']}, load average"
        f" {load['before'][0]} before and {load['after'][0]} after.{took}{stopped}\n\n"
        f"{table(head, rows)}{_quality(run['results'])}"
    )


def _quality(results: Sequence[Figures]) -> str:
    """A table of quality beside speed for each truth, and what it means; or nothing."""
    found = quality_rows(results)
    tables = (f"{title}:\n\n{table(('', *QUALITY_HEAD), rows)}" for title, rows in found.items())
    parts = [*tables, *([MEANING] if found else [])]
    return "".join(f"\n\n{part}" for part in parts)


def _run_row(result: Figures) -> list[str]:
    latency, limits = result["latency_ms"], result["floors"]
    low, high = latency["median_ci95"]
    what = f"{result['scenario']}, {result['input']}, `{result['subject']}`, {result['size']}"
    return [
        f"{what}: {result['measure']}",
        f"{latency['p50']:.4g}",
        f"{low:.4g} to {high:.4g}",
        percentile_text(latency, "p99"),
        str(latency["samples"]),
        fps_text(result),
        f"{result['noise_percent']:.0f} %",
        f"{limits[-1]['ratio']:.3g}x" if limits else "",
    ]


_FLICKER_TARGET_LEVELS = 0.5


def flicker_table(results: Path) -> str:
    """The flicker that `quality-*.json` hold, each clip's before enhancing in brackets."""
    rows = [
        target_row(
            f"`{run['model']}`, {clip['clip']} ({clip['flicker'][0]} before)",
            _FLICKER_TARGET_LEVELS,
            "8-bit levels",
            clip["flicker"][1],
        )
        for run in map(read_figures, sorted(results.glob("quality-*.json")))
        for clip in run["clips"]
    ]
    return table(TARGET_HEAD, rows) if rows else MISSING


def capacity_table(results: Path) -> str:
    """How many streams fit, from capacity.json."""
    found = recorded_figures(results / "capacity.json")
    if not found:
        return MISSING
    each = [capacity.Capacity(**row) for row in found["capacity"]]
    return f"`{found['command']}`\n\n{table(capacity.HEAD, capacity.rows(each))}"


def recorded_table(results: Path) -> str:
    """The memory and the training speed that `cpu.json` holds."""
    figures = recorded_figures(results / "cpu.json")
    if not figures:
        return MISSING
    rows = [(label, text(figures.get(part))) for label, part, text in _ROWS]
    return table(("", ""), rows)


def _memory(part: Figures | None) -> str:
    if part is None:
        return MISSING
    repeated = f"{part['peak_of_repeated_mb']} MB for a clip {part['repeats']} times as long"
    return f"{part['peak_mb']} MB; {repeated}"


def _training(part: list[Figures] | None) -> str:
    if part is None:
        return MISSING
    return "; ".join(
        f"{run['recipe']}: {run['photos_per_s']} photos/s, batches of {run['batch']} crops of"
        f" {run['crop']} pixels; by arithmetic alone {run['limit_photos_per_s']}; most time takes"
        f" {_slowest_of(run)}"
        for run in part
    )


def _slowest_of(run: Figures) -> str:
    shares = list(run["slowest_operations"].items())[:3]
    return ", ".join(f"`{name}` ({share:.0%})" for name, share in shares)


_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("peak memory, 1080p", "peak_memory", _memory),
    ("training on a CPU, bf16, all cores", "training", _training),
)


Run = Mapping[str, Any]

LONGEST_S = {"tapetum bench": 300.0, "tapetum bench --quick": 40.0}
"""Wall-clock time that a command may take on two cores."""
MOST_PERCENT = 5.0
"""Between the medians of two runs of one command."""


def harness_rows(runs: Sequence[Run]) -> Iterator[list[str]]:
    """A row for each target, with the worst that the runs show; runs that were stopped do not."""
    whole = [run for run in runs if run["complete"]]
    for command, limit_s in LONGEST_S.items():
        times_s = [run.get("wall_s") for run in whole if bare_command(run) == command]
        known_s = [time_s for time_s in times_s if time_s is not None]
        yield target_row(f"`{command}`", limit_s, "s", max(known_s, default=None))
    pairs = [(one, other) for one, other in combinations(whole, 2) if _alike(one) == _alike(other)]
    for label, percents in _repeatability(pairs).items():
        yield target_row(label, MOST_PERCENT, "%", max(percents, default=None))


def _repeatability(pairs: Sequence[tuple[Run, Run]]) -> dict[str, list[float]]:
    """How far two runs of one command are apart, and whether the machine was to blame."""
    own = (unsteady_percent(run["results"]) for pair in pairs for run in pair)
    return {
        "medians of two runs of one command, the most that they differ": [
            percent for pair in pairs for percent in _apart_percent(*pair)
        ],
        "the same where one core works, without what the machine's own pace explains": [
            percent for pair in pairs for percent in _steady_percent(*pair)
        ],
        "the machine's own pace in those runs, fastest to slowest tenth; an idle one's": [
            percent for percent in own if percent is not None
        ],
    }


def _alike(run: Run) -> tuple[object, ...]:
    """What two runs must have in common for their medians to be held against each other."""
    return bare_command(run), run["machine"]["cpu"], run["machine"]["cores"]


def bare_command(run: Run) -> str:
    """The command of a run without the files that it wrote."""
    words = shlex.split(run["command"])
    files = {place + step for place, word in enumerate(words) for step in (0, 1) if word in _FILES}
    return shlex.join(word for place, word in enumerate(words) if place not in files)


_FILES = ("--json", "--csv")


def _apart_percent(one: Run, other: Run) -> Iterator[float]:
    """Of each measurement that both runs have; nothing at all is not worth comparing."""
    first, second = by_key(one), by_key(other)
    for key in first.keys() & second.keys():
        if key.subject != EMPTY:
            medians = [results[key]["latency_ms"]["p50"] for results in (first, second)]
            yield 100 * (max(medians) / min(medians) - 1)


def _steady_percent(one: Run, other: Run) -> Iterator[float]:
    """The same by `compare`, of what has readings of the yardstick."""
    for change in compare(one, other):
        if change.machine_percent is not None and change.key.subject != EMPTY:
            ratio = 1 + change.percent / 100
            yield 100 * (max(ratio, 1 / ratio) - 1)


TITLES = {
    "latency": "Latency of a frame: how many samples lie at or under each time",
    "stages": "Where the time of a frame goes",
    "quality": "Quality against latency: how near to the truth, the exposure aligned",
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
        "quality": [result for result in results if result.get("quality")],
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
    from tapetum.benchmarks.bench.report import svg

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
        from tapetum.benchmarks.bench.report import distribution_chart, quality_chart, stage_chart
    except ImportError as error:
        raise BenchmarkError(f"charts need {error.name}: pip install 'tapetum[bench]'") from error
    return {"latency": distribution_chart, "stages": stage_chart, "quality": quality_chart}
