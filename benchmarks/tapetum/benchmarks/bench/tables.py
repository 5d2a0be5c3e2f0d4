"""The results of a run as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from tapetum.benchmarks.bench.ab import Difference
from tapetum.benchmarks.bench.comparison import Change
from tapetum.benchmarks.bench.quality import MEANING
from tapetum.benchmarks.bench.result import (
    NOISY_PERCENT,
    Key,
    frames_per_s,
    stages_apart_percent,
)
from tapetum.benchmarks.measure.sampling import percentile_ms, unsteady_percent

_PERCENTILES = ("p50", "p95", "p99", "p99_9")


def _what() -> Column:
    """The first column: a long name takes several lines, or two peers could look the same."""
    return Column("what", overflow="fold")


def result_tables(results: Sequence[dict[str, Any]]) -> list[Table]:
    """A table for each scenario: milliseconds, samples, frames a second, interval, noise, limit.

    "limit" is the median over the highest floor: 1 would be the best that the machine can do. Below
    stands what ran where.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        title = f"{result['scenario']}, {result['input']}: {result['measure']}, ms"
        kinds.setdefault(title, []).append(result)
    return [_scenario_table(title, kind) for title, kind in kinds.items()]


def _scenario_table(title: str, results: Sequence[dict[str, Any]]) -> Table:
    table = Table(_what(), title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1))
    table.caption_justify = "left"
    percentiles = (name.replace("_", ".") for name in _PERCENTILES)
    names = (*percentiles, "n", "frames/s", "95 % of p50", "noise", "limit")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        table.add_row(*_row(result))
    table.caption = Text("".join(f"{line}\n" for line in where(results)))
    return table


def where(results: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each subject: what ran where."""
    return list(dict.fromkeys(f"{each['subject']}: {each['runs_on']}" for each in results))


def _row(result: dict[str, Any]) -> list[str]:
    latency = result["latency_ms"]
    low, high = latency["median_ci95"]
    return [
        f"{result['subject']} {result['size']}",
        *(percentile_text(latency, name) for name in _PERCENTILES),
        str(latency["samples"]),
        fps_text(result),
        f"{ms_text(low)}..{ms_text(high)}",
        f"{result['noise_percent']:.0f} %",
        f"x{result['floors'][-1]['ratio']:.3g}" if result["floors"] else "",
    ]


def ms_text(value: float) -> str:
    """Three digits, without an exponent for seconds."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percentile_text(latency: Mapping[str, Any], name: str) -> str:
    """A percentile of a result or stage; nothing where there are too few samples for it."""
    value = percentile_ms(latency, name)
    return "" if value is None else ms_text(value)


def fps_text(result: Mapping[str, Any]) -> str:
    """Frames a second; nothing where no frames follow one another."""
    value = frames_per_s(result)
    return "" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def stage_tables(results: Iterable[dict[str, Any]]) -> list[Table]:
    """Where the time goes, for each result that has stages; their sum beside the whole."""
    return [_stage_table(result) for result in results if result["stages"]]


def _stage_table(result: dict[str, Any]) -> Table:
    stages = result["stages"]
    whole_ms = stages["end_to_end_mean_ms"]
    title = f"stages of {result['subject']} {result['size']}, {result['scenario']}: ms"
    table = Table("stage", title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1))
    for name in ("mean", "p50", "p99", "share", "CPU ms", "MB moved"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, part in stages["parts"].items():
        figures = (f"{part['mean']:.4g}", f"{part['p50']:.4g}", percentile_text(part, "p99"))
        beside = "beside" if part.get("overlaps") else f"{100 * part['mean'] / whole_ms:.0f} %"
        table.add_row(name, *figures, beside, *stage_cost(part))
    total = f"{stages['sum_of_means_ms']:.4g}"
    difference = f"{stages['difference_percent']:+.1f} %"
    table.add_row(f"sum, against {whole_ms:.4g} as a whole", total, "", "", difference)
    return table


def stage_cost(part: dict[str, Any]) -> tuple[str, str]:
    """CPU milliseconds and megabytes of a stage; empty where they are not known."""
    cpu_ms, moved = part.get("cpu_ms"), part.get("bytes")
    return (
        "" if cpu_ms is None else f"{cpu_ms:.3g}",
        "" if moved is None else f"{moved / 1e6:.3g}",
    )


NO_GPU = "not measured"
USAGE_HEAD = ("what", "dropped", "CPU", "RSS MB", "threads", "GPU")


def usage_table(results: Iterable[dict[str, Any]]) -> Table:
    """Dropped frames, and what the process took of the machine meanwhile."""
    title = "drops and resources"
    table = Table(_what(), title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1))
    rows = list(usage_rows(results))
    # What no GPU answered is no column here, where there is little room.
    columns = len(USAGE_HEAD) - all(row[-1] == NO_GPU for row in rows)
    for name in USAGE_HEAD[1:columns]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row[:columns])
    return table


