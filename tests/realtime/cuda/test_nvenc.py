"""Encoding from a device's memory: the surfaces, the choice of encoder, and NVENC on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from support.command_line import tapetum
from support.cuda_parts import (
    BRIGHTER,
    ModelOnDevice,
    cuda_grid,
    grid_engine,
    planes_of,
)
from support.grids import brightening
from support.kernel_devices import on_device
from support.media import Clip, make_clip
from support.random_frames import on_another_device, random_frame
from support.this_gpu import has_driver, needs_nvenc
from support.tolerance import EXACT, Tolerance, assert_planes_close

from tapetum.realtime.cuda.cuda_unet_enhancer import CudaUNetEnhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_arguments import address, device_planes
from tapetum.realtime.cuda.nvenc import SurfacePictures, nvenc_for, nvenc_name, nvenc_pictures
from tapetum.realtime.cuda.surface import surface_shape
from tapetum.realtime.cuda.transfer import UploadSource, semi_planar, uploaded
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.errors import DeviceError, EncoderError, MediaError
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.av_frame import from_av
from tapetum.realtime.media.containers import CONTAINERS, container_for
from tapetum.realtime.media.encoder import QUALITIES
from tapetum.realtime.media.file_sink import EncoderSettings, FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.pipeline import run
from tapetum.realtime.pixel_format import pixel_format
from tapetum.realtime.protocols import FrameEnhancer

pytestmark = pytest.mark.slow

NEAR = Tolerance(40, 4)
"""Lossy encoding of a smooth clip."""


def encoded(path: Path, clip: Path, encoder: EncoderSettings, pictures: Any, device: Any) -> Path:
    """A clip written from a device's memory."""
    source = FileSource(clip)
    info = replace(source.info, format_name=semi_planar_name(source.info.format_name))
    sink = FileSink(path, info=info, encoder=encoder, copy_from=clip, pictures=pictures)
    run(UploadSource(source, device), lambda frame: frame, sink)
    return path


def semi_planar_name(name: str) -> str:
    return {"yuv420p": "nv12", "yuv420p10le": "p010le"}[name]


def made_by_grid(device: Any) -> FrameEnhancer:
    return cuda_grid(device, grid_engine(brightening()))


def made_by_unet(device: Any) -> FrameEnhancer:
    return CudaUNetEnhancer(device, ModelOnDevice(device, BRIGHTER))


@pytest.mark.parametrize("name", ["nv12", "p010le"])
@pytest.mark.parametrize("size", [(2, 2), (64, 48), (258, 130), (638, 36)], ids=str)
def test_a_surface_is_what_nvenc_reads(host: Any, name: str, size: tuple[int, int]) -> None:
    """One address, one pitch of whole 256 bytes, chroma where luma ends; tags and times."""
    color = ColorInfo(9, 1, 9, 16)
    frame = replace(random_frame(name, *size, color=color), pts=7, duration=3)
    picture = SurfacePictures(host)(on_device(host, frame, gap=3))
    luma, chroma = picture.planes
    assert luma.line_size == chroma.line_size
    assert luma.line_size % 256 == 0
    assert chroma.buffer_ptr == luma.buffer_ptr + luma.line_size * frame.height
    seen = from_av(picture, pts=picture.pts, time_base=frame.time_base, duration=picture.duration)
    assert (seen.pts, seen.duration, seen.color) == (7, 3, color)
    assert picture.time_base == frame.time_base
    assert_planes_close(seen.planes, frame.planes, EXACT)


def test_a_picture_keeps_its_surface(host: Any) -> None:
    """An encoder reads pictures later than it is given them."""
    make = SurfacePictures(host)
    frames = [random_frame("nv12", 64, 48, seed=seed) for seed in range(4)]
    pictures = [make(on_device(host, frame)) for frame in frames]
    for picture, frame in zip(pictures, frames, strict=True):
        seen = from_av(picture, pts=0, time_base=frame.time_base)
        assert_planes_close(seen.planes, frame.planes, EXACT)


def test_a_surface_holds_luma_and_chroma() -> None:
    eight, ten, wide = (pixel_format(name) for name in ("nv12", "p010le", "nv24"))
    assert surface_shape(eight, 1920, 1080) == (1620, 2048)
    assert surface_shape(ten, 3840, 2160) == (3240, 3840)
    assert surface_shape(ten, 2, 2) == (3, 128)
    assert surface_shape(eight, 257, 3) == (5, 512)
    assert surface_shape(wide, 257, 3) == (6, 768)


