"""Live video whose pictures stay on a simulated GPU from decoder to encoder; and faults."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.live_on_device import SOURCE, Live
from support.live_parts import free_udp_port, opened
from support.random_frames import random_frame
from support.simulated_codecs import refuse_encoding, simulate_codecs
from support.simulated_gpu import SimulatedGPU

from tapetum.realtime import SyntheticSource
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cuda import live_gpu
from tapetum.realtime.cuda.live_gpu import LiveNvdec
from tapetum.realtime.cuda.transfer import FetchFromDevice, taken_apart
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import DeviceError, EncoderError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.live.sinks.stream_sink import StreamSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.memory_sink import MemorySink

pytestmark = pytest.mark.slow

ON_GPU = "grid on cuda"


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of one dark picture of NV12, which any decoder gives as it is."""
    path = tmp_path_factory.mktemp("clips") / "still.nut"
    luma, chroma = random_frame("nv12", 96, 64, seed=4).planes
    rows = np.arange(64, dtype=np.uint8)[:, None]
    whole: Any = np.concatenate((16 + rows // 2 + luma // 16, 120 + chroma // 16))
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("rawvideo", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "nv12"
        for pts in range(50):
            picture = av.VideoFrame.from_ndarray(whole, format="nv12")
            picture.pts = pts
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def bright(still: Path) -> Frame:
    """What the CPU makes of it."""
    enhancer = make_enhancer("grid", denoise="off")
    assert isinstance(enhancer, GridEnhancer)
    with FileSource(still) as frames:
        return enhancer(next(iter(frames)))


@pytest.fixture(scope="session")
def still_and_bright(still: Path, bright: Frame) -> tuple[Path, Frame]:
    """Both."""
    return still, bright


def long_on_gpu(live: Live) -> bool:
    return live.modes[-4:] == [ON_GPU] * 4  # longer than the way there from the CPU's picture


def last_of(path: Path) -> Frame:
    with FileSource(path) as frames:
        return list(frames)[-1]


def difference(found: Frame, wanted: Frame) -> float:
    """Mean difference of luma."""
    luma, other = (taken_apart(frame).planes[0].astype(np.float64) for frame in (found, wanted))
    return float(np.abs(luma - other).mean())


def test_a_recording_of_a_file_never_leaves_the_device(
    gpu: SimulatedGPU,
    still: Path,
    bright: Frame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But for rows of luma, at which the stream looks for cuts."""
    simulate_codecs(monkeypatch)
    whole: list[str] = []
    fetched = FetchFromDevice.__call__

    def fetching(fetch: FetchFromDevice) -> Frame:
        whole.append(live.modes[-1] if live.modes else "")
        return fetched(fetch)

    monkeypatch.setattr(FetchFromDevice, "__call__", fetching)
    path = tmp_path / "out.mkv"
    live = Live(still, str(path))
    summary = live.run(long_on_gpu)
    assert summary.failed == {}
    assert not live.said("CPU ")
    assert gpu.waits["wait_for_decoder"] > 0
    assert gpu.loaded == 1
    assert summary.modes[ON_GPU] > whole.count(ON_GPU)  # fetched on the way there alone
    assert difference(last_of(path), bright) < 2


def test_a_program_gets_frames_in_main_memory(
    gpu: SimulatedGPU, still: Path, bright: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_codecs(monkeypatch)
    sink = MemorySink()
    Live(still, SinkPlace("memory", sink)).run(long_on_gpu)
    assert gpu.launches > 0
    assert {frame.format_name for frame in sink.frames} == {"nv12"}
    assert all(isinstance(plane, np.ndarray) for frame in sink.frames for plane in frame.planes)
    assert difference(sink.frames[-1], bright) < 0.5


def test_without_the_wait_for_the_decoder_pictures_are_wrong(
    gpu: SimulatedGPU, still: Path, bright: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_codecs(monkeypatch)
    gpu.skipped = {"wait_for_decoder"}
    sink = MemorySink()
    live = Live(still, SinkPlace("memory", sink))
    live.run(lambda live: len(live.modes) >= 4)
    assert gpu.waits["wait_for_decoder"] > 0
    assert max(difference(frame, bright) for frame in sink.frames) > 10


@pytest.mark.parametrize("refused", ["first", "third"])
def test_where_nvenc_refuses_the_cpu_records(
    gpu: SimulatedGPU,
    still_and_bright: tuple[Path, Frame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: str,
) -> None:
    still, bright = still_and_bright
    simulate_codecs(monkeypatch)
    refuse_encoding(monkeypatch, refused)
    path = tmp_path / "out.mkv"
    live = Live(still, str(path))
    summary = live.run(long_on_gpu)
    assert gpu.launches > 0
    (line,) = live.said("the CPU encodes")
    assert line.startswith(f"the CPU encodes {path}, not NVENC on cuda:0: libx264 refuses 96x64")
    assert summary.failed == {}
    parts = sorted(tmp_path.iterdir())
    with FileSource(path) as frames:
        count = len(list(frames))
    if refused == "first":
        assert parts == [path]
        assert count >= summary.sinks[str(path)]["frames"]  # held pictures are not counted
    assert difference(last_of(parts[0]), bright) < 2


def test_where_nvdec_refuses_the_cpu_decodes(
    gpu: SimulatedGPU, still: Path, bright: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_codecs(monkeypatch)

    def refuses(*_: object) -> None:
        raise DeviceError("NVDEC on cuda:0 has no decoder for it")

    monkeypatch.setattr(live_gpu.LiveNvdec, "opened", refuses)
    sink = MemorySink()
    live = Live(still, SinkPlace("memory", sink))
    live.run(long_on_gpu)
    assert gpu.launches > 0
    assert live.said("decoded on the CPU") == [
        f"{still} is decoded on the CPU: NVDEC on cuda:0 has no decoder for it"
    ]
    assert difference(sink.frames[-1], bright) < 0.5


def test_a_file_that_is_played_again_goes_over_to_the_cpu_where_nvdec_is_gone(
    gpu: SimulatedGPU, still: Path, bright: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_codecs(monkeypatch)
    opens, turns = live_gpu.LiveNvdec.opened, list[int]()

    def once(decoding: LiveNvdec, address: Any) -> Any:
        turns.append(gpu.launches)
        if len(turns) > 1:
            raise DeviceError("NVDEC on cuda:0 is gone")
        return opens(decoding, address)

    monkeypatch.setattr(live_gpu.LiveNvdec, "opened", once)
    sink = MemorySink()
    live = Live(still, SinkPlace("memory", sink))
    summary = live.run(lambda live: len(turns) > 1 and long_on_gpu(live))
    assert summary.failed == {}
    assert live.said("decoded on the CPU") == [
        f"{still} is decoded on the CPU: NVDEC on cuda:0 is gone"
    ]
    assert len(turns) == 2
    assert difference(sink.frames[-1], bright) < 0.5


def test_a_stream_goes_on_where_the_device_is_lost(
    gpu: SimulatedGPU,
    still: Path,
    bright: Frame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Decoder, model and encoder are the CPU's from then on, and each says so once."""
    simulate_codecs(monkeypatch)
    path, sink = tmp_path / "out.mkv", MemorySink()
    live = Live(still, SinkPlace("memory", sink), str(path))

    def until(live: Live) -> bool:
        if long_on_gpu(live):
            gpu.lost = True
        return gpu.lost and live.modes[-4:] == ["grid"] * 4

    summary = live.run(until)
    assert summary.failed == {}
    (line,) = live.said("is decoded on the CPU")
    assert line.startswith(f"{still} is decoded on the CPU: cuda:0 cannot be used: ")
    assert len(live.said("grid on cuda is given up")) == 1
    assert len(live.said("the CPU encodes")) == 1
    again = tmp_path / "out-2.mkv"
    assert live.said("goes on in") == [f"{path} goes on in {again}"]
    assert {frame.format_name for frame in sink.frames} == {"nv12"}
    real = [frame for frame in sink.frames if frame.arrival_time_s is not None]  # not held
    times = [frame.time_s or 0.0 for frame in real]
    assert times == sorted(set(times))
    for found in (last_of(path), last_of(again), sink.frames[-1]):
        assert difference(found, bright) < 2.5


class HereAsThere:
    """A `LiveEncoding` of main memory: what it opens late is libx264."""

    description = "an encoder of this process"

    def context(self) -> Any:
        return nullcontext()

    def settings(self, *_: object) -> Any:
        from tapetum.realtime.media.encoder import EncoderSettings

        return EncoderSettings("libx264")

    def pictures(self) -> Any:
        from tapetum.realtime.media.av_frame import to_av

        class Pictures:
            hwaccel = None
            opens_late = True

            def __call__(self, frame: Frame) -> av.VideoFrame:
                return to_av(frame)

        return Pictures()

    def given(self, frame: Frame) -> Frame:
        return frame


class Refusing(HereAsThere):
    """One that has no encoder."""

    description = "an encoder that is not there"

    def settings(self, *_: object) -> Any:
        raise EncoderError("it refuses")


@contextmanager
def sending(sink: StreamSink) -> Iterator[Callable[[], None]]:
    """Send a clip over and over, a part with each call."""
    frames = list(SyntheticSource(96, 64, frames=10, rate=Fraction(30)))
    number = 0

    def send() -> None:
        nonlocal number
        for frame in frames:
            step = round(Fraction(1, 30) / frame.time_base)
            sink.write(replace(frame, pts=number * step))
            number += 1

    try:
        yield send
    finally:
        sink.discard()


@pytest.mark.parametrize("encoding", [HereAsThere(), Refusing()], ids=["packets", "frames"])
def test_packets_are_sent_that_were_encoded_elsewhere(encoding: Any) -> None:
    """The sending process gets them as they are; where none come, it encodes frames."""
    url, said = f"udp://127.0.0.1:{free_udp_port()}", list[str]()
    sink = StreamSink(url, encoding=encoding, on_notice=said.append)
    assert sink._sender.gets_packets
    with sending(sink) as send:
        done = threading.Event()

        def keep_sending() -> None:
            while not done.wait(0.2):
                send()

        sender = threading.Thread(target=keep_sending)
        sender.start()
        try:
            source = opened(url, [])
            pictures = [frame for frame, _ in zip(source, range(12), strict=False)]
            source.close()
        finally:
            done.set()
            sender.join()
        sink.close()
    assert {(frame.width, frame.height) for frame in pictures} == {(96, 64)}
    assert len(said) == isinstance(encoding, Refusing)
    assert sink._sender.gets_packets != isinstance(encoding, Refusing)


def test_a_camera_is_not_asked_of_nvdec(gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pictures are decoded as ever, and copied there."""

    def asked(*_: object) -> None:
        pytest.fail("NVDEC was asked")

    monkeypatch.setattr(LiveNvdec, "opened", asked)
    sink = MemorySink()
    live = Live(SOURCE, SinkPlace("memory", sink))
    live.run(lambda live: live.modes[-1] == ON_GPU)
    assert gpu.launches > 0
    assert not live.said("decoded on the CPU")
    assert len({frame.format_name for frame in sink.frames}) == 1
