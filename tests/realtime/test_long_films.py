"""Long films: done in segments, killed, continued, and never with a seam that can be seen."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from support.command_line import environment, tapetum
from support.media import Clip, blank_packet, make_clip
from support.media_contents import track, tracks
from support.small_clips import write_noisy_clip

from tapetum.realtime import MediaError, enhance_file, segments
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.segments import joining, segment, segmented_sink
from tapetum.realtime.segments.handover import recall
from tapetum.realtime.segments.job_folder import JobFolder, job_folder_path, unfinished_jobs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_thread_is_left")]

bright = partial(enhance_file, when_dark=False)
"""The clips are well lit, and would come out as they went in."""


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds each, after half a second of warm-up."""
    for module in (segments, segment):
        monkeypatch.setattr(module, "SEGMENT_S", 2)
    for module in (segmented_sink, joining):
        monkeypatch.setattr(module, "WARM_UP_S", 0.5)


class StopError(Exception):
    """Ends a job in the middle."""


def stop_after(frames: int) -> Iterator[None]:
    """Nothing, so many times, then `StopError`."""
    for _ in range(frames):
        yield
    raise StopError


def begin(
    source: Path, output: Path, model: str | Path, frames: int, codec: str | None = None
) -> None:
    """Enhance a film up to some frames, and be stopped."""
    left = stop_after(frames)
    with pytest.raises(StopError):
        bright(source, output, model=model, codec=codec, on_progress=lambda _: next(left))
    assert not output.exists()


def whole(
    source: Path,
    output: Path,
    model: str | Path,
    monkeypatch: pytest.MonkeyPatch,
    codec: str | None = None,
) -> list[av.VideoFrame]:
    """The pictures of a film that is done in one pass."""
    with monkeypatch.context() as patch:
        patch.setattr("tapetum.realtime.enhance_media.is_long", lambda *_: False)
        bright(source, output, model=model, codec=codec)
    return pictures(output)


def contents(path: Path) -> list[list[tuple[Fraction, Fraction, bytes]]]:
    """Every packet of a film; FFV1 gives the same ones for the same pictures, x264 mostly."""
    return [found.packets for found in tracks(path)]


