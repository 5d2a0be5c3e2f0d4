"""What `tapetum doctor` looks at for NVIDIA GPUs; only here are their packages imported for it."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from tapetum.realtime.command.finding import Finding
from tapetum.realtime.errors import DeviceError, EngineError
from tapetum.trt_build.cuda_driver import CudaDriver
from tapetum.trt_build.gpu import Gpu, present_gpu

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

_NEEDED_CUDA = 13
"""What the packages of the extras `cuda`, `tensorrt` and `tensorrt-rtx` are made for."""

_ENCODERS = ("h264_nvenc", "hevc_nvenc", "av1_nvenc")


def gpu_findings() -> Iterable[Finding]:
    """Look at the driver, the GPUs, and all that can use them."""
    try:
        driver = CudaDriver()
        gpus = [present_gpu(index) for index in range(driver.device_count())]
    except DeviceError as error:
        said, _, _ = str(error).partition(":")
        yield Finding("nvidia driver", f"{said}; the CPU is used", "absent")
        gpus = []
    else:
        yield _driver(driver.cuda_version())
        yield from (Finding(f"cuda:{gpu.index}", f"{gpu.name}, {gpu.target}") for gpu in gpus)
    yield _cupy(bool(gpus))
    yield from (_tensorrt(name, gpus) for name in ("tensorrt", "tensorrt-rtx"))
    yield _torch_tensorrt(bool(gpus))
    yield _pytorch(bool(gpus))
    yield _decoder(bool(gpus))
    yield _encoders(bool(gpus))


def _driver(version: tuple[int, int]) -> Finding:
    value = f"for CUDA {version[0]}.{version[1]}"
    if version[0] >= _NEEDED_CUDA:
        return Finding("nvidia driver", value)
    remedy = f"install an NVIDIA driver for CUDA {_NEEDED_CUDA} or newer"
    return Finding("nvidia driver", value, "absent", remedy)


def _cupy(has_gpu: bool) -> Finding:
    if importlib.util.find_spec("cupy") is None:
        return Finding("cupy", "not installed", "absent", "pip install 'tapetum[cuda]'")
    if not has_gpu:
        return Finding("cupy", "installed; there is no GPU for it", "absent")
    from tapetum.realtime.cuda.device import cupy_for

    try:
        return Finding("cupy", str(cupy_for(0).__version__))
    except DeviceError as error:
        return _lacking("cupy", error)


def _tensorrt(name: str, gpus: list[Gpu]) -> Finding:
    from tapetum.trt_build.flavour import FLAVOURS, load_flavour
    from tapetum.trt_build.tensorrt_build import check_target

    wanted = next(flavour for flavour in FLAVOURS if flavour == name)
    try:
        flavour = load_flavour(wanted)
        for gpu in gpus:
            check_target(gpu, flavour)
    except (DeviceError, EngineError) as error:
        return _lacking(name, error)
    if not gpus:
        can = "builds with --target" if name == "tensorrt-rtx" else "needs a GPU to build on"
        return Finding(name, f"{flavour.version}; {can}", "absent")
    return Finding(name, f"{flavour.version}; {', '.join(f'cuda:{gpu.index}' for gpu in gpus)}")


def _torch_tensorrt(has_gpu: bool) -> Finding:
    from tapetum.trt_build.torch_tensorrt_build import NAME, load_torch_tensorrt

    if not has_gpu and importlib.util.find_spec("torch_tensorrt") is not None:
        return Finding(NAME, "installed; there is no GPU for it", "absent")
    try:
        return Finding(NAME, load_torch_tensorrt()[1])
    except EngineError as error:
        return _lacking(NAME, error)


def _pytorch(has_gpu: bool) -> Finding:
    """What runs the models where no TensorRT does; its import takes seconds."""
    if importlib.util.find_spec("torch") is None:
        return Finding("pytorch", "not installed", "absent", "pip install 'tapetum[train]'")
    if not has_gpu:
        return Finding("pytorch", "installed; there is no GPU for it", "absent")
    from tapetum.realtime.cuda.torch_engine import torch_version

    try:
        return Finding("pytorch", torch_version("cuda:0"))
    except DeviceError as error:
        return _lacking("pytorch", error)


def _decoder(has_gpu: bool) -> Finding:
    if not has_gpu:
        return Finding("nvdec", "not here; video is decoded on the CPU", "absent")
    try:
        ctypes.CDLL("libnvcuvid.so.1")
    except OSError:
        remedy = "install the driver's video libraries; in a container, the capability `video`"
        return Finding("nvdec", "libnvcuvid.so.1 is missing", "absent", remedy)
    return Finding("nvdec", "the driver has it; which codecs it decodes, each file shows")


def _encoders(has_gpu: bool) -> Finding:
    found = [name for name in _ENCODERS if _opens(name)] if has_gpu else []
    if found:
        return Finding("nvenc", " ".join(found))
    return Finding("nvenc", "not here; video is encoded on the CPU", "absent")


def _opens(encoder: str) -> bool:
    """Whether an encoder of the first GPU starts."""
    import av

    context = cast("VideoCodecContext", av.CodecContext.create(encoder, "w"))
    context.width, context.height, context.pix_fmt = 640, 360, "nv12"
    context.framerate = Fraction(25)
    try:
        context.open()
    except av.error.FFmpegError:
        return False
    return True


def _lacking(name: str, error: Exception) -> Finding:
    said, _, remedy = str(error).partition(": ")
    return Finding(name, said, "absent", remedy)
