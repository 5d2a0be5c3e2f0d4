"""CUDA without a GPU: the kernels compile for every architecture, and what is missing is said."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.command_line import python
from support.cubin import kernel_costs

from tapetum.realtime.cuda import device as device_module
from tapetum.realtime.cuda import kernel_compiler
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.kernel_compiler import (
    MODULES,
    compile_kernels,
    compiler_options,
    kept_kernels,
    kernel_source,
)
from tapetum.realtime.errors import DeviceError
from tapetum.trt_build.gpu import device_index

ARCHITECTURES = (75, 80, 86, 87, 89, 90, 100, 120)
KERNELS = (
    "planes_to_rgb",
    "change_to_planes",
    "apply_grid",
    "thumbnail",
    "look_around",
    "keep_outside",
)

OF_BLOCK = {"smooth_grid": 1024, "fit_sum": 256, "fit_solve": 1024}
"""Threads of a block, where that is not 256 at most."""
REGISTERS_OF_A_MULTIPROCESSOR, REGISTERS_AT_A_TIME = 65536, 8
"""The latter of a thread: they are handed out to a warp by the 256."""

needs_cupy = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
)
RESTORING_OF_DEPTH = (
    "halve_frame",
    "learn",
    "finish_luma",
    "finish_chroma",
    "apply_grid_to_restored",
)
RESTORING = (
    *("halve_known", "compare_means", "find_medians", "draw_light", "relight_cells"),
    *("plan_restoring", "compare_wide", "judge_wide"),
    *("correct_eighth", "correct_quarter", "correct_half"),
)


@pytest.fixture
def _without_driver() -> None:
    from cupy.cuda import runtime

    if runtime.driverGetVersion() > 0:
        pytest.skip("this machine has an NVIDIA driver")


@needs_cupy
@pytest.mark.parametrize(
    ("architecture", "module"),
    [
        *((architecture, module) for architecture in ARCHITECTURES for module in ("420", "fit")),
        (75, "422"),
        (75, "444"),
    ],
)
def test_the_kernels_compile_for_every_architecture(architecture: int, module: str) -> None:
    """And a block of each finds the registers that it needs."""
    costs = kernel_costs(kernel_source(module), compiler_options(architecture, module))
    assert set(costs) == set(kernels_of(module))
    for name, cost in costs.items():
        registers = -(-cost.registers // REGISTERS_AT_A_TIME) * REGISTERS_AT_A_TIME
        assert registers * OF_BLOCK.get(name, 256) <= REGISTERS_OF_A_MULTIPROCESSOR, name


def kernels_of(module: str) -> list[str]:
    """The names of all kernels of one of `MODULES`."""
    if module == "fit":
        return ["fit_reduce", "fit_sum", "fit_solve"]
    chroma = module
    names = [f"{name}_{chroma}_{bits}" for name in KERNELS for bits in (8, 16)]
    if chroma != "420":
        return names
    restoring = [f"{name}_{bits}" for name in RESTORING_OF_DEPTH for bits in (8, 16)]
    return [*names, "smooth_grid", "measure_cells", *restoring, *RESTORING]


@needs_cupy
@pytest.mark.parametrize(
    ("architecture", "module"),
    [(75, "420"), (90, "420"), (90, "422"), (90, "444"), (75, "fit"), (90, "fit")],
)
def test_no_kernel_spills_registers(architecture: int, module: str) -> None:
    """What is spilt goes through memory, which is what the kernels have too little of."""
    costs = kernel_costs(kernel_source(module), compiler_options(architecture, module))
    assert {name: cost.spilt_bytes for name, cost in costs.items()} == dict.fromkeys(costs, 0)
    assert set(costs) == set(kernels_of(module))


@pytest.fixture(scope="module")
def nvcc(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of an nvcc that has its headers and host compiler, and knows the architecture."""
    found = shutil.which("nvcc")
    if found is None:
        pytest.skip("needs nvcc, of the CUDA toolkit")
    folder = tmp_path_factory.mktemp("nvcc")
    source = folder / "nothing.cu"
    source.write_text("__global__ void nothing() {}\n")
    command = [found, "--gpu-architecture=sm_90", "--cubin", "--output-file", str(folder / "cubin")]
    command.append(str(source))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().partition("\n")[0]
        pytest.skip(f"nvcc builds nothing here: {reason}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_nvcc_builds_the_kernels_and_has_nothing_to_warn_of(
    module: str, nvcc: str, tmp_path: Path
) -> None:
    source, cubin = tmp_path / "kernels.cu", tmp_path / "kernels.cubin"
    source.write_text(kernel_source(module))
    strict = ("--Werror", "all-warnings", "--cubin", "--output-file", str(cubin))
    command = [nvcc, *compiler_options(90, module), *strict, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for kernel in kernels_of(module):
        assert f".text.{kernel}\0".encode() in cubin.read_bytes()


@needs_cupy
def test_kernels_are_compiled_once_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "engines"))
    compiled = kept_kernels(89)
    (kept,) = (tmp_path / "engines").iterdir()
    monkeypatch.setattr(kernel_compiler, "compile_kernels", lambda *_: b"compiled anew")
    assert kept_kernels(89) == compiled
    assert kept_kernels(89, "444") == b"compiled anew"
    assert kept_kernels(90) == b"compiled anew"  # what was kept is of another architecture
    kept.write_bytes(kept.read_bytes()[:-1])
    assert kept_kernels(89) == b"compiled anew"


