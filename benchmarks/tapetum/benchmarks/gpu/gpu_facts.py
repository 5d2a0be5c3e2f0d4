"""What a GPU is and how it fares: names, versions and NVML's readings. Nothing is ever set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from tapetum.benchmarks.bench.errors import BenchmarkError
from tapetum.realtime.cuda.device import cupy_for

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


@contextmanager
def opened_gpu(index: int = 0) -> Iterator[Any]:
    """NVML's handle of a GPU, which NVML numbers in its own way.

    Raises:
        BenchmarkError: there is no GPU, or no NVML to ask.
        DeviceError: there is none of that number, or no CuPy.
    """
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
    try:
        bus_id = cupy_for(index).cuda.runtime.deviceGetPCIBusId(index)
        yield pynvml.nvmlDeviceGetHandleByPciBusId(bus_id)
    except pynvml.NVMLError as error:
        raise BenchmarkError(f"NVML gives no answer about GPU {index}: {error}") from error
    finally:
        pynvml.nvmlShutdown()


def gpu_facts(index: int = 0) -> dict[str, Any]:
    """What the card is: name, compute capability, memory, bus, driver and CUDA.

    Raises:
        BenchmarkError: there is no such GPU.
    """
    with opened_gpu(index) as handle:
        import pynvml

        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return {
            "name": _text(pynvml.nvmlDeviceGetName(handle)),
            "compute_capability": f"{major}.{minor}",
            "memory_mb": pynvml.nvmlDeviceGetMemoryInfo(handle).total >> 20,
            "driver": _text(pynvml.nvmlSystemGetDriverVersion()),
            "driver_cuda": f"{cuda // 1000}.{cuda % 1000 // 10}",
        }


def gpu_reading(index: int = 0) -> dict[str, float | None]:
    """How the card fares now; None for what it does not tell.

    Raises:
        BenchmarkError: there is no such GPU.
    """
    with opened_gpu(index) as handle:
        import pynvml

        def asked(question: str, *arguments: int) -> Any:  # noqa: ANN401 - NVML has no types
            try:
                return getattr(pynvml, question)(handle, *arguments)
            except pynvml.NVMLError:
                return None

        milliwatts = asked("nvmlDeviceGetPowerUsage")
        memory = asked("nvmlDeviceGetMemoryInfo")
        return {
            "temperature_c": asked("nvmlDeviceGetTemperature", pynvml.NVML_TEMPERATURE_GPU),
            "power_w": None if milliwatts is None else milliwatts / 1000,
            "sm_clock_mhz": asked("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_SM),
            "memory_clock_mhz": asked("nvmlDeviceGetClockInfo", pynvml.NVML_CLOCK_MEM),
            "memory_used_mb": None if memory is None else memory.used >> 20,
            "throttle_reasons": asked("nvmlDeviceGetCurrentClocksEventReasons"),
        }


def library_versions() -> dict[str, str]:
    """Versions of what is installed of the libraries that figures depend on."""
    return {name: found for name in _LIBRARIES if (found := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _text(answer: str | bytes) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer
