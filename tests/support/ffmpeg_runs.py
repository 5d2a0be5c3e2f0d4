"""Runs of the GPU path in a process whose FFmpeg finds stand-ins for NVIDIA's libraries.

NVDEC and NVENC are FFmpeg's real code here, in front of `fake_nvcodecs.cpp`; CuPy, the kernels and
the engine are those of the simulated GPU. What it is to do comes as JSON in its argument, and what
was seen goes out as JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from support.kernel_devices import host_kernels
from support.noisy_scenes import NoisyScene
from support.random_frames import random_frame
from support.simulated_gpu import SimulatedGPU, simulated

from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.cuda.nvenc import nvenc_pictures
from tapetum.realtime.cuda.transfer import semi_planar, uploaded
from tapetum.realtime.enhance_media import enhance_file
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.encoder import EncoderSettings
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_info import VideoInfo
from tapetum.realtime.pixel_format import pixel_format


def bound(gpu: SimulatedGPU) -> None:
    """Have FFmpeg take memory of the simulated GPU, in contexts of the stand-in for its driver."""
    driver = ctypes.CDLL("libcuda.so.1")
    gpu.ffmpeg_is_there = True
    gpu.bind = lambda index: driver.cuCtxSetCurrent(ctypes.c_void_p(index + 1))


def enhance(gpu: SimulatedGPU, given: dict[str, Any]) -> dict[str, Any]:
    """`enhance_file`; with `skipped`, waits that do nothing; by `threads` of NVDEC's decoder."""
    gpu.skipped = set(given.pop("skipped", ()))
    threads = given.pop("threads", 1)

    def threaded(_source: NvdecSource, stream: VideoStream) -> VideoCodecContext:
        decoder = stream.codec_context
        decoder.thread_type, decoder.thread_count = "FRAME", threads
        return decoder

    if threads > 1:
        NvdecSource._decoder = threaded  # type: ignore[method-assign, assignment]
    try:
        how: Any = {"denoise": "off", "overwrite": True} | given
        result = enhance_file(device="cuda", **how)
    except TapetumError as error:
        return {"error": str(error)}
    return {
        "frames": result.frames,
        "notices": result.notices,
        "encoder": result.encoder,
        "intact": result.intact,
        "fetched": gpu.waits["download"],
        "uploaded": gpu.waits["upload"],
    }


def write(_gpu: SimulatedGPU, given: dict[str, Any]) -> dict[str, Any]:
    """Frames of a noisy scene, or of noise alone, in a file of uncompressed blocks, by NVENC.

    They are held against what comes back.
    """
    device, base = CudaDevice(), Fraction(1, 25)
    width, height = given["size"]
    name, color = given["format"], ColorInfo(1, 1, 1, 1)
    info = VideoInfo(width, height, name, base, color=color, average_rate=Fraction(25))
    level = np.uint16(1 << pixel_format(name).shift)
    frames = [
        replace(frame.seen, color=color)
        for frame in NoisyScene(width, height, name=name).frames(given["scene"])
    ]
    for pts in range(given["frames"]):
        frame = random_frame(name, width, height, seed=pts, color=color)
        luma, chroma = (plane // level for plane in frame.planes)
        middle = 96 << (pixel_format(name).depth - 8)
        planes: Any = tuple(
            (levels * level).astype(frame.planes[0].dtype)
            for levels in (luma // 3, middle + chroma // 4)
        )
        frames.append(replace(frame.with_planes(planes), pts=pts, time_base=base))
    with device.context():
        sink = FileSink(
            given["path"],
            info=info,
            encoder=EncoderSettings(given["codec"]),
            pictures=nvenc_pictures(device),
        )
    for frame in frames:
        sink.write(uploaded(frame, device))
    sink.close()
    with FileSource(given["path"]) as back:
        same = [
            all(map(np.array_equal, semi_planar(found).planes, wanted.planes))
            for found, wanted in zip(back, frames, strict=True)
        ]
    return {"same": same}


def main() -> None:
    """Do what the argument says."""
    order = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPETUM_CACHE", folder)
        with simulated(patch, host_kernels(), count=2) as gpu:
            bound(gpu)
            answer = {"enhance": enhance, "write": write}[order.pop("what")](gpu, order)
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