@needs_cupy
def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "file" / "engines"))
    monkeypatch.setattr(kernel_compiler, "compile_kernels", lambda *_: b"compiled anew")
    assert kept_kernels(89) == b"compiled anew"


@needs_cupy
@pytest.mark.skipif(
    importlib.util.find_spec("cuda") is None, reason="needs what CuPy finds headers by"
)
def test_cupy_finds_the_headers_of_its_own_kernels() -> None:
    """Array operations, as those of `--compare`, are compiled when they are first used."""
    from cuda.pathfinder import find_nvidia_header_directory
    from cupy.cuda import nvrtc

    headers = find_nvidia_header_directory("cudart")
    assert headers is not None, "pip install nvidia-cuda-runtime"
    program = nvrtc.createProgram("#include <cuda_fp16.h>\n", "half.cu", (), ())
    nvrtc.compileProgram(program, ("--gpu-architecture=sm_75", f"-I{headers}"))
    nvrtc.destroyProgram(program)


@needs_cupy
def test_an_unknown_architecture_is_one_line() -> None:
    with pytest.raises(DeviceError, match="cannot be compiled for sm_12: nvrtc: error: invalid"):
        compile_kernels(12)


@needs_cupy
@pytest.mark.usefixtures("_without_driver")
def test_a_missing_driver_is_one_line() -> None:
    expected = (
        "cuda:1 cannot be used: no NVIDIA driver is installed; install one, or use --device cpu"
    )
    with pytest.raises(DeviceError) as caught:
        CudaDevice(1)
    assert str(caught.value) == expected


@pytest.mark.parametrize("driver_is_there", [False, True])
def test_a_missing_cupy_is_one_line(*, driver_is_there: bool) -> None:
    """Without a driver there is no use in installing it."""
    code = f"""
import sys
sys.modules["cupy"] = None  # what importing finds where it is not installed
from tapetum.realtime.cuda import device as device_module
from tapetum.realtime.cuda import kernel_compiler
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.kernel_compiler import compile_kernels
from tapetum.realtime.errors import DeviceError
device_module.has_driver = lambda: {driver_is_there}
for attempt in (CudaDevice, lambda: compile_kernels(80)):
    try:
        attempt()
    except DeviceError as error:
        print(error)
"""
    first, second = python(code).splitlines()
    wanted = (
        "cuda:0 needs CuPy: pip install 'tapetum[cuda]'"
        if driver_is_there
        else "cuda:0 cannot be used: no NVIDIA driver is installed; install one"
    )
    assert first == f"{wanted}, or use --device cpu"
    assert second.startswith("compiling the pixel kernels needs CuPy and NVRTC: pip install")


class RefusalError(Exception):
    """An error of CUDA or CuPy."""


