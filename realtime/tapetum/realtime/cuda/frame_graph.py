"""The work of one frame as one CUDA graph: pixel kernels and network, captured once a size.

Both enhancers keep their graphs here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from tapetum.realtime.cuda.compute_device import CapturedWork, ComputeDevice, DeviceEngine
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, device_planes
from tapetum.realtime.errors import DeviceError, DeviceLostError, EngineError
from tapetum.realtime.frame import Frame

_log = logging.getLogger(__name__)

_TOLERANCE = 0.01
"""Of the greatest number that the network gives: a branch that a graph has frozen is far off."""


Layout = tuple[str, int, int]


class FrameGraph:
    """Queues what a frame needs: as a captured graph where the engine allows it, else directly.

    The first frame of a size and format is done directly, which lets the engine load what it loads
    late. Then the same work is captured, and tried with another picture: the network must give what
    the engine alone gives for it. From then on a frame costs the host the setting of its kernels'
    arguments and one launch.
    """

    def __init__(
        self, device: ComputeDevice, engine: DeviceEngine, batch: DeviceArray, result: DeviceArray
    ) -> None:
        """Make one that has captured nothing yet.

        Args:
            device: where the work is queued.
            engine: the network in the work.
            batch: what the engine reads in the work.
            result: what the engine fills in the work.
        """
        self._device, self._engine = device, engine
        self._batch, self._result = batch, result
        self._layout: Layout | None = None
        self._graph: CapturedWork | None = None

    def __call__(
        self,
        frame: Frame,
        queue: Callable[[Frame], None],
        *,
        show: Callable[[Frame], None] = lambda _frame: None,
    ) -> None:
        """Queue one frame's work.

        Args:
            frame: on the device.
            queue: queues all work of a frame: the same kernels and the engine, in the same order,
                whatever the frame. It may be called several times, and must give the same each
                time.
            show: queues what has to be done before, and is no part of the graph; it is done for
                the frame already.
        """
        if self._graph is not None and _layout(frame) == self._layout:
            self._graph(lambda: queue(frame))
            return
        queue(frame)
        if self._engine.capturable and _layout(frame) != self._layout:
            self._graph = self._captured(frame, queue, show)
            self._layout = _layout(frame)
            show(frame)
            queue(frame)

    def _captured(
        self, frame: Frame, queue: Callable[[Frame], None], show: Callable[[Frame], None]
    ) -> CapturedWork | None:
        try:
            other = self._other(frame)  # which waits: an engine runs on one stream at a time
            graph = self._device.capture(lambda: queue(frame))
            show(other)
            graph(lambda: queue(other))
            self._check()
        except DeviceLostError:
            raise
        except (DeviceError, EngineError) as error:
            _log.warning("%s works without a CUDA graph: %s", self._device.name, error)
            return None
        return graph

    def _check(self) -> None:
        """Compare what the graph made with what the engine makes of the same input."""
        alone = self._device.empty(self._result.shape, self._result.dtype)
        self._engine(self._batch, alone)
        found, wanted = (
            self._device.get(array).astype(np.float32) for array in (self._result, alone)
        )
        finite = np.isfinite(wanted)
        if not finite.any():
            raise EngineError("the engine gives no finite numbers")
        peak = np.abs(wanted[finite]).max(initial=0)
        with np.errstate(invalid="ignore"):  # memory that nothing was written to may hold anything
            worst = np.abs(found[finite] - wanted[finite]).max(initial=0)
        if not worst <= _TOLERANCE * peak:  # not a number is worse than any
            raise EngineError(
                f"the captured graph gives other numbers than the engine, by up to {worst:.3g}"
                f" where the greatest is {peak:.3g}"
            )

    def _other(self, frame: Frame) -> Frame:
        """The frame upside down and with half its levels."""
        device = self._device
        planes: Any = tuple(
            device.put(np.flipud(device.get(plane)) // 2) for plane in device_planes(frame)
        )
        return frame.with_planes(planes)


def _layout(frame: Frame) -> Layout:
    """What the work of two frames must have in common to be one graph."""
    return frame.format_name, frame.width, frame.height
