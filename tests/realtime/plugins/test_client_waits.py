"""Nothing that happens outside a host holds its frames: each wait of the C client, forced."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.live_parts import wait_until
from support.native_host import I420, SUPPORT, built_host, children, dark, run_host

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")

FRAMES = dark(50 * 24).tobytes()
WARM_ANSWERS = 100
"""More than after which the client takes a worker for warm."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_host(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def slow_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    slow = str(SUPPORT / "slow_spawn.c")
    return built_host(tmp_path_factory.mktemp("slow"), slow, "-Wl,--wrap=posix_spawn")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose seconds have 100 ms."""
    fast = str(SUPPORT / "fast_clock.c")
    return built_host(tmp_path_factory.mktemp("hasty"), fast, "-Wl,--wrap=clock_gettime")


@contextmanager
def full_pipe() -> Iterator[int]:
    """A pipe that nobody reads, and that takes no more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        for part in (bytes(4096), bytes(1)):
            while True:
                try:
                    os.write(writing, part)
                except BlockingIOError:
                    break
        os.set_blocking(writing, True)
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


def test_a_line_that_nobody_reads_is_waited_for_by_no_frame(host: Path, tmp_path: Path) -> None:
    with full_pipe() as errors:
        run = run_host(host, FRAMES, (4, 4), python=tmp_path / "gone", errors=errors)
    assert run.pixels == FRAMES


def test_a_line_that_nobody_can_read_any_more_ends_no_host(host: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        run = run_host(host, FRAMES, (4, 4), python=tmp_path / "gone", errors=writing)
    finally:
        os.close(writing)
    assert run.pixels == FRAMES


def test_a_line_is_said_once_there_is_room_for_it(host: Path, tmp_path: Path) -> None:
    """It was not said, so the next frame says it."""
    with (
        full_pipe() as errors,
        endless_host(host, python=tmp_path / "gone", errors=errors) as process,
    ):
        next_line(process)
        said = drain(process.pid, b"cannot start")
    assert said.count(b"tapetum: frames pass unchanged: cannot start") == 1


def drain(pid: int, wanted: bytes) -> bytes:
    """What is in the pipe of a process's standard error, until it says so."""
    with Path(f"/proc/{pid}/fd/2").open("rb", buffering=0) as pipe:
        said = b""
        while wanted not in said:
            said += pipe.read(65536)
    return said


@pytest.mark.parametrize("patience_ms", [0, 40])
def test_a_program_that_never_starts_holds_no_frame_and_no_closing(
    slow_starter: Path, monkeypatch: pytest.MonkeyPatch, patience_ms: int
) -> None:
    monkeypatch.setenv("SLOW_SPAWN_MS", "1000000")
    run = run_host(slow_starter, FRAMES, (4, 4), patience_ms=patience_ms)
    assert run.pixels == FRAMES
    assert run.log == ["tapetum: frames pass unchanged: the worker is starting"]
    assert run.slowest_ms < 5000


def test_a_worker_that_starts_after_the_last_stream_is_ended(
    slow_starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOW_SPAWN_MS", "3000")
    given = slow_starter.parent / "given"
    given.write_bytes(FRAMES[:24])
    words = [I420, 4, 4, 0, 0, "grid", given, slow_starter.parent / "made", "stay=100000"]
    with subprocess.Popen(
        [str(slow_starter), *map(str, words)], env=os.environ | {"TAPETUM_PYTHON": sys.executable}
    ) as process:
        wait_until(lambda: bool(children(process.pid)))
        (worker,) = children(process.pid)
        wait_until(lambda: not Path(f"/proc/{worker}/exe").exists())  # it may not be buried
        process.kill()


@contextmanager
def endless_host(
    host: Path,
    *options: str,
    before: Sequence[str] = (),
    python: Path | str = sys.executable,
    errors: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[str]]:
    """A host that says a line of each of many frames, with 20 ms between them."""
    given = host.parent / "endless"
    given.write_bytes(dark(5000 * 24).tobytes())
    words = [
        I420,
        4,
        4,
        40 if options else 90_000,
        20,
        "grid",
        given,
        host.parent / "made",
        *options,
    ]
    with subprocess.Popen(
        [*before, str(host), *map(str, words)],
        env=os.environ | {"TAPETUM_PYTHON": str(python)},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the host ended"
    return line


STUCK, AT_WORK = "time.sleep(1000)", "any(time.monotonic() > end for _ in iter(int, 1))"


@pytest.mark.slow
@pytest.mark.parametrize(("does", "replaced"), [(STUCK, True), (AT_WORK, False)])
def test_a_worker_that_hangs_at_its_start_is_replaced_and_not_one_that_compiles(
    hasty: Path, tmp_path: Path, does: str, *, replaced: bool
) -> None:
    """Ten of the host's seconds, and twice as many, before there was any answer."""
    starts, python = tmp_path / "starts", tmp_path / "python"
    code = f"import os, time; end = time.monotonic() + 2; open({str(starts)!r}, 'a').write('.'); "
    (tmp_path / "worker.py").write_text(code + does)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{tmp_path / "worker.py"}"\n')
    python.chmod(0o755)
    starts.touch()
    run = run_host(hasty, FRAMES, (4, 4), python=python, patience_ms=0, pause_ms=35)
    assert run.pixels == FRAMES
    assert any("hung" in line for line in run.log) == replaced
    assert (len(starts.read_text()) > 1) == replaced


@pytest.mark.slow
def test_a_stopped_worker_is_replaced(host: Path) -> None:
    """Live, so that no frame waits for it; once it is warm it is said to hang after 5 seconds."""
    with endless_host(host, "exchange") as process:
        assert process.stderr is not None
        for _ in range(WARM_ANSWERS):
            while next_line(process)[0] == "0":
                pass
        (stopped,) = children(process.pid)
        os.kill(stopped, signal.SIGSTOP)
        flags = [next_line(process)[0]]
        while flags[-1] == "0" or stopped in children(process.pid):
            flags.append(next_line(process)[0])
        process.kill()
        assert "0" in flags
        assert "the worker hung, and is started anew" in process.stderr.read()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chrt") is None, reason="needs the program chrt")
@pytest.mark.parametrize("policy", ["--fifo", "--rr"])
def test_a_worker_goes_before_nobody(host: Path, policy: str) -> None:
    """A host's threads may go before all others; their worker would then hold them up."""
    if subprocess.run(["chrt", policy, "1", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no thread may go before others here")
    with endless_host(host, before=["chrt", policy, "1"]) as process:
        assert next_line(process).startswith("1")
        assert os.sched_getscheduler(process.pid) != os.SCHED_OTHER
        (worker,) = children(process.pid)
        assert os.sched_getscheduler(worker) == os.SCHED_OTHER
