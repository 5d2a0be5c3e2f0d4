"""ONNX networks of a few nodes, for tests of what runs them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]


def grid_network(grid: Array, *, per_brightness: float = 0.0) -> bytes:
    """Always gives `grid` (8, 8, 16, 16), plus the thumbnail's mean times `per_brightness`."""
    nodes = [
        helper.make_node("ReduceMean", ["rgb"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "factor"], ["light"]),
        helper.make_node("Add", ["grid", "light"], ["coefficients"]),
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
    node = helper.make_node("Conv", inputs, ["enhanced"], pads=pads)
    constants = {"weights": weights, "bias": bias}
    shape = (1, 3, "height", "width")
    return _model([node], constants, shape, "enhanced", shape)


def _model(
    nodes: list[Any],
    constants: dict[str, Any],
    input_shape: tuple[int | str, ...],
    output_name: str,
    output_shape: tuple[int | str, ...],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("rgb", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, output_shape)],
        [
            numpy_helper.from_array(np.asarray(array, np.float32), name)
            for name, array in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
