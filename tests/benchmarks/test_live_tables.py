"""The targets of live video in docs/performance.md: from recorded files, or not measured."""

from __future__ import annotations

import json
from pathlib import Path

from tapetum.benchmarks.documents.live import live_table, load_table, viewers_table
from tapetum.benchmarks.measure.machine import machine, machine_lines

LOAD = {"load_average": {"before": 0.25, "after": 0.5}}


def write(folder: Path, name: str, **figures: object) -> None:
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine(), **figures}))


def test_without_files_nothing_was_measured(tmp_path: Path) -> None:
    rows = live_table(tmp_path).splitlines()[2:]
    assert len(rows) == 12
    assert all(row.endswith("| not measured |  |  |") for row in rows)


def test_figures_stand_beside_their_targets(tmp_path: Path) -> None:
    live = {"latency_ms": {"p50": 3.0, "p99": 30.0}, "dropped": 0, **LOAD}
    write(tmp_path, "live", **{"720p30": live})
    soak = {"duration_s": 600, "age_limit_ms": 60, "age_ms": {"p99": 45.0}, **LOAD}
    write(tmp_path, "soak", soak=soak | {"rss_growth_mb": 0.1, "thread_growth": 1})
    held, never = {"held_enhanced_s": 0.5}, {"held_enhanced_s": None}
    write(tmp_path, "governor", governor={"from_start": held, "from_choice": never, **LOAD})
    round_trip = {"added_p95_ms": 4.2, "added_p95_of_pairs_ms": [6.0, -1.5, 3.1], **LOAD}
    write(tmp_path, "webrtc", round_trip=round_trip)
    text = live_table(tmp_path)
    for row in (
        "| `grid`, 1280x720 at 30 fps | 6 ms added, p50 | 3 | 50 % | yes |",
        "| `grid`, 1280x720 at 30 fps | 15 ms added, p99 | 30 | 200 % | no |",
        "| `grid`, 1280x720 at 30 fps | 0 drops | 0 |  | yes |",
        "| `grid`, 1920x1080 at 30 fps | 0 drops | not measured |  |  |",
        "by WebRTC: -1.5 to 6 ms in 3 pairs of blocks | 10 ms added, p95 | 4.2 | 42 % | yes |",
        "random stalls, 10 minutes | 60 ms age, p99 | 45 | 75 % | yes |",
        "random stalls, 10 minutes | 0 threads more | 1 |  | no |",
        "30 enhanced frames a second held, from the start | 2 s | 0.5 | 25 % | yes |",
        "30 enhanced frames a second held, when it is chosen | 2 s | never |  | no |",
    ):
        assert row in text
    assert "Load average 0.25 before 720p30, 0.25 before webrtc" in text
    assert "0.25 before soak, 0.25 before governor." in text


def test_what_a_still_picture_costs_stands_beside_its_target(tmp_path: Path) -> None:
    percent = {"noise left in": 12.5, "noise taken out": 21.0}
    write(tmp_path, "live", cost={"target_percent": 15, "percent_of_a_core": percent, **LOAD})
    text = live_table(tmp_path)
    label = "| a still picture, 1280x720 at 30 fps:"
    assert f"{label} noise left in | 15 % of a core | 12.5 | 83.3 % | yes |" in text
    assert f"{label} noise taken out | 15 % of a core | 21 | 140 % | no |" in text


def test_a_round_trip_that_was_not_measured_in_turns_is_none(tmp_path: Path) -> None:
    write(tmp_path, "webrtc", round_trip={"added_p95_ms": -32.5, **LOAD})
    text = live_table(tmp_path)
    assert "before webrtc" not in text
    (row,) = (line for line in text.splitlines() if "WebRTC" in line)
    assert row.endswith("by WebRTC | 10 ms added, p95 | not measured |  |  |")


def test_streams_beside_busy_processes_stand_in_order(tmp_path: Path) -> None:
    assert load_table(tmp_path) == "not measured"
    run = {"size": "1280x720", "rate": 30, "scene": "noisy", "streams": 2, "fps": 29.96}
    run |= {"dark_percent": 0.0}
    run |= {"largest_jump": 1.2, "age_p99_ms": 43.21, "busy_processes": {"count": 2, "nice": 10}}
    run |= {"modes": [{"start": 20, "grid": 80}, {"grid": 100}]}
    large = run | {"size": "3840x2160", "streams": 1, "modes": [{"grid": 99}]}
    large |= {"frame_alone_ms": 5.678}
    clean = run | {"scene": "clean"}
    write(tmp_path, "load", **{"4k": large, "one": run, "other": clean | {"streams": 1}})
    *rows, empty, measured = load_table(tmp_path).splitlines()[2:]
    assert (empty, measured) == ("", machine_lines([machine()])[0])
    assert [row.split(" | ")[0] for row in rows] == [
        "| 1 of 1280x720 at 30 fps, clean",
        "| 2 of 1280x720 at 30 fps, noisy",
        "| 1 of 3840x2160 at 30 fps, noisy",
    ]
    figures = "0 % | 1.2 levels | 43 ms | 30 | not measured |"
    assert rows[1].endswith(f"| 2 busy processes, nice 10 | {figures}")
    assert rows[2].endswith("| 1.2 levels |  | 30 | 5.68 ms |"), "a p99 of 99 frames"


def test_viewers_of_the_page_are_told_by_their_spread(tmp_path: Path) -> None:
    assert viewers_table(tmp_path) == "not measured"
    viewers = [
        {"fps": 15.0, "age_ms": 120.0, "dark_percent": 0.0},
        {"fps": 12.5, "age_ms": 140.0, "dark_percent": 1.5},
    ]
    run = {"size": "640x360", "rate": 15, "place": "server", "viewers": viewers}
    figures = {"round_trip": {}, "2 viewers": run | {"server_percent_of_a_core": 36.8}}
    (tmp_path / "webrtc.json").write_text(json.dumps(figures))
    (row,) = viewers_table(tmp_path).splitlines()[2:]
    assert row.startswith("| 2 of 640x360 at 15 fps, on the same cores | server | 12.5 to 15 | ")
    assert row.endswith(" | 120 to 140 ms | 1.5 % | 36.8 % |")
