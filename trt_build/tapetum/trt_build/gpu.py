"""The GPU that an engine is built for: one in this machine, or a named target."""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import suppress
from dataclasses import dataclass

from tapetum.gan.errors import DeviceError

_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver API."""

_DRIVER = "libcuda.so.1"
_DEVICE = re.compile(r"cuda(?::(\d+))?")


@dataclass(frozen=True, slots=True)
class Gpu:
    """What an engine is built for.

    Attributes:
        name: like "NVIDIA GeForce RTX 4090", or None for a target that need not be here.
        compute_capability: major and minor version, like (8, 9).
        index: the number that CUDA gives it, or None for a target that need not be here.
    """

    name: str | None
    compute_capability: tuple[int, int]
    index: int | None = None

    @property
    def target(self) -> str:
        """The compute capability as compilers write it, like "sm_89"."""
        major, minor = self.compute_capability
        return f"sm_{major}{minor}"


def device_index(name: str) -> int:
    """The index that a name such as `cuda` or `cuda:1` means.

    Raises:
        ValueError: `name` is no CUDA device's.
    """
    match = _DEVICE.fullmatch(name)
    if match is None:
        raise ValueError(f"a CUDA device is cuda or cuda:INDEX; got {name!r}")
    return int(match.group(1) or 0)


def named_target(text: str) -> Gpu:
    """Read a target such as "sm_89" or "sm_120".

    Raises:
        DeviceError: it is not of that form.
    """
    match = re.fullmatch(r"sm_?(\d{1,2})(\d)", text.lower())
    if match is None:
        raise DeviceError(f"target {text!r} is not a compute capability; write it like sm_89")
    return Gpu(None, (int(match.group(1)), int(match.group(2))))


def has_driver() -> bool:
    """Whether NVIDIA's driver library is there; it is not started."""
    found = False
    if sys.platform == "linux":
        with suppress(OSError):
            ctypes.CDLL(_DRIVER)
            found = True
    return found


def present_gpu(index: int = 0) -> Gpu:
    """Ask the driver for a GPU of this machine.

    Raises:
        DeviceError: there is no NVIDIA driver, or no such GPU.
    """
    from tapetum.trt_build.cuda_driver import CudaDriver

    driver = CudaDriver()
    count = driver.device_count()
    if index >= count:
        raise DeviceError(no_such_gpu(index, count))
    major, minor = (driver.device_attribute(index, number) for number in (_MAJOR, _MINOR))
    return Gpu(driver.device_name(index), (major, minor), index)


def no_such_gpu(index: int, count: int) -> str:
    """What to say of a GPU that is not there."""
    plural = "" if count == 1 else "s"
    return f"there is no cuda:{index}; this machine has {count} GPU{plural}, numbered from cuda:0"
