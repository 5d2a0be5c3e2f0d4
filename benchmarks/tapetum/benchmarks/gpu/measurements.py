"""The parts of a card's file, each measured by a module of its own, on one device and stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tapetum.benchmarks.gpu.kernels import measure_kernels
from tapetum.benchmarks.gpu.networks import measure_networks
from tapetum.benchmarks.gpu.pipeline import free_memory_mb, measure_codecs, measure_pipeline
from tapetum.benchmarks.gpu.roofline import measure_ceilings
from tapetum.benchmarks.measure.clocks import EventClock
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.cuda.cuda_enhancer import choose_engine, make_cuda_enhancer
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.torch_engine import torch_device, torch_stream


@dataclass(frozen=True)
class Choices:
    """What is measured.

    Attributes:
        sizes: widths and heights of frames.
        backends: what runs the networks.
    """

    sizes: Sequence[tuple[int, int]]
    backends: Sequence[str]


class Measurements:
    """Measures parts on the first GPU of the process.

    Attributes:
        ceilings: what the card can do at best, once they are known.
    """

    def __init__(self, choices: Choices, ceilings: dict[str, Any] | None) -> None:
        """Open the GPU.

        Raises:
            DeviceError: CuPy, NVRTC, the driver or the GPU is missing.
        """
        self.ceilings = ceilings
        self._choices = choices
        self._device = CudaDevice()
        self._clock = EventClock(self._device)

    def measure(self, part: str) -> Any:  # noqa: ANN401 - JSON
        """The figures of a part.

        Raises:
            BenchmarkError: the ceilings that it is held against are not known.
            TapetumError: it cannot be measured.
        """
        parts: dict[str, Callable[[], Any]] = {
            "ceilings": self._ceilings,
            "kernels": self._kernels,
            "networks": self._networks,
            "pipeline": self._pipeline,
            "codecs": lambda: measure_codecs(self._device, self._choices.sizes),
        }
        return parts[part]()

    def _ceilings(self) -> dict[str, Any]:
        with torch_stream(self._device)():
            self.ceilings = measure_ceilings(torch_device(self._device), self._clock)
        return self.ceilings

    def _kernels(self) -> list[dict[str, Any]]:
        cupy = cupy_for(self._device.index)
        cache_bytes = int(cupy.cuda.Device(self._device.index).attributes["L2CacheSize"])
        return measure_kernels(
            self._device, self._clock, self._choices.sizes, cache_bytes=cache_bytes
        )

    def _networks(self) -> list[dict[str, Any]]:
        if self.ceilings is None:
            raise BenchmarkError("networks are held against the ceilings: measure those as well")
        return measure_networks(
            self._device,
            self._clock,
            self._choices.sizes,
            backends=self._choices.backends,
            ceilings=self.ceilings,
        )

    def _pipeline(self) -> list[dict[str, Any]]:
        flavour = choose_engine(self._device.index).flavour
        return measure_pipeline(
            self._device,
            self._clock,
            self._choices.sizes,
            load=lambda model: make_cuda_enhancer(model, self._device, flavour=flavour),
            free_mb=partial(free_memory_mb, self._device),
        )
