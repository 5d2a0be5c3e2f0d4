"""A simulated GPU: CuPy, the driver and NVRTC as the GPU path calls them, in main memory.

What is queued on a stream runs as late as CUDA allows: when somebody waits for it, and after what
stands before it, legacy null stream included. A wait that is missing is therefore seen every time:
what should have been made is poison. Memory goes through a pool by stream, as CuPy's does. Kernels
are those of `kernels.cu`, compiled by g++. Not simulated: time, NVDEC and NVENC themselves (see
`simulated_codecs.py`), PyTorch and TensorRT, in whose place networks run on the CPU.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
import time
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from support.dlpack import device_view, on_device
from support.kernel_devices import HostKernels

from tapetum.gan.model import Model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.cuda.captured_graph import KernelNode
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, address
from tapetum.realtime.errors import EngineError

Array = npt.NDArray[Any]

_POISON = 0xFF
"""NaN as float, and the brightest sample."""
_ALIGNMENT = 256
_TO_HOST, _ON_DEVICE = 2, 3
"""cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice."""
_CAPABILITY = {75: 9, 76: 0}
"""Hopper, which TensorRT-RTX does not know: PyTorch is left."""


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class CUDADriverError(RuntimeError):
    """As CuPy's."""


class OutOfMemoryError(MemoryError):
    """As CuPy's."""


class NVRTCError(RuntimeError):
    """As CuPy's."""


@dataclass
class Faults:
    """What goes wrong.

    Attributes:
        memory_bytes: of the device; more is refused.
        lost_after: so much work may be queued, then every call fails, as after a driver's reset.
        busy: whether another process has the device for itself.
        loss: what every call says then.
    """

    memory_bytes: int = 1 << 40
    lost_after: int | None = None
    busy: bool = False
    loss: str = "cudaErrorDevicesUnavailable: the simulated device is lost"


class Work(NamedTuple):
    """What is queued on a stream; `number` grows from work to work on all streams."""

    number: int
    run: Callable[[], None]


@dataclass(eq=False)
class Block:
    """Memory of a device; it belongs to a stream's pool."""

    buffer: Array
    start: int
    size: int
    device: int
    live: bool = True


