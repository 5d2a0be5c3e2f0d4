"""Writes the tables of `docs/performance.md` from the JSON of the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]

_START, _END = "<!-- figures: start -->", "<!-- figures: end -->"
_MISSING = "not measured"


def write_tables(figures: Figures, document: Path) -> None:
    """Replace what lies between the two marks of a document.

    Raises:
        ValueError: the document lacks the marks.
    """
    text = document.read_text()
    if _START not in text or _END not in text:
        raise ValueError(f"{document} has no {_START} and {_END}")
    before, after = text.split(_START)[0], text.split(_END)[1]
    document.write_text(f"{before}{_START}\n{tables(figures)}\n{_END}{after}")


def tables(figures: Figures) -> str:
    """All figures as Markdown; what nobody measured says so."""
    rows = [f"| {label} | {_cell(figures, part, text)} |" for label, part, text in _ROWS]
    return "\n".join([_machine_line(figures["machine"]), "", "| | |", "| --- | --- |", *rows])


def _cell(figures: Figures, part: str, text: Callable[[Any], str]) -> str:
    return text(figures[part]) if part in figures else _MISSING


def _machine_line(machine: Figures) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['system']}, Python {machine['python']}, {packages}."
    )


def _latency(size: str) -> Callable[[Figures], str]:
    return lambda part: (
        f"{part[size]['latency_ms']['p50']} ms median, {part[size]['latency_ms']['p99']} ms p99"
    )


def _flicker(part: list[Figures]) -> str:
    return "; ".join(
        f"{clip['clip']}: {clip['flicker'][0]} before, {clip['flicker'][1]} after" for clip in part
    )


def _training(part: list[Figures]) -> str:
    return "; ".join(
        f"{run['recipe']}: {run['photos_per_s']} photos/s, batch"
        f" {run['settings']['optimizer']['batch']}"
        for run in part
    )


_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("`grid`, one frame, 1280x720, one thread", "frame", _latency("720p")),
    ("`grid`, one frame, 1920x1080, one thread", "frame", _latency("1080p")),
    ("`grid`, one frame, 3840x2160, one thread", "frame", _latency("4K")),
    (
        "`unet`, one frame, 640x360, all cores",
        "unet",
        lambda part: f"{part['latency_ms']['p50']} ms median ({part['runs_on']})",
    ),
    (
        "`tapetum enhance` against a plain transcode of its output, 1080p",
        "transcode_ratio",
        lambda part: (
            f"{part['ratio']['median']}x the time (from {part['ratio']['min']}"
            f" to {part['ratio']['max']}, {part['rounds']} rounds)"
        ),
    ),
    (
        "peak memory, 1080p",
        "peak_memory",
        lambda part: (
            f"{part['peak_mb']} MB; {part['peak_of_repeated_mb']} MB for a clip"
            f" {part['repeats']} times as long"
        ),
    ),
    (
        "process start to a whole file of 0.1 s, caches warm",
        "first_frame",
        lambda part: f"{part['whole_s']} s",
    ),
    ("flicker of the mean luma, 8-bit levels", "flicker", _flicker),
    ("training on a CPU, bf16, all cores", "training", _training),
)
