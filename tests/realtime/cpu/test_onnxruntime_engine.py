"""ONNX Runtime, which computes the networks where OpenVINO has no package: the same pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.command_line import python
from support.tiny_networks import grid_network

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.onnxruntime_engine import OnnxRuntimeModel
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.errors import EngineError, ModelError

pytest.importorskip("onnxruntime")

LARGEST = 2e-4
"""Of float32 sums in another order, through some tens of layers."""


def both(
    name: str, batch: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """What both runtimes make of a batch, in f32."""
    models = (kind(find_model(name).onnx(), name) for kind in (OpenVINOModel, OnnxRuntimeModel))
    return [model.compile(batch.shape)(batch) for model in models]


def test_both_runtimes_give_one_grid() -> None:
    small = np.random.default_rng(0).random(THUMBNAIL_SHAPE, np.float32) * np.float32(0.3)
    ours, theirs = both("grid", small)
    assert theirs.shape == GRID_OUTPUT_SHAPE
    assert np.abs(ours - theirs).max() < LARGEST * np.abs(ours).max()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 3, 48, 64), (1, 3, 96, 80)])
def test_both_runtimes_give_one_picture_of_any_size(shape: tuple[int, ...]) -> None:
    dark = np.random.default_rng(0).random(shape, np.float32) * np.float32(0.3) - 1
    ours, theirs = both("unet", dark)
    assert np.abs(ours - theirs).max() < LARGEST * 10


def test_what_it_cannot_do_is_said_in_a_line() -> None:
    grid = np.zeros((8, 8, 16, 16), np.float32)
    model = OnnxRuntimeModel(grid_network(grid), "mine.onnx")
    engine = model.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
    assert engine.description == "CPU, ONNX Runtime f32"
    with pytest.raises(EngineError, match=r"takes \(1, 3, 256, 256\) float32; got \(1, 3, 8, 8\)"):
        engine(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(ModelError, match=r"mine\.onnx maps shape \[1,3,256,256\] to .*another mod"):
        model.compile((1, 3, 16, 16))
    with pytest.raises(ModelError, match=r"mine\.onnx is not an ONNX model, or is damaged"):
        OnnxRuntimeModel(b"no network", "mine.onnx")
    with pytest.raises(EngineError, match="f32 here"):
        OnnxRuntimeModel(grid_network(grid), precision="bf16")


@pytest.mark.slow
def test_the_main_job_runs_without_openvino(short_clip: Path, tmp_path: Path) -> None:
    """Files of both kinds, what a model is, and the doctor."""
    program = f"""
import sys
sys.modules["openvino"] = None
from tapetum.gan.cpu_runtime import cpu_runtime
from tapetum.gan.model import find_model
from tapetum.realtime import enhance_file
from tapetum.realtime.command.doctor import examine
assert cpu_runtime() == "onnxruntime"
for model in ("grid", "unet"):
    path = find_model(find_model(model).path)
    assert path.description.kind == model
    done = enhance_file({str(short_clip)!r}, {str(tmp_path)!r} + f"/{{model}}.mp4", model=model)
    assert done.frames == 12
    print(done.enhancer)
named = {{each.name: each.value for part in examine().sections for each in part.findings}}
print(named["onnxruntime devices"])
"""
    grid, unet, devices = python(program).splitlines()
    assert grid == "grid on CPU, ONNX Runtime f32"
    assert unet == "unet on CPU, ONNX Runtime f32"
    assert "CPUExecutionProvider" in devices
