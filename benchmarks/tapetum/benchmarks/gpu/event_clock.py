"""Times work on a GPU by CUDA events, which the GPU itself records between pieces of work."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple, Protocol

from tapetum.realtime.cuda.device import CudaDevice, cupy_for

Work = Callable[[int], object]
"""Queues one piece of work, given its number: inputs rotate with it."""

_STABLE = 0.05
_MOST_BATCHES = 20


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


class Samples(NamedTuple):
    """Durations of a steady state.

    Attributes:
        times_ms: all of them.
        steady: whether the warm-up ended because two batches had the same median.
    """

    times_ms: list[float]
    steady: bool


def steady_samples(batch_ms: Callable[[], list[float]], least: int) -> Samples:
    """Measure batches until two in a row have medians within 5 %, then at least so many samples.

    Args:
        batch_ms: measures a batch.
        least: number of samples.
    """
    before, steady = median(batch_ms()), False
    for _ in range(_MOST_BATCHES):
        now = median(batch_ms())
        steady = abs(now - before) <= _STABLE * before
        if steady:
            break
        before = now
    times_ms: list[float] = []
    while len(times_ms) < least:
        times_ms += batch_ms()
    return Samples(times_ms, steady)
