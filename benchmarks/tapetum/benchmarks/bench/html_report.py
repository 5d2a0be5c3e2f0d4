"""One HTML file about one run or several that opens without a network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from tapetum.benchmarks.bench.charts import charts, svg
from tapetum.benchmarks.bench.result_table import (
    USAGE_HEAD,
    ms_text,
    notes,
    stage_cost,
    usage_rows,
    where,
)

Run = dict[str, Any]

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #8886; text-align: right }
th, td { white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 12rem }
.table { overflow-x: auto } img { max-width: 100% } code { font-size: 13px }
"""
_PERCENTILES = ("p50", "p90", "p95", "p99", "p99_9")


def html_report(runs: Sequence[tuple[str, Run]]) -> str:
    """The report of some runs, each with its name."""
    sections = "\n".join(_section(name, run) for name, run in runs)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>tapetum bench</title><style>{_STYLE}</style></head>\n"
        f"<body>\n<h1>tapetum bench</h1>\n{sections}\n</body>\n</html>\n"
    )


def _section(name: str, run: Run) -> str:
    parts = [
        f"<h2>{escape(name)}</h2>",
        _facts(run),
        _list([*where(run["results"]), *notes(run)]),
        _table(_LATENCY_HEAD, (_latency_row(result) for result in run["results"])),
        "<h3>Throughput and resources</h3>",
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
    "95 % of p50",
    "noise",
    "samples",
    "limit",
)


def _latency_row(result: dict[str, Any]) -> list[str]:
    latency, limits = result["latency_ms"], result["floors"]
    low, high = latency["median_ci95"]
    return [
        ", ".join(result[name] for name in ("scenario", "subject", "input", "size", "measure")),
        *(ms_text(latency[name]) for name in _PERCENTILES),
        f"{ms_text(low)}..{ms_text(high)}",
        f"{result['noise_percent']:.0f} %",
        str(latency["samples"]),
        _ratio(limits[-1]) if limits else "",
    ]


def _stage_rows(results: Iterable[dict[str, Any]]) -> Iterable[list[str]]:
    for result in results:
        stages = result["stages"] or {"parts": {}}
        what = f"{result['scenario']}, {result['subject']} {result['size']}"
        for name, part in stages["parts"].items():
            figures = (ms_text(part[key]) for key in ("mean", "p50", "p99"))
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
