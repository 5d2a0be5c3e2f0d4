"""`tapetum live --sink -` into the pipes of real processes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import av
import numpy as np
import pytest
from support.command_line import environment

pytestmark = pytest.mark.slow

PATTERN = "testsrc2=s=98x66:r=30:d=1"
LIVE = [sys.executable, "-m", "tapetum.realtime", "live"]
READER = """
import sys
import av
options = {name[1:]: value for name, value in zip(sys.argv[1::2], sys.argv[2::2])}
with av.open("pipe:0", format=options.pop("f"), options=options) as container:
    for picture in container.decode(video=0):
        sys.stdout.buffer.write(picture.to_ndarray().tobytes())
"""


def piping(*options: str) -> subprocess.Popen[bytes]:
    """`tapetum live` with frames that stay as they are on its stdout."""
    source = ["--source", f"lavfi:{PATTERN}", "--sink", "-", "--strength", "0"]
    return subprocess.Popen(
        [*LIVE, *source, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def read_back(process: subprocess.Popen[bytes], *options: str) -> bytes:
    reading = [sys.executable, "-c", READER, *options]
    reader = subprocess.run(
        reading, stdin=process.stdout, capture_output=True, check=True, timeout=60
    )
    return reader.stdout


def source_pictures() -> list[bytes]:
    with av.open(PATTERN, format="lavfi") as container:
        pictures = container.decode(video=0)
        return [picture.to_ndarray(format="yuv420p").tobytes() for picture in pictures]


def assert_from_the_source(pixels: bytes) -> None:
    """Each picture is one of the source's, in order; for those that came late, the one before."""
    expected = source_pictures()
    pictures = np.frombuffer(pixels, np.uint8).reshape(-1, len(expected[0]))
    places = [expected.index(picture.tobytes()) for picture in pictures]
    assert places == sorted(places)
    assert len(places) == places[-1] - places[0] + 1 > 5  # a second stays a second


def test_raw_video_is_read_with_the_options_that_are_said_on_stderr() -> None:
    with piping("--pipe-format", "rawvideo", "--quiet") as process:
        assert process.stderr is not None
        said = process.stderr.readline().decode().strip()
        lead, _, options = said.partition(" reads it with ")
        assert lead == "note: stdout is raw video; FFmpeg"
        assert options == ("-f rawvideo -pixel_format yuv420p -video_size 98x66 -framerate 30 -i -")
        pixels = read_back(process, *options.removesuffix(" -i -").split())
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert_from_the_source(pixels)


def test_y4m_is_what_a_pipe_gets_otherwise() -> None:
    with piping("--quiet") as process:
        pixels = read_back(process, "-f", "yuv4mpegpipe")
    assert process.returncode == 0
    assert_from_the_source(pixels)


@pytest.mark.parametrize("pipe_format", ["y4m", "rawvideo"])
def test_a_reader_that_goes_away_ends_it_with_one_line(pipe_format: str) -> None:
    with piping("--pipe-format", pipe_format) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert len(process.stdout.read(98 * 66)) == 98 * 66
        process.stdout.close()
        lines = process.stderr.read().decode().splitlines()
    assert process.returncode == 1
    assert lines[-1] == "error: cannot write frames to the pipe: Broken pipe"
    assert not [line for line in lines if "Traceback" in line or "Exception" in line]


def test_a_terminal_gets_no_video() -> None:
    terminal, other_end = pty.openpty()
    try:
        answer = subprocess.run(
            [*LIVE, "--source", f"lavfi:{PATTERN}", "--sink", "-"],
            stdout=other_end,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
            timeout=60,
        )
    finally:
        os.close(other_end)
        os.close(terminal)
    assert answer.returncode == 1
    assert answer.stderr.decode() == (
        "error: - writes video, and stdout is a terminal; pipe it to a program, or name a file\n"
    )
