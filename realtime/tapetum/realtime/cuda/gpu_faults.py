"""What an error on a GPU means: the GPU is lost, its memory is short, or it is the library's own.

One home for CuPy, TensorRT, PyTorch, NVDEC and NVENC. Each has words of its own; whether a GPU is
lost, it says itself: after an error that ends a CUDA context, every call in it fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tapetum.realtime.cuda.never_freed import free_nothing
from tapetum.realtime.errors import DeviceError, DeviceLostError, EngineError, TapetumError

_SHORT = re.compile(
    r"MemoryAllocation|out[ _]?of[ _]?memory|memory allocation|insufficient memory"
    r"|could not be allocated|not enough (GPU )?memory|ALLOC\w*_FAILED",
    re.IGNORECASE,
)
"""What CUDA, cuBLAS, cuDNN, TensorRT and PyTorch say of memory: the GPU's, or the host's that is
pinned."""

_LOST = re.compile(
    r"cudaError(DevicesUnavailable|NoDevice|InvalidDevice|ECCUncorrectable|NvlinkUncorrectable"
    r"|Contained|IllegalAddress|LaunchTimeout|LaunchFailure|ContextIsDestroyed|Assert"
    r"|HardwareStackError|IllegalInstruction|MisalignedAddress|InvalidAddressSpace|InvalidPc"
    r"|TensorMemoryLeak|SystemNotReady|SystemDriverMismatch|Mps\w+|Unknown)\b"
    r"|CUDA_ERROR_(DEVICE_UNAVAILABLE|NO_DEVICE|INVALID_DEVICE|ECC_UNCORRECTABLE"
    r"|NVLINK_UNCORRECTABLE|CONTAINED|ILLEGAL_ADDRESS|LAUNCH_TIMEOUT|LAUNCH_FAILED"
    r"|CONTEXT_IS_DESTROYED|ASSERT|HARDWARE_STACK_ERROR|ILLEGAL_INSTRUCTION|MISALIGNED_ADDRESS"
    r"|INVALID_ADDRESS_SPACE|INVALID_PC|TENSOR_MEMORY_LEAK|INVALID_CONTEXT|DEINITIALIZED"
    r"|SYSTEM_NOT_READY|SYSTEM_DRIVER_MISMATCH|MPS_\w+|UNKNOWN)\b"
)
"""Errors after which CUDA's documentation has a process start anew, and those of a GPU that others
have, or that is gone (`cudaError_t` and `CUresult` of CUDA 13)."""


class Answering(Protocol):
    """A GPU that can be asked whether it is there."""

    @property
    def name(self) -> str:
        """Such as "cuda:0"."""

    def check_answers(self) -> None:
        """Ask it something that costs nothing.

        Raises:
            DeviceLostError: it cannot be used any more.
        """


def memory_is_short(error: BaseException) -> bool:
    """Whether an error is want of memory."""
    return isinstance(error, MemoryError) or _SHORT.search(str(error)) is not None


def says_lost(error: BaseException) -> bool:
    """Whether an error says by its name that the GPU is lost."""
    return _LOST.search(str(error)) is not None


def lost(device: str, error: BaseException) -> DeviceLostError:
    """The line of a GPU that is lost, of which nothing is freed from now on."""
    free_nothing()
    return DeviceLostError(
        f"{device} cannot be used: {_first_line(error)}; see nvidia-smi, or use --device cpu"
    )


def full(device: str, error: BaseException) -> DeviceError:
    """The line of a GPU that is full."""
    return DeviceError(
        f"{device} has not enough memory ({_first_line(error)}); close what else uses it, or use"
        " --device cpu"
    )


def fault_of(error: Exception, what: str, device: Answering) -> TapetumError:
    """What a library's error on a GPU means.

    Args:
        error: what it raised.
        what: was being done, for the message.
        device: where.

    Returns:
        `DeviceError`: memory is short: something smaller may find room. `DeviceLostError`: the GPU
        is lost, with all that runs there. Else `error` itself, where it has its line, or an
        `EngineError`: something else may run there.
    """
    if memory_is_short(error):
        return full(device.name, error)
    if says_lost(error):
        return lost(device.name, error)
    try:
        device.check_answers()
    except DeviceLostError as gone:
        return gone
    if isinstance(error, TapetumError):
        return error
    return EngineError(f"{what}: {_first_line(error)}; use --device cpu")


@contextmanager
def faults_told(
    what: str, device: Answering, kind: type[Exception] = EngineError
) -> Iterator[None]:
    """Raise what errors of a kind inside the block mean; see `fault_of`."""
    try:
        yield
    except kind as error:
        fault = fault_of(error, what, device)
        if fault is error:
            raise
        raise fault from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
