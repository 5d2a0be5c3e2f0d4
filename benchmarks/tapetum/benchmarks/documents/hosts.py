"""What `python -m tapetum.benchmarks hosts` recorded: Tapetum inside other programs."""

from __future__ import annotations

from pathlib import Path

from tapetum.benchmarks.documents.markdown import MISSING, table
from tapetum.benchmarks.measure.files import Figures, recorded_figures

_HEAD = (
    *("host", "size", "frames a second", "without", "added to a frame", "processors busy"),
    "without",
)


def hosts_table(results: Path) -> str:
    """Each host at each size, from hosts.json; the fastest first."""
    found = recorded_figures(results / "hosts.json")
    runs = [run for name, run in found.items() if name != "machine"]
    if not runs:
        return MISSING
    rows = [_row(run) for run in sorted(runs, key=_order)]
    loads = ", ".join(f"{run['load_average']['before'][0]:g}" for run in runs)
    notes = f"Load average before each: {loads}."
    return "\n\n".join([table(_HEAD, rows), notes])


def _order(run: Figures) -> tuple[int, float]:
    width, height = map(int, run["size"].split("x"))
    return width * height, run["added_ms"]


def _row(run: Figures) -> list[str]:
    return [
        run["host"],
        run["size"],
        f"{run['fps']:.3g}",
        f"{run['fps_without']:.3g}",
        f"{run['added_ms']:.3g} ms",
        f"{run['busy_percent']:.0f} %",
        f"{run['busy_percent_without']:.0f} %",
    ]
