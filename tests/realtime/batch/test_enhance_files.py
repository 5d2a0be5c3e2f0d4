"""Many files in one job: one that fails ends nothing, and nothing is done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.command_line import environment, tapetum
from support.frames_of_file import read
from support.live_parts import wait_until
from support.media import Clip, make_clip
from support.photos import dark_colors
from support.this_gpu import has_driver

from tapetum.realtime import Outcome, enhance_file, enhance_files
from tapetum.realtime.batch.arrivals import Arrivals
from tapetum.realtime.batch.record import NAME
from tapetum.realtime.batch.tree import make_plan
from tapetum.realtime.errors import DeviceError

TAPETUM = (sys.executable, "-m", "tapetum.realtime")


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    """Two videos, a photo, a broken video and a text."""
    folder = tmp_path / "nights"
    (folder / "june").mkdir(parents=True)
    make_clip(folder / "a.mkv", Clip(frames=8))
    make_clip(folder / "june" / "b.mp4", Clip(frames=6, width=96))
    Image.fromarray(dark_colors()).save(folder / "june" / "c.png")
    (folder / "broken.mp4").write_bytes(b"no video at all")
    (folder / "notes.txt").write_text("remember the milk")
    return folder


def assert_frames_equal(found: Path, wanted: Path) -> None:
    pairs = zip(read(found), read(wanted), strict=True)
    assert all(np.array_equal(one.planes[0], other.planes[0]) for one, other in pairs)


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.source.name: outcome.state for outcome in outcomes}


def bright(nights: Path, output: Path, model: Path, **options: Any) -> list[Outcome]:
    return list(enhance_files([nights], output, model=model, **options))


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
@pytest.mark.parametrize("workers", [None, 2])
def test_a_gpu_that_is_not_there_is_one_line_for_all_files(
    nights: Path, tmp_path: Path, gain_model: Path, workers: Any
) -> None:
    with pytest.raises(DeviceError, match=r"cuda:0 (cannot be used|needs CuPy): "):
        bright(nights, tmp_path / "out", gain_model, device="cuda", workers=workers)


def test_each_output_is_that_of_its_file_alone(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    """One loaded model serves all, and remembers nothing of the file before."""
    output = tmp_path / "bright"
    outcomes = bright(nights, output, gain_model, crf=30)
    assert states(outcomes) == {
        "a.mkv": "done",
        "b.mp4": "done",
        "c.png": "done",
        "broken.mp4": "failed",
    }
    for name, quality in (("a.mkv", 30), ("june/b.mp4", 30), ("june/c.png", None)):
        alone = tmp_path / f"alone{Path(name).suffix}"
        enhance_file(nights / name, alone, model=gain_model, crf=quality)
        if name == "a.mkv":  # in which a number is drawn by chance
            assert_frames_equal(output / name, alone)
        else:
            assert (output / name).read_bytes() == alone.read_bytes()
    (failed,) = [outcome for outcome in outcomes if outcome.state == "failed"]
    assert failed.reason.startswith(f"cannot open {nights / 'broken.mp4'}: ")
    assert not (output / "broken.mp4").exists()
    assert not (output / "notes.txt").exists()


def test_what_is_done_is_not_done_again(nights: Path, tmp_path: Path, gain_model: Path) -> None:
    output = tmp_path / "bright"
    bright(nights, output, gain_model)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.m*")}
    again = states(bright(nights, output, gain_model))
    assert [again[name] for name in ("a.mkv", "b.mp4", "c.png")] == ["skipped"] * 3
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.m*")} == before
    anew = states(bright(nights, output, gain_model, overwrite=True))
    assert [anew[name] for name in ("a.mkv", "b.mp4", "c.png")] == ["done"] * 3


def test_other_options_do_not_replace_what_is_there(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    output = tmp_path / "bright"
    bright(nights, output, gain_model)
    (other,) = [o for o in bright(nights, output, gain_model, strength=0.5) if o.source.stem == "a"]
    assert (other.state, "pass --overwrite" in other.reason) == ("failed", True)


def test_an_input_that_grew_since_is_done_again(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    output = tmp_path / "bright"
    bright(nights, output, gain_model)
    make_clip(nights / "a.mkv", Clip(frames=20))
    assert states(bright(nights, output, gain_model))["a.mkv"] == "done"


def test_a_file_of_the_users_is_never_replaced(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    output = tmp_path / "bright"
    output.mkdir()
    (output / "a.mkv").write_text("mine")
    assert states(bright(nights, output, gain_model))["a.mkv"] == "failed"
    assert states(bright(nights, output, gain_model))["a.mkv"] == "failed"
    assert (output / "a.mkv").read_text() == "mine"


def test_a_file_that_changes_while_it_is_read_is_not_called_done(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    from tapetum.realtime.batch.enhance_files import Watch

    def grow(_started: object) -> None:
        with (nights / "a.mkv").open("ab") as file:
            file.write(b"more")

    output = tmp_path / "bright"
    first, *_ = enhance_files(
        [nights / "a.mkv"], output, model=gain_model, watch=Watch(on_start=grow)
    )
    assert (first.state, "changed while it was read" in first.reason) == ("failed", True)
    assert not (output / "a.mkv").exists()
    assert states(bright(nights, output, gain_model))["a.mkv"] in {"done", "damaged"}


def test_other_files_are_copied_on_wish(nights: Path, tmp_path: Path, gain_model: Path) -> None:
    output = tmp_path / "bright"
    found = states(bright(nights, output, gain_model, copy_others=True))
    assert found["notes.txt"] == "copied"
    assert (output / "notes.txt").read_text() == "remember the milk"
    assert states(bright(nights, output, gain_model, copy_others=True))["notes.txt"] == "skipped"
    (nights / "notes.txt").write_text("remember the bread")
    *_, other = bright(nights, output, gain_model, copy_others=True)
    assert (other.state, "pass --overwrite" in other.reason) == ("failed", True)
    *_, other = bright(nights, output, gain_model, copy_others=True, overwrite=True)
    assert (other.state, (output / "notes.txt").read_text()) == ("copied", "remember the bread")


def test_a_torn_record_costs_one_file_and_nothing_else(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    """As a power cut leaves it."""
    output = tmp_path / "bright"
    bright(nights, output, gain_model)
    record = output / NAME
    lines = record.read_text().splitlines(keepends=True)
    last = next(line for line in reversed(lines) if '"june/c.png"' in line)
    record.write_text("".join(lines[: lines.index(last)]) + last[:40])
    found = states(bright(nights, output, gain_model))
    assert (found["a.mkv"], found["b.mp4"], found["c.png"]) == ("skipped", "skipped", "done")
    assert states(bright(nights, output, gain_model))["c.png"] == "skipped"


@pytest.mark.slow
def test_a_job_that_is_killed_goes_on(sample_clip: Path, tmp_path: Path, gain_model: Path) -> None:
    """Also where it had just given an output its name, and said nothing of it yet."""
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        shutil.copy(sample_clip, folder / name)
    command = ["enhance", str(folder), str(output), "--model", str(gain_model)]
    job = subprocess.Popen([*TAPETUM, *command], env=environment(), stderr=subprocess.DEVNULL)
    wait_until((output / "a.mp4").exists, seconds=200)
    job.send_signal(signal.SIGKILL)
    job.wait()
    answer = tapetum(*command, "--json")
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in output.iterdir()) == [NAME, "a.mp4", "b.mp4", "c.mp4"]
    sizes = {path.stat().st_size for path in output.glob("*.mp4")}
    assert len(sizes) == 1


def test_a_watched_file_is_taken_when_nobody_writes_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    now_s = 0.0
    arrivals = Arrivals(settle_s=10, clock=lambda: now_s)

    def settled() -> list[str]:
        return [
            task.source.name for task in arrivals.settled(make_plan([folder], tmp_path / "o")).tasks
        ]

    film = folder / "a.mp4"
    film.write_bytes(b"x" * 10)
    assert settled() == []
    now_s = 9.0
    film.write_bytes(b"x" * 20)
    assert settled() == []
    now_s = 18.0
    assert settled() == []
    now_s = 19.0
    assert settled() == ["a.mp4"]
    assert settled() == []
    film.write_bytes(b"x" * 30)
    settled()
    now_s = 40.0
    assert settled() == ["a.mp4"]
    (folder / "empty.mp4").touch()
    settled()
    now_s = 60.0
    assert settled() == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_file_that_a_program_has_open_waits(tmp_path: Path) -> None:
    """A recorder may write nothing for a minute, and then go on."""
    film, now_s = tmp_path / "in" / "a.mp4", 0.0
    film.parent.mkdir()
    held: list[Path] = []
    arrivals = Arrivals(settle_s=10, clock=lambda: now_s, on_held=held.append)

    def settled() -> list[Path]:
        plan = make_plan([film.parent], tmp_path / "o")
        return [task.source for task in arrivals.settled(plan).tasks]

    with film.open("wb") as file:
        file.write(b"x" * 10)
        file.flush()
        settled()
        now_s = 60.0
        assert settled() == settled() == []
    assert held == [film]
    assert settled() == [film]


def test_a_watch_forgets_what_is_gone_and_tells_refusals_once(tmp_path: Path) -> None:
    folder, now_s = tmp_path / "in", 0.0
    folder.mkdir()
    arrivals = Arrivals(settle_s=10, clock=lambda: now_s)

    def settled() -> tuple[list[str], list[str]]:
        found = arrivals.settled(make_plan([folder], tmp_path / "o", may_be_none=True))
        return [task.source.name for task in found.tasks], [path.name for path, _ in found.refused]

    for name in ("a.avi", "a.mkv"):  # both would be a.mkv
        (folder / name).write_bytes(b"x")
    assert settled() == ([], ["a.mkv"])
    now_s = 20.0
    assert settled() == (["a.avi"], [])
    for path in folder.iterdir():
        path.unlink()
    settled()
    assert not arrivals._told
    assert not arrivals._seen
    (folder / "a.mkv").write_bytes(b"x")
    settled()
    now_s = 40.0
    assert settled() == (["a.mkv"], [])


@pytest.mark.slow
def test_a_watched_folder_is_worked_off(tmp_path: Path, gain_model: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    job = subprocess.Popen(
        [*TAPETUM, "enhance", folder / "*.mp4", output, "--watch", "--model", gain_model],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    make_clip(folder / "late.mp4", Clip(frames=5))
    try:
        wait_until((output / "late.mp4").exists, seconds=200)
        time.sleep(0.5)
        job.send_signal(signal.SIGINT)
        _, said = job.communicate(timeout=60)
    finally:
        job.kill()
    assert job.returncode == 130
    assert "watching for files" in said


@pytest.mark.slow
def test_the_command_tells_a_person_and_a_program(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    output = tmp_path / "bright"
    answer = tapetum("enhance", nights, output, "--model", gain_model, "--json", "--quiet")
    assert answer.returncode == 1
    *files, summary = map(json.loads, answer.stdout.splitlines())
    assert {event["event"] for event in files} == {"file"}
    assert summary.pop("elapsed_s") > 0
    assert summary == {"event": "summary", "failed": 1, "done": 3}
    assert answer.stderr.startswith(f"failed: {nights / 'broken.mp4'}: cannot open")
    (nights / "broken.mp4").unlink()
    again = tapetum("enhance", nights, output, "--model", gain_model)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr.startswith("3 done before, 1 neither video nor photo, left alone in ")


@pytest.mark.slow
def test_a_dry_run_says_how_long_and_how_large(
    nights: Path, tmp_path: Path, gain_model: Path
) -> None:
    output = tmp_path / "bright"
    answer = tapetum("enhance", nights, output, "--model", gain_model, "--dry-run", "--json")
    assert answer.returncode == 0, answer.stderr
    rows = {
        Path(row["input"]).name: row["estimate"]
        for row in map(json.loads, answer.stdout.splitlines())
    }
    assert rows["broken.mp4"] is None
    assert all(rows[name]["size_bytes"] > 0 for name in ("a.mkv", "b.mp4", "c.png"))
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["{in}", "{in}/out"], 1, "lies in the input folder"),
        (["{in}", "{in}"], 1, "is the input folder"),
        (["{in}/*.xyz", "{out}"], 1, "no file matches"),
        (["{in}", "{out}", "--ext", "xyz"], 1, ".xyz cannot be written"),
        (["{in}", "{out}", "--start", "3"], 2, "are for one file"),
        (["{in}", "{out}", "--newer-than", "soon"], 2, "is no age or date"),
        (["--from-file", "{in}/none.txt", "{out}"], 1, "cannot be read"),
        (["{in}/a.mkv", "{in}/june/c.png/out", "--suffix", "_b"], 1, "cannot be made"),
        (["{out}"], 2, "give an input and an output"),
    ],
)
def test_what_cannot_be_is_one_line(
    nights: Path, tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    places = {"in": str(nights), "out": str(tmp_path / "bright")}
    answer = tapetum("enhance", *(argument.format(**places) for argument in arguments))
    assert answer.returncode == status
    (line,) = answer.stderr.splitlines()
    assert words in line


@pytest.mark.slow
def test_a_list_of_names_may_hold_any(tmp_path: Path, gain_model: Path) -> None:
    """But for the end of a line, which ends a name."""
    names = [os.fsdecode(b"caf\xe9.mp4"), "a\u2028b.mp4", "c\x0cd \x85.mp4"]
    for name in names:
        make_clip(tmp_path / "a.mp4", Clip(frames=3)).rename(tmp_path / name)
    output = tmp_path / "out"
    answer = subprocess.run(
        [*TAPETUM, "enhance", "--from-file", "-", output, "--model", gain_model, "--quiet"],
        input="\r\n".join(str(tmp_path / name) for name in names).encode(errors="surrogateescape"),
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in output.glob("*.mp4")) == sorted(names)


@pytest.mark.slow
def test_names_that_are_no_text_are_done_and_told(tmp_path: Path, gain_model: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.mp4")
    make_clip(folder / "a.mp4", Clip(frames=3)).rename(folder / name)
    for said in ("3 frames", "1 done before"):
        answer = tapetum("enhance", folder, output, "--model", gain_model, "--json")
        assert answer.returncode == 0, answer.stderr
        assert said[0] in answer.stdout
    assert (output / name).exists()