class SimulatedGPU:
    """The state of all devices; `install` puts it in the place of the libraries.

    Attributes:
        faults: what goes wrong; may be changed at any time.
        waits: how often somebody waited, by the functions that did, and those that called them.
        ways: the functions of each wait, the innermost first.
        skipped: functions in which waits do nothing, for tests that show that something is missing;
            "name:null", "name:own" or "name:beside" for those of one stream alone. "legacy": the
            null stream and blocking streams do not wait for each other.
        is_in_use: whether the libraries are this one's; then objects that go are of no matter.
        ffmpeg_is_there: whether FFmpeg takes memory of this GPU for a GPU's.
        bind: called with a device that becomes a thread's, for a driver that others use too.
        opened: how many devices were opened: each has one stream that waits for the null stream.
        loaded: how many modules of kernels were loaded.
        launches: of captured graphs.
    """

    def __init__(self, library: HostKernels, faults: Faults, count: int = 1) -> None:
        self.library = library
        self.faults = faults
        self.count = count
        self.opened = self.loaded = self.launches = 0
        self.waits: Counter[str] = Counter()
        self.ways: set[tuple[str, ...]] = set()
        self.skipped: set[str] = set()
        self.contexts: set[int] = set()
        self.lock = threading.RLock()
        self.numbers = itertools.count()
        self.queued = 0
        self.streams: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.objects: dict[int, Any] = {}
        self.pools: dict[int, list[Block]] = defaultdict(list)
        self.blocks: dict[int, Block] = {}
        self.here = threading.local()
        self.lost = False
        self.is_in_use = True
        self.ffmpeg_is_there = False
        self.bind: Callable[[int], None] = lambda _index: None

    # Devices, and what goes wrong -------------------------------------------------------------

    def check_freeing(self) -> None:
        """As CuPy's destructors do; what they raise, Python writes to the terminal."""
        if self.lost and self.is_in_use:
            raise CUDARuntimeError(self.faults.loss)

    def check(self) -> None:
        limit = self.faults.lost_after
        if self.lost or (limit is not None and self.queued >= limit):
            self.lost = True
            raise CUDARuntimeError(self.faults.loss)
        if self.faults.busy:
            raise CUDARuntimeError(
                "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy"
            )

    @property
    def index(self) -> int:
        """The calling thread's device."""
        return int(getattr(self.here, "index", 0))

    def set_device(self, index: int) -> None:
        self.check()
        self.here.index = index
        self.contexts.add(index)
        self.bind(index)

    @property
    def current(self) -> Any:
        """The calling thread's stream."""
        stack = getattr(self.here, "stack", None)
        return stack[-1] if stack else self.streams[0]

    # Work -------------------------------------------------------------------------------------

    def queue(self, stream: Any, run: Callable[[], None]) -> None:
        with self.lock:
            self.check()
            if stream.ptr and stream.index != self.index:
                raise CUDARuntimeError("cudaErrorInvalidResourceHandle: a stream of another device")
            if stream.captured is not None:
                stream.captured.nodes.append(run)
                return
            self.queued += 1
            stream.works.append(Work(next(self.numbers), run))

    def wait_for(self, stream: Any, number: int | None = None) -> None:
        """Run what a stream has queued, up to a number."""
        with self.lock:
            self.check()
            if stream.captured is not None:
                raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
            self._run(stream, next(self.numbers) if number is None else number)

    def run_all_of(self, stream: Any) -> None:
        """Do what is queued on a stream that goes, as CUDA does."""
        with self.lock:
            if stream.works and self.is_in_use:
                self._run(stream, next(self.numbers))

    def _run(self, stream: Any, last: int) -> None:
        while stream.works and stream.works[0].number <= last:
            work = stream.works[0]
            for other in self._before(stream):
                self._run(other, work.number)
            if stream.works and stream.works[0] is work:
                stream.works.popleft()
                work.run()

    def _before(self, stream: Any) -> list[Any]:
        """Streams whose earlier work stands before a stream's: of the legacy null stream."""
        if "legacy" in self.skipped:
            self.waits["legacy"] += 1
            return []
        if stream.ptr:
            return [] if stream.non_blocking else [self.streams[0]]
        return [other for other in [*self.streams.values()] if other.ptr and not other.non_blocking]

    # Memory -----------------------------------------------------------------------------------

    def allocate(self, size: int) -> Block:
        with self.lock:
            self.check()
            pool = self.pools[self.current.ptr]
            fits = (kept for kept in pool if (kept.size, kept.device) == (size, self.index))
            block = next(fits, None)
            if block is not None:
                pool.remove(block)
                block.live = True
                self._poison(block.buffer)
                return block
            used = sum(kept.size for kept in self.blocks.values() if kept.live)
            if used + size > self.faults.memory_bytes:
                raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
            whole = np.full(size + _ALIGNMENT, _POISON, np.uint8)
            start = -whole.ctypes.data % _ALIGNMENT
            block = Block(whole[start : start + size], whole.ctypes.data + start, size, self.index)
            self.blocks[block.start] = block
            return block

    def _poison(self, memory: Array) -> None:
        """Spoil what was in memory that a stream gives out again, as early as the stream may."""
        stream = self.current
        if stream.non_blocking and not stream.works:
            memory.fill(_POISON)
        elif stream.captured is None:
            self.queue(stream, lambda: memory.fill(_POISON))

    def memory_info(self) -> tuple[int, int]:
        with self.lock:
            self.check()
            used = sum(block.size for block in self.blocks.values() if block.live)
        return self.faults.memory_bytes - used, self.faults.memory_bytes

    def release(self, block: Block, stream: int) -> None:
        block.live = False
        self.pools[stream].append(block)

    def empty(self, shape: Any, dtype: npt.DTypeLike = np.float64, order: str = "C") -> SimArray:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        block = self.allocate(max(size, 1))
        view = block.buffer[:size].view(dtype).reshape(shape, order=order)  # type: ignore[call-overload]
        array = SimArray(self, view, block)
        weakref.finalize(array, self.release, block, self.current.ptr)
        return array

    def array(self, given: Any, *, order: str = "C") -> SimArray:
        staged = np.array(given, order="C")
        assert order == "C"
        made = self.empty(staged.shape, staged.dtype)
        target = made.host
        self.queue(self.current, lambda: np.copyto(target, staged))
        return made

    def asnumpy(
        self,
        array: SimArray,
        *,
        stream: Any = None,
        out: Array | None = None,
        blocking: bool = True,
    ) -> Array:
        target = np.empty(array.shape, array.dtype) if out is None else out
        target.view(np.uint8).fill(_POISON)  # which is there until the copy is done
        source, queue = array.host, stream or self.current
        self.queue(queue, lambda: np.copyto(target, source))
        if blocking:
            self.wait_for(queue)
        return target

    def multiply(self, array: SimArray, factor: float, *, out: SimArray) -> None:
        source, target = array.host, out.host
        self.queue(self.current, lambda: np.copyto(target, source * source.dtype.type(factor)))

    def from_dlpack(self, capsule: object) -> SimArray:
        """A picture of FFmpeg's, which is copied on the null stream as NVDEC's are."""
        source = device_view(capsule)
        if source is None:
            given: Any = _Capsule(capsule)
            source = np.from_dlpack(given).copy()
        made = self.empty(source.shape, source.dtype)
        target = made.host
        self.queue(self.streams[0], lambda: np.copyto(target, source))
        return made

    def copy_rows(self, *given: int) -> None:
        to, to_pitch, of, of_pitch, size, rows, kind, ptr = given
        if kind == _TO_HOST:
            for row in range(rows):
                ctypes.memset(to + row * to_pitch, _POISON, size)

        def run() -> None:
            for row in range(rows):
                ctypes.memmove(to + row * to_pitch, of + row * of_pitch, size)

        self.queue(self.streams[ptr], run)

    def block_at(self, place: int) -> Block:
        """The live memory that an address lies in."""
        with self.lock:  # other threads allocate
            blocks = [*self.blocks.values()]
        for block in blocks:
            if block.start <= place < block.start + block.size:
                if block.live:
                    return block
                raise CUDADriverError("CUDA_ERROR_ILLEGAL_ADDRESS: freed memory")
        raise CUDADriverError("CUDA_ERROR_ILLEGAL_ADDRESS: no memory of a device")


