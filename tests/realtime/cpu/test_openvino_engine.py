"""The CPU engine on real networks, and its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.command_line import python
from support.tiny_networks import pointwise_network

from tapetum.gan.build_cache import keep_content
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import GRID_OUTPUT_SHAPE, THUMBNAIL_SHAPE
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel, has_native_bf16
from tapetum.realtime.errors import EngineError, ModelError

MATRIX = np.array([[0.5, 0.25, 0.0], [0.0, 1.0, 0.0], [-0.5, 0.0, 2.0]])
BIAS = np.array([0.1, 0.0, -0.2])


def test_a_network_gives_its_numbers() -> None:
    engine = OpenVINOModel(pointwise_network(MATRIX, BIAS)).compile((1, 3, 16, 32))
    batch = np.random.default_rng(0).random((1, 3, 16, 32), np.float32)
    expected = np.einsum("oi,nihw->nohw", MATRIX, batch) + BIAS[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(engine(batch), expected, atol=1e-6)
    assert engine.description == "CPU, OpenVINO f32"


def test_results_of_earlier_runs_are_kept() -> None:
    engine = OpenVINOModel(pointwise_network(np.eye(3), np.zeros(3))).compile((1, 3, 16, 16))
    first = engine(np.zeros((1, 3, 16, 16), np.float32))
    engine(np.ones((1, 3, 16, 16), np.float32))
    assert not first.any()


def test_a_batch_may_be_read_only_and_have_gaps() -> None:
    engine = OpenVINOModel(pointwise_network(MATRIX, BIAS)).compile((1, 3, 16, 16))
    wide = np.random.default_rng(0).random((1, 3, 16, 32), np.float32)
    whole = wide[..., ::2].copy()
    expected = engine(whole)
    np.testing.assert_array_equal(engine(wide[..., ::2]), expected)
    whole.setflags(write=False)
    np.testing.assert_array_equal(engine(whole), expected)


def test_a_model_is_compiled_for_several_shapes() -> None:
    model = OpenVINOModel(pointwise_network(np.eye(3), np.zeros(3)))
    for shape in ((1, 3, 16, 16), (1, 3, 48, 32)):
        batch = np.random.default_rng(0).random(shape, np.float32)
        np.testing.assert_allclose(model.compile(shape, shape)(batch), batch, atol=1e-6)


def test_precision_auto_is_what_the_cpu_has() -> None:
    model = OpenVINOModel(pointwise_network(np.eye(3), np.zeros(3)), precision="auto")
    expected = "bf16" if has_native_bf16() else "f32"
    assert model.description == f"CPU, OpenVINO {expected}"


def test_all_the_threads_that_the_process_may_use_give_the_same_numbers() -> None:
    data = pointwise_network(MATRIX, BIAS)
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    one, all_of_them = (
        OpenVINOModel(data, threads=threads).compile(batch.shape)(batch) for threads in (1, None)
    )
    np.testing.assert_allclose(one, all_of_them, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no network", pointwise_network(MATRIX, BIAS)[:150]])
def test_a_damaged_file_is_named_in_one_line(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"broken\.onnx is not an ONNX model") as caught:
        OpenVINOModel(content, "broken.onnx")
    assert "\n" not in str(caught.value)


def test_a_network_of_other_shapes_is_told_with_both() -> None:
    network = OpenVINOModel(pointwise_network(MATRIX, BIAS), "other.onnx")
    with pytest.raises(
        ModelError, match=r"other\.onnx maps shape \[1,3,\?,\?\].*expected"
    ) as caught:
        network.compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
    assert "[1, 3, 256, 256] to [1, 8, 8, 16, 16]" in str(caught.value)


def test_a_batch_of_another_shape_or_type_is_an_error() -> None:
    engine = OpenVINOModel(pointwise_network(MATRIX, BIAS)).compile((1, 3, 16, 16))
    with pytest.raises(EngineError, match=r"got \(1, 3, 16, 32\)"):
        engine(np.zeros((1, 3, 16, 32), np.float32))
    with pytest.raises(EngineError, match="float64"):
        engine(np.zeros((1, 3, 16, 16)).astype(np.float64))


def test_signals_arrive_after_every_model_is_gone() -> None:
    """The CPU plugin must not take the signal stack with it that it gave the thread."""
    printed = python(
        "import signal\n"
        "from tapetum.realtime.cpu.openvino_engine import OpenVINOModel\n"
        "from support.tiny_networks import pointwise_network\n"
        "network = pointwise_network([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0])\n"
        "engines = [OpenVINOModel(network).compile((1, 3, 16, 16)) for _ in range(2)]\n"
        "while engines:\n"
        "    del engines[0]\n"
        "signal.signal(signal.SIGCHLD, lambda *_: print('a signal came'))\n"
        "signal.raise_signal(signal.SIGCHLD)\n"
    )
    assert printed == "a signal came\n"


def test_streams_that_begin_at_once_do_not_wait_for_each_other_for_ever() -> None:
    """Two threads that first need NumPy's types of OpenVINO at once stopped both."""
    for _ in range(3):  # one of them may have been fast enough
        printed = python(
            "import threading\n"
            "from tapetum.gan.openvino_runtime import core, openvino\n"
            "core()\n"
            "together = threading.Barrier(4)\n"
            "def look_up():\n"
            "    together.wait()\n"
            "    openvino().Type.f32.to_dtype()\n"
            "threads = [threading.Thread(target=look_up, daemon=True) for _ in range(4)]\n"
            "for thread in threads:\n"
            "    thread.start()\n"
            "for thread in threads:\n"
            "    thread.join(60)\n"
            "print(sum(thread.is_alive() for thread in threads))\n"
        )
        assert printed == "0\n"


