"""A GPU's enhancer for frames in main memory: each is uploaded, enhanced and downloaded."""

from __future__ import annotations

import time
from collections.abc import Callable

from tapetum.benchmarks.bench.stage_clock import StageClock, nbytes
from tapetum.benchmarks.gpu.event_clock import Clock
from tapetum.realtime import Frame, FrameEnhancer
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.transfer import downloaded, semi_planar, uploaded


class RoundTrip:
    """Enhances frames in main memory on a device; gives them back as NV12 or P010.

    Its parts are those of `tapetum enhance` where a GPU neither decodes nor encodes. They follow
    each other here, where the pipeline lets the transfers of other frames go on meanwhile.
    """

    def __init__(self, device: ComputeDevice, enhance: FrameEnhancer) -> None:
        self._device, self._enhance = device, enhance

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame; it is done when this returns."""
        return downloaded(self._enhance(uploaded(frame, self._device)), self._device)


class StagedRoundTrip:
    """`RoundTrip` in its parts, of which the device's are timed by events on its stream.

    Each of these parts waits for the device, so that the second event follows when it is done:
    what the host does for it, such as copying to pinned memory, is in its time.

    Attributes:
        clock: what the stages took.
    """

    def __init__(self, device: ComputeDevice, enhance: FrameEnhancer, events: Clock) -> None:
        self.clock = StageClock()
        self._device, self._enhance, self._events = device, enhance, events

    def __call__(self, frame: Frame) -> Frame:
        """Enhance one frame."""
        self.clock.start()
        given = semi_planar(frame)
        self.clock.end("convert", nbytes(*frame.planes, *given.planes))
        moved = 2 * nbytes(*given.planes)  # each part reads a frame and writes one
        there = self._timed("upload", moved, lambda: uploaded(given, self._device))
        bright = self._timed("kernels and engine", moved, lambda: self._enhance(there))
        return self._timed("download", moved, lambda: downloaded(bright, self._device))

    def _timed(self, stage: str, moved_bytes: int, work: Callable[[], Frame]) -> Frame:
        done: list[Frame] = []
        before_ns = time.process_time_ns()
        (duration_ms,) = self._events.calls_ms(lambda _: done.append(work()), 1)
        cpu_ns = time.process_time_ns() - before_ns
        self.clock.add(stage, round(duration_ms * 1e6), cpu_ns, moved_bytes, "gpu")
        return done[0]