class _Capsule:
    def __init__(self, capsule: object) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_options: object) -> object:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class _Held(np.ndarray[Any, Any]):
    """A view that keeps what it is of."""

    owner: object


class SimArray:
    """`cupy.ndarray`, as far as the GPU path goes: what is done to it is queued."""

    def __init__(self, gpu: SimulatedGPU, view: Array, owner: object) -> None:
        self.gpu, self.host, self._owner = gpu, view, owner

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    strides = property(lambda self: self.host.strides)
    nbytes = property(lambda self: self.host.nbytes)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.host.__array_interface__

    def _seen(self, view: Array) -> SimArray:
        return SimArray(self.gpu, view, self)

    def __getitem__(self, place: Any) -> SimArray:
        return self._seen(self.host[place])

    def __setitem__(self, place: Any, value: Any) -> None:
        target, source = self.host[place], value.host if isinstance(value, SimArray) else value
        self.gpu.queue(self.gpu.current, lambda: np.copyto(target, source, casting="unsafe"))

    @property
    def T(self) -> SimArray:  # noqa: N802 - NumPy's name
        return self._seen(self.host.T)

    def reshape(self, *shape: int) -> SimArray:
        view = self.host.view()
        view.shape = tuple(-1 if size == -1 else size for size in shape)  # raises where it copies
        return self._seen(view)

    def copy(self) -> SimArray:
        made = self.gpu.empty(self.shape, self.dtype)
        made[...] = self
        return made

    def __array_function__(self, function: Any, _types: Any, given: Any, options: Any) -> SimArray:
        assert function is np.empty_like, f"{function.__name__} is not simulated"
        return self.gpu.empty(options.get("shape", self.shape), self.dtype)

    def __array__(self, *_given: object, **_options: object) -> Array:
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __dlpack__(self, *, stream: int | None = None) -> object:
        assert stream == -1, "FFmpeg waits for no stream"
        held = self.host.view(_Held)
        held.owner = self  # its memory is given out again when FFmpeg lets go of it
        capsule: object = held.__dlpack__()
        return on_device(capsule) if self.gpu.ffmpeg_is_there else capsule


class Stream:
    """`cupy.cuda.Stream`."""

    gpu: SimulatedGPU
    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        gpu = self.gpu
        self.works: deque[Work] = deque()
        gpu.check()
        self.non_blocking, self.index = non_blocking, gpu.index
        self.ptr = 0 if null else 0x1000 + next(gpu.numbers)
        gpu.opened += not (null or non_blocking)
        self.captured: Graph | None = None
        gpu.streams[self.ptr] = self

    def __enter__(self) -> Stream:
        here = self.gpu.here
        here.stack = [*getattr(here, "stack", []), self]
        return self

    def __exit__(self, *_error: object) -> None:
        self.gpu.here.stack.pop()

    def __del__(self) -> None:
        self.gpu.check_freeing()
        self.gpu.run_all_of(self)

    @classmethod
    def from_external(cls, other: Any) -> Stream:
        _version, ptr = other.__cuda_stream__()
        found: Stream = cls.gpu.streams[ptr]
        return found

    def synchronize(self) -> None:
        self.gpu.wait_for(self)

    def begin_capture(self, mode: object = None) -> None:
        del mode
        self.gpu.check()
        self.captured = Graph(self.gpu)

    def end_capture(self) -> Graph:
        graph, self.captured = self.captured, None
        assert graph is not None
        return graph


