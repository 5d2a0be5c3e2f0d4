"""Whole runs of the GPU path on a simulated GPU: no GPU has to be there.

They are held against the CPU path, with faults, and with each wait taken away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from support.live_on_device import SOURCE, Live
from support.media import Clip, make_clip
from support.noisy_scenes import NoisyScene
from support.random_frames import random_frame
from support.simulated_codecs import refuse_encoding, simulate_codecs
from support.simulated_gpu import CUDADriverError, CUDARuntimeError, SimulatedGPU
from support.small_clips import write_clip
from support.tolerance import EXACT, GPU, assert_planes_close

from tapetum.realtime import SyntheticSource
from tapetum.realtime.choices import LAYOUTS, Denoise, Layout
from tapetum.realtime.cuda import round_trip
from tapetum.realtime.cuda.cuda_video import open_on_cuda
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.device_picture import DevicePictureFinder
from tapetum.realtime.cuda.frame_graph import FrameGraph
from tapetum.realtime.cuda.gpu_limits import NOISE
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, address
from tapetum.realtime.cuda.least_memory import FRAMES_OF_VIDEO, least_bytes
from tapetum.realtime.cuda.nvdec_source import open_with_nvdec
from tapetum.realtime.cuda.round_trip import make_round_trip
from tapetum.realtime.cuda.transfer import downloaded, semi_planar, uploaded
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.errors import DeviceError, EncoderError, TapetumError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.outputs import SinkPlace
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.memory_sink import MemorySink

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def raw_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of NV12 that any decoder gives as they are."""
    path = tmp_path_factory.mktemp("clips") / "raw.nut"
    frames = (random_frame("nv12", 98, 66, seed=pts).planes for pts in range(6))
    write_raw(path, [(luma // 3, 96 + chroma // 4) for luma, chroma in frames])
    return path


def noisy_clip(folder: Path) -> Path:
    """The same of a scene with noise in it."""
    path = folder / "noisy.nut"
    write_raw(path, [seen.planes for seen, _ in NoisyScene(242, 136).frames(8)])
    return path


def write_raw(path: Path, frames: list[Any]) -> None:
    """Write the two planes of each frame."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("rawvideo", 25)
        height, width = frames[0][0].shape
        stream.width, stream.height, stream.pix_fmt = width, height, "nv12"
        for pts, planes in enumerate(frames):
            whole: Any = np.concatenate(planes)
            picture = av.VideoFrame.from_ndarray(whole, format="nv12")
            picture.pts = pts
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def assert_same_video(found: Path, wanted: Path, tolerance: Any = GPU) -> None:
    with FileSource(found) as one, FileSource(wanted) as two:
        for first, second in zip(one, two, strict=True):
            assert (first.time_s, first.color) == (second.time_s, second.color)
            planes = semi_planar(first).planes, semi_planar(second).planes
            assert_planes_close(*planes, tolerance)


def test_a_file_is_enhanced_as_on_the_cpu(
    gpu: SimulatedGPU, short_clip: Path, tmp_path: Path
) -> None:
    """Its decoder is refused, and so is NVENC: it goes up, through the kernels, and down."""
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    result = enhance_file(short_clip, there, device="cuda", codec="ffv1", denoise="off")
    enhance_file(short_clip, here, device="cpu", codec="ffv1", denoise="off")
    assert result.enhancer == "grid on cuda:0, simulated"
    decoder, runtime, *_ = result.notices
    assert decoder.startswith("decoding on cuda:0: decoded on the CPU: NVDEC on cuda:0 cannot be")
    assert runtime.startswith("cuda:0 runs models with PyTorch: ")
    assert gpu.launches == result.frames  # of the graph: one is a trial, in place of the first
    assert gpu.opened == gpu.loaded == 1
    assert_same_video(there, here)


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_a_file_stays_on_the_device_from_decoder_to_encoder(
    gpu: SimulatedGPU,
    raw_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    strength: float,
) -> None:
    simulate_codecs(monkeypatch)
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    given: Any = {"strength": strength, "when_dark": False, "denoise": "off"}
    result = enhance_file(raw_clip, there, device="cuda:1", crf=0, **given)
    assert "decoding on cuda:1: NVDEC" in result.notices
    assert "encoding on cuda:1: NVENC" in result.notices
    assert gpu.waits["upload"] == gpu.waits["download"] == 0
    assert gpu.contexts == {1}  # none on the first GPU, which is another job's
    enhance_file(raw_clip, here, device="cpu", codec="ffv1", **given)
    assert_same_video(there, here, EXACT if strength == 0 else GPU)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_comparison_is_made_on_the_device(
    gpu: SimulatedGPU,
    raw_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    layout: Layout,
) -> None:
    simulate_codecs(monkeypatch)
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    enhance_file(raw_clip, there, device="cuda", crf=0, denoise="off", compare=layout)
    enhance_file(raw_clip, here, device="cpu", codec="ffv1", denoise="off", compare=layout)
    assert gpu.waits["array_work"] > 0
    assert_same_video(there, here)


@pytest.mark.parametrize("refused", ["first", "third", "end"])
def test_where_nvenc_refuses_the_cpu_encodes_all_of_it(
    gpu: SimulatedGPU,
    raw_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: str,
) -> None:
    """All is opened, and no packet has come yet."""
    simulate_codecs(monkeypatch)
    refuse_encoding(monkeypatch, refused)
    there, here = tmp_path / "cuda.mkv", tmp_path / "cpu.mkv"
    part: Any = {"duration_s": 0.12}  # as long as an encoder with threads gives nothing yet
    result = enhance_file(raw_clip, there, device="cuda", crf=0, denoise="off", **part)
    assert gpu.launches > 0
    (why,) = [line for line in result.notices if "the CPU after all" in line]
    assert why.startswith("encoding on the CPU after all: ")
    assert result.frames == 3
    enhance_file(raw_clip, here, device="cpu", codec="ffv1", denoise="off", **part)
    assert_same_video(there, here)


def test_an_encoder_that_is_named_and_refuses_is_an_error(
    gpu: SimulatedGPU, raw_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_codecs(monkeypatch)
    refuse_encoding(monkeypatch, "first")
    with pytest.raises(EncoderError, match="refuses 98x66"):
        enhance_file(raw_clip, tmp_path / "out.mkv", device="cuda", codec="h264_nvenc")
    assert gpu.launches > 0
    assert list(tmp_path.iterdir()) == []


def test_a_long_film_stays_on_the_device_too(gpu: SimulatedGPU, tmp_path: Path) -> None:
    """One that the CPU would make in segments of frames in main memory."""
    film, there, here = (tmp_path / name for name in ("film.mp4", "cuda.mkv", "cpu.mkv"))
    write_clip(film, frames=70, rate=1)
    enhance_file(film, there, device="cuda", codec="ffv1", denoise="off")
    enhance_file(film, here, device="cpu", codec="ffv1", denoise="off")
    assert gpu.launches > 0
    assert_same_video(there, here)


class Waitless(NamedTuple):
    """A run that needs a wait: it is wrong without."""

    wait: str
    strength: float = 1
    layout: Layout | None = None
    codecs: bool = True
    model: str = "grid"
    denoise: Denoise = "off"


WAITLESS = (
    Waitless("upload", codecs=False),
    Waitless("download", codecs=False),
    Waitless("wait"),  # for a frame, with the mark that it is right
    Waitless("copy_rows", strength=0),
    Waitless("array_work:null", strength=0, model="unet"),
    Waitless("array_work:own", layout="wipe"),
    Waitless("legacy"),
    Waitless("_fetched", denoise=1.0),  # a frame whose noise is measured
    Waitless("fetch_last", denoise=1.0),  # with the one before
)
"""Each wait of a file's."""
OF_SURROUNDINGS = {"_sight": "bars", "luma": "bars", "_thumbnail": "circle"}
"""Those by which bars and circles are found."""
OF_A_GRAPH = {"_other", "_check"}
"""Before it is captured, and when it is tried out."""
ELSEWHERE = {"wait_for_decoder", "brighten", *OF_A_GRAPH, *OF_SURROUNDINGS}
"""Those of live video (test_live_gpu), photos' noise (test_pictures_on_gpu), and the ones below."""


@pytest.mark.parametrize("case", WAITLESS, ids=str)
def test_without_any_of_its_waits_the_path_fails(
    gpu: SimulatedGPU,
    raw_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: Waitless,
) -> None:
    clip = raw_clip if case.denoise == "off" else noisy_clip(tmp_path)
    if case.codecs:
        simulate_codecs(monkeypatch)
    given: Any = {"strength": case.strength, "compare": case.layout, "model": case.model}
    given |= {"denoise": case.denoise, **({"crf": 0} if case.codecs else {"codec": "ffv1"})}
    wanted, again, without = (tmp_path / f"{name}.mkv" for name in ("wanted", "again", "without"))
    enhance_file(clip, wanted, device="cuda", **given)
    enhance_file(clip, again, device="cuda", **given)
    assert_same_video(again, wanted, EXACT)
    wait = case.wait.partition(":")[0]
    assert wait == "legacy" or gpu.waits[wait] > 0
    named = {case.wait.partition(":")[0] for case in WAITLESS} | ELSEWHERE
    assert [way for way in gpu.ways if named.isdisjoint(way)] == []
    gpu.skipped = {case.wait}
    gpu.pools.clear()  # what lay there was right
    with pytest.raises((AssertionError, TapetumError, RuntimeWarning)):  # noqa: PT012 - it may fail earlier
        enhance_file(clip, without, device="cuda", **given)
        assert_same_video(without, wanted, EXACT)


@pytest.mark.parametrize(
    ("wait", "why"),
    [
        ("_other", "the engine runs on another stream still"),
        ("_check", "the engine gives no finite numbers"),
    ],
)
def test_without_its_waits_no_graph_is_taken_for_right(
    gpu: SimulatedGPU, gain_model: Path, caplog: pytest.LogCaptureFixture, wait: str, why: str
) -> None:
    """What it makes is held against the engine's own before it is used."""
    (frame,) = SyntheticSource(96, 64, frames=1)
    gpu.skipped = {wait}
    make_round_trip(gain_model, "cuda")(frame)
    assert f"works without a CUDA graph: {why}" in caplog.text
    assert gpu.launches == (wait == "_check")


def test_a_graph_is_tried_with_another_picture(gpu: SimulatedGPU) -> None:
    """The frame upside down, at half its levels; without a wait, it would be anything."""
    device, frame = CudaDevice(), random_frame("nv12", 98, 66)
    there = uploaded(frame, device)
    wanted: Any = [np.flipud(plane) // 2 for plane in frame.planes]

    class Engine:
        description, capturable = "none", True

        def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
            """Give nothing."""

    def differences() -> list[bool]:
        shown: list[Any] = []
        network = [device.empty((1, 4), np.float32) for _ in range(2)]
        graph = FrameGraph(device, Engine(), *network)
        graph(there, lambda _frame: None, show=shown.append)
        found = [downloaded(given, device).planes for given in shown]
        return [not all(map(np.array_equal, planes, wanted)) for planes in found]

    assert differences() == [False, True]  # and then the frame itself, which was shown in its place
    gpu.skipped = {"_other"}
    assert differences() == [True, True]


@pytest.mark.parametrize(("wait", "shape"), OF_SURROUNDINGS.items())
def test_without_its_waits_what_surrounds_a_picture_is_not_seen(
    gpu: SimulatedGPU, wait: str, shape: str
) -> None:
    y, x = np.mgrid[:120, :160]
    inside = (abs(y - 59.5) < 40) & (abs(x - 79.5) < 60)
    if shape == "circle":
        inside = np.hypot(y - 59.5, x - 79.5) < 50
    luma, grey = np.where(inside, 60, 16).astype(np.uint8), np.full((60, 160), 128, np.uint8)
    device, frame = CudaDevice(), Frame((luma, grey), "nv12")

    def found() -> tuple[object, ...]:
        picture = DevicePictureFinder(device)(uploaded(frame, device))
        return picture.area, picture.circles

    wanted = found()
    assert wanted[0] is not None
    assert (wanted[1] is not None) == (shape == "circle")
    assert gpu.waits[wait] > 0
    gpu.skipped = {wait}
    gpu.pools.clear()  # what lay there was right
    with pytest.raises((AssertionError, RuntimeWarning)):
        assert found() == wanted


def test_what_lies_around_a_round_picture_is_waited_for(
    gpu: SimulatedGPU, gain_model: Path
) -> None:
    """It is put back when the rest of the frame is done."""
    del gpu
    y, x = np.mgrid[:120, :160]
    inside = np.hypot(y - 59.5, x - 79.5) < 50
    luma = np.where(inside, 60, 16 + (x + y) % 3).astype(np.uint8)
    frame = Frame((luma, np.full((60, 160), 128, np.uint8)), "nv12")
    there, here = (
        make_enhancer(gain_model, device=device, denoise="off")(frame) for device in ("cuda", "cpu")
    )
    assert_planes_close(there.planes, semi_planar(here).planes, GPU)


def test_an_upload_alone_is_missed_where_it_is_not_waited_for(gpu: SimulatedGPU) -> None:
    """Nothing else waits for the stream that copies."""
    device, given = CudaDevice(), np.arange(300, dtype=np.uint8)
    np.testing.assert_array_equal(device.get(device.upload(given)), given)
    gpu.skipped = {"upload"}
    there = device.upload(given)
    given[:] = 0  # it was taken over into memory that is staged for it
    np.testing.assert_array_equal(device.get(there), np.full(300, 0xFF))


@pytest.mark.parametrize(
    ("memory_bytes", "why"),
    [
        (1 << 17, r"0 MB are free, and a 96x64 video takes 1 MB at least"),
        (1 << 19, "Out of memory"),
    ],
)
def test_a_device_that_is_full_is_one_line(
    gpu: SimulatedGPU, short_clip: Path, tmp_path: Path, memory_bytes: int, why: str
) -> None:
    gpu.faults.memory_bytes = memory_bytes
    output = tmp_path / "out.mp4"
    with pytest.raises(DeviceError, match=rf"cuda:0 has not enough memory \({why}"):
        enhance_file(short_clip, output, device="cuda")
    assert list(tmp_path.glob("*.mp4")) == []


def test_a_file_waits_for_no_other_stream_s_memory_but_says_so(
    gpu: SimulatedGPU, short_clip: Path, tmp_path: Path
) -> None:
    """What others on the same GPU hold is missing, and is there again when they end."""
    gpu.faults.memory_bytes = 4 << 20
    given: Any = {"device": "cuda", "codec": "ffv1", "duration_s": 0.1}
    output = tmp_path / "out.mkv"
    held: Any = CudaDevice().empty(((4 << 20) - (1 << 17),), np.uint8)
    says = r"has not enough memory \(0 MB are free, and a 96x64 video takes 1 MB at least\)"
    with pytest.raises(DeviceError, match=says):
        enhance_file(short_clip, output, **given)
    del held
    assert enhance_file(short_clip, output, **given).frames == 3


def test_two_streams_that_begin_at_once_are_not_promised_the_same_memory(
    gpu: SimulatedGPU, sample_clip: Path
) -> None:
    """Neither has taken any yet; the second is let in when the first has ended, or has its own."""
    first = open_on_cuda(sample_clip, "cuda")
    size = first.info.width, first.info.height
    needed = least_bytes("grid", "yuv420p", *size, frames=FRAMES_OF_VIDEO)
    gpu.faults.memory_bytes = needed * 3 // 2
    with pytest.raises(DeviceError, match=r"not enough memory .* video takes \d+ MB at least"):
        open_on_cuda(sample_clip, "cuda")
    first.close()
    first.close()
    second = open_on_cuda(sample_clip, "cuda")
    for count, _ in enumerate(second.frames):
        if count == FRAMES_OF_VIDEO:
            break
    assert count == FRAMES_OF_VIDEO
    third = open_on_cuda(sample_clip, "cuda")  # those frames are gone again
    second.close()
    third.close()


def test_a_picture_s_memory_is_promised_until_it_is_taken(
    gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the first one, or by the one that failed."""
    enhancer = make_round_trip("grid", "cuda")
    (frame,) = SyntheticSource(512, 512, frames=1)
    gpu.faults.memory_bytes -= gpu.memory_info()[0] - (1 << 21)
    other = CudaDevice()
    within = list[str]()

    def interrupted(*_given: Any) -> None:
        with pytest.raises(DeviceError, match="not enough memory") as caught:
            other.room_for(1_700_000, "another")
        within.append(str(caught.value))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(round_trip, "uploaded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            enhancer(frame)
    assert within
    other.room_for(1_700_000, "another").release()


def test_alpha_is_kept(gpu: SimulatedGPU, tmp_path: Path) -> None:
    """By the CPU's decoder and encoder; it ended in a traceback."""
    del gpu
    clip = Clip(
        frames=3,
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        video_metadata={"alpha_mode": "1"},
    )
    dark, output = make_clip(tmp_path / "in.webm", clip), tmp_path / "out.webm"
    with pytest.raises(DeviceError, match="has an alpha channel, which NVDEC does not decode"):
        open_with_nvdec(dark, 0)
    enhance_file(dark, output, device="cuda", denoise="off")
    with FileSource(output) as source:
        assert [frame.alpha is not None for frame in source] == [True] * 3


@pytest.mark.parametrize("lost_after", [3, 12, 40, 90])
def test_a_device_that_is_lost_in_mid_file_is_one_line(
    gpu: SimulatedGPU, short_clip: Path, tmp_path: Path, lost_after: int
) -> None:
    gpu.faults.lost_after = lost_after
    with pytest.raises(DeviceError, match="cuda:0 cannot be used: cudaErrorDevicesUnavailable"):
        enhance_file(short_clip, tmp_path / "out.mp4", device="cuda")
    assert list(tmp_path.glob("*.mp4")) == []


def test_a_device_that_another_process_has_is_one_line(
    gpu: SimulatedGPU, short_clip: Path, tmp_path: Path
) -> None:
    gpu.faults.busy = True
    with pytest.raises(DeviceError, match="cuda:0 cannot be used: cudaErrorDevicesUnavailable"):
        enhance_file(short_clip, tmp_path / "out.mp4", device="cuda")


def test_the_simulation_minds_streams_and_memory(gpu: SimulatedGPU) -> None:
    """Work on a stream of another device than the current one, and memory that was freed."""
    import cupy

    device: Any = CudaDevice(1)
    array = device.put(np.arange(4, dtype=np.float32))
    np.testing.assert_array_equal(device.get(array), [0, 1, 2, 3])
    place = address(array)
    assert device.holds(array)
    assert gpu.block_at(place).device == 1
    cupy.cuda.runtime.setDevice(0)
    with pytest.raises(CUDARuntimeError, match="a stream of another device"):
        cupy.asnumpy(array, stream=device._stream)
    del array
    with pytest.raises(CUDADriverError, match="freed memory"):
        gpu.block_at(place)


def test_live_video_runs_on_the_device(gpu: SimulatedGPU) -> None:
    live = Live(SOURCE, SinkPlace("memory", MemorySink()))
    summary = live.run(lambda live: live.modes[-1] == "grid on cuda")
    assert summary.modes["grid on cuda"] > 0
    assert gpu.loaded == 1
    assert live.notices[0].startswith("cuda:0 runs models with PyTorch: ")
    assert live.notices[1:2] == [NOISE]


def test_live_video_goes_on_where_the_device_is_lost(gpu: SimulatedGPU) -> None:
    live = Live(SOURCE, SinkPlace("memory", MemorySink()))

    def until(live: Live) -> bool:
        if live.modes[-1] == "grid on cuda":
            gpu.lost = True
        return gpu.lost and live.modes[-2:] == ["grid", "grid"]

    summary = live.run(until)
    (line,) = live.said("is given up")
    assert line.startswith("grid on cuda is given up: cuda:0 cannot be used: ")
    assert line.endswith("; grid runs instead")
    assert summary.modes["grid on cuda"] > 0
    assert live.modes[-1] == "grid"


@pytest.mark.parametrize(
    ("memory_bytes", "why"),
    [
        (1 << 19, "Out of memory allocating 786,432 bytes"),  # for the model itself
        (9 << 18, "1 MB are free, and grid at 1280x720 takes 13 MB at least"),
    ],
)
def test_live_video_that_finds_no_room_is_for_the_cpu_with_a_line(
    gpu: SimulatedGPU, memory_bytes: int, why: str
) -> None:
    gpu.faults.memory_bytes = memory_bytes
    live = Live("lavfi:testsrc2=size=1280x720:rate=30", SinkPlace("memory", MemorySink()))

    def until(live: Live) -> bool:
        return live.modes[-1] == "grid" and bool(live.said("is given up"))

    summary = live.run(until)
    (line,) = live.said("is given up")
    assert line.startswith(f"grid on cuda is given up: cuda:0 has not enough memory ({why}")
    assert line.endswith("; grid runs instead")
    assert summary.modes["grid"] > 0
    assert "grid on cuda" not in summary.modes
