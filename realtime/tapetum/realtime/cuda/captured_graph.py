"""A captured CUDA graph whose kernels get new arguments before each launch.

Kernels go to a queue: onto a stream, into a capture, or into what was captured. The last takes the
driver's own interface, which CuPy does not have.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cuda.kernel_arguments import address, is_device_array
from tapetum.realtime.cuda.never_freed import owns
from tapetum.realtime.errors import EngineError
from tapetum.trt_build.cuda_driver import CudaDriver

_CAPTURING = 1
"""CU_STREAM_CAPTURE_STATUS_ACTIVE."""


class KernelNode(ctypes.Structure):
    """`CUDA_KERNEL_NODE_PARAMS_v1` of the driver API."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("grid", ctypes.c_uint * 3),
        ("threads", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("arguments", ctypes.POINTER(ctypes.c_void_p)),
        ("extra", ctypes.c_void_p),
    )
    values: list[npt.NDArray[Any]]

    @classmethod
    def of(
        cls,
        function: int,
        grid: tuple[int, int],
        threads: int,
        arguments: tuple[Any, ...],
        shared: int,
    ) -> KernelNode:
        """A launch, as `pixel_kernels.Launch` has it, of a function of the driver's.

        It keeps the values of its arguments, which the driver copies.
        """
        values = [_value(argument) for argument in arguments]
        places = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        kernel = cls(function, (*grid, 1), (threads, 1, 1), shared, places, None)
        kernel.values = values
        return kernel


def last_captured_node(driver: CudaDriver, stream: int) -> int:
    """The graph node that what was queued last on a capturing stream became.

    Raises:
        DeviceError: the driver refuses to say.
        EngineError: the stream is not capturing, or has forked.
    """
    status, count = ctypes.c_int(), ctypes.c_size_t()
    nodes = ctypes.POINTER(ctypes.c_void_p)()
    driver.call(
        "cuStreamGetCaptureInfo_v2",
        ctypes.c_void_p(stream),
        ctypes.byref(status),
        None,  # the capture's number
        None,  # the graph
        ctypes.byref(nodes),
        ctypes.byref(count),
    )
    if status.value != _CAPTURING or count.value != 1:
        raise EngineError(
            f"the capture is in state {status.value} and ends in {count.value} nodes, not in one"
        )
    return int(nodes[0] or 0)


def set_kernel(driver: CudaDriver, graph_exec: int, node: int, kernel: KernelNode) -> None:
    """Give a kernel in an executable graph its geometry and arguments for the next launch.

    Raises:
        DeviceError: the driver refuses them.
    """
    driver.call(
        "cuGraphExecKernelNodeSetParams",
        ctypes.c_void_p(graph_exec),
        ctypes.c_void_p(node),
        ctypes.byref(kernel),
    )


def _value(argument: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - what a kernel takes
    if is_device_array(argument):
        return np.array(address(argument), np.uint64)
    return np.asarray(argument)


CuPyObject = Any
"""CuPy has no types."""

Work = Callable[[int], None]


class Launched(NamedTuple):
    """A kernel with the arguments of `pixel_kernels.Launch`."""

    function: CuPyObject
    grid: tuple[int, int]
    threads: int
    arguments: tuple[Any, ...]
    shared: int


class LaunchQueue(Protocol):
    """Takes kernels, and work of other libraries."""

    def launch(self, kernel: Launched) -> None:
        """Take a kernel."""

    def enqueue(self, work: Work) -> None:
        """Take work that is queued by calling it with the address of a stream."""


class StreamQueue:
    """Queues on a stream."""

    def __init__(self, stream: CuPyObject) -> None:
        self._stream = stream

    def launch(self, kernel: Launched) -> None:
        """Queue a kernel."""
        function, grid, threads, arguments, shared = kernel
        function(grid, (threads,), arguments, shared, self._stream)

    def enqueue(self, work: Work) -> None:
        """Let work be queued."""
        work(int(self._stream.ptr))


class CapturingQueue(StreamQueue):
    """Queues on a stream that is being captured, and notes which node each kernel became."""

    def __init__(self, stream: CuPyObject, driver: CudaDriver) -> None:
        super().__init__(stream)
        self._driver = driver
        self.nodes: list[int] = []

    def launch(self, kernel: Launched) -> None:
        """Queue a kernel."""
        super().launch(kernel)
        self.nodes.append(last_captured_node(self._driver, int(self._stream.ptr)))


class ArgumentQueue:
    """Queues nothing, but gives the kernels of an executable graph new arguments."""

    def __init__(self, driver: CudaDriver, graph_exec: int, nodes: list[int]) -> None:
        self._driver, self._graph_exec = driver, graph_exec
        self._nodes: Iterator[int] = iter(nodes)

    def launch(self, kernel: Launched) -> None:
        """Give the next kernel of the graph its arguments.

        Raises:
            EngineError: the graph has no more kernels.
        """
        node = next(self._nodes, None)
        if node is None:
            raise EngineError("a frame has more kernels than the captured graph")
        function, grid, threads, arguments, shared = kernel
        launch = KernelNode.of(int(function.ptr), grid, threads, arguments, shared)
        set_kernel(self._driver, self._graph_exec, node, launch)

    def enqueue(self, work: Work) -> None:
        """Leave it: the graph has it, and its addresses stay."""

    def finish(self) -> None:
        """Check that every kernel has its arguments.

        Raises:
            EngineError: one has not.
        """
        if next(self._nodes, None) is not None:
            raise EngineError("a frame has fewer kernels than the captured graph")


CAPTURES = threading.Lock()
"""Held while a stream is captured: no other thread may wait for the whole device meanwhile, as
PyTorch does before it captures, and change its precision. Streams of other videos go on."""

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
            DeviceError: CUDA refuses something in the work, or the device is lost.
            EngineError: something else in the work cannot be captured.
        """
        self._driver, self._stream, self._queueing = CudaDriver(), stream, queueing
        refusals = cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError
        self._side = side = cupy.cuda.Stream(non_blocking=True)
        owns(self)
        queue = CapturingQueue(side, self._driver)
        try:
            with CAPTURES:
                side.begin_capture()
                try:
                    with queueing(queue):
                        work()
                except BaseException:
                    with suppress(*refusals):  # what came first is what counts
                        side.end_capture()  # one that goes on capturing could do nothing else
                    raise
                self._graph = side.end_capture()
        except refusals as error:
            raise EngineError(f"it cannot be captured: {error}") from error
        self._nodes = queue.nodes

    def __call__(self, work: Callable[[], None]) -> None:
        """Queue the graph with the arguments that `work` gives its kernels now.

        Raises:
            DeviceError: the device is lost, or CUDA refuses it for another reason.
            EngineError: the work has more or fewer kernels than the graph.
        """
        arguments = ArgumentQueue(self._driver, int(self._graph.graphExec), self._nodes)
        with self._queueing(arguments):
            work()
            arguments.finish()
            self._graph.launch(stream=self._stream)