class Event:
    """`cupy.cuda.Event`."""

    gpu: SimulatedGPU

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        assert block or not disable_timing, "it keeps a core busy while it waits"
        self._times = not disable_timing
        self._stream: Stream | None = None
        self._number = -1
        self.done_s = 0.0

    def __del__(self) -> None:
        self.gpu.check_freeing()

    def record(self, stream: Stream | None = None) -> None:
        self.gpu.check()
        self._stream = stream or self.gpu.current
        if self._times:
            self.gpu.queue(self._stream, self._done)
        self._number = next(self.gpu.numbers)

    def _done(self) -> None:
        self.done_s = time.perf_counter()

    def synchronize(self) -> None:
        callers = callers_on_the_path()
        assert self._stream is not None
        kind = "beside" if self._stream.non_blocking else "own" if self._stream.ptr else "null"
        self.gpu.waits.update(set(callers))
        self.gpu.ways.add(callers)
        if not self.gpu.skipped.isdisjoint({*callers, *(f"{name}:{kind}" for name in callers)}):
            return
        self.gpu.wait_for(self._stream, self._number)


def callers_on_the_path() -> tuple[str, ...]:
    """The GPU path's functions that wait, the innermost first, but for `_wait_for` itself."""
    names: list[str] = []
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and "/realtime/cuda/" in frame.f_code.co_filename:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return tuple(names)


class Graph:
    """`cupy.cuda.Graph`: nodes in a row."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        self._gpu = gpu
        self.nodes: list[Callable[[], None]] = []
        self.graphExec = 0x7000 + next(gpu.numbers)

    def __del__(self) -> None:
        self._gpu.check_freeing()

    def launch(self, stream: Stream | None = None) -> None:
        assert stream is not None, "it goes to the null stream, for which all others wait"
        self._gpu.launches += 1
        for node in self.nodes:
            now = node.now() if isinstance(node, Launch) else node
            self._gpu.queue(stream, now)


@dataclass
class Launch:
    """A kernel with its arguments as bytes."""

    function: Function
    grid: tuple[int, int]
    threads: int
    shared: int
    arguments: list[bytes] = field(default_factory=list)

    def now(self) -> Launch:
        """The same, whatever a graph's node becomes later."""
        return Launch(self.function, self.grid, self.threads, self.shared, list(self.arguments))

    def __call__(self) -> None:
        places: list[Any] = []
        for value, is_array in zip(self.arguments, self.function.arrays, strict=True):
            here = int.from_bytes(value, "little") if is_array else 0
            places.append(ctypes.c_void_p(here) if is_array else ctypes.create_string_buffer(value))
        shared = ctypes.c_uint(self.shared)
        self.function.compiled(*self.grid, self.threads, shared, *places)


class Function:
    """`cupy.cuda.Function`."""

    def __init__(self, gpu: SimulatedGPU, name: str) -> None:
        self._gpu = gpu
        self.compiled = gpu.library[name]
        self.arrays: list[bool] = []
        self.ptr = 0xF000 + len(gpu.objects)
        gpu.objects[self.ptr] = self

    def __call__(
        self,
        grid: tuple[int, int],
        block: tuple[int],
        args: tuple[Any, ...],
        shared_mem: int = 0,
        stream: Stream | None = None,
    ) -> None:
        assert stream is not None, "it goes to the null stream, for which all others wait"
        self.arrays = [isinstance(given, SimArray) for given in args]
        values = [self._bytes(given) for given in args]
        launch = Launch(self, grid, block[0], shared_mem, values)
        self._gpu.queue(stream, launch)

    def _bytes(self, given: Any) -> bytes:
        if isinstance(given, SimArray):
            self._gpu.block_at(address(given))
            return address(given).to_bytes(8, "little")
        value = np.asarray(given)
        for name in value.dtype.names or ():
            if value.dtype[name] == np.uint64:
                self._gpu.block_at(int(value[name]))
        return value.tobytes()


