"""Charts of results by matplotlib, and one HTML file of runs that opens without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter

from tapetum.benchmarks.bench.glance import HEAD, glances, headline
from tapetum.benchmarks.bench.result import stages_apart_percent
from tapetum.benchmarks.bench.tables import (
    QUALITY_HEAD,
    USAGE_HEAD,
    fps_text,
    ms_text,
    notes,
    percentile_text,
    quality_rows,
    stage_cost,
    usage_rows,
    where,
)

Result = dict[str, Any]
"""One result as `schema.json` describes it."""

Floats = npt.NDArray[np.float64]

_BLUE, _PALE_BLUE = "#0072b2", "#b3d4e8"
_COLORS = (_BLUE, "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
"""Told apart by colour-blind people: Okabe, Ito, "Color universal design" (2008), without the
yellow, which is too pale on white."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_CHART_STYLE: Any = {
    "svg.hashsalt": "tapetum",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(linestyle=["-", "--", ":"]) * cycler(color=_COLORS),
    "axes.facecolor": "white",  # also on a dark page
    "figure.facecolor": "white",
    "font.size": 9,
}
_LEGEND: Any = {"fontsize": 7, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
"""Where a legend covers nothing."""
_WHITE_BOX: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
_BESIDE_BAR: Any = {"va": "center", "fontsize": 7, "bbox": _WHITE_BOX, "zorder": 6}
"""The number is read although the line of the whole goes through its place."""
_STEPS = 120
"""Steps of a distribution's line: as many as can be seen."""


def charts(results: Sequence[Result]) -> dict[str, Figure]:
    """Every chart that the results have figures for, by a name that is fit for a file."""
    found: dict[str, Figure] = {}
    for scenario in dict.fromkeys(result["scenario"] for result in results):
        some = [result for result in results if result["scenario"] == scenario]
        found[f"distribution-{_file_name(scenario)}"] = distribution_chart(some)
    staged = [result for result in results if result["stages"]]
    if staged:
        found["stages"] = stage_chart(staged)
    judged = [result for result in results if result.get("quality")]
    if judged:
        found["quality"] = quality_chart(judged)
    return found


def distribution_chart(results: Sequence[Result]) -> Figure:
    """Share of samples at or under each time: one step line a result, on a logarithmic axis."""
    with rc_context(_CHART_STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.subplots()
        for result in results:
            values, share = _distribution_steps(result)
            axes.step(values, share, where="post", label=f"{result['subject']} {result['size']}")
        _set_log_scale(axes)
        axes.set_ylim(0, 103)
        axes.set_xlabel(f"{results[0]['measure']}, ms")
        axes.set_ylabel("samples at or under it, %")
        axes.set_title(results[0]["scenario"], loc="left")
        axes.legend(frameon=False, **_LEGEND)
    return figure


def _set_log_scale(axes: Any) -> None:  # noqa: ANN401 - an Axes, loosely typed
    """A logarithmic axis for what was drawn: plain numbers, so few that they do not overlap."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(_ticks(high / low))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _ticks(ratio: float) -> Locator:
    """Fit for an axis whose end is this many times its beginning."""
    if ratio < 5:
        return MaxNLocator(6, steps=[1, 2, 5, 10])
    return LogLocator(subs=(1.0, 2.0, 5.0) if ratio < 1000 else (1.0,))


def _distribution_steps(result: Result) -> tuple[Floats, Floats]:
    """Samples in order and the share of them up to each; of many, evenly spread ones."""
    values = np.sort(np.concatenate(result["samples_ms"]))
    places = np.unique(np.linspace(0, values.size - 1, _STEPS).round().astype(np.int64))
    return values[places], (places + 1) / values.size * 100


def stage_chart(results: Sequence[Result]) -> Figure:
    """A waterfall for each result: each stage's mean time begins where the last one ended."""
    rows = [len(result["stages"]["parts"]) for result in results]
    with rc_context(_CHART_STYLE):
        figure = Figure(
            figsize=(8, 0.5 + 0.35 * len(rows) + 0.22 * sum(rows)), layout="constrained"
        )
        all_axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=rows)
        for axes, result in zip(all_axes.ravel(), results, strict=True):
            _draw_stages(axes, result)
        all_axes[-1, 0].set_xlabel(
            "ms, means; the line is the whole, measured apart; pale stages run beside the others"
        )
    return figure


def _draw_stages(axes: Any, result: Result) -> None:  # noqa: ANN401 - an Axes, loosely typed
    parts, left = result["stages"]["parts"], 0.0
    for row, part in enumerate(parts.values()):
        beside = part.get("overlaps", False)
        begin = 0.0 if beside else left
        color = _PALE_BLUE if beside else _BLUE
        axes.barh(row, part["mean"], left=begin, color=color, zorder=7)
        axes.text(begin + part["mean"], row, f" {ms_text(part['mean'])}", **_BESIDE_BAR)
        left += 0.0 if beside else part["mean"]
    whole_ms = result["stages"]["end_to_end_mean_ms"]
    axes.axvline(whole_ms, color="black", linewidth=1, zorder=5)
    axes.set_yticks(range(len(parts)), list(parts), fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    title = f"{result['scenario']}, {result['subject']}, {result['size']}: {ms_text(whole_ms)} ms"
    apart = stages_apart_percent(result)
    if apart is not None:
        title += f"; timed apart, the stages' sum is {apart:+.0f} % off"
    axes.set_title(title, loc="left", fontsize=8)


def quality_chart(results: Sequence[Result]) -> Figure:
    """PSNR, exposures aligned, against the median latency, for each truth: best is up and left.

    Args:
        results: those that have quality, of all the same truths.
    """
    truths = list(dict.fromkeys(each["truth"] for result in results for each in result["quality"]))
    with rc_context(_CHART_STYLE):
        figure = Figure(figsize=(8, 2.6), layout="constrained")
        all_axes = figure.subplots(1, len(truths), squeeze=False)[0]
        for axes, truth in zip(all_axes, truths, strict=True):
            axes.set_prop_cycle(cycler(marker=_MARKERS) + cycler(color=_COLORS))
            for result in results:
                for each in result["quality"]:
                    if each["truth"] == truth:
                        place = result["latency_ms"]["p50"], each["psnr_aligned_db"]
                        label = f"{result['subject']} {result['size']}"
                        axes.plot(*place, linestyle="none", label=label)
            _set_log_scale(axes)
            axes.set_title(truth, loc="left", fontsize=8)
            axes.set_xlabel("median latency, ms")
        all_axes[0].set_ylabel("PSNR, exposure aligned, dB")
        all_axes[-1].legend(frameon=False, **_LEGEND)
    return figure


def svg(figure: Figure, *, description: str | None = None) -> bytes:
    """A figure as SVG, the same bytes every time from one version of matplotlib.

    Args:
        figure: what to draw.
        description: kept in the file, unseen.
    """
    with rc_context(_CHART_STYLE):
        stream = io.BytesIO()
        metadata = {"Date": None, "Description": description}
        figure.savefig(stream, format="svg", metadata=metadata)
    return stream.getvalue()


def write_charts(figures: Iterable[tuple[str, Figure]], folder: Path) -> None:
    """Write each figure as SVG and as PNG.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures:
        (folder / f"{name}.svg").write_bytes(svg(figure))
        figure.savefig(folder / f"{name}.png", dpi=150)


def _file_name(text: str) -> str:
    return "-".join(text.split())


Run = dict[str, Any]

_PAGE_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #8886; text-align: right }
th, td { white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12rem }
.table { overflow-x: auto } img { max-width: 100% } code { font-size: 13px }
"""
_PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")
_NOT_MEASURED = "not measured"


def html_report(runs: Sequence[tuple[str, Run]]) -> str:
    """The report of some runs, each with its name."""
    sections = "\n".join(_section(name, run) for name, run in runs)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>tapetum bench</title><style>{_PAGE_STYLE}</style></head>\n"
        f"<body>\n<h1>tapetum bench</h1>\n{sections}\n</body>\n</html>\n"
    )


def _section(name: str, run: Run) -> str:
    parts = [
        f"<h2>{escape(name)}</h2>",
        f"<p><strong>{escape(headline(run))}</strong></p>",
        _table(HEAD, (each.cells(_NOT_MEASURED) for each in glances(run["results"]))),
        *_quality_tables(run["results"]),
        _facts(run),
        _list([*where(run["results"]), *notes(run)]),
        _table(_LATENCY_HEAD, (_latency_row(result) for result in run["results"])),
        "<h3>Drops and resources</h3>",
        _table(USAGE_HEAD, usage_rows(run["results"])),
        "<h3>Charts</h3>",
        *(_image(title, svg(figure)) for title, figure in charts(run["results"]).items()),
        "<h3>Stages</h3>",
        _table(
            ("stage", "mean ms", "p50", "p99", "CPU ms", "MB moved"), _stage_rows(run["results"])
        ),
        "<h3>Limits</h3>",
        _table(("limit", "ms", "median over it"), _floor_rows(run["results"])),
        "<h3>Checks</h3>",
        _table(("check", "largest difference", "tolerance", "changed"), _checks(run["results"])),
    ]
    return "\n".join(parts)


def _quality_tables(results: Sequence[Result]) -> Iterable[str]:
    for truth, rows in quality_rows(results).items():
        yield f"<h3>Quality and speed: {escape(truth)}</h3>"
        yield _table(("what", *QUALITY_HEAD), rows)


def _facts(run: Run) -> str:
    machine, load, wall_s = run["machine"], run["load_average"], run.get("wall_s")
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"<p><code>{escape(run['command'])}</code><br>{escape(run['started'])},"
        f" commit {escape(str(run['commit']))}, seed {run['seed']}.<br>"
        f"{escape(machine['cpu'])}, {machine['cores']} cores, {escape(machine['system'])},"
        f" Python {escape(machine['python'])}, {escape(packages)}.<br>"
        f"Load average before {load['before']}, after {load['after']}."
        f"{'' if wall_s is None else f' It took {wall_s:g} s.'}</p>"
    )


