"""A CUDA device by its name: its memory, its stream, and the pixel kernels loaded on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from tapetum.realtime.cuda.captured_graph import (
    CapturedGraph,
    CuPyObject,
    Launched,
    LaunchQueue,
    StreamQueue,
)
from tapetum.realtime.cuda.gpu_faults import fault_of, faults_told, full, lost
from tapetum.realtime.cuda.kernel_arguments import DeviceArray, address
from tapetum.realtime.cuda.kernel_compiler import CHROMAS, kept_kernels, module_of
from tapetum.realtime.cuda.never_freed import keep, owns
from tapetum.realtime.cuda.pixel_kernels import PixelKernels
from tapetum.realtime.cuda.room import Room
from tapetum.realtime.errors import DeviceError
from tapetum.trt_build.gpu import has_driver, no_such_gpu

if TYPE_CHECKING:
    from types import ModuleType


_NO_DRIVER = "no NVIDIA driver is installed; install one"


def cupy_for(index: int) -> ModuleType:
    """CuPy, after checking that it can use a device.

    Raises:
        DeviceError: CuPy, the driver or the device is missing; the message says what to do.
    """
    try:
        import cupy
    except ImportError as error:
        if not has_driver():
            raise _unusable(index, _NO_DRIVER) from error
        raise DeviceError(
            f"cuda:{index} needs CuPy: pip install 'tapetum[cuda]', or use --device cpu"
        ) from error
    count = _device_count(cupy, index)
    if index >= count:
        raise DeviceError(no_such_gpu(index, count))
    module: ModuleType = cupy
    return module


def _device_count(cupy: Any, index: int) -> int:  # noqa: ANN401 - CuPy has no types
    runtime = cupy.cuda.runtime
    try:
        return int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        reason = _reason(runtime.driverGetVersion(), runtime.runtimeGetVersion())
        raise _unusable(index, reason) from error


def _unusable(index: int, reason: str) -> DeviceError:
    return DeviceError(f"cuda:{index} cannot be used: {reason}, or use --device cpu")


def _reason(driver: int, runtime: int) -> str:
    """Why the runtime finds no GPU, by the versions of CUDA that driver and runtime are for."""
    if driver == 0:
        return _NO_DRIVER
    if driver // 1000 < runtime // 1000:
        return (
            f"the NVIDIA driver is for CUDA {_version(driver)}; install one for CUDA"
            f" {runtime // 1000} or newer"
        )
    return "the NVIDIA driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


@cache
def loaded_module(cupy: CuPyObject, index: int, name: str) -> CuPyObject:
    """The kernels of one of `MODULES` on a GPU, which is current; for all streams there.

    They stay: CuPy would unload them in whichever thread lets go of them last, and only one in
    which the GPU is current can.
    """
    module = cupy.cuda.Module()
    module.load(kept_kernels(int(cupy.cuda.Device(index).compute_capability), name))
    keep(module)
    return module


class CudaDevice:
    """One GPU, with a stream of its own and the pixel kernels loaded.

    The stream is a blocking one: FFmpeg decodes on the null stream, and what is queued here
    waits for what was queued there before.

    Attributes:
        index: the number that CUDA gives the device.
        kernels: they queue their work on the stream.
    """

    def __init__(self, index: int = 0, *, loads: bool = True) -> None:
        """Open the device, and compile and load the kernels.

        Args:
            index: the number that CUDA gives the device.
            loads: whether the kernels are loaded now, and not when the first is needed.

        Raises:
            DeviceError: CuPy, the driver, the device or NVRTC is missing, or too old for the GPU;
                or the GPU is full, or another process has it for itself.
        """
        self.index = index
        self._cupy: Any = cupy_for(index)
        with self._reporting():
            self._open()
            if loads:
                loaded_module(self._cupy, self.index, CHROMAS[0])
        self._functions: dict[str, Any] = {}
        self._queue: LaunchQueue = StreamQueue(self._stream)
        self.kernels = PixelKernels(self._launch)

    def _open(self) -> None:
        cuda = self._cupy.cuda
        self._make_current()
        self._stream = cuda.Stream()
        self._uploads, self._downloads = (cuda.Stream(non_blocking=True) for _ in range(2))
        self._pool = self._cupy.get_default_memory_pool()
        owns(self)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Say what CUDA and CuPy say of a GPU that is lost, full, or refuses something.

        Raises:
            DeviceLostError: it is not there, not any more, or out of order.
            DeviceError: it is full, or refuses this alone.
        """
        cuda = self._cupy.cuda
        try:
            yield
        except cuda.memory.OutOfMemoryError as error:
            raise full(self.name, error) from error
        except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            fault = fault_of(error, self.name, self)
            raise (fault if isinstance(fault, DeviceError) else DeviceError(str(fault))) from error

    def check_answers(self) -> None:
        """See `ComputeDevice`; it may be asked while a stream is capturing, too."""
        cuda = self._cupy.cuda
        try:
            self._make_current()
            cuda.runtime.memGetInfo()
        except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            raise lost(self.name, error) from error

    def room_for(self, needed_bytes: int, what: str) -> Room:
        """Promise memory for something; see `ComputeDevice.room_for`."""
        return Room(self.name, needed_bytes, what, self._free_bytes)

    def _free_bytes(self) -> int:
        with self._reporting(), self.context():
            free, _ = self._cupy.cuda.runtime.memGetInfo()
            pooled = self._pool.free_bytes()  # given out again
        return int(free + pooled)

    @property
    def name(self) -> str:
        """Such as "cuda:0"."""
        return f"cuda:{self.index}"

    @property
    def stream_address(self) -> int:
        """The stream, as engines and encoders take it."""
        return int(self._stream.ptr)

    def holds(self, array: DeviceArray) -> bool:
        """Whether an array lies in this device's memory, and not in another GPU's."""
        with self._reporting(), self.context():
            attributes = self._cupy.cuda.runtime.pointerGetAttributes(address(array))
        return int(attributes.device) == self.index

    @contextmanager
    def context(self) -> Iterator[None]:
        """Make the device's CUDA context that of the calling thread, for other libraries."""
        with self._reporting():
            self._cupy.cuda.runtime.setDevice(self.index)  # which binds it, if it was current too
        yield

    def _make_current(self) -> None:
        """Make it the calling thread's device, and leave it so.

        CuPy's `with Device` sets the device of before at its end, mostly the first GPU, and so
        makes a context there, of some hundred MB, in a job for another one.
        """
        runtime = self._cupy.cuda.runtime
        if runtime.getDevice() != self.index:
            runtime.setDevice(self.index)

    def enqueue(self, work: Callable[[int], None]) -> None:
        """Queue what is no pixel kernel, such as an engine; see `ComputeDevice.enqueue`."""
        with self._reporting(), self.context():
            self._queue.enqueue(work)

    def capture(self, work: Callable[[], None]) -> CapturedGraph:
        """Capture the kernels and engines that `work` queues; nothing runs yet.

        Raises:
            DeviceError: the GPU is lost or full.
            EngineError: something in it cannot be captured.
        """
        with self._reporting(), self.context(), faults_told("a graph", self):
            return CapturedGraph(self._cupy, self._stream, self._queueing, work)

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """An array with nothing in it yet."""
        with self._allocating(self._stream):
            array: DeviceArray = self._cupy.empty(shape, dtype)
        return array

    def empty_for_copy(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        """An array for `copy_rows` to fill; no queued work has been using its memory."""
        with self._allocating(self._downloads):
            array: DeviceArray = self._cupy.empty(shape, dtype)
        return array

    def put(self, array: npt.NDArray[Any]) -> DeviceArray:
        """Copy an array from main memory."""
        with self._allocating(self._stream):
            copy: DeviceArray = self._cupy.array(array)
        return copy

    def get(self, array: DeviceArray) -> npt.NDArray[Any]:
        """Copy an array to main memory, after all queued work is done."""
        copy: npt.NDArray[Any] = np.empty(array.shape, array.dtype)
        self._fetch(array, copy, self._stream)
        return copy

    def upload(self, array: npt.NDArray[Any]) -> DeviceArray:
        """Copy an array from main memory beside the queued work, and wait for the copy only."""
        with self._allocating(self._uploads):
            copy: DeviceArray = self._cupy.array(array, order="C")  # through pinned memory
            self._wait_for(self._uploads)
        return copy

    def download(self, array: DeviceArray) -> npt.NDArray[Any]:
        """Copy an array that is done to pinned main memory, beside the queued work."""
        from cupyx import empty_pinned

        with self._reporting():
            self._make_current()
            copy: npt.NDArray[Any] = empty_pinned(array.shape, array.dtype)
        self._fetch(array, copy, self._downloads)
        return copy

    def _fetch(self, array: DeviceArray, copy: npt.NDArray[Any], stream: CuPyObject) -> None:
        """Copy an array to main memory on a stream, and wait for it.

        Rows with gaps between are copied as they lie: CuPy would compile a kernel to close the
        gaps, which takes headers that no user has installed.
        """
        cuda = self._cupy.cuda
        with self._reporting():
            self._make_current()
        with self._reporting(), stream:
            if len(array.shape) == 2 and array.strides[0] != array.shape[1] * array.dtype.itemsize:
                rows, columns = array.shape
                places = copy.ctypes.data, copy.strides[0], address(array), array.strides[0]
                size = columns * array.dtype.itemsize, rows
                kind = cuda.runtime.memcpyDeviceToHost
                cuda.runtime.memcpy2DAsync(*places, *size, kind, stream.ptr)
            else:
                self._cupy.asnumpy(array, out=copy, blocking=False)
            self._wait_for(stream)

    def queue_copy(self, source: DeviceArray, target: DeviceArray) -> None:
        """Queue a copy of rows within the device."""
        self._copy_rows(source, target, self._stream)

    def copy_rows(self, source: DeviceArray, target: DeviceArray) -> None:
        """Copy rows that are done within the device, beside the queued work, and wait for them."""
        self._copy_rows(source, target, self._downloads)
        with self._reporting():
            self._wait_for(self._downloads)

    def _copy_rows(self, source: DeviceArray, target: DeviceArray, stream: CuPyObject) -> None:
        runtime, (rows, columns) = self._cupy.cuda.runtime, source.shape
        size = columns * source.dtype.itemsize, rows
        places = address(target), target.strides[0], address(source), source.strides[0]
        with self._reporting():
            self._make_current()
            runtime.memcpy2DAsync(*places, *size, runtime.memcpyDeviceToDevice, stream.ptr)

    def _wait_for(self, stream: CuPyObject) -> None:
        """Sleep until what is queued on a stream is done.

        CUDA's own wait for a stream keeps a core busy; waking up takes some 50 us longer.
        """
        done = self._cupy.cuda.Event(block=True, disable_timing=True)
        owns(done)
        done.record(stream)
        done.synchronize()

    @contextmanager
    def array_work(self) -> Iterator[None]:
        """Queue CuPy's array operations on the stream; wait for them, and for decoding, at the end.

        The stream waits for the null stream, on which FFmpeg decodes, only where something is
        queued on it: a frame that is passed on as it came would not be waited for.
        """
        with self._allocating(self._stream):
            yield
            self._wait_for(self._stream)
            self._wait_for(self._cupy.cuda.Stream.null)

    def wait_for_decoder(self) -> None:
        """Wait for what FFmpeg has queued to decode, on the null stream.

        Raises:
            DeviceError: the GPU cannot be used any more.
        """
        with self._reporting():
            self._make_current()
            self._wait_for(self._cupy.cuda.Stream.null)

    def to_dlpack(self, array: DeviceArray) -> object:
        """An array that is done, as FFmpeg takes it; it lives until FFmpeg lets go of it."""
        ready = -1  # in the words of DLPack: wait for no stream
        with self._reporting():
            self._make_current()
            capsule: object = cast("Any", array).__dlpack__(stream=ready)
        return capsule

    def from_dlpack(self, capsule: object) -> DeviceArray:
        """A view of memory that FFmpeg holds on this device, which stays alive with the view."""
        with self._reporting():
            self._make_current()
            array: DeviceArray = self._cupy.from_dlpack(capsule)
        return array

    @contextmanager
    def _allocating(self, stream: CuPyObject) -> Iterator[None]:
        """Take memory that was free before, or that work on the same stream was done with.

        CuPy gives a stream's memory out again at once, while that stream may be at work with it.

        Raises:
            DeviceError: there is not enough, or the GPU cannot be used any more.
        """
        with self._reporting():
            self._make_current()
            with stream:
                yield

    def _launch(
        self,
        name: str,
        grid: tuple[int, int],
        threads: int,
        arguments: tuple[Any, ...],
        shared: int,
    ) -> None:
        with self._reporting():
            self._make_current()
            if name not in self._functions:
                module = loaded_module(self._cupy, self.index, module_of(name))
                self._functions[name] = module.get_function(name)
            self._queue.launch(Launched(self._functions[name], grid, threads, arguments, shared))

    @contextmanager
    def _queueing(self, queue: LaunchQueue) -> Iterator[None]:
        before, self._queue = self._queue, queue
        try:
            with self._reporting(), self.context():
                yield
        finally:
            self._queue = before