def pictures(path: Path) -> list[av.VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def test_a_seam_cannot_be_seen(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures are kept without loss, and are those of one pass, also after a stop."""
    output, one = tmp_path / "bright.mkv", tmp_path / "one.mkv"
    begin(long_clip, output, "grid", frames=120, codec="ffv1")
    result = bright(long_clip, output, model="grid", codec="ffv1")
    expected = whole(long_clip, one, "grid", monkeypatch, codec="ffv1")
    made = pictures(output)
    assert result.frames_before == 100
    assert [p.pts for p in made] == [p.pts for p in expected]
    for got, wanted in zip(made, expected, strict=True):
        apart = np.abs(got.to_ndarray().astype(int) - wanted.to_ndarray())
        assert (apart <= 1).mean() >= 0.999
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bright.mkv", "one.mkv"]


@pytest.mark.parametrize("options", [{}, {"bf": "3", "x264-params": "open-gop=1"}, {"g": "999"}])
def test_a_job_that_was_stopped_goes_on_to_the_same_bytes(
    options: dict[str, str], gain_model: Path, tmp_path: Path
) -> None:
    times = [i * 512 + (100 if i % 7 == 3 else 0) for i in range(150)]
    source = make_clip(tmp_path / "in.mp4", Clip(times=times, options=options, audio=["aac"]))
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "bright.mkv"
    bright(source, undisturbed, model=gain_model, codec="ffv1")
    begin(source, output, gain_model, frames=120, codec="ffv1")
    (job,) = unfinished_jobs(tmp_path)
    assert (job.output, job.frames, job.is_running) == (output, 100, False)
    result = bright(source, output, model=gain_model, codec="ffv1")
    assert contents(output) == contents(undisturbed)
    assert (result.frames, result.frames_before) == (150, 100)
    assert result.notices == ("continued at 4.000 s of bright.mkv",)
    assert not job_folder_path(output).exists()


def test_a_noisy_film_goes_on_to_the_same_bytes(gain_model: Path, tmp_path: Path) -> None:
    """What is remembered of a part that rests, and of bars, outlasts any warm-up."""
    source = write_noisy_clip(tmp_path / "in.mp4", frames=150, rate=25)
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "bright.mkv"
    bright(source, undisturbed, model=gain_model, codec="ffv1")
    begin(source, output, gain_model, frames=120, codec="ffv1")
    job = job_folder_path(output)
    assert [path.name for path in sorted(job.glob("*.memory"))] == ["000001.memory"]
    result = bright(source, output, model=gain_model, codec="ffv1")
    assert result.notices[0] == "continued at 4.000 s of bright.mkv"
    assert contents(output) == contents(undisturbed)


def test_a_memory_that_is_damaged_is_none(gain_model: Path, tmp_path: Path) -> None:
    source = write_noisy_clip(tmp_path / "in.mp4", frames=150, rate=25)
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "bright.mkv"
    bright(source, undisturbed, model=gain_model, codec="ffv1")
    begin(source, output, gain_model, frames=120, codec="ffv1")
    memory = job_folder_path(output) / "000001.memory"
    memory.write_bytes(memory.read_bytes()[:-1] + b"x")
    result = bright(source, output, model=gain_model, codec="ffv1")
    assert (result.frames, result.frames_before) in {(150, 0), (150, 100)}
    assert [p.pts for p in pictures(output)] == [p.pts for p in pictures(undisturbed)]


def test_a_memory_runs_no_program(gain_model: Path) -> None:
    """Whoever can write into the folder of a job gives it numbers, and no more."""
    enhancer = make_enhancer(gain_model)
    for found in (Path("x"), print, os.system, ("a", 1), subprocess.run):
        with pytest.raises(MediaError, match="memory of an enhancer cannot be read"):
            recall(enhancer, pickle.dumps(found))


def test_other_options_begin_anew_and_say_so(
    long_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    begin(long_clip, output, gain_model, frames=120)
    result = bright(long_clip, output, model=gain_model, strength=0.5)
    assert result.frames_before == 0
    assert result.notices == (
        "the unfinished job of bright.mp4 does not fit (strength); begun anew",
    )


def test_a_segment_that_was_damaged_is_done_again(
    long_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "bright.mkv"
    bright(long_clip, undisturbed, model=gain_model, codec="ffv1")
    begin(long_clip, output, gain_model, frames=120, codec="ffv1")
    packets = job_folder_path(output) / "000001.packets"
    packets.write_bytes(packets.read_bytes()[:-1] + b"x")
    result = bright(long_clip, output, model=gain_model, codec="ffv1")
    assert result.frames_before == 50
    assert contents(output) == contents(undisturbed)


def test_damage_is_counted_once(
    long_clip: Path, gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what lies in the warm-up of a job that goes on, or right before a seam."""
    source, output = tmp_path / "in.mp4", tmp_path / "bright.mkv"
    shutil.copy(long_clip, source)
    for number in (20, 92, 99, 120):
        blank_packet(source, number)
    with monkeypatch.context() as patch:
        patch.setattr("tapetum.realtime.enhance_media.is_long", lambda *_: False)
        one = bright(source, tmp_path / "one.mkv", model=gain_model, codec="ffv1")
    begin(source, output, gain_model, frames=120, codec="ffv1")
    result = bright(source, output, model=gain_model, codec="ffv1")
    assert result.frames_before > 0
    assert one.corrupt_packets + one.damaged_frames >= 4
    assert (result.corrupt_packets, result.damaged_frames) == (
        one.corrupt_packets,
        one.damaged_frames,
    )


def test_where_the_seam_would_be_seen_the_film_begins_anew(
    long_clip: Path, gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, output = tmp_path / "undisturbed.mkv", tmp_path / "bright.mkv"
    bright(long_clip, undisturbed, model=gain_model, codec="ffv1")
    of = segment.Probe.of
    with monkeypatch.context() as patch:
        patch.setattr(segment.Probe, "of", lambda frame: replace(of(frame), pts=0))
        begin(long_clip, output, gain_model, frames=120, codec="ffv1")
    result = bright(long_clip, output, model=gain_model, codec="ffv1")
    assert result.frames_before == 0
    assert "could not be continued unseen" in result.notices[0]
    assert contents(output) == contents(undisturbed)


def test_a_job_stopped_before_its_first_segment_leaves_nothing(
    long_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    begin(long_clip, tmp_path / "bright.mp4", gain_model, frames=20)
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time_makes_an_output(
    long_clip: Path, gain_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bright.mp4"
    folder = JobFolder(output, long_clip, {})
    with pytest.raises(MediaError, match=r"another process is making .*bright\.mp4"):
        bright(long_clip, output, model=gain_model)
    folder.release()
    assert list(tmp_path.iterdir()) == []


def test_what_lies_beside_the_picture_is_that_of_one_pass(
    gain_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = Clip(
        frames=150,
        audio=["aac", "libopus"],
        subtitles="ass",
        chapters=True,
        font=True,
        metadata={"title": "Night walk"},
        time_base=Fraction(1, 1000),
    )
    source = make_clip(tmp_path / "in.mkv", clip)
    output, one = tmp_path / "bright.mkv", tmp_path / "one.mkv"
    begin(source, output, gain_model, frames=120)
    bright(source, output, model=gain_model)
    whole(source, one, gain_model, monkeypatch)
    for kind in ("audio", "subtitle"):
        assert track(output, kind).packets == track(one, kind).packets
    with av.open(output) as made, av.open(one) as expected:
        assert made.metadata == expected.metadata
        assert made.chapters() == expected.chapters()
        assert [s.type for s in made.streams] == [s.type for s in expected.streams]


def test_a_process_that_is_killed_is_continued_by_the_same_command(
    gain_model: Path, tmp_path: Path
) -> None:
    source = make_clip(tmp_path / "in.mp4", Clip(frames=70 * 25))
    output, undisturbed = tmp_path / "bright.mkv", tmp_path / "undisturbed.mkv"
    command = ["enhance", str(source), str(output), "--model", str(gain_model), "--codec", "ffv1"]
    assert (
        tapetum("enhance", source, undisturbed, "--model", gain_model, "--codec", "ffv1").returncode
        == 0
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tapetum.realtime", *command],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    first = job_folder_path(output) / "000000.json"
    while process.poll() is None and not first.exists():
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not output.exists()
    assert tapetum("jobs", "list", tmp_path).stdout.startswith(f"{output}: ")
    again = tapetum(*command)
    assert "continued at " in again.stderr
    assert contents(output) == contents(undisturbed)
    none = tapetum("jobs", "list", tmp_path)
    assert (none.stdout, none.stderr) == ("", f"no unfinished films in {tmp_path}\n")


def test_jobs_clean_removes_them(long_clip: Path, gain_model: Path, tmp_path: Path) -> None:
    begin(long_clip, tmp_path / "bright.mp4", gain_model, frames=120)
    assert tapetum("jobs", "clean", tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []
