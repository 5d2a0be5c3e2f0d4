"""The results of a run as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Column, Table
from rich.text import Text

from tapetum.benchmarks.bench.ab import Difference
from tapetum.benchmarks.bench.comparison import Change
from tapetum.benchmarks.bench.result import NOISY_PERCENT, Key
from tapetum.benchmarks.measure.sampling import unsteady_percent

_PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")
_QUALITY = ("psnr_db", "niqe", "flicker_levels")


def _what() -> Column:
    """The first column: a long name takes several lines, or two peers could look the same."""
    return Column("what", overflow="fold")


def result_tables(results: Sequence[dict[str, Any]]) -> list[Table]:
    """A table for each scenario: percentiles in milliseconds, the median's interval, noise, limit.

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
    names = (*(name.replace("_", ".") for name in _PERCENTILES), "95 % of p50", "noise", "limit")
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
        *(ms_text(latency[name]) for name in _PERCENTILES),
        f"{ms_text(low)}..{ms_text(high)}",
        f"{result['noise_percent']:.0f} %",
        f"x{result['floors'][-1]['ratio']:.3g}" if result["floors"] else "",
    ]


def ms_text(value: float) -> str:
    """Three digits, without an exponent for seconds."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


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
        figures = (f"{part[key]:.4g}" for key in ("mean", "p50", "p99"))
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
USAGE_HEAD = ("what", "frames/s", "dropped", "CPU", "RSS MB", "threads", "GPU")


def usage_table(results: Iterable[dict[str, Any]]) -> Table:
    """Frames a second, dropped frames, and what the process took of the machine meanwhile."""
    title = "throughput and resources"
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
                f"{figures['frames_per_s']:.4g}" if "frames_per_s" in figures else "",
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


def quality_table(results: Iterable[dict[str, Any]]) -> Table:
    """Quality next to speed, for the results that have it."""
    table = Table(_what(), title="quality and speed", title_justify="left", box=SIMPLE)
    for name in ("p50 ms", "PSNR dB", "NIQE", "flicker"):
        table.add_column(name, justify="right")
    for result in results:
        figures = result["figures"]
        if "psnr_db" in figures:
            row = (figures[name] for name in _QUALITY)
            what = f"{result['subject']} {result['size']}"
            table.add_row(what, f"{result['latency_ms']['p50']:.3g}", *map(str, row))
    return table


def notes(run: dict[str, Any]) -> list[str]:
    """Lines that a reader of the tables must know."""
    lines = [
        f"note: {result['subject']}, {result['size']}, {result['scenario']}: {note}"
        for result in run["results"]
        for note in result["notes"]
    ]
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
