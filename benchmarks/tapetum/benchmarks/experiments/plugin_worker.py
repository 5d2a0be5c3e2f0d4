"""What handing a frame to a plugin's worker costs, and what the worker's death does to a host."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from tapetum.benchmarks.experiments.live_load import spinning
from tapetum.benchmarks.experiments.plugin_client import Bytes, Client
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.machine import load_average
from tapetum.realtime import Enhancer
from tapetum.realtime.frame import ColorInfo, Frame

BOUND_MS = 50
"""No call of a live host may take longer."""

_LIVE_PATIENCE_MS = 40
_SCENE_NS = 10_000_000_000
"""Frames so far apart are scenes of their own: what comes of one does not depend on the others."""
_SIZE = (320, 240)
_PICTURES = 4
_START_SHARE = 0.7
"""Of the kills: so many while the worker starts, the others while it works."""


def hand_over(size: tuple[int, int] = (1920, 1080), rounds: int = 200) -> dict[str, float]:
    """Time of frames by the client and worker beside that of the same enhancing in this process.

    Args:
        size: width and height of the I420 frames.
        rounds: frames of each kind; they take turns.

    Returns:
        Medians in milliseconds, and what the worker's take more.
    """
    planes = _picture(1, size)
    enhancer, inside, outside = Enhancer("grid", denoise="off"), [], []
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="tapetum-"))
        stream = running.enter_context(Client(Path(folder)).stream(60_000))
        for number in range(rounds + 20):
            time_ns = number * 40_000_000
            frame = Frame(planes, "yuv420p", time_ns, Fraction(1, 1_000_000_000), _color())
            begin_s = time.perf_counter()
            enhancer.enhance_frame(frame)
            alone_s = time.perf_counter() - begin_s
            enhanced, by_worker_s = stream([plane.copy() for plane in planes], time_ns)
            if not enhanced:
                raise BenchmarkError("the worker did not enhance a frame within a minute")
            if number >= 20:
                inside.append(alone_s)
                outside.append(by_worker_s)
    return {
        "inside_ms": round(1e3 * median(inside), 3),
        "by_worker_ms": round(1e3 * median(outside), 3),
        "over_ms": round(1e3 * (median(outside) - median(inside)), 3),
        "frames": rounds,
    }


def kill_workers(
    kills: int,
    *,
    busy: int = 2,
    seed: int = 1,
    limit_s: float = 3600,
    realtime: bool = False,
) -> dict[str, object]:
    """Kill the worker again and again while two streams of this process hand it frames.

    One stream waits for its frames, the other exchanges them. Each frame that comes back is held
    against what it was, and against the whole enhanced pictures.

    Args:
        kills: how often.
        busy: processes that take all the time they get meanwhile.
        seed: of the moments.
        limit_s: it ends then, with fewer kills.
        realtime: the host's threads go before all others, as the administrator may say: what their
            calls take is then the client's doing alone, however busy the machine is.

    Raises:
        BenchmarkError: the threads may not.

    Returns:
        Numbers of kills and frames; `torn` frames, which are neither; the longest call, how many
        took over `BOUND_MS`, and how long a sleep of as long as a frame may take took at most.
    """
    moments = random.Random(seed)
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder, ExitStack() as running:
        client = Client(Path(folder))
        streams = [
            Watched(
                running.enter_context(client.stream(_LIVE_PATIENCE_MS, exchange=exchange)),
                exchanges=exchange,
            )
            for exchange in (False, True)
        ]
        if realtime:
            _go_first()  # once here, where it can fail
        before = _go_first if realtime else _stay
        for _ in range(busy):
            running.enter_context(spinning(0))
        sleeps = _Sleeps(client, over)
        threads = [threading.Thread(target=stream.run, args=(over, before)) for stream in streams]
        threads.append(threading.Thread(target=sleeps.run, args=(before,)))
        for thread in threads:
            thread.start()
        killed: list[int] = []
        end_s = time.monotonic() + limit_s
        try:
            while len(killed) < kills and time.monotonic() < end_s:
                killed += _kill_one(streams, moments, end_s, killed[-1:])
        finally:
            over.set()
            for thread in threads:
                thread.join()
        loads = load_average()
    calls = sorted(call for stream in streams for call in stream.calls_ms)
    return {
        "kills": len(killed),
        "frames": len(calls),
        "enhanced": sum(stream.enhanced for stream in streams),
        "torn": sum(stream.torn for stream in streams),
        "longest_ms": round(calls[-1], 1),
        "p999_ms": round(calls[int(0.999 * len(calls))], 1),
        f"over_{BOUND_MS}_ms": sum(call > BOUND_MS for call in calls),
        "longest_sleep_of_40_ms": round(sleeps.longest_ms, 1),
        f"sleeps_over_{BOUND_MS}_ms": sleeps.over,
        "busy": busy,
        "realtime": realtime,
        "load_average": loads,
    }


def together(runs: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The figures of several runs of `kill_workers`: sums, and the longest of all; and the runs."""
    longest = ("longest_ms", "longest_sleep_of_40_ms")
    summed = ("kills", "frames", "enhanced", "torn", f"over_{BOUND_MS}_ms")
    return {
        **{name: sum(run[name] for run in runs) for name in summed},
        **{name: max(run[name] for run in runs) for name in longest},
        "runs": list(runs),
    }


