"""Several workers: the same film as by one, whatever happens to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.command_line import environment, tapetum
from support.frames_of_file import read
from support.inline_crew import Fault, InlineCrew
from support.live_parts import wait_until
from support.media import Clip, blank_packet, make_clip
from support.media_contents import tracks
from support.photos import dark_colors
from support.small_clips import write_noisy_clip

from tapetum.realtime import enhance_file, segments
from tapetum.realtime.batch import parallel
from tapetum.realtime.batch.ledger import Ledger, Outcome
from tapetum.realtime.batch.parallel import ParallelJob
from tapetum.realtime.batch.processes import ProcessCrew
from tapetum.realtime.batch.tree import Plan, Task, make_plan
from tapetum.realtime.batch.worker import Answer, FileWork, MadeSegment, SegmentWork, Work
from tapetum.realtime.frame import Frame
from tapetum.realtime.progress import EnhanceResult
from tapetum.realtime.segments import handover, joining, segment, segment_maker, segmented_sink
from tapetum.realtime.segments.handover import Handover
from tapetum.realtime.segments.job_folder import job_folder_path, unfinished_jobs

TAPETUM = (sys.executable, "-m", "tapetum.realtime")


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds each, after half a second of warm-up."""
    for module in (segments, segment, segment_maker):
        monkeypatch.setattr(module, "SEGMENT_S", 2)
    for module in (segmented_sink, joining, segment_maker):
        monkeypatch.setattr(module, "WARM_UP_S", 0.5)


@pytest.fixture
def film_clip(tmp_path: Path) -> Path:
    """Nine seconds, which are five segments."""
    clip = Clip(frames=90, rate=10, options={"bf": "2", "g": "13"}, audio=["aac"])
    return make_clip(tmp_path / "in.mp4", clip)


def contents(path: Path) -> list[Any]:
    return [found.packets for found in tracks(path)]


class Job:
    """One film by workers of this process."""

    def __init__(
        self,
        source: Path,
        output: Path,
        model: Path,
        workers: int = 2,
        fault: Fault = lambda *_: None,
    ) -> None:
        options = {"model": model, "when_dark": False, "codec": "ffv1"}
        self.crew = InlineCrew(workers, options, fault)  # type: ignore[arg-type]
        self.notes: list[str] = []
        ledger = Ledger(None, overwrite=False, options=options)  # type: ignore[arg-type]
        self._job = ParallelJob(ledger, self.crew, on_note=self.notes.append)
        self._plan = Plan([Task(source, output)])

    def run(self) -> Outcome:
        with closing(self._job):
            (outcome,) = self._job.outcomes(self._plan)
        return outcome

    @property
    def segments(self) -> list[int]:
        return [work.number for _, work in self.crew.done if isinstance(work, SegmentWork)]


@dataclass(frozen=True)
class Case:
    """A film to make, and what one worker makes of it undisturbed."""

    source: Path
    output: Path
    model: Path
    one: Path
    undisturbed: list[Any]

    def job(self, workers: int = 2, fault: Fault = lambda *_: None) -> Job:
        return Job(self.source, self.output, self.model, workers, fault)

    def by_one_process(self) -> EnhanceResult:
        return enhance_file(
            self.source, self.output, model=self.model, when_dark=False, codec="ffv1"
        )


def case_of(source: Path, model: Path) -> Case:
    one = source.with_name("one.mkv")
    job = Job(source, one, model, workers=1)
    assert job.run().state == "done"
    assert job.segments == [0, 1, 2, 3, 4]
    return Case(source, source.with_name("bright.mkv"), model, one, contents(one))


@pytest.fixture
def case(film_clip: Path, gain_model: Path, short_segments: None) -> Case:
    del short_segments
    return case_of(film_clip, gain_model)


