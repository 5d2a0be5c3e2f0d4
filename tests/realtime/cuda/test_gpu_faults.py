"""What errors of a GPU's libraries mean: each leads to its own step, with one line."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.simulated_gpu import CUDADriverError, CUDARuntimeError, SimulatedGPU

from tapetum.realtime.cuda import frame_graph
from tapetum.realtime.cuda.device import CudaDevice, loaded_module
from tapetum.realtime.cuda.frame_graph import FrameGraph
from tapetum.realtime.cuda.gpu_faults import fault_of
from tapetum.realtime.cuda.nvenc_file import NvencFile
from tapetum.realtime.cuda.tensorrt_engine import TensorRTEngine
from tapetum.realtime.cuda.transfer import uploaded
from tapetum.realtime.errors import (
    DeviceError,
    DeviceLostError,
    EncoderError,
    EngineError,
    MediaError,
)
from tapetum.realtime.synthetic_source import SyntheticSource
from tapetum.trt_build import loaded_engine

FULL, LOST = "cuda:0 has not enough memory (", "cuda:0 cannot be used: "
SAYS_FULL = (
    "cudaErrorMemoryAllocation: out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY: out of memory",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "CUDA out of memory. Tried to allocate 2.00 GiB.",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "tensorrt 11.1 does not start the engine: Error Code 2: OutOfMemory (Requested size was 9)",
    "tensorrt 11.1 does not run the engine: a buffer of 9 bytes could not be allocated",
)
SAYS_LOST = (
    "cudaErrorECCUncorrectable: uncorrectable ECC error encountered",
    "CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered",
    "cudaErrorIllegalAddress: an illegal memory access was encountered",
    "the NVIDIA driver fails: CUDA_ERROR_ILLEGAL_ADDRESS in cuGraphExecKernelNodeSetParams",
    "CUDA_ERROR_LAUNCH_TIMEOUT: the launch timed out and was terminated",
    "cudaErrorLaunchFailure: unspecified launch failure",
    "cudaErrorContextIsDestroyed: context is destroyed",
    "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable",
)
SAYS_NEITHER = (
    "CUDA error: no kernel image is available for execution on the device",
    "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    "cudaErrorLaunchOutOfResources: too many resources requested for launch",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
    "tensorrt 11.1 does not run the engine: Error Code 1: Cuda Runtime (unspecified launch"
    " failure)",
    "[Errno 1313558101] Unknown error occurred; OpenEncodeSessionEx failed: no encode device (1)",
    "[Errno 5] Input/output error; EncodePicture failed!: device not exist (6)",
)


def kind_of(error: Exception, device: CudaDevice) -> tuple[type[Exception], str]:
    fault = fault_of(error, "grid", device)
    assert "\n" not in str(fault)
    return type(fault), str(fault)


@pytest.mark.parametrize("text", SAYS_FULL)
def test_want_of_memory_is_no_loss(gpu: SimulatedGPU, text: str) -> None:
    del gpu
    kind, line = kind_of(RuntimeError(text), CudaDevice())
    assert kind is DeviceError
    assert line.startswith(FULL)


@pytest.mark.parametrize("text", SAYS_LOST)
def test_a_gpu_that_is_lost_is_known_by_the_error(gpu: SimulatedGPU, text: str) -> None:
    del gpu
    kind, line = kind_of(RuntimeError(text), CudaDevice())
    assert kind is DeviceLostError
    assert line.startswith(LOST)


@pytest.mark.parametrize("text", SAYS_NEITHER)
def test_otherwise_the_gpu_itself_is_asked(gpu: SimulatedGPU, text: str) -> None:
    device, error = CudaDevice(), RuntimeError(text)
    assert kind_of(error, device) == (EngineError, f"grid: {text}; use --device cpu")
    own = EncoderError("NVENC refuses")
    assert fault_of(own, "NVENC", device) is own
    gpu.lost = True
    gpu.faults.loss = "cudaErrorUnknown: unknown error"
    for given in (error, own):
        kind, line = kind_of(given, device)
        assert kind is DeviceLostError
        assert line.startswith(f"{LOST}cudaErrorUnknown")


@pytest.mark.parametrize("error_of_cupy", [CUDARuntimeError, CUDADriverError])
@pytest.mark.parametrize(
    ("text", "kind", "begin"),
    [
        ("cudaErrorMemoryAllocation: out of memory", DeviceError, FULL),
        ("cudaErrorIllegalAddress: an illegal memory access", DeviceLostError, LOST),
        ("cudaErrorInvalidValue: invalid argument", DeviceError, "cuda:0: cudaErrorInvalidValue"),
    ],
)
def test_what_cupy_raises(
    gpu: SimulatedGPU,
    error_of_cupy: type[Exception],
    text: str,
    kind: type[Exception],
    begin: str,
) -> None:
    del gpu
    device = CudaDevice()

    def refuse(_stream: int) -> None:
        raise error_of_cupy(text)

    with pytest.raises(DeviceError) as caught:
        device.enqueue(refuse)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(begin)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan"
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Error Code 1: Cuda Runtime (unspecified launch failure)", DeviceLostError),
        ("Error Code 2: OutOfMemory (Requested size was 9 bytes)", DeviceError),
        ("Error Code 3: API Usage Error", EngineError),
    ],
)
@pytest.mark.parametrize("step", ["load", "run"])
def test_what_tensorrt_says(
    gpu: SimulatedGPU,
    plan: Path,
    *,
    reason: str,
    kind: type[Exception],
    step: str,
) -> None:
    """It has one way to say all: a call that gives nothing, and lines in its log."""

    class Loaded:
        input = output = SimpleNamespace(dtype=np.dtype(np.float32))

        def __init__(self, *_given: object, **_how: object) -> None:
            self._fail("load")

        def _fail(self, at: str) -> None:
            if at == step:
                gpu.lost = kind is DeviceLostError
                raise EngineError(f"tensorrt 11.1 fails: {reason}")

        def set_input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return shape

        def can_be_captured(self, _stream: int) -> bool:
            return True

        def run(self, *_addresses: int) -> None:
            self._fail("run")

    built: Any = SimpleNamespace(path=plan)
    device, flavour = CudaDevice(), SimpleNamespace(name="tensorrt", version="11.1")
    arrays = [device.empty((1, 4), np.float32) for _ in range(2)]
    failing = pytest.raises((DeviceError, EngineError))
    with failing as caught, pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_engine, "LoadedEngine", Loaded)
        patch.setattr("tapetum.trt_build.engine_cache.kept_kernels", lambda _: b"")
        TensorRTEngine(built, flavour, device, (1, 4), "grid")(*arrays)  # type: ignore[arg-type]
    assert type(caught.value) is kind


def test_a_gpu_that_is_lost_while_a_graph_is_captured_is_one_line(
    gpu: SimulatedGPU, caplog: pytest.LogCaptureFixture
) -> None:
    """And no warning before it that a graph cannot be made."""
    device = CudaDevice()
    arrays = [device.put(np.ones((1, 4), np.float32)) for _ in range(2)]
    (frame,) = SyntheticSource(64, 64, frames=1)
    calls = 0

    def queue(_frame: object) -> None:
        nonlocal calls
        calls += 1
        gpu.lost = calls == 2

    engine: Any = SimpleNamespace(capturable=True)
    graph = FrameGraph(device, engine, *arrays)
    there = uploaded(frame, device)
    with pytest.raises(DeviceLostError), caplog.at_level("WARNING", frame_graph.__name__):
        graph(there, queue)
    assert not caplog.records


def test_nothing_is_freed_on_a_gpu_that_is_lost(
    gpu: SimulatedGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CuPy's destructors fail there, and Python writes a traceback for each; see its issue 9811."""
    written: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", written.append)
    device, others = CudaDevice(), CudaDevice()
    array = device.put(np.ones((1, 4), np.float32))
    graph = device.capture(lambda: None)
    gpu.lost = True
    with pytest.raises(DeviceLostError):
        device.get(array)
    del device, others, array, graph
    gc.collect()
    assert written == []


