"""`tapetum live --source -` with FFmpeg at the other ends of the pipes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from support.command_line import environment, tapetum
from support.live_parts import wait_until
from support.media import Clip, make_clip

pytestmark = pytest.mark.slow

LIVE = [sys.executable, "-m", "tapetum.realtime", "live", "--source", "-"]
PATTERN = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=98x66:r=30:d=2"]
FRAMES = 60


@contextmanager
def written(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg that writes a test pattern to its stdout."""
    with subprocess.Popen([*PATTERN, *arguments, "-"], stdout=subprocess.PIPE) as writer:
        yield writer


@contextmanager
def reading(
    *options: str, stdin: IO[bytes] | int | None = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """`tapetum live --source -` with frames that stay as they are."""
    with subprocess.Popen(
        [*LIVE, "--strength", "0", *options],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def hashes(y4m: bytes) -> list[str]:
    """A hash of each picture, by FFmpeg."""
    hashing = ["ffmpeg", "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-f", "framemd5", "-"]
    said = subprocess.run(hashing, input=y4m, capture_output=True, check=True, timeout=60)
    lines = said.stdout.decode().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(
    "container",
    [["-f", "yuv4mpegpipe"], ["-c:v", "ffv1", "-f", "nut"]],
    ids=["y4m", "nut"],
)
def test_every_frame_goes_through_from_pipe_to_pipe(container: list[str]) -> None:
    """FFmpeg writes far quicker than real time."""
    with written("-f", "yuv4mpegpipe") as writer:
        expected = writer.communicate(timeout=60)[0]
    with written(*container) as writer, reading("--sink", "-", stdin=writer.stdout) as live:
        pictures, said = live.communicate(timeout=120)
    assert live.returncode == 0, said.decode()
    assert said.decode().startswith("standard input 98x66 ")
    assert f"{FRAMES} frames, 0 dropped" in said.decode()
    assert hashes(pictures) == hashes(expected)
    assert len(hashes(pictures)) == FRAMES


def test_a_reader_that_pauses_and_a_writer_that_pauses_lose_no_frame() -> None:
    with written("-f", "yuv4mpegpipe") as writer:
        expected = writer.communicate(timeout=60)[0]
    with reading("--sink", "-", "--quiet") as live:
        assert live.stdin is not None
        assert live.stdout is not None
        live.stdin.write(expected[:30_000])
        live.stdin.flush()
        begun = os.read(live.stdout.fileno(), 1000)
        time.sleep(1.5)  # longer than a silence after which a live picture is shown again
        live.stdin.write(expected[30_000:100_000])
        live.stdin.flush()
        pictures, said = live.communicate(expected[100_000:], timeout=60)
    assert (live.returncode, said) == (0, b"")
    assert hashes(begun + pictures) == hashes(expected)


def test_the_newest_frame_wins_where_frames_may_be_dropped() -> None:
    """Frames come far quicker than they are taken: what is dropped is counted."""
    with (
        written("-f", "yuv4mpegpipe") as writer,
        reading("--sink", "null", stdin=writer.stdout) as live,
    ):
        _, said = live.communicate(timeout=60)
    assert live.returncode == 0
    *_, summary = said.decode().splitlines()
    frames, dropped = (int(words.split()[0]) for words in summary.split(", ")[:2])
    assert frames + dropped == FRAMES


def test_a_file_on_standard_input_is_played_as_a_file(tmp_path: Path) -> None:
    """MP4 whose index lies at its end, turned by a quarter."""
    clip = make_clip(tmp_path / "in.mp4", Clip(frames=10, rotation=(90, False)))
    with clip.open("rb") as file, reading("--sink", "-", stdin=file) as live:
        pictures, said = live.communicate(timeout=60)
    assert live.returncode == 0, said.decode()
    assert pictures.startswith(b"YUV4MPEG2 W48 H64 F25:1 ")
    assert len(hashes(pictures)) == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nothing came; did the program that writes into it fail?"),
        (bytes(range(256)) * 20, "it is no video that FFmpeg can read from a pipe"),
    ],
)
def test_what_is_no_video_is_one_line(content: bytes, message: str) -> None:
    with reading("--sink", "-") as live:
        pictures, said = live.communicate(content, timeout=60)
    assert (live.returncode, pictures) == (1, b"")
    (line,) = said.decode().splitlines()
    assert line.startswith(f"error: cannot open source standard input: {message}")


def test_a_terminal_and_a_closed_standard_input_are_refused() -> None:
    terminal, other_end = pty.openpty()
    try:
        with reading("--sink", "null", stdin=other_end) as live:
            _, said = live.communicate(timeout=60)
    finally:
        os.close(other_end)
        os.close(terminal)
    assert live.returncode == 1
    assert said.decode() == (
        "error: - reads video, and standard input is a terminal; pipe a program's video to it, or"
        " name a file or camera\n"
    )
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *LIVE, "--sink", "null"],
        capture_output=True,
        check=False,
        timeout=60,
        env=environment(),
    )
    assert closed.returncode == 1
    assert closed.stderr == b"error: - reads video from standard input, which is closed\n"


