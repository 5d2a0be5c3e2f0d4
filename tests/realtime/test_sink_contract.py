"""What `FrameSink` promises, of every sink: how it ends, twice, early and when it is stuck."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.live_parts import StallingSink, free_udp_port, wait_until

from tapetum.realtime import FileSink, MemorySink, SyntheticSource
from tapetum.realtime.errors import MediaError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.controls import Controls
from tapetum.realtime.live.outputs import MeteredSink, NullSink, Output, SinkPlace
from tapetum.realtime.live.sinks import window_sink
from tapetum.realtime.live.sinks.pipe_sinks import RawVideoSink, Y4mSink
from tapetum.realtime.live.sinks.recording_sink import RecordingSink
from tapetum.realtime.live.sinks.stream_sink import StreamSink
from tapetum.realtime.live.sinks.virtual_camera_sink import VirtualCameraSink
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.prefetch import WriteBehind
from tapetum.realtime.protocols import FrameSink, Interruptible

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

FRAMES = list(SyntheticSource(64, 48, frames=4, rate=Fraction(30)))
INFO = VideoInfo(64, 48, "yuv420p", Fraction(1, 30), average_rate=Fraction(30))


class _Window:
    """OpenCV without its windows, where there is no display."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def namedWindow(self, title: str, _flags: int) -> None:  # noqa: N802 - OpenCV's name
        self.shown.append(title)

    def destroyAllWindows(self) -> None:  # noqa: N802
        self.shown.clear()

    def pollKey(self) -> int:  # noqa: N802
        return 0xFF

    def getWindowProperty(self, _title: str, _property: int) -> float:  # noqa: N802
        return 1.0

    def getWindowImageRect(self, _title: str) -> tuple[int, int, int, int]:  # noqa: N802
        return 0, 0, 320, 180

    def imshow(self, *_arguments: object) -> None:
        pass

    resizeWindow = setMouseCallback = imshow  # noqa: N815

    def __getattr__(self, name: str) -> Any:
        return getattr(cv2, name)


class _Camera:
    """pyvirtualcam's part of a virtual camera; `opened` are those that other programs see."""

    opened: list[_Camera] = []  # noqa: RUF012 - it stands for the system's

    def __init__(self, **_options: object) -> None:
        self.opened.append(self)

    def send(self, _image: np.ndarray) -> None:
        pass

    def close(self) -> None:
        self.opened.remove(self)


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> _Window:
    stand_in = _Window()
    monkeypatch.setattr(window_sink, "window_toolkit", lambda: stand_in)
    return stand_in


@pytest.fixture
def _camera(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = types.ModuleType("pyvirtualcam")
    package.Camera = _Camera
    package.PixelFormat = types.SimpleNamespace(BGR="bgr")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", package)


MAKERS: dict[str, Callable[[Path], FrameSink]] = {
    "memory": lambda _: MemorySink(),
    "null": lambda _: NullSink(),
    "file": lambda folder: FileSink(folder / "out.mp4", info=INFO),
    "recording": lambda folder: RecordingSink(folder / "out.mkv"),
    "y4m": lambda _: Y4mSink(io.BytesIO()),
    "rawvideo": lambda _: RawVideoSink(io.BytesIO()),
    "stream": lambda _: StreamSink(f"udp://127.0.0.1:{free_udp_port()}"),
    "window": lambda _: window_sink.WindowSink(Controls(), lambda: "caption"),
    "virtual": lambda _: VirtualCameraSink(),
    "metered": lambda folder: MeteredSink(RecordingSink(folder / "out.mkv")),
    "behind": lambda folder: WriteBehind(FileSink(folder / "out.mp4", info=INFO)),
    "output": lambda folder: Output(SinkPlace("out.mkv", RecordingSink(folder / "out.mkv"), 9)),
}


@pytest.fixture(params=MAKERS)
def sink(
    request: pytest.FixtureRequest, tmp_path: Path, window: _Window, _camera: None
) -> Iterator[FrameSink]:
    """Each sink; whatever a test does with it, it must hold nothing afterwards."""
    before, files = children(), open_files()
    yield MAKERS[request.param](tmp_path)
    assert children() == before
    assert open_files() <= files
    assert not window.shown
    assert not _Camera.opened
    assert not list(tmp_path.glob(".*"))  # no unfinished file


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split())


def write(sink: FrameSink, frames: list[Frame]) -> None:
    for frame in frames:
        sink.write(frame)


def test_it_is_a_sink(sink: FrameSink) -> None:
    assert isinstance(sink, FrameSink)
    sink.discard()


def test_close_finishes_once(sink: FrameSink, tmp_path: Path) -> None:
    write(sink, FRAMES)
    sink.close()
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sink.close()
    sink.discard()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written


def test_discard_gives_up_once(sink: FrameSink) -> None:
    write(sink, FRAMES[:1])
    sink.discard()
    sink.discard()
    sink.close()


def test_what_was_never_written_to_is_closed(sink: FrameSink) -> None:
    sink.close()
    sink.discard()


def test_what_was_never_written_to_is_discarded(sink: FrameSink) -> None:
    sink.discard()
    sink.close()


def test_after_a_write_that_failed_it_is_given_up(sink: FrameSink) -> None:
    """Frames that change their size are refused by those whose format has one size."""
    other = next(iter(SyntheticSource(32, 16)))
    write(sink, FRAMES[:1])
    try:
        for _ in range(9):  # behind a thread, one that follows is told, or who closes it
            sink.write(other)
        sink.close()
    except TapetumError:
        sink.discard()


class FailingClose(MemorySink):
    """Takes frames, and cannot be finished."""

    discarded = False

    def close(self) -> None:
        raise MediaError("the disk is full")

    def discard(self) -> None:
        self.discarded = True


class FailingWrite(FailingClose):
    """Takes no frame."""

    def write(self, frame: Frame) -> None:
        raise MediaError(f"no room for {frame.width} columns")


@pytest.mark.parametrize("kind", [FailingClose, FailingWrite])
def test_one_behind_a_thread_that_fails_is_discarded_by_close(kind: type[FailingClose]) -> None:
    failing = kind()
    behind = WriteBehind(failing)
    behind.write(FRAMES[0])
    with pytest.raises(MediaError, match=r"disk is full|no room"):
        behind.close()
    assert failing.discarded


def test_a_stuck_sink_is_discarded_when_it_comes_back() -> None:
    stuck = StallingSink()
    output = Output(SinkPlace("stuck", stuck))
    output.write(FRAMES[0])
    wait_until(lambda: len(stuck.frames) == 1)
    behind = output._behind
    assert behind is not None
    with pytest.raises(MediaError, match="stuck has taken nothing"):
        behind.close(0.05)
    assert not stuck.closed
    stuck.release.set()
    wait_until(lambda: stuck.closed)
    assert not stuck.frames


def test_a_sending_process_that_is_stuck_is_ended() -> None:
    before = children()
    sender = StreamSink(f"udp://127.0.0.1:{free_udp_port()}")
    (process,) = children() - before
    assert isinstance(sender, Interruptible)
    os.kill(int(process), signal.SIGSTOP)
    behind = WriteBehind(MeteredSink(sender), depth=1, policy="drop_oldest", name="udp")
    for frame in SyntheticSource(640, 360, frames=3):  # more than a pipe holds
        behind.write(frame)
    with pytest.raises(MediaError, match="udp has taken nothing"):
        behind.close(0.3)
    assert children() == before
