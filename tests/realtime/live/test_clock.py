"""Live video through sleep and resume, a wall clock that jumps, and a stream that restarts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.command_line import ROOT
from support.live_parts import free_tcp_port, live_process, opened, wait_until
from support.network_peer import RATE, peer

pytestmark = pytest.mark.slow

PATTERN = f"lavfi:color=c=0x101010:s=96x64:r={RATE}"
JUMPING_CLOCK = ROOT / "tests" / "support" / "jumping_clock.cpp"
ASLEEP_S = 4.0
"""Longer than a silent stream is waited for."""


class Running:
    """A `tapetum live` process whose model runs, and what it says meanwhile."""

    def __init__(self, process: subprocess.Popen[str], recording: Path) -> None:
        self.process = process
        self.lines: list[str] = []
        self._recording = recording
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(self.enhances)

    def enhances(self) -> bool:
        modes = [line for line in self.lines if line.startswith("mode: ")]
        return bool(modes) and modes[-1].startswith("mode: grid on CPU")

    def records_on(self) -> None:
        """Wait for some seconds of new pictures."""
        wait_until(lambda: self._recording.exists() and self._recording.stat().st_size > 0)
        size = self._recording.stat().st_size
        wait_until(lambda: self._recording.stat().st_size > 2 * size, seconds=60)

    def summary(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGINT)
        self._reader.join(60)
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.read())
        return found

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))


@contextmanager
def running(source: str, model: Path, folder: Path, **variables: str) -> Iterator[Running]:
    recording = folder / "recording.mkv"
    options = ["--model", str(model), "--latency-budget", "500ms", "--json", "--verbose"]
    sinks = ["--sink", "null", "--sink", str(recording)]
    with live_process("--source", source, *sinks, *options, **variables) as process:
        yield Running(process, recording)


def sleep(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGSTOP)
    time.sleep(ASLEEP_S)
    process.send_signal(signal.SIGCONT)


def goes_on(live: Running, trouble: Callable[[], None]) -> None:
    """Check that after some trouble frames are new, most of them come, and they are enhanced.

    What was sent in the time of the trouble may be lost; of the rest, less than half.
    """
    live.records_on()
    begin_s = time.monotonic()
    trouble()
    missed = RATE * (time.monotonic() - begin_s)
    live.records_on()
    wait_until(live.enhances)
    summary = live.summary()
    assert summary["age_ms"]["p90"] < 1000 * ASLEEP_S / 2
    assert summary["dropped"] - missed < summary["frames"]
    assert summary["modes"]["gain"] > 0
    assert set(summary["modes"]) <= {"start", "gain", "gain-4", "gain-held"}


def test_a_pattern_goes_on_after_the_process_slept(gain_model: Path, tmp_path: Path) -> None:
    with running(PATTERN, gain_model, tmp_path) as live:
        goes_on(live, lambda: sleep(live.process))


def test_a_network_stream_goes_on_after_the_process_slept(gain_model: Path, tmp_path: Path) -> None:
    """What the sender sent meanwhile is caught up with, or it is opened again."""
    url = f"rtsp://127.0.0.1:{free_tcp_port()}/live"
    with peer("send", url):
        opened(url, []).close()
        with running(url, gain_model, tmp_path) as live:
            goes_on(live, lambda: sleep(live.process))


def test_a_wall_clock_that_jumps_by_a_day_changes_nothing(gain_model: Path, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++ to compile a clock that jumps")
    library, jumps = tmp_path / "clock.so", tmp_path / "jumps"
    flags = ("-std=c++17", "-shared", "-fPIC", "-Wall", "-Werror")
    subprocess.run([compiler, *flags, str(JUMPING_CLOCK), "-o", str(library), "-ldl"], check=True)
    preloaded = {"LD_PRELOAD": str(library), "CLOCK_JUMPS": str(jumps)}
    with running(PATTERN, gain_model, tmp_path, **preloaded) as live:
        goes_on(live, jumps.touch)


def test_a_stream_whose_times_jump_and_restart_goes_on() -> None:
    """Its own times are not ours: frames are timed by their arrival."""
    url, notices = f"http://127.0.0.1:{free_tcp_port()}/live.ts", list[str]()
    with peer("jump", url):
        source = opened(url, notices)
        frames = []
        for frame in source:
            frames.append(frame)
            if len(frames) == 90:
                break
        source.close()
    assert notices == []
    times_s = [frame.time_s or 0.0 for frame in frames]
    assert all(0 < later - sooner < 10 for sooner, later in pairwise(times_s))
    ages_s = [(frame.arrival_time_s or 0) - (frame.capture_time_s or 0) for frame in frames]
    assert all(0 <= age_s < 10 for age_s in ages_s)
