"""From a float32 network to the float16 ONNX model that TensorRT builds."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from tapetum.gan.errors import ModelError
from tapetum.gan.model_kinds import STRIDE, Size
from tapetum.trt_build.dark_frame import dark_frame
from tapetum.trt_build.folding import fold
from tapetum.trt_build.half_precision import to_half
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
