"""`tapetum bench --capacity`: how many streams fit."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tapetum.benchmarks.bench.capacity import Capacity, capacity, most
from tapetum.benchmarks.bench.subjects import EMPTY, Subject, empty_subject
from tapetum.benchmarks.documents.performance import capacity_table
from tapetum.benchmarks.measure.frames import synthetic_frames
from tapetum.realtime import Frame
from tapetum.realtime.command.cli import run_command


@pytest.mark.parametrize("fitting", [0, 1, 2, 3, 7, 8, 23])
def test_the_largest_number_that_fits_is_found(fitting: int) -> None:
    tried: list[int] = []

    def fits(streams: int) -> bool:
        tried.append(streams)
        return streams <= fitting

    assert most(fits, limit=64) == fitting
    assert len(tried) <= 13
    assert most(lambda _streams: True, limit=8) == 8


def test_what_fitted_by_chance_once_does_not_count() -> None:
    seen: list[int] = []

    def fits(streams: int) -> bool:
        seen.append(streams)
        return streams <= 3 or (streams == 4 and seen.count(4) == 1)

    assert most(fits, limit=64) == 3


def test_a_capacity_is_said_in_a_sentence() -> None:
    found = Capacity("grid", "CPU", "1280x720", 30, 3, 80.0)
    assert str(found) == "grid at 1280x720, 30 frames a second: 3 streams fit"
    assert str(replace(found, streams=1)).endswith(": 1 stream fits")
    assert str(replace(found, subject="unet", streams=0)).endswith(": none fits")


@pytest.mark.slow
def test_what_waits_longer_than_a_camera_does_not_fit() -> None:
    frames = synthetic_frames(64, 48, count=2)

    def make() -> object:
        def enhance(frame: Frame) -> Frame:
            threading.Event().wait(0.2)
            return frame

        return enhance

    slow = Subject("slow", make, "nowhere")  # type: ignore[arg-type]
    assert capacity(slow, frames, rate_fps=20, seconds=1).streams == 0
    assert empty_subject().name == EMPTY


@pytest.mark.slow
def test_the_command_writes_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capacity.json"
    few = ["--size", "96x64", "--seconds", "0.1", "--rate", "10", "--model", "empty"]
    assert run_command(["bench", "--capacity", *few, "--json", str(file)]) == 0
    said = capsys.readouterr().out
    (found,) = json.loads(file.read_text())["capacity"]
    assert str(Capacity(**found)) in said
    assert f"| empty | 96x64 at 10 | {found['streams'] or 'none'} |" in capacity_table(tmp_path)


def test_other_measurements_are_not_mixed_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["bench", "--capacity", "--scenario", "paced"]) == 2
    assert "--capacity is a measurement of its own" in capsys.readouterr().err
