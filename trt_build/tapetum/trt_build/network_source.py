"""Reads a model as float32 ONNX, and what such a network is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import Kind, Shape, described_network

if TYPE_CHECKING:
    import onnx

    from tapetum.gan.model import Model


def read_network(source: Model) -> onnx.ModelProto:
    """Read a model as float32 ONNX; a checkpoint is exported, which takes PyTorch.

    Raises:
        ModelError: the file is broken or no generator, or a package that reading it takes is not
            installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise ModelError(
            f"{source.path}: building it needs {error.name}: pip install onnx"
        ) from error
    try:
        network = onnx.load_from_string(source.onnx())
        onnx.checker.check_model(network)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{source.path}: not a readable ONNX model") from error
    if len(network.graph.input) != 1 or len(network.graph.output) != 1 or _kind(network) is None:
        raise ModelError(
            f"{source.path}: not a generator; it does not map one picture to one output"
        )
    return network


def network_kind(network: onnx.ModelProto) -> Kind:
    """Which generator a network is, by its metadata or else by its shapes.

    Raises:
        ModelError: it is none.
    """
    kind = _kind(network)
    if kind is None:
        raise ModelError("the network is no generator, neither by its metadata nor by its shapes")
    return kind


def input_shape(network: onnx.ModelProto) -> Shape:
    """Shape of a network's input; 0 for what may vary."""
    return _shape(network.graph.input[0])


def _kind(network: onnx.ModelProto) -> Kind | None:
    metadata = {item.key: item.value for item in network.metadata_props}
    found = described_network(metadata, input_shape(network), _shape(network.graph.output[0]))
    return None if found is None else found.kind


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)
