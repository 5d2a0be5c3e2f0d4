"""What the first NVIDIA GPU says of itself, read only, by NVML (nvidia-ml-py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of them is there where a driver is, on Linux and in WSL; asked before anything is loaded."""


@dataclass(frozen=True)
class GpuReading:
    """One reading; None where the GPU does not tell.

    Attributes:
        name: the GPU.
        memory_mb: memory in use, by all processes.
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
    nvml = _nvml()
    if nvml is None:
        return None
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    return GpuReading(
        name=nvml.nvmlDeviceGetName(gpu),
        memory_mb=_told(lambda: nvml.nvmlDeviceGetMemoryInfo(gpu).used / 1e6),
        utilisation_percent=_told(lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu),
        power_w=_told(lambda: nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3),
        clock_mhz=_told(lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
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


@cache
def _nvml() -> Any:  # noqa: ANN401 - nvidia-ml-py has no types
    """NVML, started once; None where the package, the driver or a GPU is missing."""
    if not any(path.exists() for path in _DRIVERS):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml if pynvml.nvmlDeviceGetCount() else None
    except pynvml.NVMLError:
        return None


def _told(question: Callable[[], float]) -> float | None:
    """The answer, or None where this GPU does not know it."""
    nvml = _nvml()
    try:
        return float(question())
    except nvml.NVMLError:
        return None
