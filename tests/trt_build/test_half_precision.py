"""The way to float16: folding, the comparison of layers, and the conversion."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from support.engine_networks import overflowing_network, trained_looking_unet

from tapetum.gan import export_onnx
from tapetum.gan.errors import ModelError
from tapetum.gan.weights import weights_path
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.folding import fold
from tapetum.trt_build.half_precision import half_network, to_half
from tapetum.trt_build.layer_comparison import (
    LayerComparison,
    compare_layers,
    signal_to_noise_db,
)
from tapetum.trt_build.profile import Profile, unet_profile
from tapetum.trt_build.verification import Array, psnr_db

pytestmark = pytest.mark.slow

FLOAT = TensorProto.FLOAT
SMALL = Profile((16, 16), (16, 16), (16, 16))


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    path = tmp_path_factory.mktemp("half") / "unet.onnx"
    export_onnx(trained_looking_unet(), path)
    return onnx.load(path)


@pytest.fixture(scope="module")
def grid() -> onnx.ModelProto:
    return onnx.load(weights_path("grid"))


def run(model: onnx.ModelProto, picture: Array) -> Array:
    outputs = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: picture})
    assert isinstance(outputs, list)
    result: Array = outputs[0]
    return result


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def element_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = model.graph
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def one_sided_clips(model: onnx.ModelProto) -> list[str]:
    clips = (node for node in model.graph.node if node.op_type == "Clip")
    return [node.name for node in clips if len(node.input) < 3 or not all(node.input)]


def test_folding_leaves_the_numbers_of_a_unet(unet: onnx.ModelProto) -> None:
    picture = dark_frame("unet", (32, 48))
    folded = fold(unet)
    assert "BatchNormalization" in operators(unet)
    assert "BatchNormalization" not in operators(folded)
    np.testing.assert_allclose(run(folded, picture), run(unet, picture), atol=2e-5)


def test_folding_takes_weights_that_are_stored_in_float16() -> None:
    shipped = onnx.load(weights_path("unet"))
    picture = dark_frame("unet", (32, 48))
    folded = fold(shipped)
    assert {"Cast", "BatchNormalization"} <= operators(shipped)
    assert not operators(folded) & {"Cast", "BatchNormalization"}
    np.testing.assert_allclose(run(folded, picture), run(shipped, picture), atol=2e-5)


@pytest.mark.parametrize("kind", ["grid", "unet"])
def test_folding_keeps_no_weights_that_nothing_reads(kind: str) -> None:
    graph = fold(onnx.load(weights_path(kind))).graph
    read = {name for node in graph.node for name in node.input}
    assert graph.initializer
    assert {tensor.name for tensor in graph.initializer} <= read
    assert {tensor.data_type for tensor in graph.initializer} <= {FLOAT, TensorProto.INT64}


def test_a_batch_normalization_of_computed_statistics_is_left(unet: onnx.ModelProto) -> None:
    node = next(node for node in unet.graph.node if node.op_type == "BatchNormalization")
    computed = onnx.ModelProto()
    computed.CopyFrom(unet)
    same = onnx.helper.make_node("Identity", [node.input[3]], ["computed"])
    computed.graph.node.insert(0, same)
    for each in computed.graph.node:
        if each.output == node.output:
            each.input[3] = "computed"
    picture = dark_frame("unet", (32, 48))
    folded = fold(computed)
    left = [each.output for each in folded.graph.node if each.op_type == "BatchNormalization"]
    assert left == [node.output]
    np.testing.assert_allclose(run(folded, picture), run(unet, picture), atol=2e-5)


def test_a_cast_of_weights_is_told_by_the_name_of_its_attribute() -> None:
    shipped = onnx.load(weights_path("unet"))
    casts = [node for node in shipped.graph.node if node.op_type == "Cast"]
    for cast in casts:
        cast.attribute.insert(0, onnx.helper.make_attribute("saturate", 0))
    assert casts
    assert fold(shipped) == fold(onnx.load(weights_path("unet")))


def test_folding_leaves_the_numbers_of_a_grid(grid: onnx.ModelProto) -> None:
    picture = dark_frame("grid", (256, 256))
    folded = fold(grid)
    assert one_sided_clips(grid)
    assert not one_sided_clips(folded)
    assert "BatchNormalization" not in operators(folded)
    np.testing.assert_array_equal(run(folded, picture), run(grid, picture))


@pytest.mark.parametrize(
    ("kind", "profile", "io_type"),
    [
        ("grid", Profile(*[(256, 256)] * 3), TensorProto.FLOAT),
        ("unet", unet_profile((32, 48)), TensorProto.FLOAT16),
    ],
)
def test_a_half_network_computes_the_same_picture(
    kind: str, profile: Profile, io_type: int, request: pytest.FixtureRequest
) -> None:
    network = request.getfixturevalue(kind)
    half = half_network(network, profile)
    converted = onnx.load_from_string(half.serialized)
    picture = dark_frame(kind, profile.best)
    assert half.float32_layers == ()
    types = element_types(converted)
    ends = {value.name for value in (*converted.graph.input, *converted.graph.output)}
    assert {types.pop(name) for name in ends} == {io_type}
    assert set(types.values()) <= {TensorProto.FLOAT16, TensorProto.INT64}
    output = run(converted, picture.astype(onnx.helper.tensor_dtype_to_np_dtype(io_type)))
    assert output.dtype == onnx.helper.tensor_dtype_to_np_dtype(io_type)
    assert psnr_db(output, run(network, picture)) > 50


def test_a_static_profile_is_written_into_the_model(unet: onnx.ModelProto) -> None:
    half = onnx.load_from_string(half_network(unet, unet_profile((100, 200))).serialized)
    for value in (half.graph.input[0], half.graph.output[0]):
        dimensions = value.type.tensor_type.shape.dim
        assert [dimension.dim_value for dimension in dimensions] == [1, 3, 112, 208]


def test_a_dynamic_profile_leaves_the_sizes_open(unet: onnx.ModelProto) -> None:
    profile = unet_profile((64, 64), (32, 32), (128, 128))
    half = onnx.load_from_string(half_network(unet, profile).serialized)
    dimensions = half.graph.input[0].type.tensor_type.shape.dim
    assert [dimension.dim_value for dimension in dimensions] == [1, 3, 0, 0]


def test_a_network_of_one_size_refuses_another() -> None:
    with pytest.raises(ModelError, match="made for 16x16 alone, not for 64x32"):
        half_network(overflowing_network(), unet_profile((32, 64)))


def test_layers_that_overflow_stay_float32_and_values_go_between_them_unrounded() -> None:
    network = overflowing_network()
    half = half_network(network, SMALL)
    assert half.float32_layers == ("bright", "halved", "dim")
    converted = onnx.load_from_string(half.serialized)
    types = element_types(converted)
    assert types["bright"] == types["halved"] == TensorProto.FLOAT
    assert types["rgb"] == types["enhanced"] == TensorProto.FLOAT16
    picture = dark_frame("grid", (16, 16))
    output, reference = run(converted, picture.astype(np.float16)), run(network, picture)
    np.testing.assert_allclose(output, reference, rtol=2e-3)


def test_an_output_may_come_from_a_float32_layer(grid: onnx.ModelProto) -> None:
    last = grid.graph.node[-1].output[0]
    converted = to_half(grid, [last])
    assert [value.name for value in converted.graph.output] == [last]
    assert element_types(converted)[last] == TensorProto.FLOAT16
    assert element_types(converted)[f"{last}.float32"] == TensorProto.FLOAT


@pytest.mark.parametrize("full", [False, True], ids=["half", "full"])
def test_the_ends_of_a_network_may_stay_float32(grid: onnx.ModelProto, full: bool) -> None:
    last = grid.graph.node[-1].output[0]
    converted = to_half(grid, [last] if full else [], float32_io=True)
    types = element_types(converted)
    assert types["thumbnail"] == types[last] == TensorProto.FLOAT
    assert types["thumbnail.float16"] == TensorProto.FLOAT16
    assert (f"{last}.float16" in types) is not full
    picture = dark_frame("grid", (256, 256))
    assert psnr_db(run(converted, picture), run(grid, picture)) > 50


def test_every_layer_is_compared(grid: onnx.ModelProto) -> None:
    network = fold(grid)
    layers = compare_layers(network, {"thumbnail": dark_frame("grid", (256, 256))})
    assert [layer.operator for layer in layers] == [node.op_type for node in network.graph.node]
    assert all(layer.snr_db > 50 for layer in layers)


def test_noise_is_measured_against_the_signal() -> None:
    signal = np.full(10, 2.0, np.float32)
    assert signal_to_noise_db(signal, signal + np.float32(0.02)) == pytest.approx(40, abs=1e-3)
    assert signal_to_noise_db(signal, signal) == math.inf
    assert signal_to_noise_db(signal, signal * np.float32(np.inf)) == -math.inf
    assert signal_to_noise_db(0 * signal, signal) == -math.inf


@pytest.mark.parametrize(
    ("peak", "snr_db", "needed"),
    [(10, 60, False), (10, 39, True), (16000, 60, False), (17000, 60, True), (1, -math.inf, True)],
)
def test_a_layer_needs_float32_when_it_is_too_loud_or_too_noisy(
    peak: float, snr_db: float, needed: bool
) -> None:
    assert LayerComparison("layer", "Conv", peak, snr_db).needs_float32 is needed