_LATENCY_HEAD = (
    "milliseconds",
    *(name.replace("_", ".") for name in _PERCENTILES),
    "n",
    "frames/s",
    "95 % of p50",
    "noise",
    "limit",
)


def _latency_row(result: dict[str, Any]) -> list[str]:
    latency, limits = result["latency_ms"], result["floors"]
    low, high = latency["median_ci95"]
    return [
        ", ".join(result[name] for name in ("scenario", "subject", "input", "size", "measure")),
        *(percentile_text(latency, name) for name in _PERCENTILES),
        str(latency["samples"]),
        fps_text(result),
        f"{ms_text(low)}..{ms_text(high)}",
        f"{result['noise_percent']:.0f} %",
        _ratio(limits[-1]) if limits else "",
    ]


def _stage_rows(results: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    for result in results:
        stages = result["stages"] or {"parts": {}}
        what = f"{result['scenario']}, {result['subject']} {result['size']}"
        for name, part in stages["parts"].items():
            figures = (ms_text(part["mean"]), ms_text(part["p50"]), percentile_text(part, "p99"))
            yield [f"{what}: {name}", *figures, *stage_cost(part)]
        if stages["parts"]:
            whole, difference = stages["end_to_end_mean_ms"], stages["difference_percent"]
            total = (
                f"{ms_text(stages['sum_of_means_ms'])} ({difference:+.1f} % of {ms_text(whole)})"
            )
            yield [f"{what}: sum, and how far it is from the whole", total, *[""] * 4]


def _floor_rows(results: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    for result in results:
        what = f"{result['scenario']}, {result['subject']} {result['size']}"
        for floor in result["floors"]:
            yield [f"{what}: {floor['name']}", ms_text(floor["ms"]), _ratio(floor)]


def _ratio(floor: dict[str, Any]) -> str:
    return "" if floor["ratio"] is None else f"x{floor['ratio']}"


def _checks(results: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    """Of each subject once at each size, whatever the scenarios."""
    keys = ("largest_difference", "tolerance", "changed_percent")
    once = {(each["subject"], each["input"], each["size"]): each for each in results}
    for result in once.values():
        for check in result["checks"]:
            values = ("" if check[key] is None else str(check[key]) for key in keys)
            yield [f"{result['subject']} {result['size']}: {check['name']}", *values]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "\n".join(_row(row, "td") for row in rows)
    return f'<div class="table"><table>\n{_row(head, "th")}\n{body}\n</table></div>'


def _row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _image(title: str, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    return f'<p><img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}"></p>'
