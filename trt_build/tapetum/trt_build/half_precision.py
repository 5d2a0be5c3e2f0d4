"""From a float32 network to the float16 ONNX model that TensorRT builds.

TensorRT builds strongly typed networks: what is float16 in the model runs in float16, and what
must not is told apart by casts in the model itself (`layer_comparison` says which layers).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, numpy_helper

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import STRIDE, Size
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.folding import fold, replace_nodes
from tapetum.trt_build.layer_comparison import LayerComparison, compare_layers
from tapetum.trt_build.network_source import input_shape, network_kind
from tapetum.trt_build.profile import Profile, size_text, takes_float32

_TRIAL_SIZE = (4 * STRIDE, 6 * STRIDE)
"""Enough for every layer of `unet` to have more than its border."""


@dataclass(frozen=True, slots=True)
class HalfNetwork:
    """A float16 network.

    Attributes:
        serialized: the ONNX model.
        layers: how each layer fared in float16; those that `needs_float32` stayed float32.
    """

    serialized: bytes
    layers: tuple[LayerComparison, ...]

    @property
    def float32_layers(self) -> tuple[str, ...]:
        """Names of the layers that stayed float32."""
        return tuple(layer.layer for layer in self.layers if layer.needs_float32)


def half_network(network: onnx.ModelProto, profile: Profile) -> HalfNetwork:
    """Fold, compare and convert a network.

    Args:
        network: float32, of one picture input (1, 3, H, W).
        profile: the sizes to come; a static one is written into the model.

    Raises:
        ModelError: the network is of a fixed size that the profile does not have.
    """
    folded = fold(network)
    layers = tried_layers(folded)
    _set_size(folded, profile)
    full = [layer.layer for layer in layers if layer.needs_float32]
    half = to_half(folded, full, float32_io=takes_float32(network_kind(network)))
    return HalfNetwork(half.SerializeToString(deterministic=True), layers)


def tried_layers(folded: onnx.ModelProto) -> tuple[LayerComparison, ...]:
    """Compare each layer of a folded network in float16 and float32, on a dark frame."""
    name = folded.graph.input[0].name
    return compare_layers(folded, {name: dark_frame(network_kind(folded), _trial_size(folded))})


def _trial_size(network: onnx.ModelProto) -> Size:
    height, width = input_shape(network)[2:]
    return height or _TRIAL_SIZE[0], width or _TRIAL_SIZE[1]


def _set_size(network: onnx.ModelProto, profile: Profile) -> None:
    fixed = input_shape(network)[2:]
    for have, low, high in zip(fixed, profile.smallest, profile.largest, strict=True):
        if have and not low == have == high:
            raise ModelError(
                f"the network is made for {size_text((fixed[0], fixed[1]))} alone, not for "
                f"{profile}; leave the size out"
            )
    if profile.is_static:
        dimensions = network.graph.input[0].type.tensor_type.shape.dim
        for dimension, length in zip(dimensions, (1, 3, *profile.best), strict=True):
            dimension.dim_value = length
        _forget_derived_shapes(network)


def _forget_derived_shapes(network: onnx.ModelProto) -> None:
    del network.graph.value_info[:]
    for output in network.graph.output:
        output.type.tensor_type.ClearField("shape")
    network.CopyFrom(onnx.shape_inference.infer_shapes(network))


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
