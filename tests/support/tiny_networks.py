"""ONNX networks of a few nodes, for tests of what runs them; they skip where ONNX is missing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]


class Node(NamedTuple):
    """An operation on named arrays."""

    operation: str
    inputs: list[str]
    output: str
    options: Mapping[str, Any] = MappingProxyType({})


def grid_network(grid: Array, *, per_brightness: float = 0.0) -> bytes:
    """Always gives `grid` (8, 8, 16, 16), plus the thumbnail's mean times `per_brightness`."""
    nodes = [
        Node("ReduceMean", ["rgb"], "mean", {"keepdims": 0}),
        Node("Mul", ["mean", "factor"], "light"),
        Node("Add", ["grid", "light"], "coefficients"),
    ]
    constants = {"factor": np.float32(per_brightness), "grid": grid[np.newaxis]}
    return _model(nodes, constants, (1, 3, 256, 256), "coefficients", (1, *grid.shape))


def pointwise_network(matrix: Array, bias: Array) -> bytes:
    """RGB to RGB, each pixel by itself: a 1x1 convolution."""
    weights = np.asarray(matrix, np.float32).reshape(3, 3, 1, 1)
    return _convolution(weights, np.asarray(bias, np.float32))


def blur_network(radius: int = 2) -> bytes:
    """The mean over a small square of each channel."""
    size = 2 * radius + 1
    weights = np.zeros((3, 3, size, size), np.float32)
    weights[range(3), range(3)] = 1 / size**2
    return _convolution(weights, np.zeros(3, np.float32))


def _convolution(weights: Array, bias: Array) -> bytes:
    radius = weights.shape[-1] // 2
    inputs, pads = ["rgb", "weights", "bias"], [radius] * 4
    node = Node("Conv", inputs, "enhanced", {"pads": pads})
    constants = {"weights": weights, "bias": bias}
    shape = (1, 3, "height", "width")
    return _model([node], constants, shape, "enhanced", shape)


def _model(
    nodes: list[Node],
    constants: dict[str, Any],
    input_shape: tuple[int | str, ...],
    output_name: str,
    output_shape: tuple[int | str, ...],
) -> bytes:
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node(node.operation, node.inputs, [node.output], **node.options)
            for node in nodes
        ],
        "tiny",
        [helper.make_tensor_value_info("rgb", number, input_shape)],
        [helper.make_tensor_value_info(output_name, number, output_shape)],
        [
            onnx.numpy_helper.from_array(np.asarray(array, np.float32), name)
            for name, array in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
