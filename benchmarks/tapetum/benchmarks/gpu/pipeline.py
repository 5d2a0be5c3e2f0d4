"""The whole pipeline, file to GPU memory: frames a second, and what each stage takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from tapetum.benchmarks.gpu.backends import weights_file
from tapetum.benchmarks.gpu.clips import make_clip
from tapetum.benchmarks.gpu.event_clock import Clock
from tapetum.realtime import Frame, FrameEnhancer
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.nvdec_source import open_on_device
from tapetum.realtime.live.outputs import NullSink
from tapetum.realtime.pipeline import run

_FRAMES = 300
_HELD = 8
_WARM_UP = 20


def measure_pipeline(
    device: CudaDevice,
    clock: Clock,
    sizes: Sequence[tuple[int, int]],
    *,
    load: Callable[[str | Path], FrameEnhancer],
    free_mb: Callable[[], int],
    frames: int = _FRAMES,
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
    with tempfile.TemporaryDirectory(prefix="tapetum-") as folder:
        weights = weights_file("unet", Path(folder))  # those whose engines `networks` has built
        rows = []
        for size in sizes:
            clip = make_clip(Path(folder) / "clip.mkv", "h264", size, frames)
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
