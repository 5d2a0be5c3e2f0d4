"""TensorRT in the pipeline: who runs a model, and each step as far as it goes without a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from support.command_line import tapetum
from support.fake_driver import python_with
from support.kernel_devices import HostDevice, host_kernels
from support.rtx_builds import needs_tensorrt_rtx
from support.this_gpu import has_driver, tensorrt_here
from support.tiny_networks import blur_network

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL_SHAPE
from tapetum.realtime.cuda.cuda_enhancer import choose_engine, make_cuda_enhancer
from tapetum.realtime.cuda.device import CudaDevice
from tapetum.realtime.cuda.tensorrt_engine import TensorRTEngine, TensorRTModel
from tapetum.realtime.errors import DeviceError, EngineError, ModelError
from tapetum.realtime.progress import Building
from tapetum.trt_build import EngineCache, EngineRequest, build_engine
from tapetum.trt_build.flavour import Flavour, load_flavour

pytestmark = pytest.mark.slow

without_driver = pytest.mark.skipif(
    has_driver(), reason="tells what happens without an NVIDIA driver"
)
needs_cupy = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is None, reason="needs CuPy: pip install 'tapetum[cuda]'"
)
CHOICE = "from tapetum.realtime.cuda.cuda_enhancer import choose_engine; c = choose_engine(0)\n"


@pytest.fixture(scope="module")
def rtx() -> Flavour:
    return load_flavour("tensorrt-rtx")


@pytest.fixture(scope="module")
def gpu() -> Any:
    """A device of main memory with a GPU's name."""

    class Named(HostDevice):
        name = "cuda:0"

    return Named(host_kernels())


@needs_tensorrt_rtx
def test_tensorrt_rtx_is_chosen_where_it_supports_the_gpu(driver: dict[str, str]) -> None:
    if importlib.util.find_spec("tensorrt"):
        pytest.skip("tensorrt is installed here, and comes first")
    said = python_with(driver, CHOICE + "print(c.flavour.name, c.notices)")
    assert said == "tensorrt-rtx ()\n"


@needs_tensorrt_rtx
def test_pytorch_is_chosen_elsewhere_and_the_reason_said(driver: dict[str, str]) -> None:
    if importlib.util.find_spec("tensorrt"):
        pytest.skip("tensorrt is installed here, and comes first")
    said = python_with(driver, CHOICE + "print(c.flavour, *c.notices)", FAKE_CAPABILITY="90")
    assert said.startswith(
        "None cuda:0 runs models with PyTorch: tensorrt is not installed:"
        " pip install 'tapetum[tensorrt]'; tensorrt-rtx 1."
    )
    assert "does not build for sm_90, only for sm_75" in said


@without_driver
def test_no_driver_is_one_line() -> None:
    with pytest.raises(DeviceError, match="no NVIDIA driver here: install it"):
        choose_engine(0)


@needs_tensorrt_rtx
@without_driver
def test_a_model_is_read_but_not_built_without_a_driver(
    gpu: Any, rtx: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path))
    blur = tmp_path / "blur.onnx"
    blur.write_bytes(blur_network())
    for name, kind, shape in (
        ("grid", "grid", THUMBNAIL_SHAPE),
        (str(blur), "unet", (1, 3, 64, 96)),
    ):
        model = TensorRTModel(find_model(name), gpu, rtx)
        assert model.kind == kind
        assert model.description == f"cuda:0, TensorRT-RTX {rtx.version} f16"
        with pytest.raises(DeviceError, match="no NVIDIA driver here: install it"):
            model.compile(shape)


@needs_tensorrt_rtx
def test_a_missing_model_is_one_line(gpu: Any, rtx: Flavour) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.onnx does not exist"):
        make_cuda_enhancer("nowhere.onnx", gpu, flavour=rtx)


@needs_tensorrt_rtx
@without_driver
def test_an_engine_from_the_cache_does_not_load_without_a_driver(
    gpu: Any, rtx: Flavour, tmp_path: Path
) -> None:
    request = EngineRequest(target="sm_89", runtime="tensorrt-rtx")
    built = build_engine("grid", request, cache=EngineCache(tmp_path))
    with pytest.raises(EngineError, match=r"does not load the engine: .*update the NVIDIA driver"):
        TensorRTEngine(built, rtx, gpu, THUMBNAIL_SHAPE, "cuda:0, TensorRT-RTX")


@needs_cupy
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"FAKE_CUDA": "12040"},
            "cuda:1 cannot be used: the NVIDIA driver is for CUDA 12.4; install one for CUDA 13 or"
            " newer, or use --device cpu",
        ),
    ],
)
def test_a_driver_that_is_too_old_is_one_line(
    variables: dict[str, str],
    message: str,
    driver: dict[str, str],
    short_clip: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "bright.mp4"
    answer = tapetum("enhance", short_clip, output, "--device", "cuda:1", **driver, **variables)
    assert (answer.returncode, answer.stderr) == (1, f"error: {message}\n")
    assert not output.exists()


@pytest.mark.parametrize("device", ["cuda:", "cuda:x", "gpu", "1"])
def test_a_device_that_is_none_is_wrong_usage(
    device: str, short_clip: Path, tmp_path: Path
) -> None:
    answer = tapetum("enhance", short_clip, tmp_path / "bright.mp4", "--device", device)
    assert answer.returncode == 2
    assert f"device is auto, cpu, cuda or cuda:INDEX; got {device!r}" in answer.stderr


@pytest.mark.needs_cuda
@pytest.mark.parametrize("model", ["grid", "blur.onnx"])
def test_an_engine_is_built_on_first_use_and_found_again(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "engines"))
    (tmp_path / "blur.onnx").write_bytes(blur_network())
    name = model if model == "grid" else str(tmp_path / model)
    device, flavour = CudaDevice(), tensorrt_here()
    for builds in (True, False):
        seen: list[Building] = []
        enhancer = make_cuda_enhancer(
            name, device, flavour=flavour, size=(90, 160), on_build=seen.append
        )
        assert bool(seen) is builds
        assert " on cuda:0, TensorRT" in enhancer.description