@pytest.fixture
def noisy_case(gain_model: Path, tmp_path: Path, short_segments: None) -> Case:
    """Who begins in the middle does not know what rests, and where bars are; so it is told."""
    del short_segments
    return case_of(write_noisy_clip(tmp_path / "in.mp4", frames=100, rate=10), gain_model)


@pytest.mark.parametrize("workers", [2, 3, 9])
def test_more_workers_make_the_same_film(case: Case, workers: int) -> None:
    job = case.job(workers)
    result = job.run().result
    assert result is not None
    assert (result.frames, result.media_s) == (90, 9.0)
    assert sorted(job.segments) == [0, 1, 2, 3, 4]
    assert contents(case.output) == case.undisturbed
    assert not job_folder_path(case.output).exists()


def test_damage_is_counted_once(
    film_clip: Path, gain_model: Path, tmp_path: Path, short_segments: None
) -> None:
    """Also what lies in the warm-up of a segment, or right before it."""
    del short_segments
    for number in (10, 57, 59, 70):
        blank_packet(film_clip, number)
    found = []
    for workers in (1, 2, 9):
        outcome = Job(film_clip, tmp_path / f"{workers}.mkv", gain_model, workers).run()
        assert outcome.state == "damaged"
        assert outcome.result is not None
        found.append((outcome.result.corrupt_packets, outcome.result.damaged_frames))
    assert sum(found[0]) >= 4
    assert found == found[:1] * 3


def test_a_worker_goes_on_where_it_is_and_a_new_one_takes_half(case: Case) -> None:
    job = case.job()
    job.run()
    by_worker: dict[int, list[int]] = {}
    for worker, work in job.crew.done:
        if isinstance(work, SegmentWork):
            by_worker.setdefault(worker, []).append(work.number)
    assert by_worker == {0: [0, 1, 2], 1: [3, 4]}


