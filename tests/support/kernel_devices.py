"""Where the CUDA kernels run in tests: on a GPU, or on the host, compiled by g++."""

from __future__ import annotations

import ctypes
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pytest
from support.compiled import compiled

from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, DevicePlanes
from tapetum.realtime.cuda.kernel_compiler import FILES, module_of
from tapetum.realtime.cuda.pixel_kernels import PixelKernels
from tapetum.realtime.cuda.room import Room
from tapetum.realtime.frame import Frame

Array = npt.NDArray[Any]

DRIVER = Path(__file__).with_name("host_kernels.cpp")
SOURCE = Path(__file__).parents[2] / "realtime/tapetum/realtime/cuda/kernels.cu"
# Undefined behaviour, such as a vector at an odd address, ends the process.
FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


FUSED_STEPS = ("-mfma", "-ffp-contract=fast")
"""Products and sums in one step, as CUDA's compiler makes them."""


def _has_fused_steps() -> bool:
    facts = Path("/proc/cpuinfo")
    return facts.exists() and " fma " in facts.read_text()


needs_fused_steps = pytest.mark.skipif(
    not _has_fused_steps(), reason="needs a CPU with FMA instructions"
)


class HostArray(np.ndarray[Any, np.dtype[Any]]):
    """Main memory that says of itself what memory of a GPU says."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.__array_interface__


class Node(NamedTuple):
    """A kernel with its arguments, or an engine with its addresses."""

    name: str
    run: Callable[[], None]

    def __call__(self) -> None:
        self.run()


class HostGraph:
    """What a captured CUDA graph does: engines stay as they were, kernels get new arguments."""

    nodes: list[Node]

    def __init__(self, nodes_of: Callable[[Callable[[], None]], list[Node]]) -> None:
        self._nodes_of = nodes_of

    def __call__(self, work: Callable[[], None]) -> None:
        now = self._nodes_of(work)
        assert [node.name for node in now] == [node.name for node in self.nodes]
        for captured, current in zip(self.nodes, now, strict=True):
            (captured if captured.name == "engine" else current)()


class HostDevice:
    """A `ComputeDevice` whose memory is main memory, and whose kernels are compiled by g++."""

    name = "host"
    index = 0
    stream_address = None

    def __init__(self, library: HostKernels) -> None:
        self.library = library
        self.kernels = PixelKernels(self._launch)
        self._take: Callable[[Node], None] = lambda node: node()

    def check_answers(self) -> None:
        """It always does."""

    def room_for(self, needed_bytes: int, what: str) -> Room:
        return Room(self.name, needed_bytes, what, lambda: 1 << 60)

    def holds(self, array: DeviceArray) -> bool:
        return isinstance(array, HostArray)

    def context(self) -> AbstractContextManager[None]:
        return nullcontext()

    def enqueue(self, work: Callable[[int], None]) -> None:
        self._take(Node("engine", lambda: work(0)))

    def capture(self, work: Callable[[], None]) -> HostGraph:
        graph = HostGraph(self._nodes_of)
        graph.nodes = self._nodes_of(work)
        return graph

    def _nodes_of(self, work: Callable[[], None]) -> list[Node]:
        """What `work` queues, which is not run."""
        nodes: list[Node] = []
        with self._taking(nodes.append):
            work()
        return nodes

    @contextmanager
    def _taking(self, take: Callable[[Node], None]) -> Iterator[None]:
        before, self._take = self._take, take
        try:
            yield
        finally:
            self._take = before

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """Memory full of what would show if it were used: NaN, or all bits."""
        poison = np.full(shape, -1, np.int8 if np.dtype(dtype).itemsize == 1 else np.int16)
        if np.dtype(dtype).itemsize == 4:
            poison = np.full(shape, -1, np.int32)
        return self.put(poison.view(dtype))

    def empty_for_copy(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        return self.empty(shape, dtype)

    def put(self, array: Array) -> DeviceArray:
        return cast("DeviceArray", np.array(array, order="C").view(HostArray))

    def get(self, array: DeviceArray) -> Array:
        return np.array(cast("Array", array), subok=False)

    def queue_copy(self, source: DeviceArray, target: DeviceArray) -> None:
        self.copy_rows(source, target)

    def upload(self, array: Array) -> DeviceArray:
        return self.put(array)

    def download(self, array: DeviceArray) -> Array:
        return self.get(array)

    def copy_rows(self, source: DeviceArray, target: DeviceArray) -> None:
        np.copyto(cast("Array", target), cast("Array", source))

    def array_work(self) -> AbstractContextManager[None]:
        return nullcontext()

    def to_dlpack(self, array: DeviceArray) -> object:
        return cast("Array", array).__dlpack__()

    def _launch(
        self,
        name: str,
        grid: tuple[int, int],
        threads: int,
        arguments: tuple[Any, ...],
        shared: int,
    ) -> None:
        kept = [
            argument if isinstance(argument, HostArray) else np.array(argument)
            for argument in arguments
        ]
        places = [ctypes.c_void_p(argument.ctypes.data) for argument in kept]

        def run(_keep: Any = kept) -> None:
            self.library[name](*grid, threads, ctypes.c_uint(shared), *places)

        self._take(Node(name, run))


class WallClock:
    """What times work on the host: a call is done when it returns."""

    def calls_ms(self, work: Callable[[int], object], calls: int) -> list[float]:
        times_ms = []
        for number in range(calls):
            started_s = time.perf_counter()
            work(number)
            times_ms.append(1000 * (time.perf_counter() - started_s))
        return times_ms

    def rounds_ms(self, work: Callable[[int], object], inputs: int, rounds: int) -> list[float]:
        def whole_round(_: int) -> None:
            for number in range(inputs):
                work(number)

        return [time_ms / inputs for time_ms in self.calls_ms(whole_round, rounds)]


class HostKernels:
    """The kernels compiled for the host, by name; each module when it is needed."""

    def __init__(self, flags: tuple[str, ...] = ()) -> None:
        self._flags = flags
        self._libraries: dict[str, ctypes.CDLL] = {}
        self._lock = threading.Lock()

    def __getitem__(self, kernel: str) -> Any:
        return self.library(module_of(kernel))[kernel]

    def library(self, module: str) -> ctypes.CDLL:
        with self._lock:
            if module not in self._libraries:
                self._libraries[module] = self._compiled(module)
            return self._libraries[module]

    def _compiled(self, module: str) -> ctypes.CDLL:
        macro, driver = f"-DCHROMA={module}", DRIVER
        if module in FILES:
            macro, driver = "-DWITHOUT_KERNELS", DRIVER.with_name(f"host_{module}.cpp")
        given = f"-I{SOURCE.parent}", macro, *self._flags
        name = f"host_kernels_{module}.so"
        return ctypes.CDLL(str(compiled(name, *FLAGS, *TRAPS, *given, driver)))


def host_kernels(*flags: str) -> HostKernels:
    """The kernels for the host, with more of g++'s flags; the test skips where there is no g++."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++ to compile the kernels for the host")
    return HostKernels(flags)


GAP = 77
"""What lies between the rows of pitched planes."""


def on_device(device: ComputeDevice, frame: Frame, gap: int = 0) -> Frame:
    """A frame whose planes the kernels can read, with `gap` samples between rows."""
    planes: Any = tuple(with_gaps(device, plane, gap)[0] for plane in frame.planes)
    return frame.with_planes(planes)


def with_gaps(device: ComputeDevice, plane: Array, gap: int) -> tuple[DeviceArray, DeviceArray]:
    """A plane in the device's memory, and the wider one of which it is a part."""
    wide = np.full((plane.shape[0], plane.shape[1] + gap), GAP, plane.dtype)
    wide[:, : plane.shape[1]] = plane
    memory: Any = device.put(wide)
    return memory[:, : plane.shape[1]], memory


def poisoned_planes(device: ComputeDevice, frame: Frame, poison: int) -> DevicePlanes:
    """Planes for a frame's twin, full of one value."""
    return tuple(device.put(np.full(p.shape, poison, p.dtype)) for p in frame.planes)
