"""Normalisation that goes into the convolution before it, and what stands in its way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tapetum.gan.checkpoint import load_generator
from tapetum.gan.model import find_model
from tapetum.gan.unet import UNetGenerator
from tapetum.realtime.cpu.openvino_engine import OpenVINOModel
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.folding import fold

pytestmark = pytest.mark.slow

Array = npt.NDArray[Any]
SIZE = (32, 48)


@pytest.fixture(scope="module")
def shipped() -> onnx.ModelProto:
    return onnx.load_from_string(find_model("unet").onnx())


@pytest.fixture(scope="module")
def folded(shipped: onnx.ModelProto) -> onnx.ModelProto:
    return fold(shipped)


def constants(model: onnx.ModelProto) -> dict[str, Array]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_only_additions_are_left_of_what_the_shipped_network_normalises(
    folded: onnx.ModelProto,
) -> None:
    added = [name for name in constants(folded) if name.endswith(".shift")]
    scaled = [name for name in constants(folded) if name.endswith(".scale")]
    assert (len(added), len(scaled)) == (17, 0)
    onnx.checker.check_model(folded)


def test_the_folded_network_is_the_same_in_double_precision(folded: onnx.ModelProto) -> None:
    """The folded numbers, put into PyTorch's own network."""
    network, other = load_generator("unet"), load_generator("unet")
    assert isinstance(network, UNetGenerator)
    assert isinstance(other, UNetGenerator)
    numbers = constants(folded)
    nodes = {output: node for node in folded.graph.node for output in node.output}
    layers = [name for name, _ in other.named_modules() if name.startswith("bn")]
    shifts = [node for node in folded.graph.node if any("shift" in name for name in node.input)]
    assert len(layers) == len(shifts)
    for name, shift in zip(layers, shifts, strict=True):
        before = nodes[shift.input[0]]
        if before.op_type == "Mul":
            continue  # left as it was
        convolution = nodes[before.input[0]]
        place = other.get_submodule(name.replace("bn", "conv"))
        weights, bias = (numbers[given] for given in convolution.input[1:])
        place.weight.data = torch.from_numpy(weights.copy())
        place.bias.data = torch.from_numpy(bias.copy())
        norm: Any = other.get_submodule(name)
        norm.weight.data.fill_(1)
        norm.bias.data = torch.from_numpy(numbers[f"{shift.output[0]}.shift"].ravel().copy())
        norm.running_mean.fill_(0)
        norm.running_var.fill_(1)
        norm.eps = 0.0
    picture = torch.from_numpy(dark_frame("unet", SIZE)).double()
    with torch.inference_mode():
        wanted, found = (each.double().enhance_padded(picture) for each in (network, other))
    assert wanted.abs().max() > 0.1
    assert not torch.equal(found, wanted)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_runtimes_compute_the_same_of_both(
    shipped: onnx.ModelProto, folded: onnx.ModelProto
) -> None:
    picture = dark_frame("unet", SIZE)

    def by_onnx_runtime(model: onnx.ModelProto) -> Array:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        made: Array = session.run(None, {model.graph.input[0].name: picture})[0]
        return made

    def by_openvino(model: onnx.ModelProto) -> Array:
        network = OpenVINOModel(model.SerializeToString())
        return network.compile(picture.shape, picture.shape)(picture)

    for run in (by_onnx_runtime, by_openvino):
        np.testing.assert_allclose(run(folded), run(shipped), atol=2e-5)


def network_of(
    scale: Array, *, rectifier: str = "LeakyRelu", also_read: bool = False
) -> onnx.ModelProto:
    """A convolution, a rectifier and a normalisation of two channels."""
    weights = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    numbers = {
        "w": weights,
        "b": np.array([0.3, -0.2], np.float32),
        "gamma": scale.astype(np.float32),
        "beta": np.array([0.1, 0.2], np.float32),
        "mean": np.array([0.05, -0.1], np.float32),
        "var": np.ones(2, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["rgb", "w", "b"], ["convolved"], pads=[1] * 4),
        helper.make_node(rectifier, ["convolved"], ["rectified"]),
        helper.make_node(
            "BatchNormalization", ["rectified", "gamma", "beta", "mean", "var"], ["normalised"]
        ),
        helper.make_node(
            "Add", ["normalised", "convolved" if also_read else "normalised"], ["enhanced"]
        ),
    ]
    shapes: list[tuple[str, list[int]]] = [("rgb", [1, 3, 8, 8]), ("enhanced", [1, 2, 8, 8])]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes]
    given = [numpy_helper.from_array(values, name) for name, values in numbers.items()]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize(
    ("model", "is_scaled_before"),
    [
        (network_of(np.array([2.0, 0.5])), True),
        (network_of(np.array([2.0, 0.5]), rectifier="Relu"), True),
        (network_of(np.array([2.0, 0.5]), rectifier="Tanh"), False),
        (network_of(np.array([2.0, -0.5])), False),
        (network_of(np.array([2.0, 0.0])), False),
        (network_of(np.array([2.0, 1e-6])), False),
        (network_of(np.array([2.0, 1e6])), False),
        (network_of(np.array([2.0, 0.5]), also_read=True), False),
    ],
    ids=["leaky", "relu", "tanh", "negative", "zero", "denormal", "overflow", "read-twice"],
)
def test_what_would_change_the_numbers_is_not_scaled_before(
    model: onnx.ModelProto, is_scaled_before: bool
) -> None:
    simpler = fold(model)
    assert any(name.endswith(".scale") for name in constants(simpler)) is not is_scaled_before
    picture = np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32)
    evaluators: Any = [ReferenceEvaluator(each) for each in (simpler, model)]
    found, wanted = (each.run(None, {"rgb": picture})[0] for each in evaluators)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
