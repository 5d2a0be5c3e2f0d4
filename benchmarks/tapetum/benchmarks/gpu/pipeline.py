"""The whole pipeline, file to GPU memory, and NVDEC and NVENC against the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from tapetum.benchmarks.gpu.kernels import device_frames, host_frames
from tapetum.benchmarks.gpu.networks import weights_file
from tapetum.benchmarks.measure.clocks import Clock
from tapetum.benchmarks.measure.frames import synthetic_frames, write_clip
from tapetum.gan.errors import TapetumError
from tapetum.gan.scratch_folder import scratch_folder
from tapetum.realtime import EncoderSettings, FileSink, FileSource, Frame, FrameEnhancer, FrameSink
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.nvdec_source import NvdecSource, open_on_device
from tapetum.realtime.cuda.nvenc import nvenc_pictures
from tapetum.realtime.cuda.transfer import DownloadSink
from tapetum.realtime.live.outputs import NullSink
from tapetum.realtime.media.file_source import VideoFile
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pipeline import run

_PIPELINE_FRAMES = 300
_HELD = 8
_WARM_UP = 20


def measure_pipeline(
    device: CudaDevice,
    clock: Clock,
    sizes: Sequence[tuple[int, int]],
    *,
    load: Callable[[str | Path], FrameEnhancer],
    free_mb: Callable[[], int],
    frames: int = _PIPELINE_FRAMES,
) -> list[dict[str, Any]]:
    """Measure both generators at every size, as `tapetum enhance --device cuda` runs them.

    Args:
        device: where.
        clock: times the device's stream.
        sizes: widths and heights.
        load: makes an enhancer on the device of a model's name or weights file.
        free_mb: tells how much of the device's memory is free, like `free_memory_mb`.
        frames: length of the clips, H.264.

    Returns:
        A row each. `decode_ms` is wall-clock time a frame of decoding alone; `device_ms` the
        enhancer's time on the GPU; `frame_ms` wall-clock time of the enhancer alone, frame after
        frame; `fps` that of the whole. The pipeline overlaps what these take one by one.
        `memory_mb` is what model and buffers of the stream take of the GPU's memory.
    """
    with scratch_folder("bench") as folder:
        weights = weights_file("unet", folder)  # those whose engines `networks` has built
        rows = []
        for size in sizes:
            clip = dark_clip(folder / "clip.mkv", "h264", size, frames)
            for kind, model in (("unet", weights), ("grid", "grid")):
                known = {"network": kind, "size": f"{size[0]}x{size[1]}"}
                rows.append(known | _figures(device, clock, clip, partial(load, model), free_mb))
        return rows


def _figures(
    device: CudaDevice,
    clock: Clock,
    clip: Path,
    load: Callable[[], FrameEnhancer],
    free_mb: Callable[[], int],
) -> dict[str, Any]:
    before_mb = free_mb()
    enhance = load()
    _warm_up(clip, device, enhance)
    memory_mb = before_mb - free_mb()
    decoder, decode_ms = _decode_ms(clip, device)
    device_ms, frame_ms = _enhancer_ms(clip, device, clock, enhance)
    fps = _whole_fps(clip, device, enhance)
    return {
        "runs_on": enhance.description,
        "decoder": decoder,
        "decode_ms": round(decode_ms, 4),
        "device_ms": round(device_ms, 4),
        "frame_ms": round(frame_ms, 4),
        "fps": round(fps, 1),
        "memory_mb": memory_mb,
    }


def free_memory_mb(device: CudaDevice) -> int:
    """Memory of the GPU that is free, after what no one uses has been given back."""
    import torch

    cupy = cupy_for(device.index)
    with cupy.cuda.Device(device.index):
        torch.cuda.empty_cache()
        cupy.get_default_memory_pool().free_all_blocks()
        return int(cupy.cuda.runtime.memGetInfo()[0]) >> 20


def _warm_up(clip: Path, device: CudaDevice, enhance: FrameEnhancer) -> None:
    opened = open_on_device(clip, device)
    for frame in islice(opened.frames, _WARM_UP):
        enhance(frame)
    opened.frames.close()


def _decode_ms(clip: Path, device: CudaDevice) -> tuple[str, float]:
    opened = open_on_device(clip, device)
    started_s = time.perf_counter()
    count = sum(1 for _ in opened.frames)
    elapsed_s = time.perf_counter() - started_s
    opened.frames.close()
    return opened.decoder, 1000 * elapsed_s / count


def _enhancer_ms(
    clip: Path, device: CudaDevice, clock: Clock, enhance: FrameEnhancer
) -> tuple[float, float]:
    """Median time of a frame on the GPU, by events, and by the wall clock."""
    opened = open_on_device(clip, device)
    held = list(islice(opened.frames, _HELD))
    device_ms = median(clock.calls_ms(lambda i: _enhanced(enhance, held, i), 10 * _HELD))
    started_s = time.perf_counter()
    for number in range(10 * _HELD):
        _enhanced(enhance, held, number)
    frame_ms = 1000 * (time.perf_counter() - started_s) / (10 * _HELD)
    opened.frames.close()
    return device_ms, frame_ms


def _enhanced(enhance: FrameEnhancer, frames: list[Frame], number: int) -> None:
    enhance(frames[number % len(frames)])


def _whole_fps(clip: Path, device: CudaDevice, enhance: FrameEnhancer) -> float:
    enhance.reset()
    opened = open_on_device(clip, device)
    started_s = time.perf_counter()
    count = run(opened.frames, enhance, NullSink())
    return count / (time.perf_counter() - started_s)


CODECS = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12"}
"""Those that are measured, and the presets by which their clips are made on the CPU."""


def dark_clip(path: Path, codec: str, size: tuple[int, int], frames: int) -> Path:
    """Encode so many frames of a dark scene on the CPU, by one of `CODECS`; returns the path."""
    pictures = islice(cycle(synthetic_frames(*size)), frames)
    write_clip(pictures, path, EncoderSettings(codec, preset=CODECS[codec]))
    return path


_CODEC_FRAMES = 120
_RATE = 30
_ENCODERS = {
    "h264": ("h264_nvenc", "libx264"),
    "hevc": ("hevc_nvenc", "libx265"),
    "av1": ("av1_nvenc", "libsvtav1"),
}


def measure_codecs(
    device: CudaDevice, sizes: Sequence[tuple[int, int]], *, frames: int = _CODEC_FRAMES
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
    with scratch_folder("bench") as folder:
        clip = dark_clip(folder / "clip.mkv", codec, size, frames)
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
    with scratch_folder("bench") as folder:
        sink = make(folder / "clip.mkv")
        started_s = time.perf_counter()
        for number in range(count):
            sink.write(replace(frames[number % len(frames)], pts=number))
        sink.close()
        return count / (time.perf_counter() - started_s)
