"""`tapetum bench report`: charts, and HTML that opens without a network."""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import asdict
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.made_runs import made_run

from tapetum.benchmarks.bench.quality import MEANING, Quality
from tapetum.benchmarks.bench.report import (
    charts,
    distribution_chart,
    html_report,
    quality_chart,
    svg,
)
from tapetum.benchmarks.bench.result import read_run
from tapetum.benchmarks.bench.tables import ms_text
from tapetum.benchmarks.documents.performance import harness_rows, tables
from tapetum.benchmarks.measure.files import write_json
from tapetum.realtime.command.cli import run_command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of two subjects."""
    path = tmp_path_factory.mktemp("report") / "bench-run.json"
    size = ["--size", "96x64", "--seconds", "0.1", "--samples", "4", "--repeats", "2"]
    arguments = ["--scenario", "single-stream", "--vs", "gamma", "--json", str(path)]
    assert run_command(["bench", *size, *arguments]) == 0
    return path


def quality(aligned_db: float) -> dict[str, Any]:
    """One truth's figures."""
    return asdict(Quality("night", 5, 9.0, aligned_db, 0.75, 4.5, 4.25, 2.0, None, 0.125, 0.1))


class _Sources(HTMLParser):
    """Every address that a page would load or link to, and how its tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_holds_all_that_it_shows(run_file: Path, tmp_path: Path) -> None:
    html, folder = tmp_path / "report.html", tmp_path / "charts"
    arguments = [str(run_file), "--html", str(html), "--charts", str(folder)]
    assert run_command(["bench", "report", *arguments]) == 0
    page = html.read_text()
    found = _Sources()
    found.feed(page)
    assert not found.open
    assert found.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in found.addresses)
    for address in found.addresses:
        ElementTree.fromstring(base64.b64decode(address.partition(",")[2]))
    for word in ("gamma 96x64", "temporal filter", "float64 arithmetic", "Load average"):
        assert word in page
    median = read_run(run_file)["results"][0]["latency_ms"]["p50"]
    assert f"<td>{ms_text(median)}</td>" in page
    drawn = sorted(path.name for path in (folder / "bench-run").iterdir())
    assert drawn == [
        "distribution-single-stream.png",
        "distribution-single-stream.svg",
        "stages.png",
        "stages.svg",
    ]


def test_names_cannot_break_the_page(run_file: Path) -> None:
    run = read_run(run_file)
    run["results"][0]["subject"] = "<script>alert(1)</script>"
    page = html_report([("a & b", run)])
    assert "<script>" not in page
    assert "a &amp; b" in page


def test_a_report_is_written_whole_or_not_at_all(
    run_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html, taken = tmp_path / "report.html", tmp_path / "taken"
    taken.write_text("a file")
    arguments = [str(run_file), "--html", str(html), "--charts", str(taken)]
    assert run_command(["bench", "report", *arguments]) == 1
    assert "taken cannot be written: File exists" in capsys.readouterr().err
    assert not html.exists()


def test_charts_of_one_run_do_not_replace_those_of_another(
    run_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / run_file.name
    other.write_text(run_file.read_text())
    html = tmp_path / "report.html"
    arguments = ["report", str(run_file), str(other), "--html", str(html)]
    assert run_command(["bench", *arguments, "--charts", str(tmp_path / "charts")]) == 2
    assert "needs its own name; bench-run is there twice" in capsys.readouterr().err
    assert not html.exists()
    assert run_command(["bench", *arguments]) == 0


def test_charts_are_the_same_every_time(run_file: Path) -> None:
    results = read_run(run_file)["results"]
    first, again = (svg(charts(results)["stages"]) for _ in range(2))
    assert first == again
    assert b"<text" not in first  # letters are outlines: no font is needed


def test_quality_is_drawn_against_speed(run_file: Path) -> None:
    results = read_run(run_file)["results"]
    assert "quality" not in charts(results)
    for place, result in enumerate(results):
        result["quality"] = [quality(10.0 + place)]
    (axes,) = charts(results)["quality"].axes
    points: list[Any] = [(line.get_xdata(), line.get_ydata()) for line in axes.get_lines()]
    medians = [result["latency_ms"]["p50"] for result in results]
    assert [float(x[0]) for x, _ in points] == medians
    assert [float(y[0]) for _, y in points] == [10, 11]


@pytest.mark.parametrize("slowest_ms", [0.101, 0.13, 0.6, 7, 90, 4000, 1e6])
def test_the_numbers_of_an_axis_are_few_and_do_not_overlap(slowest_ms: float) -> None:
    result = made_run([1.0])["results"][0]
    results = [result | {"samples_ms": [[0.1, ms]]} for ms in (0.1, slowest_ms)]
    figure = distribution_chart(results)
    figure.canvas.draw()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert len(labels) >= 2
    texts = [float(label.get_text()) for label in labels]
    assert texts == pytest.approx([label.get_position()[0] for label in labels], rel=1e-5)
    boxes = [label.get_window_extent() for label in labels]
    for left, right in pairwise(sorted(boxes, key=lambda box: float(box.x0))):
        assert left.x1 < right.x0


def test_lines_are_told_apart_by_more_than_colour() -> None:
    result = made_run([1.0])["results"][0]
    (axes,) = distribution_chart([result] * 9).axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert len(looks) == 9
    judged = [result | {"quality": [quality(1.0)]}] * 5
    (axes,) = quality_chart(judged).axes
    assert len({line.get_marker() for line in axes.get_lines()}) == 5


def test_without_matplotlib_it_says_what_to_install(
    run_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "tapetum.benchmarks.bench.report")
    monkeypatch.delitem(sys.modules, "tapetum.benchmarks.bench.report", raising=False)
    assert run_command(["bench", "report", str(run_file)]) == 1
    assert "pip install 'tapetum[bench]'" in capsys.readouterr().err


def test_targets_are_held_against_the_results(run_file: Path, tmp_path: Path) -> None:
    run = read_run(run_file) | {"results": made_run([3, 3, 3], size="1280x720")["results"]}
    run["results"][0]["runs_on"] = "grid on CPU, OpenVINO bf16"
    write_json(run, tmp_path / "bench-made.json")
    text = tables(tmp_path)
    (row,) = re.findall(r"\| enhancing alone: `grid`, 1280x720 .*", text)
    median = run["results"][0]["latency_ms"]["p50"]
    share = f"{100 * median / 7:.3g} %"
    assert row.endswith(f"| 7 ms median | {median:.4g} | {share} | yes |")
    assert "### `bench-made.json`" in text
    assert f"load average {run['load_average']['before'][0]} before" in text
    assert "PSNR" not in text
    begin = text.splitlines()[:3]
    assert begin[2].startswith(f"| grid | 1280x720 | 333 | {median:.3g} | not measured |")
    assert text.count("Measured on") == 1, "hardware is said once"
    assert text.index("charts/latency.svg") < text.index("## Appendix")


def test_the_harness_is_held_to_its_own_targets(run_file: Path) -> None:
    run = read_run(run_file) | made_run([10, 10, 10]) | {"wall_s": 250.0}
    run["command"] = "tapetum bench --csv run.csv --json 'a run.json'"
    again = made_run([10.3, 10.3, 10.3]) | {"wall_s": 301.5, "command": "tapetum bench"}
    quick = again | {"command": "tapetum bench --quick --json quick.json", "wall_s": 39.0}
    stopped = again | {"complete": False, "wall_s": 900.0}
    default_row, quick_row, apart, steady, pace = harness_rows([run, again, quick, stopped])
    assert default_row == ["`tapetum bench`", "300 s", "301.5", "100 %", "no"]
    assert quick_row[2:] == ["39", "97.5 %", "yes"]
    assert float(apart[2]) == pytest.approx(3, abs=0.1)
    missing = "not measured"
    assert [steady[2], pace[2]] == [missing, missing]
    older = {name: value for name, value in run.items() if name != "wall_s"}
    assert [row[2] for row in harness_rows([older])] == [missing] * 5


def test_a_machine_that_slows_down_is_told_from_a_harness_that_differs() -> None:
    runs = []
    for median_ms, yardstick_ms in ((10, 0.2), (12, 0.24)):
        run = made_run([median_ms] * 3) | {"wall_s": 250.0, "command": "tapetum bench"}
        run["results"][0]["yardsticks_ms"] = [yardstick_ms] * 3
        runs.append(run)
    apart, steady, pace = list(harness_rows(runs))[2:]
    assert float(apart[2]) == pytest.approx(20, abs=0.5)
    assert float(steady[2]) < 0.5
    assert pace[2:] == ["0", "0 %", "yes"]


def test_quality_has_a_table_beside_speed(run_file: Path, tmp_path: Path) -> None:
    run = read_run(run_file)
    run["results"][1]["quality"] = [quality(17.25)]
    write_json(run, tmp_path / "bench-peers.json")
    text = tables(tmp_path)
    median = ms_text(run["results"][1]["latency_ms"]["p50"])
    row = f"| gamma 96x64 | 9.00 | 17.25 | 0.750 | 4.50 | 2.00 |  | 0.12 | {median} |"
    assert any(line.startswith(row) for line in text.splitlines())
    assert MEANING in text
