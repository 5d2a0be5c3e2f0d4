"""What TensorRT made of a network: the layers of an engine, as its builder tells them.

Neither an inspector nor a GPU is needed for that: TensorRT-RTX tells them for any target.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tapetum.gan.model import Model
from tapetum.trt_build.flavour import Flavour
from tapetum.trt_build.gpu import Gpu
from tapetum.trt_build.half_precision import half_network
from tapetum.trt_build.network_source import read_network
from tapetum.trt_build.profile import Profile
from tapetum.trt_build.tensorrt_build import build_tensorrt

HALF = "Half"

_LAYER = re.compile(r"^Name: (.+?), LayerType: (\w+)(.*)$", re.MULTILINE)
_TENSOR = re.compile(
    r"\{ Name: ([^,{}]+), Dimensions: \[([^]]*)\][^{}]*?"
    r"(?:Datatype: (\w+), )?Format(?:/Datatype)?: ([^{}]*?) ?\}"
)
_CONVOLUTION = re.compile(r"conv|corr", re.IGNORECASE)
_REFORMAT = re.compile(r"reformat", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LayerTensor:
    """What a layer reads, fills, or has in it.

    Attributes:
        name: TensorRT's own.
        shape: of it.
        dtype: "Half", "Float" and so on.
        layout: in TensorRT's words, such as "(NHWC) Channel major format".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str

    @property
    def is_scalar(self) -> bool:
        """Whether it is a single number, as a convolution has them to scale with."""
        return all(side == 1 for side in self.shape)


@dataclass(frozen=True, slots=True)
class EngineLayer:
    """One layer of an engine, which may be several of the network's, fused.

    Attributes:
        name: TensorRT's own, which tells what was fused.
        kind: such as "correlation", "kgen", "Reformat".
        tensors: its inputs, constants and outputs.
    """

    name: str
    kind: str
    tensors: tuple[LayerTensor, ...]

    @property
    def is_convolution(self) -> bool:
        """Whether a convolution is in it."""
        return _CONVOLUTION.search(f"{self.kind} {self.name}") is not None

    @property
    def is_reformat(self) -> bool:
        """Whether it only brings numbers into another layout or type."""
        return _REFORMAT.search(f"{self.kind} {self.name}") is not None

    @property
    def is_half(self) -> bool:
        """Whether all that it works on is of half precision, but for single numbers."""
        return all(tensor.dtype == HALF for tensor in self.tensors if not tensor.is_scalar)

    def __str__(self) -> str:
        kinds = sorted({f"{tensor.dtype} {tensor.layout}" for tensor in self.tensors})
        return f"{self.kind} {self.name}: {', '.join(kinds)}"


def engine_layers(model: Model, profile: Profile, gpu: Gpu, flavour: Flavour) -> list[EngineLayer]:
    """Build a model's engine, and tell its layers in the order in which they run.

    Raises:
        ModelError: its file cannot be used.
        DeviceError: the flavour cannot build for this GPU.
        EngineError: TensorRT refuses the network, or tells no layers.
    """
    reports: list[str] = []
    network = half_network(read_network(model), profile).serialized
    build_tensorrt(network, profile, gpu, flavour, on_layers=reports.append)
    return layers_of("\n".join(reports))


def layers_of(report: str) -> list[EngineLayer]:
    """The layers in TensorRT's "Engine Layer Information"."""
    return [
        EngineLayer(name, kind, tuple(map(_tensor, _TENSOR.findall(rest))))
        for name, kind, rest in _LAYER.findall(report)
    ]


def _tensor(found: tuple[str, str, str, str]) -> LayerTensor:
    name, shape, dtype, layout = found
    sides = tuple(int(side) for side in shape.split(",") if side)
    return LayerTensor(name, sides, dtype or _dtype_in(layout), layout)


def _dtype_in(layout: str) -> str:
    """The type that is named in a layout, where it has no place of its own."""
    return HALF if re.search(r"FP16|Half", layout) else "Float" if "FP32" in layout else layout


def slow_layers(layers: Sequence[EngineLayer]) -> list[EngineLayer]:
    """Those that cost time without need.

    Convolutions that are not of half precision, and layers between the first and the last that
    only bring numbers into another layout.
    """
    return [
        layer
        for place, layer in enumerate(layers)
        if (layer.is_convolution and not layer.is_half)
        or (layer.is_reformat and 0 < place < len(layers) - 1)
    ]