@pytest.mark.parametrize("name", ["nv12", "p010le"])
@pytest.mark.parametrize("made_by", [made_by_grid, made_by_unet])
def test_what_enhancers_make_is_encoded_where_it_lies(
    host: Any, name: str, made_by: Callable[[Any], FrameEnhancer]
) -> None:
    frame = random_frame(name, 258, 130)
    bright = made_by(host)(on_device(host, frame, gap=3))
    picture = SurfacePictures(host)(bright)
    luma, chroma = device_planes(bright)
    assert [plane.buffer_ptr for plane in picture.planes] == [address(luma), address(chroma)]
    assert picture.planes[0].line_size % 256 == 0
    seen = from_av(picture, pts=0, time_base=frame.time_base)
    assert_planes_close(seen.planes, planes_of(host, bright), EXACT)


def test_frames_elsewhere_and_of_other_formats_are_errors(host: Any) -> None:
    make = SurfacePictures(host)
    with pytest.raises(DeviceError, match="GPU memory"):
        make(on_another_device(random_frame("nv12", 8, 8)))
    with pytest.raises(MediaError, match="a GPU's frames are nv12, p010le"):
        make(on_device(host, random_frame("yuv420p", 8, 8)))


def test_a_file_is_written_from_surfaces(host: Any, short_clip: Path, tmp_path: Path) -> None:
    """The sink's whole way with an encoder that reads NV12 where it is, and never converts."""
    lossless = EncoderSettings("libx264", crf=0)
    output = encoded(tmp_path / "out.mkv", short_clip, lossless, SurfacePictures(host), host)
    with FileSource(output) as written, FileSource(short_clip) as original:
        for found, wanted in zip(written, original, strict=True):
            assert found.time_s == wanted.time_s
            assert_planes_close(semi_planar(found).planes, semi_planar(wanted).planes, EXACT)