def usage_rows(results: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    """The cells under `USAGE_HEAD` of each result whose resources were measured."""
    for result in results:
        used, figures = result["resources"], result["figures"]
        if used is not None:
            yield [
                f"{result['scenario']}, {result['subject']} {result['size']}",
                f"{figures['dropped']} of {figures['frames']}" if "dropped" in figures else "",
                f"{used['cpu_percent']:.0f} %",
                f"{used['rss_mb']:.0f}",
                str(used["threads"]),
                _gpu_text(used.get("gpu")),
            ]


def _gpu_text(gpu: dict[str, Any] | None) -> str:
    """What NVML said, without what it did not."""
    if gpu is None:
        return NO_GPU
    units = {"utilisation_percent": "%", "memory_mb": "MB", "power_w": "W", "clock_mhz": "MHz"}
    known = (f"{gpu[name]:g} {unit}" for name, unit in units.items() if gpu[name] is not None)
    return ", ".join(known)


QUALITY_HEAD = ("PSNR", "aligned", "SSIM", "NIQE", "noise", "hue", "flicker", "ms", "frames/s")


def quality_tables(results: Iterable[dict[str, Any]]) -> list[Table]:
    """Quality beside speed, a table for each truth."""
    tables = []
    for truth, rows in quality_rows(results).items():
        title = f"quality and speed: {truth}"
        table = Table(_what(), title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1))
        for name in QUALITY_HEAD:
            table.add_column(name, justify="right", no_wrap=True)
        table.columns[0].min_width = 16
        for row in rows:
            table.add_row(*row)
        tables.append(table)
    return tables


def quality_rows(results: Iterable[Mapping[str, Any]]) -> dict[str, list[list[str]]]:
    """The subjects' names and their cells under `QUALITY_HEAD`, by truth; then the truth's own."""
    found: dict[str, list[list[str]]] = {}
    own: dict[str, list[str]] = {}
    for result in results:
        for figures in result.get("quality", ()):
            title = f"{figures['truth']}, {figures['pictures']} pictures"
            found.setdefault(title, []).append(_quality_row(result, figures))
            flicker = _digits(figures["truth_flicker_levels"], 2)
            niqe = _digits(figures["truth_niqe"], 2)
            own[title] = ["the truth itself", "", "", "", niqe, "", "", flicker, "", ""]
    return {title: [*rows, own[title]] for title, rows in found.items()}


def _quality_row(result: Mapping[str, Any], figures: Mapping[str, Any]) -> list[str]:
    return [
        f"{result['subject']} {result['size']}",
        _digits(figures["psnr_db"], 2),
        _digits(figures["psnr_aligned_db"], 2),
        _digits(figures["ssim"], 3),
        _digits(figures["niqe"], 2),
        _digits(figures["noise_levels"], 2),
        _digits(figures["hue_degrees"], 1),
        _digits(figures["flicker_levels"], 2),
        ms_text(result["latency_ms"]["p50"]),
        fps_text(result),
    ]