def catches(process_id: int, number: signal.Signals) -> bool:
    """Whether a process has set a handler for a signal (Linux)."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    (caught,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)


@pytest.mark.parametrize("begun", [False, True])
def test_ctrl_c_ends_the_wait_for_a_silent_pipe(begun: bool) -> None:
    with written("-f", "yuv4mpegpipe") as writer:
        video = writer.communicate(timeout=60)[0]
    with reading("--sink", "-") as live:
        assert live.stdin is not None
        assert live.stdout is not None
        assert live.stderr is not None
        if begun:
            live.stdin.write(video[:30_000])
            live.stdin.flush()
            live.stdout.read(1000)
        else:
            wait_until(lambda: catches(live.pid, signal.SIGTERM))
            time.sleep(1)  # until it waits for the first byte
        live.send_signal(signal.SIGINT)
        live.wait(60)
        assert live.stderr.read().decode().splitlines()[-1] == "error: stopped by SIGINT"
    assert live.returncode == 130


def test_a_reader_that_goes_away_ends_it_though_the_writer_goes_on() -> None:
    endless = ["ffmpeg", "-v", "quiet", "-f", "lavfi", "-i", "testsrc2=s=98x66:r=30"]
    with (
        subprocess.Popen([*endless, "-f", "yuv4mpegpipe", "-"], stdout=subprocess.PIPE) as writer,
        reading("--sink", "-", stdin=writer.stdout) as live,
    ):
        assert writer.stdout is not None
        assert live.stdout is not None
        assert live.stderr is not None
        writer.stdout.close()
        live.stdout.read(1000)
        live.stdout.close()
        said = live.stderr.read().decode().splitlines()
        live.wait(60)
        writer.wait(60)
    assert live.returncode == 1
    assert said[-1] == "error: cannot write frames to the pipe: Broken pipe"


def test_what_comes_once_is_not_played_over_and_over() -> None:
    with reading("--sink", "null", "--loop") as live:
        _, said = live.communicate(timeout=60)
    assert live.returncode == 1
    assert said == b"error: standard input comes once, and cannot be played over and over\n"


def test_the_page_refuses_standard_input() -> None:
    answer = tapetum("serve", "--source", "-", "--port", "0")
    assert answer.returncode == 1
    assert "standard input comes once" in answer.stderr


def enhanced(data: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    """What `tapetum enhance - -` makes of some bytes."""
    command = [sys.executable, "-m", "tapetum.realtime", "enhance", *options]
    return subprocess.run(
        command, input=data, capture_output=True, check=False, timeout=120, env=environment()
    )


@pytest.mark.parametrize(
    "container",
    [["-f", "yuv4mpegpipe"], ["-c:v", "ffv1", "-f", "nut"]],
    ids=["y4m", "nut"],
)
def test_enhance_sends_every_frame_of_a_pipe_through(container: list[str]) -> None:
    with written("-f", "yuv4mpegpipe") as writer:
        expected = writer.communicate(timeout=60)[0]
    with written(*container) as writer:
        made = enhanced(writer.communicate(timeout=60)[0], "-", "-", "--strength", "0")
    assert made.returncode == 0, made.stderr.decode()
    assert hashes(made.stdout) == hashes(expected)
    assert made.stderr.decode().startswith("standard input 98x66 ")


def test_enhance_makes_the_frames_of_a_pipe_brighter() -> None:
    dark = ["-vf", "lutyuv=y=16+(val-16)/8", "-f", "yuv4mpegpipe"]
    with written(*dark) as writer:
        source = writer.communicate(timeout=60)[0]
    made = enhanced(source, "-", "-", "--quiet")
    assert (made.returncode, made.stderr) == (0, b"")
    assert len(hashes(made.stdout)) == FRAMES
    first = 98 * 66
    before, after = (data.split(b"FRAME\n", 1)[1][:first] for data in (source, made.stdout))
    assert sum(after) > 2 * sum(before)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["-", "out.mp4"], 2, "- reads stdin and writes stdout, both or neither"),
        (["-", "-", "--json"], 2, "--json and video cannot both go to stdout"),
        (["-", "-", "--crf", "20"], 2, "are for files"),
        (["-", "-"], 1, "it is no video that FFmpeg can read from a pipe"),
    ],
)
def test_what_enhance_cannot_do_with_a_pipe_is_one_line(
    options: list[str], status: int, said: str
) -> None:
    made = enhanced(b"no video" * 1000, *options)
    assert (made.returncode, made.stdout) == (status, b"")
    assert said in " ".join(made.stderr.decode().replace("│", " ").split())
