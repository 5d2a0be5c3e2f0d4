"""NVDEC and NVENC against the CPU: how many frames a second each decodes and encodes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from tapetum.benchmarks.gpu.clips import CODECS, make_clip
from tapetum.benchmarks.gpu.gpu_frames import device_frames, host_frames
from tapetum.gan.errors import TapetumError
from tapetum.realtime import EncoderSettings, FileSink, FileSource, Frame, FrameSink
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.cuda.nvenc import nvenc_pictures
from tapetum.realtime.cuda.transfer import DownloadSink
from tapetum.realtime.media.file_source import VideoFile
from tapetum.realtime.media.video_info import VideoInfo

_FRAMES = 120
_RATE = 30
_ENCODERS = {
    "h264": ("h264_nvenc", "libx264"),
    "hevc": ("hevc_nvenc", "libx265"),
    "av1": ("av1_nvenc", "libsvtav1"),
}


def measure_codecs(
    device: CudaDevice, sizes: Sequence[tuple[int, int]], *, frames: int = _FRAMES
) -> list[dict[str, Any]]:
    """Decode clips and encode frames in GPU memory, with the GPU's units and on the CPU.

    Returns:
        A row each: `direction`, `codec`, `size`, `unit`, and `fps`, or `error`: why it has none.
    """
    return [
        row
        for size in sizes
        for codec in CODECS
        for row in (
            *_decoders(device, codec, size, frames),
            *_encoders(device, codec, size, frames),
        )
    ]


def _decoders(
    device: CudaDevice, codec: str, size: tuple[int, int], frames: int
) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        clip = make_clip(Path(folder) / "clip.mkv", codec, size, frames)
        return [
            _row("decode", codec, size, "NVDEC", lambda: _decode_fps(NvdecSource(clip, device))),
            _row("decode", codec, size, "CPU", lambda: _decode_fps(FileSource(clip))),
        ]


def _encoders(
    device: CudaDevice, codec: str, size: tuple[int, int], frames: int
) -> list[dict[str, Any]]:
    there = device_frames(device, host_frames("nv12", *size), 8)
    on_gpu, on_cpu = _ENCODERS[codec]

    def nvenc(path: Path) -> FrameSink:
        return _sink(path, there[0], EncoderSettings(on_gpu), device)

    def software(path: Path) -> FrameSink:
        return DownloadSink(_sink(path, there[0], EncoderSettings(on_cpu), None), device)

    return [
        _row("encode", codec, size, "NVENC", lambda: _encode_fps(nvenc, there, frames)),
        _row("encode", codec, size, "CPU", lambda: _encode_fps(software, there, frames)),
    ]


def _row(
    direction: str, codec: str, size: tuple[int, int], unit: str, measure: Callable[[], float]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "direction": direction,
        "codec": codec,
        "size": f"{size[0]}x{size[1]}",
        "unit": unit,
    }
    try:
        return row | {"fps": round(measure(), 1)}
    except TapetumError as error:
        return row | {"error": str(error)}


def _decode_fps(source: VideoFile) -> float:
    with closing(source):
        started_s = time.perf_counter()
        count = sum(1 for _ in source)
        return count / (time.perf_counter() - started_s)


def _sink(
    path: Path, frame: Frame, settings: EncoderSettings, device: CudaDevice | None
) -> FileSink:
    info = VideoInfo(
        width=frame.width,
        height=frame.height,
        format_name=frame.format_name,
        time_base=Fraction(1, _RATE),
        color=frame.color,
        average_rate=Fraction(_RATE),
    )
    if device is None:
        return FileSink(path, info=info, encoder=settings)
    with device.context():
        return FileSink(path, info=info, encoder=settings, pictures=nvenc_pictures(device))


def _encode_fps(make: Callable[[Path], FrameSink], frames: list[Frame], count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        sink = make(Path(folder) / "clip.mkv")
        started_s = time.perf_counter()
        for number in range(count):
            sink.write(replace(frames[number % len(frames)], pts=number))
        sink.close()
        return count / (time.perf_counter() - started_s)
