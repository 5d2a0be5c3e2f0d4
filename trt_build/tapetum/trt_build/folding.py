"""Makes a float32 network simpler, with the same numbers: what TensorRT would not do by itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

Floats = npt.NDArray[np.float64]

_RECTIFIERS = {"LeakyRelu", "Relu"}
"""What a positive factor goes through: f(s * x) = s * f(x)."""
_MOST_LOST = 2.0**-21
"""Of a channel's weights, as energy, in float16: twice as much as its rounding takes at most. Where
scales are tiny, weights would come among its denormal numbers."""


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[NodeProto]) -> None:
    """Give a graph other nodes, which may be its own."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def fold(model: onnx.ModelProto) -> onnx.ModelProto:
    """Do the casts of weights, and replace BatchNormalization and one-sided Clip.

    Weights that are stored in float16 become float32 constants, with the same numbers.

    BatchNormalization becomes one multiplication and one addition a channel. Where it follows a
    convolution, the ONNX exporter has merged the two already. In `unet` it follows LeakyReLU and
    comes before a convolution that pads with zeros, so that what is added stays: scale and shift
    are worked out in float64, and rounded once. Scales that are all positive go through LeakyReLU
    into the convolution before it, where its weights stay exact enough in float16; what is left is
    the addition. One whose statistics are no stored weights is left to TensorRT.

    Clip without an upper bound becomes Max, and without a lower one Min: TensorRT would add
    float32's greatest or lowest number as the bound, which is no float16.

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
            constants[node.output[0]] = _cast_constant(constants[node.input[0]], node)
            folded.graph.initializer.append(constants[node.output[0]])
        elif node.op_type == "BatchNormalization" and constants.keys() >= {*node.input[1:]}:
            nodes += _normalised(folded.graph, node, nodes, constants)
        elif node.op_type == "Clip" and not any(node.input[2:]) and any(node.input[1:2]):
            nodes.append(
                onnx.helper.make_node("Max", node.input[:2], node.output, name=node.output[0])
            )
        elif node.op_type == "Clip" and not any(node.input[1:2]) and any(node.input[2:]):
            bounded = [node.input[0], node.input[2]]
            nodes.append(onnx.helper.make_node("Min", bounded, node.output, name=node.output[0]))
        else:
            nodes.append(node)
    replace_nodes(folded.graph, nodes)
    _drop_unused_constants(folded.graph)
    return folded


def _drop_unused_constants(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    used.update(output.name for output in graph.output)
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in used:
            del graph.initializer[place]


def _cast_constant(constant: TensorProto, node: NodeProto) -> TensorProto:
    (wanted,) = (item.i for item in node.attribute if item.name == "to")
    dtype = onnx.helper.tensor_dtype_to_np_dtype(wanted)
    values = numpy_helper.to_array(constant).astype(dtype)
    return numpy_helper.from_array(values, node.output[0])


def _normalised(
    graph: onnx.GraphProto,
    node: NodeProto,
    before: list[NodeProto],
    constants: dict[str, TensorProto],
) -> list[NodeProto]:
    """What a BatchNormalization becomes; the convolution in `before` may get its scale."""
    gamma, beta, mean, variance = (_values(constants[name]) for name in node.input[1:5])
    epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), 1e-5)
    scale = gamma / np.sqrt(variance + epsilon)
    name = node.output[0]
    _add_constant(graph, f"{name}.shift", (beta - mean * scale).reshape(-1, 1, 1))
    if _is_scaled_before(graph, node.input[0], before, constants, scale):
        added = node.input[0]
        return [onnx.helper.make_node("Add", [added, f"{name}.shift"], [name], name=name)]
    _add_constant(graph, f"{name}.scale", scale.reshape(-1, 1, 1))
    scaled = f"{name}.scaled"
    return [
        onnx.helper.make_node("Mul", [node.input[0], f"{name}.scale"], [scaled], name=scaled),
        onnx.helper.make_node("Add", [scaled, f"{name}.shift"], [name], name=name),
    ]


def _is_scaled_before(
    graph: onnx.GraphProto,
    value: str,
    before: list[NodeProto],
    constants: dict[str, TensorProto],
    scale: Floats,
) -> bool:
    """Scale the convolution whose rectified output `value` is, if that gives the same."""
    made_by = {output: node for node in before for output in node.output}
    rectifier = made_by.get(value)
    if rectifier is None or rectifier.op_type not in _RECTIFIERS or not (scale > 0).all():
        return False
    convolution = made_by.get(rectifier.input[0])
    if convolution is None or convolution.op_type != "Conv":
        return False
    if not _is_read_once(graph, value) or not _is_read_once(graph, rectifier.input[0]):
        return False
    if not constants.keys() >= {*convolution.input[1:]}:
        return False
    weights = _values(constants[convolution.input[1]])
    scaled = weights * scale.reshape(-1, *(1 for _ in weights.shape[1:]))
    if not _is_exact_in_half(scaled):
        return False
    new = [(f"{value}.weights", scaled)]
    if len(convolution.input) > 2:
        new.append((f"{value}.bias", _values(constants[convolution.input[2]]) * scale))
    for place, (name, values) in enumerate(new, start=1):
        _add_constant(graph, name, values)
        convolution.input[place] = name
    return True


def _is_exact_in_half(weights: Floats) -> bool:
    """Whether rounding to float16 leaves each channel what it was, as far as it ever does."""
    with np.errstate(over="ignore"):
        noise = weights.astype(np.float16) - weights
    channels = range(1, weights.ndim)
    signal, lost = ((each**2).sum(tuple(channels)) for each in (weights, noise))
    return bool((lost <= _MOST_LOST * signal).all())


def _is_read_once(graph: onnx.GraphProto, value: str) -> bool:
    readers = sum(name == value for node in graph.node for name in node.input)
    return readers == 1 and all(output.name != value for output in graph.output)


def _values(constant: TensorProto) -> Floats:
    values: Floats = numpy_helper.to_array(constant).astype(np.float64)
    return values


def _add_constant(graph: onnx.GraphProto, name: str, values: Floats) -> None:
    graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
