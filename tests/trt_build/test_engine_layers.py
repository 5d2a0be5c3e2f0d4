"""The layers that TensorRT-RTX makes of both networks, which it tells without a GPU."""

from __future__ import annotations

import pytest
from support.rtx_builds import needs_tensorrt_rtx

from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import THUMBNAIL
from tapetum.trt_build.engine_layers import EngineLayer, engine_layers, layers_of, slow_layers
from tapetum.trt_build.flavour import load_flavour
from tapetum.trt_build.gpu import named_target
from tapetum.trt_build.profile import Profile, unet_profile

TARGETS = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_120")
PROFILES = {
    "grid": Profile(*[(THUMBNAIL, THUMBNAIL)] * 3),
    "unet": unet_profile((360, 640), None, None),
}
LEAST = {"grid": (8, "Float"), "unet": (18, "Half")}
"""Convolutions of each, at the least, and the type of what is at its ends."""

REPORT = """Engine Layer Information:
Name: first, LayerType: Reformat, Inputs: [ { Name: rgb, Dimensions: [1,3,8,8], Strides: [1], \
Datatype: Float, Format: (Linear) Row major }], Constants: [], Outputs: []
Name: two, LayerType: correlation, Inputs: [ { Name: a, Dimensions: [1,3,8,8], Strides: [1], \
Datatype: Half, Format: (NHWC) Channel major }], Constants: [ { Name: b, Dimensions: [1], \
Strides: [1], Datatype: Float, Format: Linear }], Outputs: []
Name: three, LayerType: Reformat, Inputs: [], Constants: [], Outputs: []
Name: four, LayerType: CaskConvolution, Inputs: [ { Name: c, Dimensions: [1,3,8,8], \
Format/Datatype: Row major linear FP32 }], Outputs: [], TacticName: x
Name: five, LayerType: CaskConvolution, Inputs: [ { Name: c, Dimensions: [1,3,8,8], \
Format/Datatype: Channel major FP16 format }], Outputs: [], TacticName: x
Name: last, LayerType: Reformat, Inputs: [], Constants: [], Outputs: []
"""


def test_layers_that_cost_time_without_need_are_told() -> None:
    layers = layers_of(REPORT)
    assert [layer.name for layer in layers] == ["first", "two", "three", "four", "five", "last"]
    assert [layer.name for layer in slow_layers(layers)] == ["three", "four"]
    two = layers[1]
    assert [(tensor.shape, tensor.dtype) for tensor in two.tensors] == [
        ((1, 3, 8, 8), "Half"),
        ((1,), "Float"),
    ]
    assert str(two) == "correlation two: Float Linear, Half (NHWC) Channel major"


@pytest.mark.slow
@needs_tensorrt_rtx
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("target", TARGETS)
def test_all_convolutions_are_of_half_precision_and_nothing_is_reformatted_between(
    name: str, target: str
) -> None:
    flavour = load_flavour("tensorrt-rtx")
    layers = engine_layers(find_model(name), PROFILES[name], named_target(target), flavour)
    least, at_ends = LEAST[name]
    assert len([layer for layer in layers if layer.is_convolution]) >= least
    assert slow_layers(layers) == []
    assert not any(layer.is_reformat for layer in layers)
    assert float_between(layers) == []
    first = {tensor.dtype for tensor in layers[0].tensors}
    assert at_ends in first


def float_between(layers: list[EngineLayer]) -> list[str]:
    """Layers between the ends that work on anything but half precision."""
    return [layer.name for layer in layers[1:-1] if not layer.is_half]