class Module:
    """`cupy.cuda.Module`."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        self._gpu = gpu

    def __del__(self) -> None:
        with suppress(ReferenceError):  # it is the GPU that went before
            self._gpu.check_freeing()

    def load(self, _cubin: bytes) -> None:
        self._gpu.check()
        self._gpu.loaded += 1

    def get_function(self, name: str) -> Function:
        return Function(self._gpu, name)


class SimulatedDriver:
    """`CudaDriver`."""

    gpu: SimulatedGPU

    def device_count(self) -> int:
        return self.gpu.count

    def device_name(self, index: int) -> str:
        return f"Simulated GPU {index}"

    def device_attribute(self, _index: int, attribute: int) -> int:
        return _CAPABILITY[attribute]

    def cuda_version(self) -> tuple[int, int]:
        return 13, 0

    def call(self, name: str, *given: Any) -> None:
        self.gpu.check()
        getattr(self, f"_{name}")(*given)

    def _cuStreamGetCaptureInfo_v2(self, *given: Any) -> None:  # noqa: N802 - the driver's name
        stream, status, _, _, nodes, count = given
        graph = self.gpu.streams[stream.value].captured
        number = 0x9000 + len(self.gpu.objects)
        self.gpu.objects[number] = graph.nodes[-1]
        self._ends = (ctypes.c_void_p * 1)(number)
        status._obj.value, count._obj.value = 1, 1
        nodes._obj.contents = ctypes.c_void_p.from_buffer(self._ends)

    def _cuGraphExecKernelNodeSetParams(self, _exec: Any, node: Any, given: Any) -> None:  # noqa: N802
        launch: Launch = self.gpu.objects[node.value]
        kernel: KernelNode = given._obj
        assert self.gpu.objects[kernel.function] is launch.function
        sizes = [len(value) for value in launch.arguments]
        launch.grid = kernel.grid[0], kernel.grid[1]
        launch.threads, launch.shared = kernel.threads[0], kernel.shared
        launch.arguments = [
            ctypes.string_at(kernel.arguments[place], size) for place, size in enumerate(sizes)
        ]


class SimulatedModel:
    """A network as a `DeviceModel` of a simulated device, run by OpenVINO on the stream."""

    def __init__(self, model: Model, device: ComputeDevice, gpu: SimulatedGPU) -> None:
        self.kind = model.description.kind
        self._network = OpenVINOModel(model.onnx())
        self._device, self._gpu = device, gpu
        self.description = f"{device.name}, simulated"

    def compile(self, shape: tuple[int, ...]) -> SimulatedEngine:
        out = GRID_OUTPUT_SHAPE if shape == THUMBNAIL_SHAPE and self.kind == "grid" else shape
        return SimulatedEngine(self, self._network.compile(shape, out), shape)

    def enqueue(self, queue: Callable[[Any], None]) -> None:
        self._device.enqueue(lambda ptr: queue(self._gpu.streams[ptr]))


class SimulatedEngine:
    """A `DeviceEngine` of fixed addresses, which runs on one stream at a time, as TensorRT's do."""

    capturable = True

    def __init__(self, model: SimulatedModel, engine: Any, shape: tuple[int, ...]) -> None:
        self._model, self._engine, self._shape = model, engine, shape
        self.description = model.description
        self._waiting: Counter[int] = Counter()

    def __call__(self, batch: DeviceArray, result: DeviceArray) -> None:
        given: Any = batch
        made: Any = result
        source, target = given.host, made.host

        def run() -> None:
            answer = self._engine(source.astype(np.float32))
            np.copyto(target, answer.reshape(target.shape), casting="same_kind")

        def queue(stream: Stream) -> None:
            assert stream.ptr, "TensorRT waits for the whole device on the null stream"
            if any(count for ptr, count in self._waiting.items() if ptr != stream.ptr):
                raise EngineError("the engine runs on another stream still")
            if stream.captured is not None:
                stream.gpu.queue(stream, run)
                return
            self._waiting[stream.ptr] += 1
            stream.gpu.queue(stream, run)
            stream.gpu.queue(stream, lambda: self._waiting.subtract([stream.ptr]))

        self._model.enqueue(queue)


