"""Generators run by PyTorch on a device, against the CPU path and the generators themselves."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from support.cuda_parts import planes_of
from support.kernel_devices import on_device
from support.random_frames import random_frame
from support.tolerance import CPU, EXACT, GPU, assert_planes_close

from tapetum.gan.checkpoint import build_generator, save_generator
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.gan.unet import UNetGenerator
from tapetum.gan.weights import weights_path
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.cpu.rgb_kernels import planes_with_change, rgb_from_planes
from tapetum.realtime.cuda.compute_device import ComputeDevice
from tapetum.realtime.cuda.cuda_enhancer import make_cuda_enhancer
from tapetum.realtime.cuda.torch_engine import TorchEngine, TorchModel, torch_device
from tapetum.realtime.errors import DeviceError, EngineError, ModelError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "unet.safetensors"
    save_generator(build_generator("unet"), path)
    return path


def test_the_default_weights_enhance_as_on_the_cpu(device: ComputeDevice) -> None:
    for package in ("openvino", "onnx"):  # which a machine with a GPU may lack
        pytest.importorskip(package)
    enhance = make_cuda_enhancer("grid", device)
    assert enhance.description == f"grid on {device.name}, PyTorch f32"
    model = OpenVINOModel(weights_path("grid", ".onnx").read_bytes())
    here = GridEnhancer(model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE))
    for seed in range(3):
        frame = random_frame("nv12", 130, 70, seed=seed)
        enhanced = planes_of(device, enhance(on_device(device, frame)))
        assert_planes_close(enhanced, here(frame).planes, CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_single_precision_is_not_rounded_to_tf32(dtype: torch.dtype, device: ComputeDevice) -> None:
    usual, seen = torch.backends.cudnn.allow_tf32, []

    def network(batch: torch.Tensor) -> torch.Tensor:
        seen.append(torch.backends.cudnn.allow_tf32)
        return batch

    batch = torch.zeros(1, 3, 16, 16, dtype=dtype, device=torch_device(device))
    TorchEngine(network, batch, device, "a network")
    assert set(seen) == {usual and dtype is not torch.float32}
    assert torch.backends.cudnn.allow_tf32 == usual


def test_precision_is_kept_where_two_engines_begin_at_once(device: ComputeDevice) -> None:
    """It is a setting of the process: who is done first would change it for the other."""
    usual, seen = torch.backends.cudnn.allow_tf32, []
    first_runs, second_runs, first_ended = (threading.Event() for _ in range(3))

    def first(batch: torch.Tensor) -> torch.Tensor:
        first_runs.set()
        second_runs.wait(0.2)  # which never runs meanwhile
        return batch

    def second(batch: torch.Tensor) -> torch.Tensor:
        second_runs.set()
        first_ended.wait(60)
        seen.append(torch.backends.cudnn.allow_tf32)
        return batch

    def engine(network: Any) -> None:
        batch = torch.zeros(1, 3, 16, 16, device=torch_device(device))
        TorchEngine(network, batch, device, "a network")

    def begin_first() -> None:
        engine(first)
        first_ended.set()

    thread = threading.Thread(target=begin_first)
    thread.start()
    assert first_runs.wait(60)
    engine(second)
    thread.join()
    assert set(seen) == {False}
    assert torch.backends.cudnn.allow_tf32 == usual


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory"),
            (
                DeviceError,
                "host has not enough memory (CUDA out of memory); close what else uses it, or use"
                " --device cpu",
            ),
        ),
        (
            torch.AcceleratorError("CUDA error: no kernel image is available\nmore"),
            (
                EngineError,
                "grid at 256x256 on host: CUDA error: no kernel image is available; use"
                " --device cpu",
            ),
        ),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR\nmore"),
            (
                EngineError,
                "grid at 256x256 on host: cuDNN error: CUDNN_STATUS_INTERNAL_ERROR; use"
                " --device cpu",
            ),
        ),
    ],
    ids=["full", "refused", "refused by cuDNN"],
)
@pytest.mark.parametrize("where", ["its memory", "its network"])
def test_whatever_pytorch_raises_is_one_line(
    host: Any,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: Exception,
    told: tuple[type[Exception], str],
) -> None:
    def fails(*_given: object, **_how: object) -> None:
        raise error

    model = TorchModel(build_generator("grid"), host)
    if where == "its memory":
        monkeypatch.setattr(torch, "zeros", fails)
    else:
        monkeypatch.setattr(model, "_network", fails)
    kind, says = told
    with pytest.raises(kind) as caught:
        model.compile(THUMBNAIL_SHAPE)
    assert str(caught.value) == says


def test_unet_in_half_precision_is_close_to_single(
    device: ComputeDevice, unet_weights: Path
) -> None:
    frame = random_frame("nv12", 48, 32)
    enhance = make_cuda_enhancer(unet_weights, device)
    assert enhance.description == f"unet on {device.name}, PyTorch f16"
    enhanced = planes_of(device, enhance(on_device(device, frame)))

    torch.manual_seed(0)
    generator = cast("UNetGenerator", build_generator("unet").eval())
    rgb = rgb_from_planes(frame)
    with torch.inference_mode():
        exact = generator.enhance_padded(torch.from_numpy(rgb)[None])[0].numpy()
    expected = planes_with_change(frame, np.clip(exact, -1, 1) - rgb)
    assert_planes_close(enhanced, expected, GPU)


def test_an_engine_follows_its_input(device: ComputeDevice) -> None:
    """What a captured graph with a stale address would not do."""
    generator: Any = build_generator("grid").eval()
    engine = TorchModel(generator, device).compile((1, 3, 256, 256))
    result = device.put(np.zeros((8, 8, 16, 16), np.float32))
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(2):
        small = rng.random((1, 3, 256, 256), np.float32)
        engine(device.put(small), result)
        with torch.inference_mode():
            place = next(generator.parameters()).device
            wanted = generator.predict(torch.from_numpy(small).to(place))[0].cpu().numpy()
        np.testing.assert_allclose(device.get(result), wanted, atol=1e-4)
        seen.append(device.get(result).copy())
    assert not np.array_equal(seen[0], seen[1])


def test_an_onnx_file_is_refused(device: ComputeDevice) -> None:
    with pytest.raises(ModelError, match=r"runs .*grid\.onnx with TensorRT alone \(pip install"):
        make_cuda_enhancer(weights_path("grid", ".onnx"), device)


def test_strength_0_is_the_frame_bit_for_bit(device: ComputeDevice) -> None:
    frame = random_frame("p010le", 33, 17)
    enhance = make_cuda_enhancer("grid", device, strength=0)
    enhanced = planes_of(device, enhance(on_device(device, frame)))
    assert_planes_close(enhanced, frame.planes, EXACT)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this PyTorch can use a GPU")
def test_a_pytorch_without_cuda_is_one_line() -> None:
    class Elsewhere:
        """A GPU's name and stream, without the GPU."""

        name, stream_address = "cuda:0", 1

    with pytest.raises(DeviceError, match=r"this PyTorch \(.*\) cannot use cuda:0"):
        TorchModel(build_generator("grid"), cast("Any", Elsewhere()))


def test_weights_that_nothing_here_can_read_are_one_line(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of `unet` are an ONNX file."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    says = r"host runs models with TensorRT .*; onnx is missing: install one of them"
    with pytest.raises(ModelError, match=says):
        make_cuda_enhancer("unet", host)
