"""What the enhancers of the GPU path need of a device and of the engine that runs on it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes, device_planes
from tapetum.realtime.cuda.pixel_kernels import PixelKernels
from tapetum.realtime.cuda.room import Room
from tapetum.realtime.errors import DeviceError
from tapetum.realtime.frame import Frame


class CapturedWork(Protocol):
    """Kernels and engines as one graph, to be queued whole."""

    def __call__(self, work: Callable[[], None]) -> None:
        """Queue the graph.

        Args:
            work: the work that was captured; it queues nothing now, but its kernels' arguments
                are taken. Engines keep their addresses.

        Raises:
            EngineError: it has more or fewer kernels than were captured.
        """


class ComputeDevice(Protocol):
    """One GPU and one stream on it: work is done in the order in which it is queued.

    `upload` and `download` go beside it, and may be called in other threads.
    """

    @property
    def name(self) -> str:
        """Such as "cuda:0"."""

    @property
    def stream_address(self) -> int | None:
        """The stream, as engines take it; None where the device is main memory."""

    @property
    def kernels(self) -> PixelKernels:
        """The pixel kernels, which queue their work on the stream."""

    def check_answers(self) -> None:
        """Ask the GPU something that costs nothing.

        Raises:
            DeviceLostError: it cannot be used any more.
        """

    def room_for(self, needed_bytes: int, what: str) -> Room:
        """Promise memory for what would fail in its middle without it.

        Args:
            needed_bytes: the least that it takes.
            what: it is, for the message.

        Raises:
            DeviceError: there is not enough, beside what others were promised.
        """

    def holds(self, array: DeviceArray) -> bool:
        """Whether an array lies in this device's memory, and not in another GPU's."""

    def context(self) -> AbstractContextManager[None]:
        """Make the device's CUDA context that of the calling thread, for other libraries."""

    def enqueue(self, work: Callable[[int], None]) -> None:
        """Queue what is no pixel kernel, such as an engine.

        Args:
            work: called with the address of the stream to queue on; not called where a captured
                graph has it already.
        """

    def capture(self, work: Callable[[], None]) -> CapturedWork:
        """Capture the kernels and engines that `work` queues; nothing runs yet.

        Raises:
            EngineError: something in it cannot be captured.
        """

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """An array with nothing in it yet."""

    def put(self, array: npt.NDArray[Any]) -> DeviceArray:
        """Copy an array from main memory."""

    def get(self, array: DeviceArray) -> npt.NDArray[Any]:
        """Copy an array to main memory, after all queued work is done."""

    def queue_copy(self, source: DeviceArray, target: DeviceArray) -> None:
        """Queue a copy of rows within the device; never a part of `capture`."""

    def upload(self, array: npt.NDArray[Any]) -> DeviceArray:
        """Copy an array from main memory beside the queued work, and wait for the copy only."""

    def download(self, array: DeviceArray) -> npt.NDArray[Any]:
        """Copy an array that is done to main memory, beside the queued work."""


class DeviceEngine(Protocol):
    """A network compiled for one shape, on a device and its stream."""

    @property
    def description(self) -> str:
        """Device, runtime and precision, like "cuda:0, TensorRT f16"."""

    @property
    def capturable(self) -> bool:
        """Whether its runs may be a part of `ComputeDevice.capture`."""

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        """Queue one run: read `batch`, fill `result`; both are without gaps."""


def planes_on(device: ComputeDevice, frame: Frame) -> DevicePlanes:
    """The planes of a frame that lies on a device.

    Raises:
        DeviceError: it lies in main memory or on another GPU.
        MediaError: it is in none of `DEVICE_FORMATS`.
    """
    planes = device_planes(frame)
    if not all(device.holds(plane) for plane in planes):
        raise DeviceError(f"this enhancer is on {device.name}; got a frame that is not")
    return planes


class Fault:
    """A mark that kernels leave where a network gives no finite numbers.

    It is read at the end of a frame, together with the one wait that hands the frame on.

    Attributes:
        mark: (2,) float32: 1 where numbers were not finite, and the greatest share of its effect
            that a cell of the frame needed.
        needed: the greatest such share of all frames so far.
    """

    def __init__(self, device: ComputeDevice) -> None:
        self._device = device
        self.needed = 0.0
        self._clear()

    def _clear(self) -> None:
        self.mark = self._device.put(np.zeros(2, np.float32))

    def wait(self) -> bool:
        """Wait for all queued work; whether the mark was set since the last call."""
        marked, needed = self._device.get(self.mark)
        self.needed = max(self.needed, float(needed))
        found = bool(marked)
        if found:
            self._clear()
        return found
