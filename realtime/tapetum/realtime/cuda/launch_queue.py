"""Where a device's kernels go: onto a stream, into a capture, or into what was captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from tapetum.realtime.cuda.kernel_node import KernelNode, last_captured_node, set_kernel
from tapetum.realtime.errors import EngineError
from tapetum.trt_build.cuda_driver import CudaDriver

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