def test_an_encoder_may_open_with_the_first_surface(
    host: Any, short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NVENC does: a small one shows before that it can, and then no memory is reserved."""
    tried: list[Any] = []
    create = av.CodecContext.create

    def recorded(*given: Any, **options: Any) -> Any:
        tried.append(create(*given, **options))
        return tried[-1]

    monkeypatch.setattr(av, "CodecContext", SimpleNamespace(create=recorded))
    clip = make_clip(tmp_path / "wide.mp4", Clip(width=300, frames=5, audio=["aac"]))
    for given, size in ((short_clip, (96, 64)), (clip, (256, 48))):
        tried.clear()
        output = tmp_path / f"late-{given.stem}.mp4"
        pictures = SurfacePictures(host, opens_late=True)
        source = FileSource(given)
        info = replace(source.info, format_name="nv12")
        lossless = EncoderSettings("libx264", crf=0)
        sink = FileSink(output, info=info, encoder=lossless, copy_from=given, pictures=pictures)
        assert [(each.width, each.height, each.is_open) for each in tried] == [(*size, True)]
        assert not sink._encoder.stream.codec_context.is_open
        run(UploadSource(source, host), lambda frame: frame, sink)
        with FileSource(output) as written, FileSource(given) as original:
            for found, wanted in zip(written, original, strict=True):
                assert found.time_s == wanted.time_s
                assert_planes_close(semi_planar(found).planes, semi_planar(wanted).planes, EXACT)
        with av.open(str(output)) as container:
            assert len(container.streams.audio) == 1


def test_an_encoder_that_opens_late_and_refuses_leaves_nothing(
    host: Any, short_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FileSource(short_clip)
    info = replace(source.info, format_name="nv12")
    pictures = SurfacePictures(host, opens_late=True)
    sink = FileSink(tmp_path / "out.mp4", info=info, pictures=pictures)
    monkeypatch.setattr(sink._encoder.stream.codec_context, "options", {"crf": "no number"})
    with pytest.raises(EncoderError, match=r"libx264 refuses 96x64 .*; choose another codec"):
        run(UploadSource(source, host), lambda frame: frame, sink)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "codec", "why"),
    [
        ((4098, 64), "h264", "h264_nvenc takes up to 4096x4096, not 4098x64"),
        ((64, 8194), "hevc", "hevc_nvenc takes up to 8192x8192, not 64x8194"),
        ((63, 64), "hevc", "NVENC takes even sizes from GPU memory, not 63x64"),
    ],
)
def test_sizes_that_nvenc_does_not_take_are_told_before_it_is_opened(
    size: tuple[int, int], codec: str, why: str, short_clip: Path
) -> None:
    with FileSource(short_clip) as source:
        info = replace(source.info, format_name="nv12", width=size[0], height=size[1])
    with pytest.raises(EncoderError, match=why):
        nvenc_for(container_for(Path("out.mp4")), codec, info)


@pytest.mark.parametrize(
    ("codec", "suffix", "depth", "expected"),
    [
        (None, ".mp4", 8, "h264_nvenc"),
        (None, ".mkv", 10, "hevc_nvenc"),
        (None, ".webm", 8, None),
        (None, ".webm", 10, "av1_nvenc"),
        ("h264", ".mp4", 10, "h264_nvenc"),
        ("HEVC", ".mp4", 8, "hevc_nvenc"),
        ("av1", ".mkv", 8, "av1_nvenc"),
        ("prores", ".mov", 10, None),
        ("libx264", ".mp4", 8, None),
        ("av1_nvenc", ".mkv", 10, "av1_nvenc"),
    ],
)
def test_a_codec_means_its_encoder_on_the_gpu(
    codec: str | None, suffix: str, depth: int, expected: str | None
) -> None:
    assert nvenc_name(codec, CONTAINERS[suffix], depth) == expected


@pytest.mark.parametrize("name", ["h264_nvenc", "hevc_nvenc", "av1_nvenc"])
def test_the_options_are_those_of_the_encoder(name: str) -> None:
    quality = QUALITIES[name]
    context = av.CodecContext.create(name, "w")
    options = context.supported_options
    known = {option.name: option for option in (*options.generic, *options.private)}
    assert set(quality.options) <= set(known)
    assert known[quality.crf_option].max == quality.crf_range[1]
    assert set(quality.presets) <= {choice.name for choice in known["preset"].choices}
    assert quality.options["rc"] in {choice.name for choice in known["rc"].choices}


def test_nvenc_takes_its_own_quality_and_presets(tmp_path: Path, short_clip: Path) -> None:
    wrong = tapetum(
        "enhance", short_clip, tmp_path / "out.mp4", "--codec", "h264_nvenc", "--preset", "slow"
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: preset of h264_nvenc must be one of p1, p2")


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_nvenc_without_a_driver_is_one_line(short_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    answer = tapetum("enhance", short_clip, output, "--device", "cpu", "--codec", "hevc_nvenc")
    assert answer.returncode == 1
    assert answer.stderr == (
        "error: hevc_nvenc refuses 96x64 yuv420p in .mp4 (it needs an NVIDIA GPU with NVENC and"
        " its driver); choose another codec\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_a_device_that_cannot_be_opened_leaves_nothing(short_clip: Path, tmp_path: Path) -> None:
    with FileSource(short_clip) as source:
        info = replace(source.info, format_name="nv12")
    gpu: Any = type("Index", (), {"index": 0})()
    expected = "h264_nvenc cannot be opened: it needs an NVIDIA GPU with NVENC and its driver"
    with pytest.raises(EncoderError, match=expected):
        FileSink(
            tmp_path / "out.mp4",
            info=info,
            encoder=EncoderSettings("h264_nvenc"),
            pictures=nvenc_pictures(gpu),
        )
    assert list(tmp_path.iterdir()) == []


# On a GPU ------------------------------------------------------------------------------------


@pytest.mark.needs_cuda
@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc"])
def test_nvenc_encodes_what_lies_in_gpu_memory(
    sample_clip: Path, tmp_path: Path, codec: str
) -> None:
    needs_nvenc()
    device = CudaDevice()
    path, encoder = tmp_path / "out.mp4", EncoderSettings(codec, crf=1)
    with device.context():
        encoded(path, sample_clip, encoder, nvenc_pictures(device), device)
    with FileSource(path) as written, FileSource(sample_clip) as original:
        for found, wanted in zip(written, original, strict=True):
            assert (found.time_s, found.color) == (wanted.time_s, wanted.color)
            assert_planes_close(semi_planar(found).planes, semi_planar(wanted).planes, NEAR)


@pytest.mark.needs_cuda
def test_enhancing_says_once_what_encodes(sample_clip: Path, tmp_path: Path) -> None:
    result = enhance_file(sample_clip, tmp_path / "out.mp4", device="cuda")
    where = [notice for notice in result.notices if notice.startswith("encoding on ")]
    assert len(where) == 1
    assert result.encoder.startswith(("h264_nvenc cq 23 p4", "libx264 crf 20 veryfast"))


@pytest.mark.needs_cuda
def test_surfaces_on_a_gpu_hold_the_frame() -> None:
    device = CudaDevice()
    frame = random_frame("p010le", 258, 130)
    picture = nvenc_pictures(device)(uploaded(frame, device))
    assert picture.format.name == "cuda"
    assert picture.sw_format is not None
    assert picture.sw_format.name == "p010le"
    views: Any = [device.from_dlpack(plane.__dlpack__()) for plane in picture.planes]
    planes = [device.get(view.reshape(view.shape[0], -1)) for view in views]
    assert_planes_close(planes, frame.planes, EXACT)
