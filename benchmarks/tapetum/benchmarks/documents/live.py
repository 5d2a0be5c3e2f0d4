"""The targets of live video beside what `python -m tapetum.benchmarks` recorded of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from tapetum.benchmarks.documents.markdown import MISSING, TARGET_HEAD, table, target_row
from tapetum.benchmarks.experiments.live import SIZE as ROUND_TRIP_SIZE
from tapetum.benchmarks.experiments.live import SIZES, TARGET_ADDED_P95_MS, TARGET_S, TARGETS_MS
from tapetum.benchmarks.experiments.live_cost import SIZE as COST_SIZE
from tapetum.benchmarks.experiments.live_load import ALONE
from tapetum.benchmarks.experiments.soak import AGE_LIMIT_MS, FLAT_MB
from tapetum.benchmarks.measure.files import Figures, recorded_figures
from tapetum.benchmarks.measure.machine import machine_lines
from tapetum.benchmarks.measure.sampling import LEAST_SAMPLES

_FILES = ("live", "webrtc", "soak", "governor")


def live_table(results: Path) -> str:
    """Every target of live video, from live.json, webrtc.json, soak.json and governor.json."""
    paths = {name: results / f"{name}.json" for name in _FILES}
    found = {name: recorded_figures(path) for name, path in paths.items()}
    round_trip = _measured_in_turns(found["webrtc"].get("round_trip", {}))
    soak, governor = found["soak"].get("soak", {}), found["governor"].get("governor", {})
    rows = [
        *_latency_rows(found["live"]),
        *_cost_rows(found["live"].get("cost", {})),
        _round_trip_row(round_trip),
        *_soak_rows(soak),
        *_governor_rows(governor),
    ]
    recorded = {**found["live"], "webrtc": round_trip, "soak": soak, "governor": governor}
    loads = [
        f"{figures['load_average']['before']} before {name}"
        for name, figures in recorded.items()
        if "load_average" in figures
    ]
    notes = [f"Load average {', '.join(loads)}."] if loads else []
    return "\n\n".join([table(TARGET_HEAD, rows), *notes])


def load_table(results: Path) -> str:
    """Live video beside busy processes, from load.json."""
    found = recorded_figures(results / "load.json")
    runs = [run for name, run in found.items() if name != "machine"]
    if not runs:
        return MISSING
    rows = [_load_row(run) for run in sorted(runs, key=_heaviness)]
    return "\n\n".join([table(_LOAD_HEAD, rows), *machine_lines([found["machine"]])])


_LOAD_HEAD = (
    "streams",
    "beside",
    "dark frames",
    "largest jump of mean luma",
    "age, p99, of 100 frames or more",
    "frames a second",
    f"one {ALONE} frame, nothing else running",
)


def _heaviness(run: Figures) -> tuple[int, int, str, int, int]:
    width, height = map(int, run["size"].split("x"))
    busy = run["busy_processes"]
    return width * height, run["rate"], run["scene"], busy["nice"], run["streams"]


def _load_row(run: Figures) -> list[str]:
    busy = run["busy_processes"]
    return [
        f"{run['streams']} of {run['size']} at {run['rate']} fps, {run['scene']}",
        f"{busy['count']} busy processes, nice {busy['nice']}",
        *_look_texts(run),
        _age_text(run),
        f"{run['fps']:.3g}",
        f"{run['frame_alone_ms']:.3g} ms" if "frame_alone_ms" in run else MISSING,
    ]


def _look_texts(run: Figures) -> tuple[str, str]:
    """What was seen of the recordings, where each stream has one."""
    if run.get("recorded_frames") == 0:
        return "none recorded", ""
    return f"{run['dark_percent']:g} %", f"{run['largest_jump']:g} levels"


def _age_text(run: Figures) -> str:
    """Its p99, where each stream showed the frames for one."""
    fewest = min(sum(modes.values()) for modes in run["modes"])
    return f"{run['age_p99_ms']:.0f} ms" if fewest >= LEAST_SAMPLES["p99"] else ""


_VIEWER_HEAD = (
    "viewers of the page",
    "enhanced by the",
    "frames a second",
    "age, median",
    "dark frames",
    "server, of a core",
)


def viewers_table(results: Path) -> str:
    """Several viewers of the page at once, each with a camera and a Chromium, from webrtc.json."""
    runs = [
        run
        for run in recorded_figures(results / "webrtc.json").values()
        if isinstance(run, dict) and "viewers" in run
    ]
    return table(_VIEWER_HEAD, [_viewers_row(run) for run in runs]) if runs else MISSING


def _viewers_row(run: Figures) -> list[str]:
    def span(key: str) -> str:
        values = [viewer[key] for viewer in run["viewers"]]
        ends = f"{min(values):g}", f"{max(values):g}"
        return " to ".join(dict.fromkeys(ends))

    return [
        f"{len(run['viewers'])} of {run['size']} at {run['rate']} fps, on the same cores",
        run["place"],
        span("fps"),
        f"{span('age_ms')} ms",
        f"{max(viewer['dark_percent'] for viewer in run['viewers']):g} %",
        f"{run['server_percent_of_a_core']:g} %",
    ]


def _latency_rows(live: Figures) -> Iterator[list[str]]:
    for name, size in SIZES.items():
        figures = live.get(name, {})
        for percentile, limit_ms in TARGETS_MS[name].items():
            value = figures.get("latency_ms", {}).get(percentile)
            yield target_row(
                f"`grid`, {size} at 30 fps", limit_ms, f"ms added, {percentile}", value
            )
        yield target_row(f"`grid`, {size} at 30 fps", 0, "drops", figures.get("dropped"))


def _cost_rows(cost: Figures) -> Iterator[list[str]]:
    for name, percent in cost.get("percent_of_a_core", {}).items():
        label = f"a still picture, {COST_SIZE} at 30 fps: {name}"
        yield target_row(label, cost["target_percent"], "% of a core", percent)


def _measured_in_turns(round_trip: Figures) -> Figures:
    """Without pairs of blocks in turns the figure says more of the screen than of enhancing."""
    return round_trip if round_trip.get("added_p95_of_pairs_ms") else {}


def _round_trip_row(round_trip: Figures) -> list[str]:
    label = f"`grid`, {ROUND_TRIP_SIZE} through Chromium and back by WebRTC"
    if round_trip:
        pairs_ms = round_trip["added_p95_of_pairs_ms"]
        spread = f"{min(pairs_ms):g} to {max(pairs_ms):g} ms in {len(pairs_ms)} pairs of blocks"
        label = f"{label}: {spread}"
    value = round_trip.get("added_p95_ms")
    return target_row(label, TARGET_ADDED_P95_MS, "ms added, p95", value)


def _soak_rows(soak: Figures) -> Iterator[list[str]]:
    minutes = f"{soak['duration_s'] / 60:.3g} minutes" if soak else "10 minutes"
    label = f"a camera twice too fast and random stalls, {minutes}"
    limit_ms = soak.get("age_limit_ms", AGE_LIMIT_MS)
    yield target_row(label, limit_ms, "ms age, p99", soak.get("age_ms", {}).get("p99"))
    yield target_row(label, FLAT_MB, "MB grown", soak.get("rss_growth_mb"))
    yield target_row(label, 0, "threads more", soak.get("thread_growth"))


def _governor_rows(governor: Figures) -> Iterator[list[str]]:
    label = "`unet` on a CPU that cannot hold it: 30 enhanced frames a second held"
    for moment, words in (("from_start", "from the start"), ("from_choice", "when it is chosen")):
        seconds = governor[moment]["held_enhanced_s"] if governor else None
        value = math.inf if governor and seconds is None else seconds
        yield target_row(f"{label}, {words}", TARGET_S, "s", value)
