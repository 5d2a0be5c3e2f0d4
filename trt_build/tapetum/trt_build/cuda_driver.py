"""The NVIDIA driver's own library, by ctypes: no CUDA package is needed to ask or use it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from tapetum.gan.errors import DeviceError
from tapetum.trt_build.tensorrt_log import explained

_LIBRARY = "libcuda.so.1"


class CudaDriver:
    """The CUDA driver API; functions have the names that the library exports."""

    def __init__(self) -> None:
        """Load and start the driver.

        Raises:
            DeviceError: there is no NVIDIA driver, or it finds no GPU.
        """
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise DeviceError(
                "no NVIDIA driver here: install it, or name the GPU to build for, "
                "like --target sm_89"
            ) from error
        if self._library.cuInit(0):
            raise DeviceError(
                "the NVIDIA driver finds no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES, "
                "or name the GPU to build for, like --target sm_89"
            )

    def call(self, name: str, *arguments: Any) -> None:  # noqa: ANN401 - what ctypes takes
        """Call a function.

        Raises:
            DeviceError: it answers with an error, or the driver is too old to have it.
        """
        try:
            function = getattr(self._library, name)
        except AttributeError as error:
            raise DeviceError(
                f"the NVIDIA driver is too old, it has no {name}: install a newer one"
            ) from error
        status = function(*arguments)
        if status:
            reason = explained([f"{self._error_name(status)} in {name}"])
            raise DeviceError(f"the NVIDIA driver fails: {reason}")

    def cuda_version(self) -> tuple[int, int]:
        """The newest CUDA that the driver serves, like (13, 0)."""
        version = ctypes.c_int()
        self.call("cuDriverGetVersion", ctypes.byref(version))
        return version.value // 1000, version.value % 1000 // 10

    def device_count(self) -> int:
        """How many GPUs this process may use."""
        count = ctypes.c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        return count.value

    def device_name(self, index: int) -> str:
        """The product's name, like "NVIDIA GeForce RTX 4090"."""
        buffer = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", buffer, len(buffer), self._device(index))
        return buffer.value.decode()

    def device_attribute(self, index: int, attribute: int) -> int:
        """An attribute by its number in `CUdevice_attribute`."""
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), attribute, self._device(index))
        return value.value

    @contextmanager
    def on_device(self, index: int) -> Iterator[None]:
        """Let this thread work on a GPU, in the context that all CUDA libraries share."""
        device, context = self._device(index), ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        try:
            self.call("cuCtxPushCurrent_v2", context)
            try:
                yield
            finally:
                self.call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        finally:
            self.call("cuDevicePrimaryCtxRelease_v2", device)

    @contextmanager
    def memory(self, size_bytes: int) -> Iterator[int]:
        """The address of GPU memory that is freed afterwards; use it in `on_device`."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        try:
            yield address.value
        finally:
            self.call("cuMemFree_v2", address)

    def put(self, address: int, array: npt.NDArray[Any]) -> None:
        """Copy an array without gaps to GPU memory, and wait for it."""
        self._copy("cuMemcpyHtoD_v2", ctypes.c_uint64(address), array.ctypes, array.nbytes)

    def get(self, address: int, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Copy an array from GPU memory, and wait for it."""
        array = np.empty(shape, dtype)
        self._copy("cuMemcpyDtoH_v2", array.ctypes, ctypes.c_uint64(address), array.nbytes)
        return array

    @contextmanager
    def stream(self) -> Iterator[int]:
        """The address of a stream, whose work is done when it closes; use it in `on_device`."""
        stream = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(stream), 0)
        try:
            yield stream.value or 0
            self.call("cuStreamSynchronize", stream)
        finally:
            self.call("cuStreamDestroy_v2", stream)

    def _copy(self, name: str, target: Any, source: Any, size_bytes: int) -> None:  # noqa: ANN401
        self.call(name, target, source, ctypes.c_size_t(size_bytes))

    def _device(self, index: int) -> ctypes.c_int:
        device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(device), index)
        return device

    def _error_name(self, status: int) -> str:
        name = ctypes.c_char_p()
        if self._library.cuGetErrorName(status, ctypes.byref(name)) or name.value is None:
            return f"CUDA error {status}"
        return name.value.decode()
