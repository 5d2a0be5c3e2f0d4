"""Every host-side part of the GPU path goes as far as the missing driver, and says so exactly."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_line import tapetum
from support.fake_driver import fake_driver
from support.rtx_builds import needs_tensorrt_rtx
from support.this_gpu import has_driver

from tapetum.benchmarks.bench.cold_start import one_start
from tapetum.benchmarks.bench.named_subjects import subject
from tapetum.benchmarks.gpu.measurements import Choices, Measurements
from tapetum.benchmarks.gpu.pipeline import free_memory_mb
from tapetum.benchmarks.measure.clocks import EventClock
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.realtime.cuda.captured_graph import CapturedGraph
from tapetum.realtime.cuda.cuda_enhancer import choose_engine
from tapetum.realtime.cuda.cuda_video import open_on_cuda
from tapetum.realtime.cuda.device import CudaDevice, cupy_for
from tapetum.realtime.cuda.nvdec_source import NvdecSource, open_on_device
from tapetum.realtime.errors import DeviceError
from tapetum.trt_build import EngineCache, EngineRequest, build_engine
from tapetum.trt_build.cuda_driver import CudaDriver
from tapetum.trt_build.flavour import load_flavour
from tapetum.trt_build.gpu import present_gpu
from tapetum.trt_build.verification import check_loads_on, run_engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(has_driver(), reason="tells what happens without an NVIDIA driver"),
    pytest.mark.skipif(
        importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
    ),
]

FOR_CUPY = "cuda:0 cannot be used: no NVIDIA driver is installed; install one, or use --device cpu"
FOR_NVDEC = "NVDEC on cuda:0 cannot be opened: it needs the NVIDIA driver and its libnvcuvid"
FOR_BUILDS = "no NVIDIA driver here: install it, or name the GPU to build for, like --target sm_89"


class Numbered:
    """What is asked of a `CudaDevice` before the driver is."""

    index, name = 0, "cuda:0"

    def context(self) -> AbstractContextManager[None]:
        return nullcontext()


GPU: Any = Numbered()


@pytest.mark.parametrize(
    "use",
    [
        CudaDevice,
        lambda: cupy_for(0),
        lambda: EventClock(GPU),
        lambda: free_memory_mb(GPU),
        lambda: Measurements(Choices([], []), None),
        lambda: subject("grid", "cuda"),
    ],
    ids=["CudaDevice", "cupy_for", "EventClock", "free_memory_mb", "Measurements", "subject"],
)
def test_what_takes_cupy(use: Callable[[], object]) -> None:
    with pytest.raises(DeviceError) as caught:
        use()
    assert str(caught.value) == FOR_CUPY


def test_a_video(short_clip: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        open_on_cuda(short_clip, "cuda")
    assert str(caught.value) == FOR_CUPY


@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_bench(name: str, tmp_path: Path) -> None:
    written = tmp_path / "run.json"
    answer = tapetum("bench", "--device", name, "--quick", "--json", written)
    said = FOR_CUPY.replace("cuda:0", name if ":" in name else "cuda:0")
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"error: {said}\n")
    assert not written.exists()


def test_bench_with_a_driver_that_serves_no_gpu() -> None:
    answer = tapetum("bench", "--device", "cuda", "--quick", **fake_driver())
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "error: cuda:0 cannot be used: the NVIDIA driver finds no GPU; check nvidia-smi and"
        " CUDA_VISIBLE_DEVICES, or use --device cpu\n"
    )


def test_a_cold_start() -> None:
    with pytest.raises(BenchmarkError, match=f"a process that starts grid failed: .*{FOR_CUPY}"):
        one_start("grid", 32, 32, "cuda")


@pytest.mark.parametrize(
    "use",
    [
        CudaDriver,
        present_gpu,
        lambda: choose_engine(0),
        lambda: CapturedGraph(None, None, lambda _: nullcontext(), lambda: None),
    ],
    ids=["CudaDriver", "present_gpu", "choose_engine", "CapturedGraph"],
)
def test_what_takes_the_driver_alone(use: Callable[[], object]) -> None:
    with pytest.raises(DeviceError) as caught:
        use()
    assert str(caught.value) == FOR_BUILDS


@needs_tensorrt_rtx
def test_what_takes_an_engine(tmp_path: Path) -> None:
    rtx = load_flavour("tensorrt-rtx")
    here = EngineRequest(runtime="tensorrt-rtx")
    for use in (
        lambda: build_engine("grid", here, cache=EngineCache(tmp_path)),
        lambda: check_loads_on(b"engine", rtx, 0),
        lambda: run_engine(b"engine", rtx, 0, [np.zeros((1, 3, 256, 256), np.float32)]),
    ):
        with pytest.raises(DeviceError) as caught:
            use()
        assert str(caught.value) == FOR_BUILDS


def test_nvdec_and_what_is_said_when_the_cpu_decodes(short_clip: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        NvdecSource(short_clip, GPU)
    assert str(caught.value) == FOR_NVDEC
    opened = open_on_device(short_clip, GPU)
    assert opened.decoder == f"decoded on the CPU: {FOR_NVDEC}"
    opened.file.close()
