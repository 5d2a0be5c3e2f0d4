"""Live sources and sinks for tests: awkward ones, and streams that come from another process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.command_line import environment

from tapetum.realtime import LiveSource, MemorySink, SinkPlace
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.summary import LiveStatus

PATTERN = "lavfi:testsrc2=s=96x64:r=30"

StatusCallback = Callable[[LiveStatus], None]


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something that happens in another thread or process."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"nothing happened in {seconds} s")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opened(url: str, notices: list[str]) -> LiveSource:
    """The source of a sender that has just been started."""
    found: list[LiveSource] = []

    def opens() -> bool:
        try:
            found.append(LiveSource(url, on_notice=notices.append))
        except MediaError:
            return False
        return True

    wait_until(opens)
    return found[0]


@contextmanager
def live_process(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """`tapetum live ARGUMENTS...`, running; it is killed at the end if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tapetum.realtime", "live", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | variables,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class StallingSink(MemorySink):
    """Takes one frame, then none until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self.release.wait(30)


def memory(sink: MemorySink) -> SinkPlace:
    return SinkPlace("memory", sink)


def quit_when(condition: Callable[[LiveStatus], bool], controls: Controls) -> StatusCallback:
    """For `on_status`: the viewer quits when something has happened."""

    def look(status: LiveStatus) -> None:
        controls.quit = condition(status)

    return look
