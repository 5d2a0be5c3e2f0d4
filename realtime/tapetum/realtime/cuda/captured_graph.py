"""A captured CUDA graph whose kernels get new arguments before each launch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from tapetum.realtime.cuda.launch_queue import (
    ArgumentQueue,
    CapturingQueue,
    CuPyObject,
    LaunchQueue,
)
from tapetum.realtime.errors import EngineError
from tapetum.trt_build.cuda_driver import CudaDriver

CAPTURES = threading.Lock()
"""Held while a stream is captured: no other thread may wait for the whole device meanwhile, as
PyTorch does before it captures. Streams of other videos go on."""

Queueing = Callable[[LaunchQueue], AbstractContextManager[None]]
"""Makes a device the current one, and lets it send its kernels to a queue."""


class CapturedGraph:
    """`CapturedWork` on a GPU.

    It is captured on a stream of its own that does not wait for the null stream: while a stream
    that does is capturing, FFmpeg could not decode.
    """

    def __init__(
        self,
        cupy: CuPyObject,
        stream: CuPyObject,
        queueing: Queueing,
        work: Callable[[], None],
    ) -> None:
        """Capture.

        Args:
            cupy: the module.
            stream: where the graph will be launched.
            queueing: makes the device send its kernels to a queue.
            work: queues kernels and engines on the device.

        Raises:
            EngineError: something in the work cannot be captured.
        """
        self._driver, self._stream, self._queueing = CudaDriver(), stream, queueing
        self._refusals = cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError
        side = cupy.cuda.Stream(non_blocking=True)
        queue = CapturingQueue(side, self._driver)
        try:
            with CAPTURES:
                side.begin_capture()
                try:
                    with queueing(queue):
                        work()
                finally:  # a stream that goes on capturing could do nothing else
                    self._graph = side.end_capture()
        except self._refusals as error:
            raise EngineError(f"it cannot be captured: {error}") from error
        self._nodes = queue.nodes

    def __call__(self, work: Callable[[], None]) -> None:
        """Queue the graph with the arguments that `work` gives its kernels now.

        Raises:
            EngineError: CUDA refuses it.
        """
        try:
            self._launch(work)
        except self._refusals as error:
            raise EngineError(f"the captured graph cannot be launched: {error}") from error

    def _launch(self, work: Callable[[], None]) -> None:
        arguments = ArgumentQueue(self._driver, int(self._graph.graphExec), self._nodes)
        with self._queueing(arguments):
            work()
            arguments.finish()
            self._graph.launch(stream=self._stream)