def _digits(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def notes(run: dict[str, Any]) -> list[str]:
    """Lines that a reader of the tables must know."""
    lines = [
        f"note: {result['subject']}, {result['size']}, {result['scenario']}: {note}"
        for result in run["results"]
        for note in result["notes"]
    ]
    lines += [
        f"note: {result['subject']}, {result['size']}, {result['scenario']}: the stages' sum is"
        f" {apart:+.0f} % from the whole, which was timed apart, at another pace of the machine:"
        " their shares tell, not their sum"
        for result in run["results"]
        if (apart := stages_apart_percent(result)) is not None
    ]
    if any(result.get("quality") for result in run["results"]):
        lines.append(f"note: {MEANING}")
    noisy = sum(result["noise_percent"] >= NOISY_PERCENT for result in run["results"])
    if noisy:
        lines.append(
            f"note: in {noisy} of {len(run['results'])} results the medians of the repeats differ"
            f" by {NOISY_PERCENT:g} % or more: see noise"
        )
    busy, cores = run["load_average"]["before"][0], run["machine"]["cores"]
    if busy > cores / 2:
        lines.append(f"note: the machine was busy before: load average {busy:g} on {cores} cores")
    unsteady = unsteady_percent(run["results"])
    if unsteady is not None and unsteady >= NOISY_PERCENT:
        lines.append(
            "note: the machine was not idle: at times a fixed piece of work took"
            f" {unsteady:.0f} % longer"
        )
    if not run["complete"]:
        lines.append(f"note: this is not all, the run ended early: {run['stopped_by']}")
    return lines


def difference_table(found: Iterable[Difference]) -> Table:
    """What two versions differ by."""
    table = Table(_what(), box=SIMPLE, padding=(0, 0, 0, 1))
    for name in ("old ms", "new ms", "change", "95 % of it", "p", "A/A"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("difference", no_wrap=True)
    for each in found:
        low, high = each.percent_ci95
        table.add_row(
            each.figure,
            f"{each.old_ms:.4g}",
            f"{each.new_ms:.4g}",
            f"{each.percent:+.1f} %",
            f"{low:+.1f}..{high:+.1f}",
            f"{each.corrected_p:.2g}",
            f"{each.floor_percent:.1f} %",
            each.verdict,
        )
    return table


def difference_notes(found: Iterable[Difference], limit_percent: float | None) -> list[str]:
    """Lines that a reader of the differences must know."""
    lines = [
        "note: p is corrected for the number of figures; A/A is the floor: how far the old version"
        " comes out from itself, by chance alone"
    ]
    for each in found:
        if abs(each.old_percent) > 2 * each.floor_percent:
            lines.append(
                f"note: {each.figure}: the old version differs from itself by"
                f" {each.old_percent:+.1f} %; measure again, with more rounds"
            )
        if limit_percent is not None and each.hides(limit_percent):
            most = f"{each.percent_ci95[1]:+.1f} %"
            lines.append(f"note: {each.figure}: too noisy, it may be {most}; take more rounds")
    return lines


def change_table(changes: Iterable[Change]) -> Table:
    """What changed between two runs."""
    table = Table(_what(), box=SIMPLE, padding=(0, 0, 0, 1))
    for name in ("before ms", "after ms", "machine", "change", "95 % of it"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for change in changes:
        low, high = change.percent_ci95
        table.add_row(
            str(change.key),
            f"{change.before_ms:.4g}",
            f"{change.after_ms:.4g}",
            "" if change.machine_percent is None else f"{change.machine_percent:+.1f} %",
            f"{change.percent:+.1f} %",
            f"{low:+.1f}..{high:+.1f}",
            change.verdict,
        )
    return table


def comparison_notes(
    before: dict[str, Any], after: dict[str, Any], changes: Iterable[Change], alone: Sequence[Key]
) -> list[str]:
    """Lines that a reader of a comparison must know."""
    runs = {"before": before, "after": after}
    lines = [f"note: {key} is in one run only" for key in alone]
    if any(change.machine_percent is not None for change in changes):
        lines.append("note: machine: how much longer a fixed piece of work took; not in the change")
    lines += [
        f"note: {change.key} ran as {' before and as '.join(change.runs_on)} after"
        for change in changes
        if change.runs_on[0] != change.runs_on[1]
    ]
    lines += [
        f"note: {name} was stopped early" for name, run in runs.items() if not run["complete"]
    ]
    lines += [
        f"note: {name}: load average {run['load_average']['before'][0]:g}"
        f" on {run['machine']['cores']} cores"
        for name, run in runs.items()
    ]
    return lines
