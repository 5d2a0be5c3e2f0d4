"""What the GPU of this machine has; tests of units that some GPUs lack skip with the reason."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

import av
import pytest

from tapetum.realtime.cuda.cuda_enhancer import choose_engine
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.nvdec_source import NvdecSource
from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.trt_build.flavour import Flavour


def has_driver() -> bool:
    """Whether NVIDIA's driver is here, even where a container hides it from /proc."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def tensorrt_here() -> Flavour:
    """The TensorRT that runs on this GPU; TensorRT-RTX does not on Hopper."""
    choice = choose_engine(0)
    if choice.flavour is None:
        pytest.skip(choice.notices[0])
    return choice.flavour


def needs_nvdec(clip: Path) -> None:
    """Skip where the machine hides NVDEC, as some containers do."""
    device = CudaDevice()
    try:
        NvdecSource(clip, device).close()
    except (DeviceError, MediaError) as error:
        pytest.skip(f"no NVDEC here: {error}")


def needs_nvenc() -> None:
    """Skip on the GPUs that decode only, such as NVIDIA's A100 and H100."""
    try:
        ctypes.CDLL("libnvidia-encode.so.1")
        context = av.CodecContext.create("h264_nvenc", "w")
        context.width, context.height, context.pix_fmt = 640, 360, "nv12"
        context.open()
    except (OSError, av.error.FFmpegError):
        pytest.skip("this GPU has no NVENC")


def needs_cpu_runtime() -> None:
    """Skip where nothing computes networks on the CPU: a machine with a GPU may do without."""
    if not any(map(find_spec, ("openvino", "onnxruntime"))):
        pytest.skip("needs OpenVINO or ONNX Runtime")
