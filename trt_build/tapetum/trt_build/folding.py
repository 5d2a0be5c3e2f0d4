"""Rewrites of an ONNX network that leave its numbers as they are and suit TensorRT better."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Do the casts of weights, and replace BatchNormalization and one-sided Clip.

    Weights that are stored in float16 become float32 constants, with the same numbers.

    BatchNormalization becomes one multiplication and one addition a channel. Where it follows a
    convolution, the ONNX exporter has merged the two already. In `unet` it follows LeakyReLU and
    comes before a convolution that pads with zeros, so the exact fold is this one: scale and
    shift worked out in float64, rounded once. TensorRT fuses them with the layer before. One whose
    statistics are no stored weights is left to TensorRT.

    Clip without an upper bound becomes Max: TensorRT would add float32's greatest number as the
    bound, which is no float16.

    Weights that nothing reads any more are dropped.

    Returns:
        A new model; the given one is left as it is.
    """
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in folded.graph.initializer}
    nodes: list[NodeProto] = []
    for node in folded.graph.node:
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = _cast(constants[node.input[0]], node)
            folded.graph.initializer.append(constants[node.output[0]])
        elif node.op_type == "BatchNormalization" and constants.keys() >= {*node.input[1:]}:
            nodes += _scale_and_shift(folded.graph, node, constants)
        elif node.op_type == "Clip" and not any(node.input[2:]) and any(node.input[1:2]):
            nodes.append(
                onnx.helper.make_node("Max", node.input[:2], node.output, name=node.output[0])
            )
        else:
            nodes.append(node)
    replace_nodes(folded.graph, nodes)
    _drop_unused_constants(folded.graph)
    return folded


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[NodeProto]) -> None:
    """Give a graph other nodes, which may be its own."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _drop_unused_constants(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    used.update(output.name for output in graph.output)
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in used:
            del graph.initializer[place]


def _cast(constant: TensorProto, node: NodeProto) -> TensorProto:
    (wanted,) = (item.i for item in node.attribute if item.name == "to")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(wanted)
    values = numpy_helper.to_array(constant).astype(dtype)
    return numpy_helper.from_array(values, node.output[0])


def _scale_and_shift(
    graph: onnx.GraphProto, node: NodeProto, constants: dict[str, TensorProto]
) -> list[NodeProto]:
    gamma, beta, mean, variance = (
        numpy_helper.to_array(constants[name]).astype(np.float64) for name in node.input[1:5]
    )
    epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    name = node.output[0]
    for suffix, values in (("scale", scale), ("shift", beta - mean * scale)):
        column = values.astype(np.float32).reshape(-1, 1, 1)
        graph.initializer.append(numpy_helper.from_array(column, f"{name}.{suffix}"))
    scaled = f"{name}.scaled"
    return [
        onnx.helper.make_node("Mul", [node.input[0], f"{name}.scale"], [scaled], name=scaled),
        onnx.helper.make_node("Add", [scaled, f"{name}.shift"], [name], name=name),
    ]
