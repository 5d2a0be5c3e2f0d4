"""DLPack capsules of main memory that stands for a GPU's: https://dmlc.github.io/dlpack/latest/."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

_MAIN_MEMORY, _CUDA = 1, 2
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _Tensor(ctypes.Structure):
    """`DLTensor`."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("dimensions", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("offset", ctypes.c_uint64),
    )


def _tensor(capsule: object) -> _Tensor:
    return _Tensor.from_address(_pointer(capsule, b"dltensor"))


def on_device(capsule: object) -> object:
    """The same capsule, which now says that its memory is a GPU's."""
    _tensor(capsule).device_type = _CUDA
    return capsule


def device_view(capsule: object) -> npt.NDArray[Any] | None:
    """An array of samples that a capsule says are on a GPU; None where it does not say so."""
    tensor = _tensor(capsule)
    if tensor.device_type != _CUDA:
        return None
    size = tensor.bits // 8
    shape = [tensor.shape[place] for place in range(tensor.dimensions)]
    strides = [tensor.strides[place] * size for place in range(tensor.dimensions)]
    length = sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + size
    memory = (ctypes.c_uint8 * length).from_address((tensor.data or 0) + tensor.offset)
    memory.capsule = capsule  # it is FFmpeg's as long as this lives
    samples = np.frombuffer(memory, np.dtype(f"<u{size}"))
    view: npt.NDArray[Any] = np.lib.stride_tricks.as_strided(samples, shape, strides)
    return view
