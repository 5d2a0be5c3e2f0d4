"""Threads that are at work when Python ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import environment

LIVE = """
from tapetum.realtime import live_frames
frames = live_frames("lavfi:testsrc2=size=320x180:rate=30", model={model!r})
for _ in range({count}):
    next(frames)
print("seen")
"""

FILE = """
from tapetum.realtime import Prefetch, FileSource
frames = iter(Prefetch(FileSource({clip!r})))
next(frames)
print("seen")
"""

STUCK = """
import threading
from tapetum.realtime.worker import Worker
told = threading.Event()
def work():
    told.wait()
    print("ended")
Worker(work, name="stuck", stop=told.set).start()
print("seen")
"""


def ended(code: str) -> tuple[int, str, str]:
    """Exit status and output of a program that leaves its threads at work."""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize("model", ["grid", "unet"])
@pytest.mark.parametrize("count", [1, 5])
def test_live_frames_may_be_left_open(model: str, count: int) -> None:
    assert ended(LIVE.format(model=model, count=count)) == (0, "seen\n", "")


def test_a_source_that_is_read_ahead_may_be_left_open(short_clip: Path) -> None:
    assert ended(FILE.format(clip=str(short_clip))) == (0, "seen\n", "")


def test_a_worker_is_told_to_end_and_waited_for() -> None:
    assert ended(STUCK) == (0, "seen\nended\n", "")