def test_a_compiled_network_is_taken_up_and_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "cache"))
    batch = np.random.default_rng(0).random(THUMBNAIL_SHAPE, np.float32)
    data = find_model("grid").onnx()
    results = []
    for _ in range(2):
        engine = OpenVINOModel(data, keep=True).compile(THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
        results.append(engine(batch))
        (kept,) = (tmp_path / "cache").iterdir()
        monkeypatch.setattr(OpenVINOModel, "_compiled", lambda *_: pytest.fail("compiled again"))
    np.testing.assert_array_equal(results[0], results[1])
    assert kept.suffix == ".blob"


@pytest.mark.parametrize("bytes_left", [0, 10, 40, 5000, None])
def test_what_is_kept_of_a_network_and_damaged_counts_for_nothing(
    bytes_left: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path))
    shape = (1, 3, 16, 16)
    data = pointwise_network(np.eye(3), np.zeros(3))
    OpenVINOModel(data, keep=True).compile(shape)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    damaged = whole[:bytes_left] if bytes_left is not None else whole[:-1] + b"\0"
    kept.write_bytes(damaged)
    batch = np.random.default_rng(0).random(shape, np.float32)
    for _ in range(2):
        np.testing.assert_allclose(OpenVINOModel(data, keep=True).compile(shape)(batch), batch)
    assert len(kept.read_bytes()) == len(whole)


def test_what_another_runtime_kept_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path))
    shape = (1, 3, 16, 16)
    model = OpenVINOModel(pointwise_network(np.eye(3), np.zeros(3)), keep=True)
    model.compile(shape)
    (kept,) = tmp_path.iterdir()
    keep_content(kept.name, b"no network of this one")
    batch = np.random.default_rng(0).random(shape, np.float32)
    np.testing.assert_allclose(model.compile(shape)(batch), batch)


def test_without_a_place_for_it_a_network_is_compiled_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path / "file" / "cache"))
    shape = (1, 3, 16, 16)
    model = OpenVINOModel(pointwise_network(np.eye(3), np.zeros(3)), keep=True)
    batch = np.random.default_rng(0).random(shape, np.float32)
    for _ in range(2):
        np.testing.assert_allclose(model.compile(shape)(batch), batch)


def test_other_shapes_threads_and_networks_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPETUM_CACHE", str(tmp_path))
    identity, other = (pointwise_network(each * np.eye(3), np.zeros(3)) for each in (1, 2))
    OpenVINOModel(identity, keep=True).compile((1, 3, 16, 16))
    OpenVINOModel(identity, keep=True).compile((1, 3, 16, 32))
    OpenVINOModel(identity, threads=2, keep=True).compile((1, 3, 16, 16))
    OpenVINOModel(other, keep=True).compile((1, 3, 16, 16))
    assert len([*tmp_path.iterdir()]) == 4
