"""Other runtimes and other people's networks as peers of `tapetum bench --vs`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.command_line import environment
from support.tiny_networks import pointwise_network
from support.tolerance import Tolerance, assert_planes_close

from tapetum.benchmarks.bench.named_subjects import peer
from tapetum.benchmarks.bench.onnxruntime_peers import PictureFormat
from tapetum.benchmarks.measure.errors import BenchmarkError
from tapetum.benchmarks.measure.frames import synthetic_frames
from tapetum.realtime import Frame
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.realtime.cpu.unet_enhancer import UNetEnhancer

pytestmark = pytest.mark.slow

ROUNDING = Tolerance(1, 0.1)
SAME_NETWORK = Tolerance(3, 0.5)


def frame() -> Frame:
    return synthetic_frames(96, 70, count=1)[0]


def brightening(path: Path, *, channels_last: bool, element: int = TensorProto.FLOAT) -> Path:
    """A network on 0..255 that doubles red alone, its input's last channel in BGR order."""
    gains = np.array([1, 1, 2], np.float32)
    shape: list[int | str] = [1, "h", "w", 3] if channels_last else [1, 3, "h", "w"]
    gains = gains if channels_last else gains[:, np.newaxis, np.newaxis]
    nodes = [
        helper.make_node("Cast", ["picture"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "gains"], ["brighter"]),
        helper.make_node("Clip", ["brighter", "low", "high"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["result"], to=element),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
    ]
    constants = {"gains": gains, "low": np.float32(0), "high": np.float32(255)}
    graph = helper.make_graph(
        nodes,
        "brightening",
        [helper.make_tensor_value_info("picture", element, shape)],
        [
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, []),
            helper.make_tensor_value_info("result", element, shape),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "form",
    [
        PictureFormat(),
        PictureFormat("nhwc", (0.0, 255.0), (0.0, 255.0), "bgr"),
        PictureFormat("nchw", (-1.0, 1.0), (-1.0, 1.0), "rgb", multiple=16),
    ],
)
def test_a_picture_comes_back_from_every_format(form: PictureFormat) -> None:
    rgb = np.random.default_rng(0).uniform(-1, 1, (3, 35, 50)).astype(np.float32)
    batch = form.packed(rgb)
    assert np.allclose(form.unpacked(batch, 35, 50), rgb, atol=1e-5)
    channels = batch[0].transpose(2, 0, 1) if form.layout == "nhwc" else batch[0]
    assert all(side % form.multiple == 0 for side in channels.shape[1:])
    red = channels[0 if form.order == "rgb" else 2]
    low, high = form.input_range
    assert red[3, 4] == pytest.approx(low + (rgb[0, 3, 4] + 1) / 2 * (high - low), abs=1e-3)


def test_a_network_of_another_format_gives_what_ours_gives(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    ours = tmp_path / "ours.onnx"
    # Twice the red light, in RGB from -1 to 1.
    ours.write_bytes(pointwise_network(np.diag([2.0, 1, 1]), np.array([1.0, 0, 0])))
    expected = UNetEnhancer(OpenVINOModel(ours.read_bytes()))(frame()).planes
    declared = "output=result:range=0..255:order=bgr"
    for file, layout in (
        (brightening(tmp_path / "last.onnx", channels_last=True), "nhwc"),
        (brightening(tmp_path / "first.onnx", channels_last=False), "nchw"),
    ):
        theirs = peer(f"onnxruntime:{file}:{declared}:layout={layout}")
        assert theirs.name == f"onnxruntime:{file.name}:{declared}:layout={layout}"
        assert_planes_close(theirs.make()(frame()).planes, expected, ROUNDING)
    eight_bits = brightening(tmp_path / "u8.onnx", channels_last=True, element=TensorProto.UINT8)
    theirs = peer(f"onnxruntime:{eight_bits}:{declared}:layout=nhwc")
    assert_planes_close(theirs.make()(frame()).planes, expected, Tolerance(2, 0.5))


def test_a_wrong_declaration_is_one_clear_line(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = brightening(tmp_path / "net.onnx", channels_last=True)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    for text, said in (
        (f"{file}:colour=bgr", r"onnxruntime takes layout=nchw\|nhwc, .*; got colour=bgr"),
        (f"{file}:layout=chw", "layout is one of nchw, nhwc; got chw"),
        (f"{file}:range=1", r"a range is LOW\.\.HIGH, like -1\.\.1; got 1"),
        (f"{file}:multiple=x", "multiple is a number of pixels; got x"),
        (f"{file}:output=picture", "net.onnx has the outputs mean, result"),
        (f"{file}:{file}:order=bgr", "takes one file"),
        (f"{tmp_path}/none.onnx:order=bgr", "none.onnx does not exist"),
        (f"{broken}:order=bgr", "ONNX Runtime cannot load broken.onnx"),
    ):
        with pytest.raises(BenchmarkError, match=said):
            peer(f"onnxruntime:{text}")
    with pytest.raises(BenchmarkError, match=r"net\.onnx does not take \[1, 3, 70, 96\]"):
        peer(f"onnxruntime:{file}:layout=nchw:output=result").make()(frame())
    with pytest.raises(BenchmarkError, match=r"the network gave \[\] in layout nhwc"):
        peer(f"onnxruntime:{file}:layout=nhwc").make()(frame())


def test_torch_has_precisions_and_modes() -> None:
    half = peer("torch-grid:precision=bf16")
    assert half.name == "torch-grid:precision=bf16"
    assert "eager bf16" in half.runs_on
    expected = peer("torch-grid").make()(frame()).planes
    assert_planes_close(half.make()(frame()).planes, expected, SAME_NETWORK)
    with pytest.raises(BenchmarkError, match="mode is one of eager, compile; got fast"):
        peer("torch-grid:mode=fast")


COMPILED = """
import numpy as np
from tapetum.benchmarks.measure.frames import synthetic_frames
from tapetum.benchmarks.bench.named_subjects import peer
(frame,) = synthetic_frames(96, 70, count=1)
compiled = peer("torch-grid:mode=compile")
assert "compile f32" in compiled.runs_on
eager = peer("torch-grid").make()(frame).planes
for one, other in zip(compiled.make()(frame).planes, eager, strict=True):
    assert np.abs(one.astype(int) - other).max() <= 1
"""


def test_a_compiled_network_gives_what_the_eager_one_gives(tmp_path: Path) -> None:
    """In a process of its own: the compiler starts others, and leaves files."""
    if shutil.which("g++") is None:
        pytest.skip("needs g++: apt-get install g++")
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", COMPILED],
        env=os.environ | environment() | cache,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert answer.returncode == 0, answer.stderr
