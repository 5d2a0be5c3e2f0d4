"""What each stage takes, by the host's clock and by events on a GPU's stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tapetum.benchmarks.measure.sampling import distribution
from tapetum.realtime.cuda.device import CudaDevice, cupy_for

ClockName = Literal["host", "gpu"]
"""`gpu`: events on a stream of the device."""

_DIGITS = 5


@dataclass
class StageSamples:
    """One stage, a sample for each frame.

    Attributes:
        durations_ms: from its start to its end.
        cpu_ms: CPU time that went into it; empty where it is not known.
        moved_bytes: bytes that it reads and writes at least; empty where they mean nothing.
        clock: what measured the durations.
        overlaps: whether it runs beside the other stages, so that its time adds to no whole.
    """

    durations_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    moved_bytes: list[int] = field(default_factory=list)
    clock: ClockName = "host"
    overlaps: bool = False

    def extend(self, other: StageSamples) -> None:
        """Add the samples of another round of the same stage."""
        self.durations_ms += other.durations_ms
        self.cpu_ms += other.cpu_ms
        self.moved_bytes += other.moved_bytes

    def as_json(self) -> dict[str, Any]:
        """As `schema.json` describes a stage: means of CPU time and bytes, null where unknown."""
        return asdict(distribution([self.durations_ms])) | {
            "cpu_ms": _mean(self.cpu_ms),
            "bytes": _mean(self.moved_bytes),
            "clock": self.clock,
            "overlaps": self.overlaps,
        }


Stages = dict[str, StageSamples]
"""By name, in the order in which a frame goes through them."""


class StageClock:
    """Measures stages that follow each other in one thread.

    Attributes:
        stages: what was measured so far.
    """

    def __init__(
        self, cpu_clock_ns: Callable[[], int] = time.process_time_ns, *, overlaps: bool = False
    ) -> None:
        """Make a clock.

        Args:
            cpu_clock_ns: CPU time so far; of the whole process, so that the threads of an engine
                count, or of the calling thread, where other stages run at the same time.
            overlaps: of its stages.
        """
        self.stages: Stages = {}
        self._cpu_clock_ns = cpu_clock_ns
        self._overlaps = overlaps
        self._last_ns = self._last_cpu_ns = 0

    def start(self) -> None:
        """The first stage of a frame begins now."""
        self._last_ns, self._last_cpu_ns = time.perf_counter_ns(), self._cpu_clock_ns()

    def end(self, stage: str, moved_bytes: int = 0) -> None:
        """A stage ends now, and the next one begins."""
        now_ns, cpu_ns = time.perf_counter_ns(), self._cpu_clock_ns()
        self.add(stage, now_ns - self._last_ns, cpu_ns - self._last_cpu_ns, moved_bytes)
        self._last_ns, self._last_cpu_ns = now_ns, cpu_ns

    def wait_ended(self, stage: str) -> None:
        """A wait ends now, which takes no CPU time, and the next stage begins."""
        now_ns = time.perf_counter_ns()
        samples = self._samples(stage)
        samples.durations_ms.append((now_ns - self._last_ns) / 1e6)
        self._last_ns, self._last_cpu_ns = now_ns, self._cpu_clock_ns()

    def add(
        self, stage: str, wall_ns: int, cpu_ns: int, moved_bytes: int, clock: ClockName = "host"
    ) -> None:
        """Take note of a stage that was measured elsewhere, by a clock that is always the same."""
        samples = self._samples(stage, clock)
        samples.durations_ms.append(wall_ns / 1e6)
        samples.cpu_ms.append(cpu_ns / 1e6)
        if moved_bytes:
            samples.moved_bytes.append(moved_bytes)

    def _samples(self, stage: str, clock: ClockName = "host") -> StageSamples:
        return self.stages.setdefault(stage, StageSamples(clock=clock, overlaps=self._overlaps))


def joined(rounds: Sequence[Stages]) -> Stages:
    """The stages of several rounds as one."""
    total: Stages = {}
    for stages in rounds:
        for name, samples in stages.items():
            empty = StageSamples(clock=samples.clock, overlaps=samples.overlaps)
            total.setdefault(name, empty).extend(samples)
    return total


def nbytes(*arrays: npt.NDArray[Any]) -> int:
    """Bytes of the samples of some arrays, without what lies between pitched rows."""
    return sum(array.size * np.dtype(array.dtype).itemsize for array in arrays)


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), _DIGITS) if values else None


Work = Callable[[int], object]
"""Queues one piece of work, given its number: inputs rotate with it."""


class Clock(Protocol):
    """Times work that is queued on one stream."""

    def calls_ms(self, work: Work, calls: int) -> list[float]:
        """Durations of calls 0 to `calls` - 1 in milliseconds, one after another."""

    def rounds_ms(self, work: Work, inputs: int, rounds: int) -> list[float]:
        """Mean duration of a call over rounds through all inputs, without the host's part."""


class EventClock:
    """A clock for the stream of a device."""

    def __init__(self, device: CudaDevice) -> None:
        self._device = device
        self._cupy: Any = cupy_for(device.index)
        self._stream = self._cupy.cuda.Stream.from_external(_StreamOf(device))

    def calls_ms(self, work: Work, calls: int) -> list[float]:
        """Durations of calls, each between two events; a gap before its end is counted too."""
        cuda = self._cupy.cuda
        with cuda.Device(self._device.index):
            pairs = [(cuda.Event(), cuda.Event()) for _ in range(calls)]
            for number, (begin, end) in enumerate(pairs):
                begin.record(self._stream)
                work(number)
                end.record(self._stream)
            self._stream.synchronize()
            return [float(cuda.get_elapsed_time(begin, end)) for begin, end in pairs]

    def rounds_ms(self, work: Work, inputs: int, rounds: int) -> list[float]:
        """Durations of calls that are captured as one CUDA graph, so that none waits for the host.

        `work` must have been called before, since nothing may be loaded in a capture.
        """
        with self._cupy.cuda.Device(self._device.index):
            self._stream.begin_capture()
            for number in range(inputs):
                work(number)
            graph = self._stream.end_capture()
        times_ms = self.calls_ms(lambda _: graph.launch(stream=self._stream), rounds)
        return [time_ms / inputs for time_ms in times_ms]


class _StreamOf:
    """A device's stream in the words of the CUDA stream protocol."""

    def __init__(self, device: CudaDevice) -> None:
        self._device = device

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._device.stream_address
