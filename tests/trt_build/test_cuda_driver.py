"""The GPU that the driver names, and its memory: with a stand-in for NVIDIA's own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.command_line import tapetum
from support.fake_driver import python_with
from support.rtx_builds import needs_tensorrt_rtx
from support.this_gpu import has_driver

from tapetum.trt_build.cuda_driver import CudaDriver
from tapetum.trt_build.gpu import present_gpu

pytestmark = pytest.mark.slow

RTX = ("--runtime", "tensorrt-rtx")


def test_a_gpu_is_asked_for_its_name_and_capability(driver: dict[str, str]) -> None:
    code = "from tapetum.trt_build.gpu import present_gpu; print(present_gpu(1))"
    found = python_with(driver, code, FAKE_GPUS="2", FAKE_CAPABILITY="121")
    assert found == "Gpu(name='Fake GPU 1', compute_capability=(12, 1), index=1)\n"


def test_an_array_survives_gpu_memory(driver: dict[str, str]) -> None:
    code = """
import numpy as np
from tapetum.trt_build.cuda_driver import CudaDriver
driver, array = CudaDriver(), np.arange(12, dtype=np.float16).reshape(3, 4)
with driver.on_device(0), driver.memory(array.nbytes) as address, driver.stream() as stream:
    driver.put(address, array)
    print(stream != 0, np.array_equal(driver.get(address, (3, 4), np.float16), array))
"""
    assert python_with(driver, code) == "True True\n"


def test_errors_of_the_driver_have_their_names_and_remedies(driver: dict[str, str]) -> None:
    code = """
from tapetum.gan.errors import DeviceError
from tapetum.trt_build.cuda_driver import CudaDriver
driver = CudaDriver()
def attempt(size):
    try:
        with driver.memory(size):
            pass
    except DeviceError as error:
        print(error)
attempt(1)
with driver.on_device(0):
    attempt(1 << 50)
"""
    context, memory = python_with(driver, code).splitlines()
    assert context == "the NVIDIA driver fails: CUDA_ERROR_INVALID_CONTEXT in cuMemAlloc_v2"
    assert memory == (
        "the NVIDIA driver fails: CUDA_ERROR_OUT_OF_MEMORY in cuMemAlloc_v2"
        " (close what else uses the GPU, or take a smaller --size)"
    )


@needs_tensorrt_rtx
@pytest.mark.parametrize(
    ("options", "variables", "message"),
    [
        (
            ("--device", "cuda:2"),
            {"FAKE_GPUS": "2"},
            "there is no cuda:2; this machine has 2 GPUs, numbered from cuda:0",
        ),
        (
            (),
            {"FAKE_INIT": "100"},
            "the NVIDIA driver finds no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES, or name the"
            " GPU to build for, like --target sm_89",
        ),
        ((), {"FAKE_CAPABILITY": "90"}, "tensorrt-rtx 1.7.1.116 does not build for sm_90"),
    ],
    ids=["no such GPU", "no GPU", "unsupported GPU"],
)
def test_what_a_build_lacks_is_one_line(
    options: tuple[str, ...],
    variables: dict[str, str],
    message: str,
    driver: dict[str, str],
    tmp_path: Path,
) -> None:
    cache = {"TAPETUM_CACHE": str(tmp_path)}
    answer = tapetum("build", "grid", *RTX, *options, **driver, **variables, **cache)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"error: {message}")
    assert answer.stderr.count("\n") == 1


@needs_tensorrt_rtx
def test_an_engine_that_does_not_load_here_is_refused(
    driver: dict[str, str], tmp_path: Path
) -> None:
    """The stand-in is no driver that TensorRT can use, so it plays one that is too old."""
    answer = tapetum("build", "grid", *RTX, **driver, TAPETUM_CACHE=str(tmp_path))
    said, error = answer.stderr.splitlines()
    assert said.startswith("building grid 256x256 for Fake GPU 0, sm_89 with tensorrt-rtx ")
    assert error.startswith("error: tensorrt-rtx ")
    assert "does not load the engine: " in error
    assert error.endswith(
        "(install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for)"
    )
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


@needs_tensorrt_rtx
def test_a_kept_engine_that_does_not_load_is_built_anew(
    driver: dict[str, str], tmp_path: Path
) -> None:
    """A cut engine whose manifest is right; the build starts, and ends at the stand-in."""
    code = """
import hashlib, os, sys
from pathlib import Path
from tapetum.trt_build import *
from tapetum.trt_build.engine_cache import write_engine
from tapetum.trt_build.flavour import load_flavour
from tapetum.trt_build.gpu import present_gpu
from tapetum.gan.model import find_model
from tapetum.trt_build.profile import Profile
version, gpu, plan = load_flavour("tensorrt-rtx").version, present_gpu(), b"vtrt" * 99
sizes = Profile(*[(256, 256)] * 3)
sha = find_model("grid").sha256
identity = EngineIdentity(sha, "tensorrt-rtx", version, gpu.name, gpu.target, sizes)
digest = hashlib.sha256(plan).hexdigest()
manifest = Manifest(identity, "grid", "grid", (), digest, 1, "2026-01-01", 60.0, 45.0)
write_engine(EngineCache().path(identity), plan, manifest)
"""
    python_with(driver, code, TAPETUM_CACHE=str(tmp_path))
    answer = tapetum("build", "grid", *RTX, **driver, TAPETUM_CACHE=str(tmp_path))
    said, error = answer.stderr.splitlines()
    assert said.startswith("building grid 256x256 for Fake GPU 0, sm_89 with tensorrt-rtx ")
    assert " fp16, anew: tensorrt-rtx 1.7.1.116 does not load the engine: " in said
    assert "Serialization assertion" in said
    assert error.endswith(
        "(install or update the NVIDIA driver; nvidia-smi shows which CUDA it is for)"
    )
    assert answer.returncode == 1


def test_a_device_to_build_on_is_cuda_and_an_index(tmp_path: Path) -> None:
    answer = tapetum("build", "grid", "--device", "gpu1", TAPETUM_CACHE=str(tmp_path))
    assert answer.returncode == 2
    assert "a CUDA device is cuda or cuda:INDEX; got 'gpu1'" in answer.stderr


@pytest.mark.needs_cuda
def test_an_array_survives_the_memory_of_this_gpu() -> None:
    driver, array = CudaDriver(), np.arange(12, dtype=np.float16).reshape(3, 4)
    assert present_gpu().compute_capability >= (7, 5)
    with driver.on_device(0), driver.memory(array.nbytes) as address:
        driver.put(address, array)
        np.testing.assert_array_equal(driver.get(address, (3, 4), np.float16), array)
    assert has_driver()
