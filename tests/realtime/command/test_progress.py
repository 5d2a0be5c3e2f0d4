"""Progress figures, their bar, and times as people write them."""

from __future__ import annotations

import io

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tapetum.realtime import Progress
from tapetum.realtime.command.options import parse_budget_ms, parse_time_s
from tapetum.realtime.command.progress_bar import ProgressBar, format_time
from tapetum.realtime.progress import Building

pytestmark = pytest.mark.slow


def test_pace_and_time_left_by_hand() -> None:
    progress = Progress(50, 200, elapsed_s=2.0, media_s=1.0, first_frame_s=1.02)
    assert (progress.fps, progress.speed) == (25.0, 0.5)
    assert progress.eta_s == pytest.approx(3.0)  # 49 frames in 0.98 s after the first


def test_loading_says_nothing_of_the_time_left() -> None:
    assert Progress(1, 200, elapsed_s=5.0, media_s=0.04, first_frame_s=5.0).eta_s is None
    assert Progress(1, 1, elapsed_s=5.0, media_s=0.04, first_frame_s=5.0).eta_s == 0


def test_an_unknown_total_has_no_time_left() -> None:
    assert Progress(10, None, 1.0, 1.0).eta_s is None
    assert Progress(0, 10, 0.0, 0.0).eta_s is None


def test_more_frames_than_promised_leave_no_negative_time() -> None:
    assert Progress(12, 10, 1.0, 1.0).eta_s == 0


def test_the_bar_shows_frames_pace_and_time_left_on_a_terminal() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with ProgressBar(console) as bar:
        bar(Progress(50, 200, 2.0, 1.0, 0.04))
    shown = screen.getvalue()
    for part in ("frame 50/200", "25%", "25.0 fps", "0.50x real time", "00:06 left"):
        assert part in shown


def test_the_bar_is_silent_where_there_is_no_terminal() -> None:
    screen = io.StringIO()
    with ProgressBar(Console(file=screen)) as bar:
        bar(Progress(50, 200, 2.0, 1.0))
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90.5", 90.5),
        (".25", 0.25),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("1:30", 90),
        ("01:30.250", 90.25),
        ("1:00:00", 3600),
        ("100:00:01", 360001),
    ],
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert parse_time_s(text) == seconds


@pytest.mark.parametrize("text", ["", "1:99", "1:2:3:4", "-1", "1,5", "ten", "1:60:00", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time; write seconds, like 90"):
        parse_time_s(text)


@pytest.mark.parametrize(("text", "budget_ms"), [("50ms", 50), ("0.05s", 50), ("1 s", 1000)])
def test_budgets_have_a_unit(text: str, budget_ms: float) -> None:
    assert parse_budget_ms(text) == budget_ms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("50", "50 of what\\? Write 50ms or 50s"),
        ("0", "'0' is no time over 0"),
        ("-5ms", "no time over 0"),
        ("61s", "longer than a minute"),
    ],
)
def test_a_budget_without_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        parse_budget_ms(text)


@given(st.integers(0, 10**6))
def test_a_formatted_time_is_read_back(seconds: int) -> None:
    assert parse_time_s(format_time(seconds)) == seconds


def test_a_build_is_announced_once_and_shown_by_its_phases() -> None:
    screen = io.StringIO()
    with ProgressBar(Console(file=screen, force_terminal=True, width=120)) as bar:
        bar.build(Building("grid 256x256 for NVIDIA L4, sm_89 with tensorrt 11.0 fp16"))
        bar.build(Building("grid", "Optimizing graph", 1, 4))
    shown = screen.getvalue()
    assert shown.count("building grid 256x256 for NVIDIA L4, sm_89 with tensorrt 11.0 fp16") == 1
    assert "building an engine: Optimizing graph" in shown
    assert "25%" in shown


def test_a_quiet_build_says_nothing() -> None:
    screen = io.StringIO()
    with ProgressBar(Console(file=screen, force_terminal=True), visible=False) as bar:
        bar.build(Building("grid 256x256 for NVIDIA L4, sm_89 with tensorrt 11.0 fp16"))
    assert screen.getvalue() == ""
