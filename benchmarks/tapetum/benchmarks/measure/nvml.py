"""What NVIDIA GPUs say of themselves, read only, by NVML (nvidia-ml-py): nothing is ever set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import Any

from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.cuda.device import cupy_for

_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of them is there where a driver is, on Linux and in WSL; asked before anything is loaded."""
_LIBRARIES = (
    "tapetum",
    "av",
    "cupy-cuda13x",
    "nvidia-cuda-nvrtc",
    "torch",
    "tensorrt-cu13",
    "tensorrt-rtx",
    "torch-tensorrt",
)


@dataclass(frozen=True)
class GpuReading:
    """How a GPU fares at one moment; None for what it does not tell.

    Attributes:
        name: the GPU.
        memory_mb: memory in use, by all processes, in 10^6 bytes.
        utilisation_percent: share of the last moments in which a kernel ran.
        power_w: of the whole board.
        clock_mhz: of its multiprocessors.
    """

    name: str
    memory_mb: float | None
    utilisation_percent: float | None
    power_w: float | None
    clock_mhz: float | None


def read_gpu() -> GpuReading | None:
    """A reading of the first GPU; None where there is none, or no nvidia-ml-py."""
    if not any(path.exists() for path in _DRIVERS):
        return None
    try:
        nvml = _nvml()
    except BenchmarkError:
        return None
    if not nvml.nvmlDeviceGetCount():
        return None
    gpu = _Gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(0))
    memory, rates = gpu.asked("nvmlDeviceGetMemoryInfo"), gpu.asked("nvmlDeviceGetUtilizationRates")
    return GpuReading(
        name=nvml.nvmlDeviceGetName(gpu.handle),
        memory_mb=None if memory is None else memory.used / 1e6,
        utilisation_percent=None if rates is None else float(rates.gpu),
        power_w=gpu.power_w(),
        clock_mhz=gpu.asked("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
    )


def mean_reading(readings: Sequence[GpuReading]) -> GpuReading | None:
    """The means of some readings of one GPU, or None where there are none."""
    if not readings:
        return None
    known: dict[str, list[float]] = {}
    for reading in readings:
        for name, value in asdict(reading).items():
            if name != "name" and value is not None:
                known.setdefault(name, []).append(value)
    means = {name: round(fmean(values), 1) for name, values in known.items()}
    return GpuReading(
        readings[0].name,
        *(means.get(name) for name in ("memory_mb", "utilisation_percent", "power_w", "clock_mhz")),
    )


def gpu_facts(index: int = 0) -> dict[str, Any]:
    """What a GPU is: name, compute capability, memory in MiB, driver and CUDA.

    Args:
        index: as CUDA numbers it.

    Raises:
        BenchmarkError: there is no GPU, or no NVML to ask.
        DeviceError: there is none of that number, or no CuPy.
    """
    gpu = _cuda_gpu(index)
    try:
        major, minor = gpu.nvml.nvmlDeviceGetCudaComputeCapability(gpu.handle)
        cuda = gpu.nvml.nvmlSystemGetCudaDriverVersion_v2()
        return {
            "name": gpu.nvml.nvmlDeviceGetName(gpu.handle),
            "compute_capability": f"{major}.{minor}",
            "memory_mb": gpu.nvml.nvmlDeviceGetMemoryInfo(gpu.handle).total >> 20,
            "driver": gpu.nvml.nvmlSystemGetDriverVersion(),
            "driver_cuda": f"{cuda // 1000}.{cuda % 1000 // 10}",
        }
    except gpu.nvml.NVMLError as error:
        raise BenchmarkError(f"NVML gives no answer about GPU {index}: {error}") from error


def gpu_reading(index: int = 0) -> dict[str, float | None]:
    """How a GPU fares now, as the file of a card has it; None for what it does not tell.

    Args:
        index: as CUDA numbers it.

    Raises:
        BenchmarkError: there is no GPU, or no NVML to ask.
        DeviceError: there is none of that number, or no CuPy.
    """
    gpu = _cuda_gpu(index)
    memory = gpu.asked("nvmlDeviceGetMemoryInfo")
    return {
        "temperature_c": gpu.asked("nvmlDeviceGetTemperature", gpu.nvml.NVML_TEMPERATURE_GPU),
        "power_w": gpu.power_w(),
        "sm_clock_mhz": gpu.asked("nvmlDeviceGetClockInfo", gpu.nvml.NVML_CLOCK_SM),
        "memory_clock_mhz": gpu.asked("nvmlDeviceGetClockInfo", gpu.nvml.NVML_CLOCK_MEM),
        "memory_used_mb": None if memory is None else memory.used >> 20,
        "throttle_reasons": gpu.asked("nvmlDeviceGetCurrentClocksEventReasons"),
    }


def library_versions() -> dict[str, str]:
    """Versions of what is installed of the libraries that figures of a GPU depend on."""
    return {name: found for name in _LIBRARIES if (found := _version(name)) is not None}


@dataclass(frozen=True)
class _Gpu:
    """NVML, and its handle of one GPU; nvidia-ml-py has no types."""

    nvml: Any
    handle: Any

    def asked(self, question: str, *arguments: int) -> Any:  # noqa: ANN401
        """The answer, or None where this GPU does not know it."""
        try:
            return getattr(self.nvml, question)(self.handle, *arguments)
        except self.nvml.NVMLError:
            return None

    def power_w(self) -> float | None:
        """Power that the whole board draws."""
        milliwatts = self.asked("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1000


def _cuda_gpu(index: int) -> _Gpu:
    """A GPU by its number in CUDA: NVML numbers them in its own way, so the bus tells."""
    nvml = _nvml()
    bus_id = cupy_for(index).cuda.runtime.deviceGetPCIBusId(index)
    try:
        return _Gpu(nvml, nvml.nvmlDeviceGetHandleByPciBusId(bus_id))
    except nvml.NVMLError as error:
        raise BenchmarkError(f"NVML gives no answer about GPU {index}: {error}") from error


@cache
def _nvml() -> Any:  # noqa: ANN401 - nvidia-ml-py has no types
    """NVML, started once and for the whole process."""
    try:
        import pynvml
    except ImportError as error:
        raise BenchmarkError(
            "GPU benchmarks need nvidia-ml-py: pip install 'tapetum[cuda,train]'"
        ) from error
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise BenchmarkError(
            f"GPU benchmarks need an NVIDIA GPU and its driver, and find none here ({error})"
        ) from error
    return pynvml


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
