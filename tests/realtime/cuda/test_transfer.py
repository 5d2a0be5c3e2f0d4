"""Video through the GPU path with decoder and encoder in main memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cuda_parts import cuda_grid, grid_engine, planes_of
from support.grids import brightening
from support.kernel_devices import on_device
from support.random_frames import chroma_levels, luma_levels, on_another_device, random_frame
from support.tolerance import EXACT, Tolerance, assert_planes_close

from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.transfer import (
    DownloadSink,
    UploadSource,
    device_format,
    semi_planar,
)
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.memory_sink import MemorySink
from tapetum.realtime.pipeline import run
from tapetum.realtime.pixel_format import PIXEL_FORMATS

TABLES = Tolerance(1, 0.2)
"""The CPU's tables have steps of 1/16 level, which tips what lies near the middle of two."""


class Frames:
    """A source that yields given frames."""

    def __init__(self, *frames: Frame) -> None:
        self._frames = frames
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_every_sample_arrives_and_returns(device: ComputeDevice, name: str) -> None:
    frame = replace(random_frame(name, 37, 23), pts=5)
    source, sink = Frames(frame), MemorySink()
    uploaded = next(iter(UploadSource(source, device)))
    assert uploaded.format_name == device_format(name)
    DownloadSink(sink, device).write(uploaded)
    (returned,) = sink.frames
    assert (returned.pts, returned.full_range) == (5, frame.full_range)
    assert returned.cosited == frame.cosited
    np.testing.assert_array_equal(luma_levels(returned), luma_levels(frame))
    np.testing.assert_array_equal(chroma_levels(returned), chroma_levels(frame))
    assert_planes_close(planes_of(device, uploaded), semi_planar(frame).planes, EXACT)


def test_a_frame_in_main_memory_is_no_download(device: ComputeDevice) -> None:
    sink = DownloadSink(MemorySink(), device)
    with pytest.raises(DeviceError, match="GPU memory"):
        sink.write(on_another_device(random_frame("nv12", 8, 8)))


def test_a_clip_is_enhanced_as_on_the_cpu(device: ComputeDevice, short_clip: Path) -> None:
    engine = grid_engine(brightening(), per_brightness=1.0)
    there, here = MemorySink(), MemorySink()
    source = UploadSource(FileSource(short_clip), device)
    count = run(source, cuda_grid(device, engine), DownloadSink(there, device))
    run(FileSource(short_clip), GridEnhancer(engine), here)
    assert count == len(here.frames) == 12
    for found, wanted in zip(there.frames, here.frames, strict=True):
        assert (found.pts, found.color) == (wanted.pts, wanted.color)
        assert_planes_close(found.planes, semi_planar(wanted).planes, TABLES)


def test_a_clip_is_written_with_all_that_it_has(
    device: ComputeDevice, short_clip: Path, tmp_path: Path
) -> None:
    source, output = FileSource(short_clip), tmp_path / "bright.mp4"
    info = replace(source.info, format_name=device_format(source.info.format_name))
    sink = FileSink(output, info=info, copy_from=short_clip)
    enhance = cuda_grid(device, grid_engine(brightening()))
    run(UploadSource(source, device), enhance, DownloadSink(sink, device))
    with FileSource(output) as written, FileSource(short_clip) as original:
        bright, dark = list(written), list(original)
        assert [frame.time_s for frame in bright] == [frame.time_s for frame in dark]
        assert bright[0].planes[0].mean() > 1.5 * dark[0].planes[0].mean()


def test_closing_and_discarding_reach_the_other_end(device: ComputeDevice) -> None:
    frame = random_frame("nv12", 8, 8)
    source, sink = Frames(frame), MemorySink()
    UploadSource(source, device).close()
    assert source.closed
    download = DownloadSink(sink, device)
    download.write(on_device(device, frame))
    download.discard()
    assert sink.closed
    assert not sink.frames
