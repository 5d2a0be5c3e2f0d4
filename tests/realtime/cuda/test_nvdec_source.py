"""Decoding on a GPU: what is said where there is none, and the CPU's frames where there is one."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from support.media import Clip, make_clip
from support.this_gpu import has_driver, needs_nvdec
from support.tolerance import EXACT, assert_planes_close

from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_arguments import device_planes
from tapetum.realtime.cuda.live_gpu import LiveNvdec
from tapetum.realtime.cuda.nvdec_source import (
    NvdecSource,
    native_decoder,
    open_on_device,
    open_with_nvdec,
)
from tapetum.realtime.cuda.transfer import semi_planar
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.media.file_source import FileSource


@pytest.fixture
def ffv1_clip(tmp_path: Path) -> Path:
    """Two frames in a codec that no GPU decodes."""
    path = tmp_path / "clip.mkv"
    with av.open(path, "w") as output:
        video = output.add_stream("ffv1", 25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(2):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            output.mux(video.encode(picture))
        output.mux(video.encode())
    return path


@pytest.fixture(scope="module")
def av1_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames in the codec that PyAV decodes on the CPU unless it is told otherwise."""
    return make_clip(
        tmp_path_factory.mktemp("av1") / "clip.mkv", Clip(codec="libsvtav1", frames=10)
    )


NO_DRIVER = "NVDEC on cuda:1 cannot be opened: it needs the NVIDIA driver and its libnvcuvid"


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_a_missing_driver_is_one_line(short_clip: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        open_with_nvdec(short_clip, 1)
    assert str(caught.value) == NO_DRIVER


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_av1_is_meant_for_nvdec_too(av1_clip: Path) -> None:
    with open_with_nvdec(av1_clip, 1) as container, pytest.raises(DeviceError) as caught:
        native_decoder(container.streams.video[0], 1)
    assert str(caught.value) == NO_DRIVER


@pytest.mark.needs_cuda
@pytest.mark.parametrize("start_s", [0.0, 0.2])
def test_av1_is_that_of_the_cpu_or_decoded_there(av1_clip: Path, start_s: float) -> None:
    opened = open_on_device(av1_clip, CudaDevice(), start_s=start_s)
    with FileSource(av1_clip, start_s=start_s) as here:
        times = [frame.time_s for frame in here]
    assert [frame.time_s for frame in opened.frames] == times
    opened.file.close()


def test_what_nvdec_never_decodes_is_one_line(ffv1_clip: Path) -> None:
    with pytest.raises(DeviceError, match=r"NVDEC on cuda:0 has no decoder for .*clip\.mkv"):
        open_with_nvdec(ffv1_clip, 0)


class ColourfulPicture:
    """4:4:4 in a GPU's memory, as PyAV shows it."""

    width, height = 64, 48
    sw_format = av.VideoFormat("yuv444p")

    @property
    def planes(self) -> Any:
        raise NotImplementedError("unsupported sw_format for DLPack export")


def test_a_live_picture_that_the_gpu_path_does_not_take_is_for_the_cpu() -> None:
    """NVDEC decodes HEVC of 4:4:4, whose planes PyAV does not show."""
    decoding, picture = LiveNvdec(cast("Any", None)), cast("Any", ColourfulPicture())
    given: Any = {"pts": 0, "time_base": Fraction(1, 25), "codec": "hevc"}
    with pytest.raises(DeviceError, match="NVDEC gives yuv444p of 64x48 for a camera"):
        decoding.frame(picture, "a camera", **given)


def test_a_file_that_is_no_video_is_said_as_ever(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="does not exist"):
        open_with_nvdec(tmp_path / "none.mp4", 0)


@pytest.mark.needs_cuda
def test_nvdec_gives_the_frames_of_the_cpu(sample_clip: Path) -> None:
    needs_nvdec(sample_clip)
    device = CudaDevice()
    with NvdecSource(sample_clip, device) as there, FileSource(sample_clip) as here:
        assert (there.info.width, there.info.height) == (here.info.width, here.info.height)
        count = 0
        for found, wanted in zip(there, here, strict=True):
            planes = [device.get(plane) for plane in device_planes(found)]
            assert (found.pts, found.color) == (wanted.pts, wanted.color)
            assert_planes_close(planes, semi_planar(wanted).planes, EXACT)
            count += 1
    assert count == 192


@pytest.mark.needs_cuda
def test_surfaces_that_are_held_keep_their_picture(sample_clip: Path) -> None:
    """As many as the pipeline holds, looked at when the decoder has gone on."""
    needs_nvdec(sample_clip)
    device = CudaDevice()
    with NvdecSource(sample_clip, device) as source:
        held = list(islice(source, 10))
        found = [device.get(device_planes(frame)[0]) for frame in held]
    with FileSource(sample_clip) as here:
        for luma, wanted in zip(found, here, strict=False):
            np.testing.assert_array_equal(luma, wanted.planes[0])


@pytest.mark.needs_cuda
def test_what_nvdec_cannot_decode_is_uploaded(ffv1_clip: Path) -> None:
    opened = open_on_device(ffv1_clip, CudaDevice())
    assert opened.decoder.startswith("decoded on the CPU: NVDEC on cuda:0 has no decoder")
    assert [frame.format_name for frame in opened.frames] == ["nv12", "nv12"]
    opened.file.close()
