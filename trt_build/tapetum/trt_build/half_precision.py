"""Turns a float32 ONNX network into a float16 one.

TensorRT builds strongly typed networks: what is float16 in the model runs in float16, and what
must not is told apart by casts in the model itself (`layer_comparison` says which layers).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from tapetum.trt_build.folding import replace_nodes

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16

_FLOAT32_INPUTS = {"Resize": (1, 2)}
"""Inputs that ONNX defines as float32 whatever the picture's type: Resize's region and scales."""


def to_half(
    model: onnx.ModelProto, float32_layers: Collection[str] = (), *, float32_io: bool = False
) -> onnx.ModelProto:
    """Convert a float32 network to float16.

    Args:
        model: a network without subgraphs.
        float32_layers: layers that stay float32, by the name of their first output. Values go
            from one to another in float32; casts stand where precisions meet.
        float32_io: whether inputs and outputs stay float32, between casts, too.

    Returns:
        A new model, checked; names of inputs and outputs are kept.
    """
    return _Halving(model, frozenset(float32_layers), FLOAT if float32_io else HALF).result()


class _Halving:
    """Builds the float16 graph node by node, knowing the type that each value has in it."""

    def __init__(
        self, model: onnx.ModelProto, float32_layers: frozenset[str], io_type: int
    ) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._float32_layers = float32_layers
        self._float_values = _float_values(model)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._io_type = io_type
        self._full: set[str] = set()
        if io_type == FLOAT:
            self._full.update(value.name for value in model.graph.input)
        self._made: set[str] = set()
        self._nodes: list[NodeProto] = []
        self._new_constants: list[TensorProto] = []

    def result(self) -> onnx.ModelProto:
        graph = self._model.graph
        for node in graph.node:
            self._convert(node)
        self._cast_outputs(graph.output)
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type == FLOAT:
                value.type.tensor_type.elem_type = self._io_type
        replace_nodes(graph, self._nodes)
        del graph.initializer[:], graph.value_info[:]
        graph.initializer.extend(self._new_constants)
        onnx.checker.check_model(self._model)
        return onnx.shape_inference.infer_shapes(self._model, strict_mode=True)

    def _convert(self, old: NodeProto) -> None:
        node = NodeProto()
        node.CopyFrom(old)
        full = old.output[0] in self._float32_layers
        for place, name in enumerate(old.input):
            wants_full = full or place in _FLOAT32_INPUTS.get(old.op_type, ())
            node.input[place] = self._as_type(name, FLOAT if wants_full else HALF)
        if full:
            self._full.update(old.output)
        else:
            _halve_attributes(node)
        self._nodes.append(node)

    def _as_type(self, name: str, wanted: int) -> str:
        """The name under which a value has the wanted type, made by a cast where it must be."""
        if name in self._constants:
            return self._constant(name, wanted)
        if name not in self._float_values or wanted == (FLOAT if name in self._full else HALF):
            return name
        other = f"{name}.float32" if wanted == FLOAT else f"{name}.float16"
        if other not in self._made:
            self._made.add(other)
            self._nodes.append(_cast(name, other, wanted))
        return other

    def _constant(self, name: str, wanted: int) -> str:
        tensor = self._constants[name]
        is_half = tensor.data_type == FLOAT and wanted == HALF
        new_name = f"{name}.float16" if is_half else name
        if new_name not in self._made:
            self._made.add(new_name)
            self._new_constants.append(_halved(tensor, new_name) if is_half else tensor)
        return new_name

    def _cast_outputs(self, outputs: Iterable[onnx.ValueInfoProto]) -> None:
        """Where a layer gives an output in another type than it must have, cast it."""
        for name in (value.name for value in outputs if value.name in self._float_values):
            made_as = FLOAT if name in self._full else HALF
            if made_as == self._io_type:
                continue
            inner = f"{name}.float32" if made_as == FLOAT else f"{name}.float16"
            for node in self._nodes:
                for names in (node.input, node.output):
                    names[:] = [inner if each == name else each for each in names]
            self._nodes.append(_cast(inner, name, self._io_type))


def _float_values(model: onnx.ModelProto) -> set[str]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name for value in values if value.type.tensor_type.elem_type == FLOAT}


def _halve_attributes(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == FLOAT:
            attribute.t.CopyFrom(_halved(attribute.t, attribute.t.name))
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
            attribute.i = HALF


def _halved(tensor: TensorProto, name: str) -> TensorProto:
    with np.errstate(over="ignore"):  # `layer_comparison` keeps the layers that would overflow
        return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name)


def _cast(name: str, new_name: str, elem_type: int) -> NodeProto:
    return onnx.helper.make_node("Cast", [name], [new_name], name=new_name, to=elem_type)
