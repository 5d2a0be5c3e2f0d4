"""Model files of others: what no engine is built of is said in one line."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tapetum.gan.errors import ModelError
from tapetum.gan.model import find_model
from tapetum.trt_build.folding import fold
from tapetum.trt_build.half_precision import tried_layers
from tapetum.trt_build.network_source import read_network

Shape = tuple[int | str, ...]


def one_layer(
    folder: Path, shape: Shape, *, outputs: int = 1, operator: str = "Relu", domain: str = ""
) -> Path:
    """A file of a network of one layer for each output."""
    names = [f"out{number}" for number in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(operator, ["rgb"], [name], domain=domain) for name in names],
        "one_layer",
        [helper.make_tensor_value_info("rgb", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in names],
    )
    versions = [helper.make_opsetid("", 18)]
    if domain:
        versions.append(helper.make_opsetid(domain, 1))
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=versions, ir_version=9), path)
    return path


@pytest.mark.parametrize(
    "shape", [(1, 3, "h", "w"), (1, 3, 16, 16), ("n", 3, "h", "w"), ("n", "c", "h", "w")], ids=str
)
def test_one_picture_of_any_size_is_taken(shape: Shape, tmp_path: Path) -> None:
    network = read_network(find_model(one_layer(tmp_path, shape)))
    assert [layer.operator for layer in tried_layers(fold(network))] == ["Relu"]


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [
        ((1, 1, "h", "w"), 1),
        ((4, 3, "h", "w"), 1),
        ((1, 16, 16, 3), 1),
        ((1, 3, "h"), 1),
        ((1, 3, "h", "w"), 2),
    ],
    ids=str,
)
def test_another_network_is_no_generator(shape: Shape, outputs: int, tmp_path: Path) -> None:
    source = find_model(one_layer(tmp_path, shape, outputs=outputs))
    with pytest.raises(ModelError, match=r"model\.onnx: not a generator; it does not map"):
        read_network(source)


def test_a_layer_of_another_library_is_one_line(tmp_path: Path) -> None:
    path = one_layer(tmp_path, (1, 3, "h", "w"), operator="Gloom", domain="org.example")
    network = fold(read_network(find_model(path)))
    with pytest.raises(ModelError, match=r"cannot be tried in float16: .*'Gloom'[^\n]*\Z"):
        tried_layers(network)
