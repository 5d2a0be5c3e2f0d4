"""Compiles the pixel kernels with NVRTC. No GPU and no CUDA toolkit is needed for it."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

from tapetum.gan.build_cache import keep_content, kept_content
from tapetum.realtime.errors import DeviceError

OPTIONS = ("--std=c++17", "--prec-div=false", "--prec-sqrt=false", "--ftz=true")
"""Division and square root within 2 units in the last place, which is far under a level; numbers
under 1e-38 are 0, so that a square root is one instruction."""
CHROMAS = ("420", "422", "444")
"""What `kernels.cu` is compiled for, each time one; the first has those that mind no chroma too."""
FILES = {"fit": "grid_fit.cu"}
"""Kernels that not every stream needs, by how their names begin; compiled behind `kernels.cu`."""
_ALWAYS = "picture_edges.cu", "steady_grid.cu", "restoring.cu"
MODULES = (*CHROMAS, *FILES)


def module_of(kernel: str) -> str:
    """Which of `MODULES` a kernel is in, by its name."""
    begin = kernel.partition("_")[0]
    if begin in FILES:
        return begin
    return next((chroma for chroma in CHROMAS if f"_{chroma}_" in kernel), CHROMAS[0])


def compiler_options(architecture: int, module: str) -> tuple[str, ...]:
    """NVRTC's options."""
    macro = "WITHOUT_KERNELS" if module in FILES else f"CHROMA={module}"
    return (f"--gpu-architecture=sm_{architecture}", f"--define-macro={macro}", *OPTIONS)


def kernel_source(module: str = CHROMAS[0]) -> str:
    """The CUDA C source of some kernels: of several files, each goes on where the last ends."""
    folder = resources.files("tapetum.realtime.cuda")
    names = "kernels.cu", *((FILES[module],) if module in FILES else _ALWAYS)
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)


@cache
def compile_kernels(architecture: int, module: str = CHROMAS[0]) -> bytes:
    """Compile the pixel kernels to machine code, a cubin; takes some seconds.

    Args:
        architecture: a compute capability, such as 89 for 8.9.
        module: one of `MODULES`.

    Raises:
        DeviceError: CuPy or NVRTC is missing, or NVRTC does not know the architecture.
    """
    try:
        from cupy.cuda import nvrtc

        program = nvrtc.createProgram(kernel_source(module), "kernels.cu", (), ())
    except (ImportError, RuntimeError) as error:
        raise _no_compiler(error) from error
    try:
        nvrtc.compileProgram(program, compiler_options(architecture, module))
        cubin: bytes = nvrtc.getCUBIN(program)
    except nvrtc.NVRTCError as error:
        reason = _first_line(nvrtc.getProgramLog(program) or str(error))
        raise DeviceError(
            f"the pixel kernels cannot be compiled for sm_{architecture}: {reason}"
        ) from error
    finally:
        nvrtc.destroyProgram(program)
    return cubin


def kept_kernels(architecture: int, module: str = CHROMAS[0]) -> bytes:
    """The pixel kernels as machine code: as an earlier process compiled them, or compiled now.

    They are kept in the engine cache's folder, by source, options, architecture and compiler.

    Raises:
        DeviceError: as for `compile_kernels`.
    """
    name = f"kernels-{_key(architecture, module)[:32]}.cubin"
    cubin = kept_content(name)
    if not cubin:
        cubin = compile_kernels(architecture, module)
        keep_content(name, cubin)
    return cubin


def check_compiler() -> None:
    """Check that NVRTC is there.

    Raises:
        DeviceError: it is not.
    """
    _compiler_version()


def _key(architecture: int, module: str) -> str:
    options = compiler_options(architecture, module)
    what = f"{kernel_source(module)}\0{options}\0{_compiler_version()}"
    return hashlib.sha256(what.encode()).hexdigest()


def _compiler_version() -> str:
    try:
        from cupy.cuda import nvrtc

        return str(nvrtc.getVersion())
    except (ImportError, RuntimeError) as error:
        raise _no_compiler(error) from error


def _no_compiler(error: Exception) -> DeviceError:
    return DeviceError(
        "compiling the pixel kernels needs CuPy and NVRTC: pip install 'tapetum[cuda]'"
        f" ({_first_line(str(error))})"
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
