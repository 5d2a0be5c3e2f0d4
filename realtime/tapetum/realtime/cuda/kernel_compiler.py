"""Compiles the pixel kernels with NVRTC. No GPU and no CUDA toolkit is needed for it."""

from __future__ import annotations

from functools import cache
from importlib import resources

from tapetum.realtime.errors import DeviceError

OPTIONS = ("--std=c++17", "--prec-div=false", "--prec-sqrt=false")
"""Division and square root within 2 units in the last place, which is far under a level."""


def kernel_source() -> str:
    """The CUDA C source of the pixel kernels."""
    return resources.files("tapetum.realtime.cuda").joinpath("kernels.cu").read_text("utf-8")


@cache
def compile_kernels(architecture: int) -> bytes:
    """Compile the pixel kernels to machine code, a cubin; takes some 2 s, once a process.

    Args:
        architecture: a compute capability, such as 89 for 8.9.

    Raises:
        DeviceError: CuPy or NVRTC is missing, or NVRTC does not know the architecture.
    """
    try:
        from cupy.cuda import nvrtc

        program = nvrtc.createProgram(kernel_source(), "kernels.cu", (), ())
    except (ImportError, RuntimeError) as error:
        raise DeviceError(
            "compiling the pixel kernels needs CuPy and NVRTC: pip install 'tapetum[cuda]'"
            f" ({_first_line(str(error))})"
        ) from error
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture=sm_{architecture}", *OPTIONS))
        cubin: bytes = nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError as error:
        reason = _first_line(nvrtc.getProgramLog(program) or str(error))
        raise DeviceError(
            f"the pixel kernels cannot be compiled for sm_{architecture}: {reason}"
        ) from error
    finally:
        nvrtc.destroyProgram(program)
    return cubin


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
