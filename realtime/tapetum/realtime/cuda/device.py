"""Finds a CUDA device, and loads the pixel kernels on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tapetum.realtime.cuda.kernel_compiler import compile_kernels
from tapetum.realtime.cuda.pixel_kernels import PixelKernels
from tapetum.realtime.errors import DeviceError

if TYPE_CHECKING:
    from types import ModuleType

_NAME = re.compile(r"cuda(?::(\d+))?")


def device_index(name: str) -> int:
    """The index that a name such as `cuda` or `cuda:1` means.

    Raises:
        ValueError: `name` is no CUDA device's.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"a CUDA device is cuda or cuda:INDEX; got {name!r}")
    return int(match.group(1) or 0)


def cupy_for(index: int) -> ModuleType:
    """CuPy, after checking that it can use a device.

    Raises:
        DeviceError: CuPy, the driver or the device is missing; the message says what to do.
    """
    try:
        import cupy
    except ImportError as error:
        raise DeviceError(
            f"cuda:{index} needs CuPy: pip install 'tapetum[cuda]', or use --device cpu"
        ) from error
    count = _device_count(cupy, index)
    if index >= count:
        raise DeviceError(
            f"there is no cuda:{index}; this machine has {count} GPU{'' if count == 1 else 's'},"
            " numbered from cuda:0"
        )
    module: ModuleType = cupy
    return module


def _device_count(cupy: Any, index: int) -> int:  # noqa: ANN401 - CuPy has no types
    runtime = cupy.cuda.runtime
    try:
        return int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        reason = _reason(runtime.driverGetVersion(), runtime.runtimeGetVersion())
        raise DeviceError(f"cuda:{index} cannot be used: {reason}, or use --device cpu") from error


def _reason(driver: int, runtime: int) -> str:
    """Why the runtime finds no GPU, by the versions of CUDA that driver and runtime are for."""
    if driver == 0:
        return "no NVIDIA driver is installed; install one"
    if driver // 1000 < runtime // 1000:
        return (
            f"the NVIDIA driver is for CUDA {_version(driver)}; install one for CUDA"
            f" {runtime // 1000} or newer"
        )
    return "the NVIDIA driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def load_pixel_kernels(index: int = 0) -> PixelKernels:
    """Compile and load the pixel kernels for a device.

    They run on the stream that is current in CuPy, and the device must be the current one.

    Raises:
        DeviceError: CuPy, the driver, the device or NVRTC is missing, or too old for the GPU.
    """
    cuda: Any = cupy_for(index).cuda
    with cuda.Device(index) as device:
        module = cuda.Module()
        module.load(compile_kernels(int(device.compute_capability)))

    def launch(
        name: str, grid: tuple[int, int], threads: int, arguments: tuple[Any, ...], shared: int
    ) -> None:
        module.get_function(name)(grid, (threads,), arguments, shared_mem=shared)

    return PixelKernels(launch)