@pytest.mark.parametrize("fault", ["it died", "hangs", "wrong packets"])
def test_what_a_worker_loses_is_done_again(
    case: Case,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun_s: list[float] = []

    def fail_once(_: int, work: Work) -> Answer | str | None:
        if not (isinstance(work, SegmentWork) and work.number == 3):
            return None
        begun_s.append(time.monotonic())
        if fault == "hangs":
            return fault if begun_s[-1] - begun_s[0] < 1.6 else None
        if len(begun_s) > 1:
            return None
        if fault != "wrong packets":
            return fault
        path = work.folder / "000003.here.part"
        path.write_bytes(b"something else")
        packets = "0" * 64
        made = segment.Segment(
            (), 1, 0, 1, None, None, None, 4, "", 0, 0, False, packets, "", "", ""
        )
        return MadeSegment(made, path, None)

    if fault == "hangs":
        for name in ("_SHORTEST_PATIENCE_S", "_FIRST_PATIENCE_S"):
            monkeypatch.setattr(parallel, name, 1.5)
        monkeypatch.setattr(parallel, "_PATIENCE", 0)
    job = case.job(fault=fail_once)
    assert job.run().state == "done"
    assert job.segments.count(3) >= 2
    assert contents(case.output) == case.undisturbed


def test_a_worker_that_has_not_moved_yet_is_given_time(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have to compile what its first frame needs; that it lives is no pace."""
    monkeypatch.setattr(parallel, "_SHORTEST_PATIENCE_S", 0.0)
    monkeypatch.setattr(parallel, "_PATIENCE", 0)
    asked = []

    def compile_first(_: int, work: Work) -> str | None:
        asked.append(work)
        return "hangs" if len(asked) < 20 else None

    job = case.job(fault=compile_first)
    assert job.run().state == "done"
    assert job.notes == []


def test_a_film_that_kills_every_worker_fails_and_keeps_what_is_done(case: Case) -> None:
    def die(_: int, work: Work) -> str | None:
        return "it died" if isinstance(work, SegmentWork) and work.number == 2 else None

    outcome = case.job(fault=die).run()
    assert outcome.state == "failed"
    assert "3 workers were lost over it; of the last: it died" in outcome.reason
    (job,) = unfinished_jobs(case.output.parent)
    assert job.frames >= 40
    again = case.job()
    result = again.run().result
    assert result is not None
    assert result.frames_before == job.frames
    assert any("continued" in notice for notice in result.notices)
    assert set(again.segments).isdisjoint({0, 1})
    assert contents(case.output) == case.undisturbed


@pytest.mark.parametrize("has_memory", [True, False])
def test_a_seam_that_would_be_seen_is_made_again(
    case: Case,
    monkeypatch: pytest.MonkeyPatch,
    has_memory: bool,
) -> None:
    """As where an enhancer remembers more than the warm-up gives it."""
    make = segment_maker.SegmentMaker.make

    def make_unlike(
        self: segment_maker.SegmentMaker, number: int, path: Path, handed: Handover | None
    ) -> segment.Segment:
        fresh = self.can_make(number) and self.can_make(number + 7)
        made = make(self, number, path, handed)
        if not fresh or made.before is None or handed is not None:
            return made
        return replace(made, before=replace(made.before, pts=made.before.pts - 1))

    monkeypatch.setattr(segment_maker.SegmentMaker, "make", make_unlike)
    if not has_memory:
        monkeypatch.setattr(handover, "memory_of", lambda _: b"")
    job = case.job()
    result = job.run().result
    assert result is not None
    if has_memory:
        assert any("its parts follow each other" in notice for notice in result.notices)
        assert sorted(job.segments) == [0, 1, 2, 3, 3, 4, 4]
    else:
        assert any("would be seen; begun anew, in one go" in notice for notice in result.notices)
        assert job.segments[-5:] == [0, 1, 2, 3, 4]
    assert contents(case.output) == case.undisturbed


def test_a_noisy_film_is_the_same_by_several(noisy_case: Case) -> None:
    job = noisy_case.job()
    result = job.run().result
    assert result is not None
    assert any("its parts follow each other" in notice for notice in result.notices)
    assert job.segments == [0, 3, 1, 4, 2, 3, 4]
    found, wanted = read(noisy_case.output), read(noisy_case.one)
    same = [share_of_like_samples(*pair) for pair in zip(found, wanted, strict=True)]
    assert min(same) >= 0.999
    assert not job_folder_path(noisy_case.output).exists()


def test_one_process_leaves_what_several_began_in_the_middle(noisy_case: Case) -> None:
    """Parts behind a seam that would be seen lie on the disk when the job is killed."""
    made: list[int] = []

    def die(_: int, work: Work) -> str | None:
        made.extend([work.number] if isinstance(work, SegmentWork) else [])
        return "it died" if made.count(3) > 1 else None

    assert noisy_case.job(fault=die).run().state == "failed"
    (left,) = unfinished_jobs(noisy_case.output.parent)
    assert left.frames == 100
    assert noisy_case.by_one_process().frames_before == 60
    assert contents(noisy_case.output) == noisy_case.undisturbed


def share_of_like_samples(found: Frame, wanted: Frame) -> float:
    assert found.pts == wanted.pts
    pairs = zip(found.planes, wanted.planes, strict=True)
    apart = [np.abs(one.astype(int) - other.astype(int)).ravel() for one, other in pairs]
    return float((np.concatenate(apart) <= 1).mean())


def test_one_process_and_several_continue_each_other(case: Case) -> None:
    def die(_: int, work: Work) -> str | None:
        return "it died" if isinstance(work, SegmentWork) and work.number == 2 else None

    case.job(fault=die).run()
    assert case.by_one_process().frames_before == 40
    assert contents(case.output) == case.undisturbed


@pytest.mark.parametrize("change", ["shrinks", "grows"])
def test_a_film_that_changes_in_the_middle_is_not_called_done(case: Case, change: str) -> None:
    def disturb(_: int, work: Work) -> None:
        if isinstance(work, SegmentWork) and work.number == 3:
            size = case.source.stat().st_size
            os.truncate(case.source, size // 2 if change == "shrinks" else size + 5000)

    outcome = case.job(fault=disturb).run()
    assert outcome.state == "failed"
    assert "\n" not in outcome.reason
    assert [path.name for path in case.output.parent.iterdir() if path.stem == "bright"] == []


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    folder = tmp_path / "nights"
    (folder / "june").mkdir(parents=True)
    make_clip(folder / "a.mkv", Clip(frames=8))
    make_clip(folder / "june" / "b.mp4", Clip(frames=6, width=96))
    for number in range(5):
        Image.fromarray(dark_colors()).save(folder / "june" / f"c{number}.png")
    (folder / "june" / "c2.png").write_bytes(b"no photo")
    (folder / "broken.mp4").write_bytes(b"no video at all")
    return folder


def test_a_folder_by_workers(nights: Path, tmp_path: Path, gain_model: Path) -> None:
    """Photos go in batches; whoever is lost over one costs the others nothing."""
    output = tmp_path / "bright"
    options = {"model": gain_model}

    def die_over_c3(_: int, work: Work) -> str | None:
        names = {task.source.name for task in work.tasks} if isinstance(work, FileWork) else set()
        return "it died" if "c3.png" in names else None

    crew = InlineCrew(2, options, die_over_c3)  # type: ignore[arg-type]
    ledger = Ledger(output, overwrite=False, options=options)  # type: ignore[arg-type]
    with closing(ParallelJob(ledger, crew)) as job:
        outcomes = {o.source.name: o for o in job.outcomes(make_plan([nights], output))}
    states = {name: outcome.state for name, outcome in outcomes.items()}
    done = dict.fromkeys(("a.mkv", "b.mp4", "c0.png", "c1.png", "c4.png"), "done")
    assert states == done | dict.fromkeys(("broken.mp4", "c2.png", "c3.png"), "failed")
    assert "3 workers were lost over it" in outcomes["c3.png"].reason
    crew = InlineCrew(2, options)  # type: ignore[arg-type]
    with closing(ParallelJob(ledger, crew)) as job:
        again = {o.source.name: o.state for o in job.outcomes(make_plan([nights], output))}
    assert again == dict.fromkeys(done, "skipped") | {
        "broken.mp4": "failed",
        "c2.png": "failed",
        "c3.png": "done",
    }


# Real processes --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred seconds and a minute, of few frames."""
    folder = tmp_path_factory.mktemp("films")
    make_clip(folder / "a.mp4", Clip(frames=500, rate=5, options={"g": "20"}))
    make_clip(folder / "b.mp4", Clip(frames=310, rate=5))
    (folder / "c.mp4").write_text("no film")
    return folder


def command(films: Path, output: Path, model: Path, workers: int) -> list[str]:
    options = ["--model", model, "--always", "--workers", workers, "--json", "--quiet"]
    return [str(word) for word in ("enhance", films, output, *options)]


def films_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.mp4")}


@pytest.mark.slow
def test_processes_that_are_killed_and_stopped_cost_nothing(
    two_films: Path, tmp_path: Path, gain_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker makes the films undisturbed; of two others one is killed, and one is stopped."""
    one, two = tmp_path / "one", tmp_path / "two"
    answer = tapetum(*command(two_films, one, gain_model, 1))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"failed: {two_films / 'c.mp4'}: cannot open")
    *_, summary = map(json.loads, answer.stdout.splitlines())
    assert (summary["done"], summary["failed"]) == (2, 1)

    monkeypatch.setattr(parallel, "_FIRST_PATIENCE_S", 3.0)
    monkeypatch.setattr(parallel, "_SHORTEST_PATIENCE_S", 3.0)
    options = {"model": gain_model, "when_dark": False}
    crew = ProcessCrew(2, options)  # type: ignore[arg-type]
    ledger = Ledger(two, overwrite=False, options=options)  # type: ignore[arg-type]
    notes: list[str] = []
    left = [(signal.SIGKILL, "it ended by SIGKILL"), (signal.SIGSTOP, "did not move")]

    def disturb(_: object) -> None:
        if left and any(job.frames for job in unfinished_jobs(two)):
            number, _words = left.pop(0)
            os.kill(next(iter(crew.processes.values())), number)

    job = ParallelJob(ledger, crew, on_crew=disturb, on_note=notes.append)
    with closing(job):
        outcomes = list(job.outcomes(make_plan([two_films], two)))
    assert sorted(outcome.state for outcome in outcomes) == ["done", "done", "failed"]
    assert not left
    assert any("SIGKILL" in note for note in notes), notes
    assert films_of(two) == films_of(one)


@pytest.mark.slow
def test_a_driver_that_is_killed_loses_a_segment_of_each_worker_at_most(
    two_films: Path, tmp_path: Path, gain_model: Path
) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    source = two_films / "a.mp4"
    options = ("--model", gain_model, "--always", "--workers", "2")
    assert tapetum("enhance", source, one, *options).returncode == 0
    for number, status in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        words = ["enhance", source, two, *options]
        driver = subprocess.Popen(
            [*TAPETUM, *map(str, words)],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun_s = time.monotonic()
        frames = sum(job.frames for job in unfinished_jobs(tmp_path))
        wait_until(
            lambda: sum(job.frames for job in unfinished_jobs(tmp_path)) > frames  # noqa: B023
        )
        os.killpg(driver.pid, number)
        _, said = driver.communicate(timeout=60)
        assert driver.returncode == status, said
        assert time.monotonic() - begun_s < 60
    assert not two.exists()
    again = tapetum("enhance", source, two, *options)
    assert again.returncode == 0, again.stderr
    assert "note: a.mp4: continued" in again.stderr
    assert two.read_bytes() == one.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no files")
def test_where_there_is_no_room_the_rest_goes_on(
    two_films: Path, tmp_path: Path, gain_model: Path
) -> None:
    """No file may become so large as the long film; it waits for room, and loses nothing."""
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("--model", gain_model, "--always", "--codec", "ffv1", "--ext", "mkv", "--quiet")
    words = [str(word) for word in ("enhance", two_films, two, *options, "--workers", "2")]
    undisturbed = tapetum("enhance", two_films, one, *options, "--workers", "1")
    assert undisturbed.returncode == 1  # c.mp4
    long_bytes = (one / "a.mkv").stat().st_size
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({long_bytes - 1},) * 2);"
        " from tapetum.realtime.command.cli import main; main()"
    )
    full = subprocess.run(
        [sys.executable, "-c", limited, *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 1
    said = [line for line in full.stderr.splitlines() if "a.mp4" in line]
    assert len(said) == 1
    assert "cannot write" in said[0]
    assert "the file is larger than the file system allows" in said[0]
    assert [path.name for path in two.glob("*.mkv")] == ["b.mkv"]
    (left,) = unfinished_jobs(two)
    assert left.frames > 0
    assert tapetum(*words).returncode == 1
    assert [contents(two / name) for name in ("a.mkv", "b.mkv")] == [
        contents(one / name) for name in ("a.mkv", "b.mkv")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--workers", "none"], 2, "workers are 1 or more, or auto"),
        (["--workers", "2", "--start", "3"], 2, "without --workers"),
        (["--workers", "2", "--model", "{out}/none.onnx"], 2, "none.onnx"),
    ],
)
def test_what_cannot_be_is_one_line(
    two_films: Path, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    places = {"out": str(tmp_path)}
    arguments = [word.format(**places) for word in words]
    answer = tapetum("enhance", two_films / "a.mp4", tmp_path / "a.mp4", *arguments)
    assert answer.returncode == status
    (line,) = answer.stderr.splitlines()
    assert said in line
