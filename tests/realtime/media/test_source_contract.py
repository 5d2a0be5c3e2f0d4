"""What holds for every source, with the same awkward clips: all frames, in order, in time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.media import VFR_TIMES, Clip, make_clip, picture
from support.this_gpu import needs_nvdec

from tapetum.realtime import LiveSource, SyntheticSource
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.cuda.transfer import UploadSource, downloaded
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.protocols import FrameSource

SLOTS = Fraction(1, 25)
"""AVI counts pictures."""


@dataclass(frozen=True)
class Awkward:
    """A clip and the file that it is written to."""

    name: str
    clip: Clip
    suffix: str = ".mp4"

    def times_s(self) -> list[float]:
        """The frames' times, from the first."""
        times = self.clip.frame_times()
        return [float((time - times[0]) * self.clip.time_base) for time in times]


def b_frames(count: int) -> dict[str, str]:
    return {"bf": str(count), "b-adapt": "0", "b-pyramid": "normal", "g": "24"}


CLIPS = [
    Awkward("B-frames", Clip(options=b_frames(3))),
    Awkward("variable rate", Clip(times=VFR_TIMES, options=b_frames(2))),
    Awkward("17 s without a picture", Clip(times=[0, 512, 1024, 220_000, 220_512, 221_024])),
    Awkward("a late begin", Clip(times=[64_000 + 512 * i for i in range(12)])),
    Awkward("one frame", Clip(frames=1)),
    Awkward("Matroska", Clip(time_base=Fraction(1, 1000), options=b_frames(3)), ".mkv"),
    Awkward("a broadcast", Clip(time_base=Fraction(1, 90_000), options=b_frames(3)), ".ts"),
    Awkward("MPEG-PS", Clip(codec="mpeg2video", time_base=SLOTS, options={"bf": "2"}), ".mpg"),
    Awkward("no times", Clip(time_base=SLOTS, options=b_frames(3)), ".h264"),
    *(
        Awkward(f"AVI, {count} B-frames", Clip(time_base=SLOTS, options=b_frames(count)), ".avi")
        for count in (0, 1, 2, 3, 4, 5, 6, 8)
    ),
    Awkward(
        "AVI, empty slots",
        Clip(time_base=SLOTS, options=b_frames(2), times=[0, *range(17, 40)]),
        ".avi",
    ),
    Awkward("MPEG-4 in AVI", Clip(codec="mpeg4", time_base=SLOTS, options={"bf": "2"}), ".avi"),
]


@pytest.fixture(scope="module", params=CLIPS, ids=lambda clip: clip.name)
def awkward(request: pytest.FixtureRequest) -> Awkward:
    found: Awkward = request.param
    return found


@pytest.fixture(scope="module")
def clip_path(awkward: Awkward, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / f"in{awkward.suffix}", awkward.clip)


@dataclass(frozen=True)
class Opened:
    """A source, and what brings its frames to main memory."""

    source: FrameSource
    to_memory: Callable[[Frame], Frame] = lambda frame: frame


def opened_file(path: Path, _host: ComputeDevice) -> Opened:
    return Opened(FileSource(path))


def opened_live(path: Path, _host: ComputeDevice) -> Opened:
    return Opened(LiveSource(path, paced=False))


def opened_upload(path: Path, host: ComputeDevice) -> Opened:
    uploaded = UploadSource(FileSource(path), host)
    return Opened(uploaded, lambda frame: downloaded(frame, host))


def opened_nvdec(path: Path, _host: ComputeDevice) -> Opened:
    needs_nvdec(path)
    gpu = CudaDevice()

    def fetched(frame: Frame) -> Frame:
        planes: Any = tuple(gpu.get(plane) for plane in device_planes(frame))
        return frame.with_planes(planes)

    return Opened(NvdecSource(path, gpu), fetched)


@pytest.fixture(
    params=[
        opened_file,
        opened_live,
        opened_upload,
        pytest.param(opened_nvdec, marks=pytest.mark.needs_cuda),
    ],
    ids=["file", "live", "upload", "nvdec"],
)
def opened(
    request: pytest.FixtureRequest, clip_path: Path, host: ComputeDevice
) -> Iterator[Opened]:
    made: Opened = request.param(clip_path, host)
    yield made
    made.source.close()


def number_of(frame: Frame, clip: Clip) -> int:
    """Which of a clip's pictures a frame shows."""
    luma = frame.planes[0].astype(float)
    pictures = [picture(clip, index).to_ndarray() for index in range(len(clip.frame_times()))]
    return int(np.argmin([abs(luma - p[: clip.height]).mean() for p in pictures]))


def test_every_picture_comes_once_in_order_at_its_time(opened: Opened, awkward: Awkward) -> None:
    frames = [opened.to_memory(frame) for frame in opened.source]
    assert [number_of(frame, awkward.clip) for frame in frames] == list(
        range(len(awkward.times_s()))
    )
    begin_s = frames[0].time_s or 0.0
    times_s = [(frame.time_s or 0.0) - begin_s for frame in frames]
    assert times_s == pytest.approx(awkward.times_s(), abs=1e-3)
    assert len({(frame.time_base, frame.format_name) for frame in frames}) == 1


def test_a_source_may_be_closed_early_and_twice(opened: Opened) -> None:
    next(iter(opened.source))
    opened.source.close()
    opened.source.close()


@pytest.mark.parametrize("open_source", [opened_file, opened_live, opened_upload])
def test_a_picture_goes_with_its_frame(
    tmp_path: Path, host: ComputeDevice, open_source: Callable[[Path, ComputeDevice], Opened]
) -> None:
    path = make_clip(tmp_path / "in.mp4", Clip(frames=40))
    gc.collect()
    gc.freeze()  # what is there already is not looked through for each frame
    gc.disable()  # which would find what refers to itself, some hundred pictures later
    try:
        opened = open_source(path, host)
        most = max(living_pictures() for _frame in opened.source)
        opened.source.close()
    finally:
        gc.enable()
        gc.unfreeze()
    assert 0 < most < 10


def living_pictures() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_a_synthetic_source_keeps_the_same_contract() -> None:
    source = SyntheticSource(64, 48, frames=5, rate=Fraction(10))
    frames = list(source)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert len({(frame.time_base, frame.format_name) for frame in frames}) == 1
    source.close()
    source.close()
    assert list(source) == []


@pytest.mark.parametrize("name", ["B-frames", "MPEG-PS", "a broadcast", "AVI, 3 B-frames"])
def test_a_start_is_exact_in_every_container(tmp_path: Path, name: str) -> None:
    awkward = next(clip for clip in CLIPS if clip.name == name)
    clip = Clip(
        frames=75,
        codec=awkward.clip.codec,
        time_base=awkward.clip.time_base,
        options=awkward.clip.options,
    )
    path = make_clip(tmp_path / f"in{awkward.suffix}", clip)
    with FileSource(path) as whole, FileSource(path, start_s=1.4, duration_s=0.4) as part:
        rest = [frame for frame in whole if 1.4 <= (frame.time_s or 0) < 1.8 - 1e-6]
        for found, wanted in zip(part, rest, strict=True):
            assert (found.time_s or 0) == pytest.approx((wanted.time_s or 0) - 1.4, abs=1e-3)
            np.testing.assert_array_equal(found.planes[0], wanted.planes[0])
    assert len(rest) == 10
