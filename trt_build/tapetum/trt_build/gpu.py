"""The GPU that an engine is built for: the one in this machine, or a named target.

The present one is asked through the driver's own library, so that no CUDA package is needed.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

from tapetum.gan.errors import DeviceError

_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver API."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What an engine is built for.

    Attributes:
        name: like "NVIDIA GeForce RTX 4090", or None for a target that need not be here.
        compute_capability: major and minor version, like (8, 9).
    """

    name: str | None
    compute_capability: tuple[int, int]

    @property
    def target(self) -> str:
        """The compute capability as compilers write it, like "sm_89"."""
        major, minor = self.compute_capability
        return f"sm_{major}{minor}"


def named_target(text: str) -> Gpu:
    """Read a target such as "sm_89" or "sm_120".

    Raises:
        DeviceError: it is not of that form.
    """
    match = re.fullmatch(r"sm_?(\d{1,2})(\d)", text.lower())
    if match is None:
        raise DeviceError(f"target {text!r} is not a compute capability; write it like sm_89")
    return Gpu(None, (int(match.group(1)), int(match.group(2))))


def present_gpu() -> Gpu:
    """Ask the driver for the first GPU of this process.

    Raises:
        DeviceError: there is no NVIDIA driver, or no GPU that it serves.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DeviceError(
            "no NVIDIA driver here: install it, or name the GPU to build for, like --target sm_89"
        ) from error
    device = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        raise DeviceError(
            "the NVIDIA driver finds no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES, "
            "or name the GPU to build for, like --target sm_89"
        )
    major, minor = (_attribute(driver, device, number) for number in (_MAJOR, _MINOR))
    return Gpu(_name(driver, device), (major, minor))


def _name(driver: ctypes.CDLL, device: ctypes.c_int) -> str:
    buffer = ctypes.create_string_buffer(256)
    _check(driver.cuDeviceGetName(buffer, len(buffer), device))
    return buffer.value.decode()


def _attribute(driver: ctypes.CDLL, device: ctypes.c_int, number: int) -> int:
    value = ctypes.c_int()
    _check(driver.cuDeviceGetAttribute(ctypes.byref(value), number, device))
    return value.value


def _check(status: int) -> None:
    if status:
        raise DeviceError(f"the NVIDIA driver answers with CUDA error {status}: see nvidia-smi")
