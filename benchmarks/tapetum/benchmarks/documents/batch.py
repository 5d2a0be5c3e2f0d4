"""What `python -m tapetum.benchmarks batch` recorded: segments, workers, folders and kills."""

from __future__ import annotations

from pathlib import Path

from tapetum.benchmarks.documents.markdown import MISSING, table
from tapetum.benchmarks.measure.files import Figures, recorded_figures

_HEAD = ("what", "target", "measured")


def batch_table(results: Path) -> str:
    """Each target of jobs of many files, from batch.json; the simulation says that it is one."""
    found = recorded_figures(results / "batch.json")
    if not found:
        return MISSING
    rows = [*_measured_rows(found), *_simulated_rows(found.get("simulation", {}))]
    return table(_HEAD, rows)


def _measured_rows(found: Figures) -> list[list[str]]:
    segments, workers = found.get("segments", {}), found.get("workers", {})
    photos, kills = found.get("photos", {}), found.get("kills", {})
    speed_up = workers.get("speed_up", {}).get("2")
    survived = f"{kills['equal_to_undisturbed']} of {kills['kills']}" if kills else MISSING
    return [
        ["segments against one pass: time", "at most 1.03", _figure(segments.get("time_ratio"))],
        ["segments against one pass: size", "at most 1.02", _figure(segments.get("size_ratio"))],
        ["two workers against one: speed", "at least 1.8", _figure(speed_up)],
        ["small photos in a folder: time", "at most 1.1", _figure(photos.get("ratio"))],
        ["killed at random moments, and equal afterwards", "all", survived],
    ]


def _simulated_rows(simulation: Figures) -> list[list[str]]:
    return [
        [
            f"**simulated**: {run['films']} films, {run['workers']} workers,"
            f" {100 * run['dying']:g} % of the work lost: share of linear",
            "at least 0.9",
            _figure(run["of_linear"]),
        ]
        for run in simulation.get("runs", [])
    ]


def _figure(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}"
