"""Threads that are at work when Python ends."""

from __future__ import annotations

import signal
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

BROKEN_OFF = """
import signal, sys, threading, time
from contextlib import suppress
from tapetum.realtime.background import exit_process
class Rung(Exception): pass
def ring(_number, frame):
    if frame.f_code.co_name == "_wait_for_tstate_lock":  # of `join`
        raise Rung
told = threading.Event()
def work():
    told.wait()
    time.sleep(0.5)  # long enough for Python to end without it
    print("ended")
thread = threading.Thread(target=work)
thread.start()
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while True:
    with suppress(Rung):
        if not thread.is_alive():
            break
        thread.join()
signal.setitimer(signal.ITIMER_REAL, 0)
print("seen")
{end}
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


@pytest.mark.skipif(
    sys.version_info >= (3, 13) or not hasattr(signal, "setitimer"),
    reason="such a thread does not pass for ended, or there is no timer to break off its join",
)
@pytest.mark.parametrize(
    ("end", "status", "shown"),
    [("told.set()", 0, "seen\nended\n"), ("exit_process(7)", 7, "seen\n")],
)
def test_a_thread_whose_join_was_broken_off_does_not_pass_for_ended(
    end: str, status: int, shown: str
) -> None:
    """In C++ code, as where a network is compiled, it would take the process with it."""
    assert ended(BROKEN_OFF.format(end=end)) == (status, shown, "")