class NamedStream:
    """A stream of a stand-in for CuPy, which notes that it is the current one."""

    def __init__(self, current: list[str], name: str) -> None:
        self._current, self._name = current, name

    def __enter__(self) -> None:
        self._current.append(self._name)

    def __exit__(self, *_error: object) -> None:
        self._current.pop()


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for CuPy, whose arrays are the names of the streams they belong to.

    The first GPU is the current one, and has a context as soon as it is made current again.
    """
    current: list[str] = []
    made_current = [0]
    runtime = SimpleNamespace(
        CUDARuntimeError=RefusalError,
        made_current=made_current,
        getDevice=lambda: made_current[-1],
        setDevice=made_current.append,
    )
    cuda = SimpleNamespace(
        Device=lambda _: SimpleNamespace(compute_capability="89"),
        Stream=lambda *, non_blocking=False: NamedStream(current, f"non_blocking={non_blocking}"),
        Module=lambda: SimpleNamespace(load=lambda _: None),
        runtime=runtime,
        driver=SimpleNamespace(CUDADriverError=RefusalError),
        memory=SimpleNamespace(OutOfMemoryError=MemoryError),
    )
    cupy: Any = ModuleType("cupy")
    cupy.cuda, cupy.empty = cuda, lambda *_: current[-1]
    cupy.get_default_memory_pool = object
    monkeypatch.setattr(device_module, "cupy_for", lambda _: cupy)
    monkeypatch.setattr(device_module, "kept_kernels", lambda *_: b"")
    return cupy


@pytest.mark.usefixtures("cupy")
def test_a_surface_is_not_of_memory_that_queued_work_may_use() -> None:
    """CuPy gives out again what was freed on a stream, to work that is queued there later."""
    device: Any = CudaDevice()
    assert device.empty((2, 2), np.uint8) == "non_blocking=False"
    assert device.empty_for_copy((2, 2), np.uint8) == "non_blocking=True"


def test_another_gpu_than_the_first_leaves_that_without_a_context(cupy: Any) -> None:
    device: Any = CudaDevice(1)
    device.empty((2, 2), np.uint8)
    with device.context():
        device.empty_for_copy((2, 2), np.uint8)
    first, *later = cupy.cuda.runtime.made_current
    assert (first, set(later)) == (0, {1})


def test_a_gpu_that_another_process_has_is_one_line(cupy: Any) -> None:
    def refuse(**_options: bool) -> None:
        raise RefusalError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy")

    cupy.cuda.Stream = refuse
    expected = "cuda:1 cannot be used: cudaErrorDevicesUnavailable: .*; see nvidia-smi, or use"
    with pytest.raises(DeviceError, match=expected):
        CudaDevice(1)


def test_a_gpu_that_is_full_is_one_line(cupy: Any) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise MemoryError("Out of memory allocating 9 bytes")

    device: Any = CudaDevice()
    cupy.empty = cupy.array = refuse
    expected = r"cuda:0 has not enough memory \(Out of memory allocating 9 bytes\); close what"
    attempts: tuple[Callable[[], object], ...] = (
        lambda: device.empty((9,), np.uint8),
        lambda: device.empty_for_copy((9,), np.uint8),
        lambda: device.put(np.zeros(9)),
        lambda: device.upload(np.zeros(9)),
    )
    for attempt in attempts:
        with pytest.raises(DeviceError, match=expected):
            attempt()
    with pytest.raises(DeviceError, match=expected), device.array_work():
        refuse()


@pytest.mark.parametrize(("name", "index"), [("cuda", 0), ("cuda:0", 0), ("cuda:13", 13)])
def test_device_names_are_read(name: str, index: int) -> None:
    assert device_index(name) == index


@pytest.mark.parametrize("name", ["", "cpu", "cuda:", "cuda:-1", "cuda:x", "CUDA"])
def test_other_device_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cuda or cuda:INDEX"):
        device_index(name)


@pytest.mark.needs_cuda
def test_a_device_that_is_not_there_is_one_line() -> None:
    with pytest.raises(DeviceError, match="there is no cuda:99; this machine has"):
        cupy_for(99)


@pytest.mark.needs_cuda
def test_a_device_knows_its_own_memory() -> None:
    import cupy

    device = CudaDevice()
    mine = device.put(np.zeros((2, 2), np.float32))
    assert device.holds(mine)
    if cupy.cuda.runtime.getDeviceCount() > 1:
        other = CudaDevice(1)
        assert not device.holds(other.put(np.zeros((2, 2), np.float32)))
        assert not other.holds(mine)