class Watched:
    """A stream of frames whose every picture is looked at.

    Args:
        stream: takes the planes of a frame, which it may change, and its time in nanoseconds; says
            whether they were enhanced, and how many seconds that took.
        exchanges: whether what comes back may be an earlier frame.

    Attributes:
        calls_ms: how long each call took.
        enhanced: frames that were.
        torn: frames that are neither what they were nor what an enhanced one is.
    """

    def __init__(
        self, stream: Callable[[list[Bytes], int], tuple[bool, float]], *, exchanges: bool
    ) -> None:
        self.calls_ms: list[float] = []
        self.enhanced = self.torn = 0
        self._stream = stream
        self._exchanges = exchanges
        self._dark = [_picture(seed, _SIZE) for seed in range(_PICTURES)]
        self._bright = [_bright(planes) for planes in self._dark]

    def run(self, over: threading.Event, before: Callable[[], None]) -> None:
        """Hand frames over until it is over."""
        before()
        while not over.is_set():
            self.hand_over(len(self.calls_ms) + 1)
            time.sleep(0.005)

    def hand_over(self, number: int) -> None:
        """Hand the frame of a number over, and look at what comes back."""
        which = number % _PICTURES
        planes = [plane.copy() for plane in self._dark[which]]
        enhanced, took_s = self._stream(planes, number * _SCENE_NS)
        self.calls_ms.append(1e3 * took_s)
        self.enhanced += enhanced
        whole = [_packed(self._dark[which])]
        if enhanced:
            whole = self._bright if self._exchanges else [self._bright[which]]
        self.torn += _packed(planes) not in whole


class _Sleeps:
    """How long a sleep of 40 ms takes on this machine meanwhile, with nothing of ours in it."""

    def __init__(self, client: Client, over: threading.Event) -> None:
        self.longest_ms, self.over = 0.0, 0
        self._client = client
        self._over = over

    def run(self, before: Callable[[], None]) -> None:
        """Sleep until it is over."""
        before()
        while not self._over.is_set():
            took_ms = 1e3 * self._client.sleep(_LIVE_PATIENCE_MS / 1e3)
            self.longest_ms = max(self.longest_ms, took_ms)
            self.over += took_ms > BOUND_MS


def _go_first() -> None:
    """Let this thread go before all others; not what it starts."""
    if sys.platform == "linux":
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
        except OSError as error:
            raise BenchmarkError(f"threads may not go first here: {error.strerror}") from error
    else:
        raise BenchmarkError("threads can be made to go first on Linux alone")


def _stay() -> None:
    pass


def _kill_one(
    streams: list[Watched], moments: random.Random, end_s: float, last: list[int]
) -> list[int]:
    """Kill the worker at a random moment of its life: it, or nothing if it went before."""
    while (worker := _worker()) is None or worker in last:
        if time.monotonic() > end_s:
            return []
        time.sleep(0.01)
    if moments.random() < _START_SHARE:
        time.sleep(moments.uniform(0, 1))
    else:
        before = sum(stream.enhanced for stream in streams)
        while sum(stream.enhanced for stream in streams) == before:
            if time.monotonic() > end_s or _worker() != worker:
                return []
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.2))
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(worker).kill()
        return [worker]
    return []


def _worker() -> int | None:
    """This process's worker, if it is alive."""
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                if b"plugins.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
    return None


def _picture(seed: int, size: tuple[int, int]) -> tuple[Bytes, Bytes, Bytes]:
    """The planes of a dark I420 picture: grey noise."""
    width, height = size
    noise = np.random.default_rng(seed).integers(16, 60, (height, width), dtype=np.uint8)
    grey = np.full((-(-height // 2), -(-width // 2)), 128, np.uint8)
    return noise, grey, grey.copy()


def _bright(planes: tuple[Bytes, Bytes, Bytes]) -> bytes:
    """What the worker makes of a picture that is a scene of its own."""
    frame = Frame(planes, "yuv420p", 0, Fraction(1, 1_000_000_000), _color())
    return _packed(Enhancer("grid", denoise="off").enhance_frame(frame).planes)


def _packed(planes: tuple[object, ...] | list[Bytes]) -> bytes:
    return b"".join(np.asarray(plane).tobytes() for plane in planes)


def _color() -> ColorInfo:
    return ColorInfo(matrix=6, range=1)