@contextmanager
def simulated(
    patch: pytest.MonkeyPatch, library: HostKernels, faults: Faults | None = None, count: int = 1
) -> Iterator[SimulatedGPU]:
    """Put a simulated GPU in the place of CuPy, the driver, NVRTC and PyTorch."""
    from tapetum.realtime.cuda import captured_graph, cuda_enhancer, kernel_compiler
    from tapetum.realtime.cuda.device import loaded_module
    from tapetum.trt_build import cuda_driver

    gpu = SimulatedGPU(library, faults or Faults(), count)
    cupy = _cupy(gpu)
    cupyx: Any = ModuleType("cupyx")
    cupyx.empty_pinned = lambda shape, dtype: (
        np.full(int(np.prod(shape)) * np.dtype(dtype).itemsize, _POISON, np.uint8)
        .view(dtype)
        .reshape(shape)
    )
    for name, module in (("cupy", cupy), ("cupy.cuda", cupy.cuda), ("cupyx", cupyx)):
        module.__spec__ = ModuleSpec(name, None)  # by which others see that it is installed
        patch.setitem(sys.modules, name, module)
    uncached: Any = kernel_compiler.compile_kernels.__wrapped__  # no other test gets ours
    patch.setattr(kernel_compiler, "compile_kernels", uncached)
    driver = type("CudaDriver", (SimulatedDriver,), {"gpu": gpu})
    patch.setattr(cuda_driver, "CudaDriver", driver)
    patch.setattr(captured_graph, "CudaDriver", driver)
    patch.setattr(
        cuda_enhancer,
        "_torch_model",
        lambda model, device: SimulatedModel(model, device, gpu),
    )
    yield gpu
    gpu.is_in_use = False
    loaded_module.cache_clear()


def _cupy(gpu: SimulatedGPU) -> Any:
    cupy: Any = ModuleType("cupy")
    cuda: Any = ModuleType("cupy.cuda")
    cupy.cuda = cuda
    stream: Any = type("Stream", (Stream,), {"gpu": gpu})
    stream.null = stream(null=True)
    cuda.Stream, cuda.Event = stream, type("Event", (Event,), {"gpu": gpu})
    runtime: Any = ModuleType("runtime")
    cuda.runtime = runtime
    runtime.CUDARuntimeError = CUDARuntimeError
    runtime.getDeviceCount = lambda: gpu.count
    runtime.driverGetVersion = runtime.runtimeGetVersion = lambda: 13000
    runtime.getDevice, runtime.setDevice = lambda: gpu.index, gpu.set_device
    runtime.memGetInfo = gpu.memory_info
    cupy.get_default_memory_pool = lambda: _Pool
    runtime.memcpyDeviceToHost, runtime.memcpyDeviceToDevice = _TO_HOST, _ON_DEVICE
    runtime.memcpy2DAsync = gpu.copy_rows
    runtime.pointerGetAttributes = lambda place: _Attributes(gpu.block_at(place).device)
    driver: Any = ModuleType("driver")
    cuda.driver = driver
    driver.CUDADriverError = CUDADriverError
    memory: Any = ModuleType("memory")
    cuda.memory = memory
    memory.OutOfMemoryError = OutOfMemoryError
    cuda.nvrtc = _nvrtc()
    cuda.Device = _Device
    cuda.get_elapsed_time = lambda begin, end: 1000 * (end.done_s - begin.done_s)

    cuda.Module = partial(Module, weakref.proxy(gpu))
    for name in ("empty", "array", "asnumpy", "from_dlpack", "multiply"):
        setattr(cupy, name, getattr(gpu, name))
    return cupy


class _Pool:
    """`cupy.cuda.MemoryPool`: what it keeps is not counted as used here."""

    @staticmethod
    def free_bytes() -> int:
        return 0


class _Attributes(NamedTuple):
    device: int


class _Device:
    """`cupy.cuda.Device`."""

    compute_capability = "90"
    attributes: ClassVar = {"L2CacheSize": 1}

    def __init__(self, _index: int) -> None:
        """Each is like the others."""

    def __enter__(self) -> None:
        """It is current already: the code never leaves it."""

    def __exit__(self, *_error: object) -> None:
        """Likewise."""


def _nvrtc() -> ModuleType:
    nvrtc: Any = ModuleType("nvrtc")
    nvrtc.NVRTCError = NVRTCError
    nvrtc.getVersion = lambda: (13, 0)
    nvrtc.createProgram = lambda source, *_: source
    nvrtc.compileProgram = lambda *_: None
    nvrtc.getCUBIN = lambda _: b"simulated"
    nvrtc.destroyProgram = lambda _: None
    module: ModuleType = nvrtc
    return module
