"""Tables of docs/performance.md from what the experiments recorded, a file of results each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapetum.benchmarks.documents.markdown import MISSING, table
from tapetum.benchmarks.measure.files import Figures, recorded_figures

# Comparisons of two versions ----------------------------------------------------------------------


def ab_table(results: Path) -> str:
    """How many comparisons of `tapetum bench ab` told the truth, from ab.json."""
    found = recorded_figures(results / "ab.json")
    same, slowed = found.get("same", []), found.get("slowed", [])
    if not same and not slowed:
        return MISSING
    alarms = sum(set(_verdicts(trial)) != {"none seen"} for trial in same)
    seen = sum("slower" in _verdicts(trial, "grid ") for trial in slowed)
    shares = sorted({f"{trial['slowed_percent']:g} %" for trial in slowed})
    rows = [
        ["one version against itself: comparisons", "", str(len(same))],
        ["of these, a difference was seen in any figure", "at most 1 in 20", str(alarms)],
        [f"against one slowed by {' or '.join(shares)}: comparisons", "", str(len(slowed))],
        ["of these, its frames were seen to be slower", "9 in 10", str(seen)],
    ]
    return "\n\n".join([table(("what", "target", "measured"), rows), _rounds([*same, *slowed])])


def _verdicts(trial: Figures, begin: str = "") -> list[str]:
    """What was said of each figure whose name begins so; those of frames begin with the model."""
    found = trial["differences"]
    return [each["verdict"] for name, each in found.items() if name.startswith(begin)]


def _rounds(trials: Sequence[Figures]) -> str:
    rounds = sorted({trial["rounds"] for trial in trials})
    loads = sorted(trial["load_average"][0] for trial in trials)
    return (
        f"Of {' or '.join(map(str, rounds))} rounds each; load average before them"
        f" {loads[0]:.1f} to {loads[-1]:.1f}."
    )


# Many files ---------------------------------------------------------------------------------------

_TARGETS_HEAD = ("what", "target", "measured")


def batch_table(results: Path) -> str:
    """Each target of jobs of many files, from batch.json; the simulation says that it is one."""
    found = recorded_figures(results / "batch.json")
    if not found:
        return MISSING
    rows = [*_measured_rows(found), *_simulated_rows(found.get("simulation", {}))]
    return table(_TARGETS_HEAD, rows)


def _measured_rows(found: Figures) -> list[list[str]]:
    segments, workers = found.get("segments", {}), found.get("workers", {})
    photos, kills = found.get("photos", {}), found.get("kills", {})
    speed_up = workers.get("speed_up", {}).get("2")
    survived = f"{kills['equal_to_undisturbed']} of {kills['kills']}" if kills else MISSING
    return [
        [
            "segments against one pass: time",
            "at most 1.03",
            _figure(segments.get("time_ratio")),
        ],
        [
            "segments against one pass: size",
            "at most 1.02",
            _figure(segments.get("size_ratio")),
        ],
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


# Other programs -----------------------------------------------------------------------------------

_HOSTS_HEAD = (
    *("host", "size", "frames a second", "without", "added to a frame", "processors busy"),
    "without",
)


def hosts_table(results: Path) -> str:
    """Each host at each size, from hosts.json; the fastest first."""
    found = recorded_figures(results / "hosts.json")
    runs = [run for name, run in found.items() if name != "machine"]
    if not runs:
        return MISSING
    rows = [_host_row(run) for run in sorted(runs, key=_host_order)]
    loads = ", ".join(f"{run['load_average']['before'][0]:g}" for run in runs)
    notes = f"Load average before each: {loads}."
    return "\n\n".join([table(_HOSTS_HEAD, rows), notes])


def _host_order(run: Figures) -> tuple[int, float]:
    width, height = map(int, run["size"].split("x"))
    return width * height, run["added_ms"]


def _host_row(run: Figures) -> list[str]:
    return [
        run["host"],
        run["size"],
        f"{run['fps']:.3g}",
        f"{run['fps_without']:.3g}",
        f"{run['added_ms']:.3g} ms",
        f"{run['busy_percent']:.0f} %",
        f"{run['busy_percent_without']:.0f} %",
    ]


# Ways of taking noise out -------------------------------------------------------------------------

_NOISE_HEAD = (
    *("noise", "way", "luma dB", "chroma dB", "SSIM", "moving dB", "static dB"),
    *("temporal noise", "trails", "kB a frame"),
)


def noise_table(results: Path) -> str:
    """The means over all clips of noise.json, for each recording and way."""
    rows: list[Figures] = recorded_figures(results / "noise.json").get("noise", [])
    if not rows:
        return MISSING
    clips = list(dict.fromkeys(row["clip"] for row in rows))
    kinds = dict.fromkeys((row["conditions"], row["way"]) for row in rows)
    cells = [
        [
            *kind,
            *_noise_means([row for row in rows if (row["conditions"], row["way"]) == kind]),
        ]
        for kind in kinds
    ]
    return f"{table(_NOISE_HEAD, cells)}\n\nMeans of {len(clips)} clips: {', '.join(clips)}."


def motions_table(results: Path) -> str:
    """What motions.json says, for each motion and recording: where it moves, and the worst crop."""
    rows: list[Figures] = recorded_figures(results / "motions.json").get("motions", [])
    if not rows:
        return MISSING
    conditions = list(dict.fromkeys(row["conditions"] for row in rows))
    motions = dict.fromkeys(row["motion"] for row in rows)
    cells = [
        [motion, *(_gains(row) for row in rows if row["motion"] == motion)] for motion in motions
    ]
    return (
        f"{table(('motion', *conditions), cells)}\n\nBy how many dB luma came nearer to the truth"
        " where it moves, of all of the picture and of the crop of 96x96 pixels that lost most."
    )


def _gains(row: Figures) -> str:
    figures = row["moving_gain_db"], row["worst_gain_db"]
    return "; ".join("-" if figure is None else f"{figure:+.2f}" for figure in figures)


def _noise_means(rows: Sequence[Figures]) -> list[str]:
    def mean(name: str) -> float:
        return float(np.mean([row[name] for row in rows if row[name] is not None]))

    return [
        *(f"{mean(name):.2f}" for name in ("psnr_db", "chroma_psnr_db")),
        f"{mean('ssim'):.3f}",
        *(f"{mean(name):.2f}" for name in ("moving_psnr_db", "static_psnr_db", "temporal_noise")),
        f"{mean('ghosting'):.1f} %",
        f"{mean('kilobytes'):.1f}",
    ]