def test_kernels_stay_loaded_for_all_streams_of_a_gpu(gpu: SimulatedGPU) -> None:
    """CuPy unloads them in a thread that may have no CUDA context."""
    del gpu
    import cupy

    CudaDevice()
    module = weakref.ref(loaded_module(cupy, 0, "420"))
    CudaDevice()
    assert loaded_module.cache_info().currsize == 1
    loaded_module.cache_clear()
    gc.collect()
    assert module() is not None


class Output:
    """A file that NVENC encodes, which fails after its first packet."""

    has_begun = True

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._count = 0

    def write(self, _frame: object) -> None:
        self._count += 1
        if self._count > 1:
            raise self._error

    def close(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "is_lost", "kind", "begin"),
    [
        (EncoderError("cannot encode x: fails"), False, DeviceError, "NVENC on cuda:0 fails: "),
        (EncoderError("cannot encode x: fails"), True, DeviceLostError, LOST),
        (EncoderError("cannot encode x: Out of memory"), False, DeviceError, FULL),
        (MediaError("cannot write x: the disk is full"), False, MediaError, "cannot write x"),
    ],
)
@pytest.mark.parametrize("at_end", [False, True])
def test_nvenc_that_fails_in_mid_file_is_told_from_a_full_disk(
    gpu: SimulatedGPU,
    *,
    error: Exception,
    is_lost: bool,
    kind: type[Exception],
    begin: str,
    at_end: bool,
) -> None:
    """With `--device auto` the CPU then makes it all."""
    device, output = CudaDevice(), Output(error)
    (frame,) = SyntheticSource(64, 64, frames=1)
    file = NvencFile(output, device, lambda: output)  # type: ignore[arg-type, return-value]
    file.write(frame)
    gpu.lost = is_lost
    with pytest.raises((DeviceError, MediaError)) as caught:
        file.close() if at_end else file.write(frame)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(begin)
