"""The torch-tensorrt route as far as its export, which takes no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.engine_networks import trained_looking_unet

from tapetum.gan import load_generator, save_generator
from tapetum.gan.errors import ModelError
from tapetum.gan.model import find_model
from tapetum.gan.weights import weights_path
from tapetum.trt_build import EngineCache, EngineRequest, build_engine
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.profile import Profile, unet_profile
from tapetum.trt_build.torch_tensorrt_build import build_torch_tensorrt, half_program

pytestmark = pytest.mark.slow

GRID = Profile(*[(256, 256)] * 3)
HERE = Gpu("NVIDIA L4", (8, 9), 0)


def test_a_grid_program_has_float32_ends_and_half_weights() -> None:
    generator: Any = load_generator("grid")
    program, example = half_program("grid", GRID, "cpu")
    assert example.dtype == torch.float32
    assert {weight.dtype for weight in program.state_dict.values()} <= {
        torch.float16,
        torch.int64,
    }
    picture = torch.rand(example.shape)
    with torch.inference_mode():
        found = program.module()(picture)
        wanted = generator.predict(picture)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, atol=0.05, rtol=0)


def test_a_unet_program_is_half_throughout_and_takes_its_sizes(tmp_path: Path) -> None:
    checkpoint = tmp_path / "unet.safetensors"
    save_generator(trained_looking_unet(), checkpoint)
    profile = unet_profile((64, 96), (32, 32), (128, 128))
    program, example = half_program(str(checkpoint), profile, "cpu")
    assert example.dtype == torch.float16
    picture = torch.rand(1, 3, 48, 80).half()
    with torch.inference_mode():
        assert program.module()(picture).shape == picture.shape


def test_an_onnx_file_is_refused() -> None:
    source = find_model(weights_path("grid"))
    with pytest.raises(ModelError, match=r"torch-tensorrt builds from weights; name \.safetensors"):
        build_torch_tensorrt(source, GRID, HERE, None)


@pytest.mark.needs_cuda
def test_its_engine_is_verified(tmp_path: Path) -> None:
    pytest.importorskip("torch_tensorrt")
    request = EngineRequest(runtime="torch-tensorrt")
    manifest = build_engine("grid", request, cache=EngineCache(tmp_path)).manifest
    assert manifest.psnr_db is not None
    assert manifest.psnr_db >= manifest.psnr_floor_db
