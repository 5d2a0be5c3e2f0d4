"""The C client and the worker, from a host in C: right pixels, or else the host's own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.native_host import SUPPORT, built_host, children, dark, run_host

from tapetum.benchmarks.experiments.plugin_client import Client
from tapetum.realtime import Enhancer
from tapetum.realtime.cpu.rgb import Order
from tapetum.realtime.frame import ColorInfo, Frame, Plane
from tapetum.realtime.pixel_format import pixel_format
from tapetum.realtime.plugins.worker import ANSWER, serve_stream

I420, NV12, P010, YUY2, RGBA, BGRA, I422, I444, I010, UYVY, YVYU = range(1, 12)

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_host(tmp_path_factory.mktemp("host"))


FORMATS = {
    I420: "yuv420p",
    NV12: "nv12",
    P010: "p010le",
    I422: "yuv422p",
    I444: "yuv444p",
    I010: "yuv420p10le",
}


def planes_of(packed: npt.NDArray[np.uint8], name: str, size: tuple[int, int]) -> list[Plane]:
    layout = pixel_format(name)
    samples: Plane = packed.view(np.uint16) if layout.depth > 8 else packed
    planes: list[Plane] = []
    for rows, columns in layout.plane_shapes(*size):
        planes.append(samples[: rows * columns].reshape(rows, columns))
        samples = samples[rows * columns :]
    return planes


def dark_frames(name: str, size: tuple[int, int], count: int) -> npt.NDArray[np.uint8]:
    """Frames, packed, a row each; their chroma is grey."""
    layout = pixel_format(name)
    luma, *chroma = (rows * columns for rows, columns in layout.plane_shapes(*size))
    light = dark(count * luma).reshape(count, -1)
    frames = np.hstack([light, np.full((count, sum(chroma)), 128, np.uint8)])
    if layout.depth == 8:
        return frames
    return (frames.astype(np.uint16) << (layout.depth - 8 + layout.shift)).view(np.uint8)


def library_planes(
    enhancer: Enhancer,
    packed: npt.NDArray[np.uint8],
    name: str,
    size: tuple[int, int],
    number: int = 0,
) -> tuple[Plane, ...]:
    frame = Frame(
        tuple(planes_of(packed, name, size)),
        name,
        pts=number * 40_000_000,
        time_base=Fraction(1, 1_000_000_000),
        color=ColorInfo(matrix=6, range=1),
    )
    return enhancer.enhance_frame(frame).planes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "size"), [(I420, (1, 1)), (I420, (64, 48)), *((each, (33, 17)) for each in FORMATS)]
)
def test_planar_frames_are_those_of_the_library(
    host: Path, layout: int, size: tuple[int, int]
) -> None:
    name = FORMATS[layout]
    frames = dark_frames(name, size, 3)
    run = run_host(host, frames.tobytes(), size, layout=layout)
    assert run.flags == [True] * 3
    assert run.log == []

    enhancer = Enhancer("grid", denoise="off")
    made = np.frombuffer(run.pixels, np.uint8).reshape(3, -1)
    for number, (before, after) in enumerate(zip(frames, made, strict=True)):
        expected = library_planes(enhancer, before, name, size, number)
        for plane, right in zip(planes_of(after, name, size), expected, strict=True):
            np.testing.assert_array_equal(plane, right)
    assert made.mean() > frames.mean()


@pytest.mark.slow
def test_denoising_light_frames_and_a_part_as_it_was_are_what_was_asked_for(host: Path) -> None:
    size, name = (64, 48), "yuv420p"
    frames = dark_frames(name, size, 2) + np.uint8(100)  # well lit
    asked = ("always", "denoise=0.5", "before=0.5")
    run = run_host(host, frames.tobytes(), size, options=asked)
    enhancer = Enhancer("grid", when_dark=False, denoise=0.5)
    made = np.frombuffer(run.pixels, np.uint8).reshape(2, -1)
    for number, (before, after) in enumerate(zip(frames, made, strict=True)):
        expected = library_planes(enhancer, before, name, size, number)
        given = planes_of(before, name, size)
        for plane, old, right in zip(planes_of(after, name, size), given, expected, strict=True):
            half = plane.shape[1] // 2
            np.testing.assert_array_equal(plane[:, :half], old[:, :half])
            np.testing.assert_array_equal(plane[:, half:], right[:, half:])
            assert (right != old).any() or plane.shape[1] < 64
    as_it_is = run_host(host, frames.tobytes(), size)
    assert as_it_is.pixels == frames.tobytes()


@pytest.mark.slow
def test_an_exchange_gives_the_frame_before_and_waits_for_none(host: Path) -> None:
    """A new scene each, so that an enhanced frame does not depend on which were before it."""
    size, name, count = (64, 48), "yuv420p", 40
    frames = dark_frames(name, size, count)
    run = run_host(
        host,
        frames.tobytes(),
        size,
        patience_ms=40,
        pause_ms=40,
        options=("exchange", "step=10000"),
    )
    made = np.frombuffer(run.pixels, np.uint8).reshape(count, -1)
    enhancer = Enhancer("grid", denoise="off")
    bright = []
    for number, frame in enumerate(frames):
        enhancer.reset()
        planes = library_planes(enhancer, frame, name, size, number)
        bright.append(np.concatenate([plane.ravel() for plane in planes]))
    assert sum(run.flags) > 10
    shown = -1
    for number, (after, enhanced) in enumerate(zip(made, run.flags, strict=True)):
        if not enhanced:
            np.testing.assert_array_equal(after, frames[number])
            continue
        (of,) = [k for k in range(number + 1) if np.array_equal(bright[k], after)]
        assert of >= shown
        shown = of
    assert shown > 0


@pytest.mark.slow
@pytest.mark.parametrize("layout", [RGBA, BGRA])
def test_rgba_is_that_of_the_library_and_keeps_alpha(host: Path, layout: int) -> None:
    frame = dark(20 * 31 * 4).reshape(20, 31, 4)
    run = run_host(host, frame.tobytes(), (31, 20), layout=layout)
    made = np.frombuffer(run.pixels, np.uint8).reshape(frame.shape)
    order: Order = "rgb" if layout == RGBA else "bgr"
    expected = Enhancer("grid", denoise="off")(frame, order=order, time_s=0.0)
    np.testing.assert_array_equal(made, expected)
    np.testing.assert_array_equal(made[..., 3], frame[..., 3])
    assert made[..., :3].mean() > frame[..., :3].mean()


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "order"), [(YUY2, "YUV"), (UYVY, "UYV"), (YVYU, "YVU")])
def test_packed_frames_are_enhanced_as_422(host: Path, layout: int, order: str) -> None:
    packed = dark(17 * 4 * 16).reshape(17, 64)  # 31 pixels, and one beside them
    run = run_host(host, packed.tobytes(), (31, 17), layout=layout)
    made = np.frombuffer(run.pixels, np.uint8).reshape(packed.shape)
    y = order.index("Y")
    u, v = {"YUV": (1, 3), "UYV": (0, 2), "YVU": (3, 1)}[order]
    parts = (slice(y, y + 61, 2), slice(u, None, 4), slice(v, None, 4))
    planes = tuple(packed[:, part] for part in parts)
    frame = Frame(
        tuple(np.ascontiguousarray(plane) for plane in planes),
        "yuv422p",
        pts=0,
        color=ColorInfo(matrix=6, range=1),
    )
    expected = Enhancer("grid", denoise="off").enhance_frame(frame).planes
    for part, right in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(made[:, part], right)
    np.testing.assert_array_equal(made[:, y + 62], packed[:, y + 62])


def test_without_the_python_frames_pass_and_one_line_says_so(host: Path, tmp_path: Path) -> None:
    frames = dark(50 * 24).tobytes()
    run = run_host(host, frames, (4, 4), python=tmp_path / "gone")
    assert run.pixels == frames
    assert run.flags == [False] * 50
    (line,) = run.log
    assert f"cannot start {tmp_path / 'gone'}: No such file" in line
    assert "tapetum plugin install" in line


def test_a_python_without_tapetum_passes_frames(host: Path) -> None:
    frames = dark(50 * 24).tobytes()
    run = run_host(host, frames, (4, 4), python="/bin/false")
    assert run.pixels == frames
    assert len(run.log) == 1


def test_no_frame_waits_for_the_thread_that_started_a_worker(tmp_path: Path) -> None:
    """It may not run for long where others go before it: here it lingers for three seconds."""
    lingering = str(SUPPORT / "lingering_threads.c")
    host = built_host(tmp_path, lingering, "-Wl,--wrap=pthread_create")
    frames = dark(50 * 24).tobytes()
    run = run_host(host, frames, (4, 4), python="/bin/false", patience_ms=40, pause_ms=20)
    assert run.pixels == frames
    assert run.slowest_ms < 2000


def test_a_python_that_may_not_run_passes_frames_and_says_so(host: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("no program")
    run = run_host(host, dark(3 * 24).tobytes(), (4, 4), python=python)
    assert run.flags == [False] * 3
    assert "Permission denied" in run.log[0]


@pytest.mark.parametrize(("layout", "size"), [(99, (4, 4)), (I420, (16385, 1)), (I420, (1, 16385))])
def test_formats_and_sizes_that_are_not_taken_pass_and_one_line_says_so(
    host: Path, layout: int, size: tuple[int, int]
) -> None:
    frames = dark(4 * size[0] * size[1] * 2 or 1).tobytes()
    run = run_host(host, frames, size, layout=layout, patience_ms=40)
    assert not any(run.flags)
    assert all("format is not taken, or their size" in line for line in run.log[:1])
    assert run.pixels == frames[: len(run.pixels)]


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs the program prlimit")
def test_a_host_whose_files_are_limited_gets_its_frames_back(host: Path) -> None:
    """What is shared counts as a file, and over the limit the system would end the host."""
    size = (640, 480)
    frame = dark_frames("yuv420p", size, 1)
    run = run_host(host, frame.tobytes(), size, limits=[f"--fsize={frame.size * 3 // 2}"])
    assert run.flags == [False]
    assert run.log == ["tapetum: frames pass unchanged: there is no memory left to share"]
    assert run.pixels == frame.tobytes()


@pytest.mark.slow
def test_8k_is_enhanced(host: Path) -> None:
    size = (7680, 4320)
    frame = dark_frames("yuv420p", size, 1)
    run = run_host(host, frame.tobytes(), size)
    assert run.flags == [True]
    luma = size[0] * size[1]
    assert np.frombuffer(run.pixels, np.uint8)[:luma].mean() > frame[0, :luma].mean()


def test_a_plugin_of_another_version_is_told_so() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    serving = threading.Thread(target=serve_stream, args=(theirs,))
    serving.start()
    with ours:
        ours.send(struct.pack("=4IQ", 1, I420, 4, 4, 7).ljust(1072, b"\0"))  # version 1's size
        sequence, failed, message = ANSWER.unpack(ours.recv(ANSWER.size))
    serving.join()
    assert (sequence, failed) == (7, 1)
    assert b"another version of Tapetum" in message


@pytest.mark.slow
def test_twenty_streams_at_once_have_one_worker(tmp_path: Path) -> None:
    client, worker_ids = Client(tmp_path), set()
    before = set(children(os.getpid()))  # of other tests, such as Python's resource tracker
    frame = [np.full((60, 80), 30, np.uint8), *[np.full((30, 40), 128, np.uint8)] * 2]
    with ExitStack() as open_streams:
        streams = [open_streams.enter_context(client.stream(90_000)) for _ in range(20)]
        for number, stream in enumerate(streams):
            planes = [plane.copy() for plane in frame]
            enhanced, _ = stream(planes, number)
            assert enhanced
            assert planes[0].mean() > 30
            worker_ids |= set(children(os.getpid())) - before
        assert len(worker_ids) == 1
    assert not Path(f"/proc/{worker_ids.pop()}").exists()


@pytest.mark.slow
def test_a_model_that_is_not_there_is_said_by_the_worker(host: Path) -> None:
    frames = dark(3 * 24).tobytes()
    run = run_host(host, frames, (4, 4), model="/gone.onnx")
    assert run.pixels == frames
    (line,) = run.log
    assert "/gone.onnx" in line


@pytest.mark.slow
@pytest.mark.parametrize("exchange", [False, True])
def test_a_worker_that_dies_and_dawdles_never_tears_a_frame(
    host: Path, tmp_path: Path, exchange: bool
) -> None:
    """It writes halves of frames and dies, and answers after the host stopped waiting."""
    moody = tmp_path / "python"
    moody.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{SUPPORT / "moody_worker.py"}"\n')
    moody.chmod(0o755)
    size = 64 * 48 * 4
    frames = np.random.default_rng(2).integers(0, 256, (400, size), dtype=np.uint8)
    run = run_host(
        host,
        frames.tobytes(),
        (64, 48),
        layout=RGBA,
        python=moody,
        patience_ms=20,
        pause_ms=8,
        options=("exchange",) if exchange else (),
    )
    made = np.frombuffer(run.pixels, np.uint8).reshape(frames.shape)
    for number, (before, after) in enumerate(zip(frames, made, strict=True)):
        if not run.flags[number]:
            np.testing.assert_array_equal(after, before)
            continue
        oldest = max(0, number - 60) if exchange else number
        assert any(np.array_equal(after, 255 - frames[k]) for k in range(oldest, number + 1))
    assert 20 < sum(run.flags) < 380


def shared_memory() -> set[str]:
    """What Tapetum or Python's own shared memory would be called; other tests' browsers use it."""
    return {path.name for path in Path("/dev/shm").iterdir() if re.match("tapetum|psm_", path.name)}


@pytest.mark.slow
def test_nothing_is_left_of_a_killed_host(host: Path) -> None:
    given = host.parent / "endless"
    given.write_bytes(dark(2000 * 24).tobytes())
    shared = shared_memory()
    words = [I420, 4, 4, 90_000, 20, "grid", given, host.parent / "made"]
    with subprocess.Popen(
        [str(host), *map(str, words)],
        env=os.environ | {"TAPETUM_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("1")
        (worker,) = children(process.pid)
        process.send_signal(signal.SIGKILL)
    end_s = time.monotonic() + 60
    while Path(f"/proc/{worker}/exe").exists() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}/exe").exists()
    assert shared_memory() <= shared
