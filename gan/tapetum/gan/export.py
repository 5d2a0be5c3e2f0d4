"""Exports generators to ONNX, the form that `tapetum.realtime` runs.

    python -m tapetum.gan.export_command unet.safetensors unet.onnx --half

What the two kinds of model take and give is in `tapetum.gan.model_kinds`; each file's metadata
say which kind it is.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from tapetum.gan.checkpoint import HALF_SUFFIX, load_generator
from tapetum.gan.errors import ModelError
from tapetum.gan.generator import Generator
from tapetum.gan.grid import GridGenerator
from tapetum.gan.model_kinds import DESCRIPTIONS, LIGHT, STRIDE, THUMBNAIL_SHAPE, Kind
from tapetum.gan.unet import LitUNet, UNetGenerator
from tapetum.gan.whole_file import whole_file

OPSET = 20


class _Predictor(nn.Module):
    """What a `grid` model holds: the network alone, without the slicing."""

    def __init__(self, generator: GridGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, thumbnail: torch.Tensor) -> torch.Tensor:
        return self.generator.predict(thumbnail)


class _PaddedUNet(nn.Module):
    """What a `unet` model holds: the network for sizes that need no padding."""

    def __init__(self, generator: UNetGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.generator.enhance_padded(rgb)


def exported_network(generator: Generator) -> nn.Module:
    """The part of a generator that an exported model or engine holds, in evaluation mode.

    Its input and output are the ones that this module's first lines describe.
    """
    if isinstance(generator, GridGenerator):
        return _Predictor(generator).eval()
    if isinstance(generator, UNetGenerator):
        return _PaddedUNet(generator).eval()
    raise TypeError(f"no export is known for {type(generator).__name__}")


def export_onnx(generator: Generator, path: Path, *, half: bool = False) -> None:
    """Write a generator as an ONNX model.

    Args:
        generator: in evaluation mode.
        path: the file to write; it appears whole or not at all.
        half: store the weights in float16, for half the size; the model still computes in
            float32.

    Raises:
        ModelError: a weight is too large for float16, or the light is none that a file can name.
    """
    model = onnx_model(generator, half=half)
    with whole_file(path) as unfinished:
        onnx.save(model, unfinished)


def onnx_model(generator: Generator, *, half: bool = False) -> onnx.ModelProto:
    """A generator as an ONNX model, as `export_onnx` writes it."""
    network = exported_network(generator)
    if isinstance(generator, GridGenerator):
        program = _export(network, torch.rand(THUMBNAIL_SHAPE), "thumbnail", "grid", None)
    else:
        height, width = (torch.export.Dim(name, min=1, max=1024) for name in ("h16", "w16"))
        sizes = {2: STRIDE * height, 3: STRIDE * width}
        example = torch.rand(1, 3, 4 * STRIDE, 6 * STRIDE)
        program = _export(network, example, "rgb", "enhanced", sizes)
    model = described_by_itself(program, generator.kind, light=_light(generator))
    return _stored_in_half(model) if half else model


def _light(generator: Generator) -> str | None:
    """What a model file says of a generator's light."""
    if not isinstance(generator, LitUNet):
        return None
    shipped = load_generator(LIGHT).state_dict()
    if any(
        not torch.equal(shipped[key], value) for key, value in generator.light.state_dict().items()
    ):
        raise ModelError(
            "this unet was trained behind a grid of its own, and a model file can only name the"
            f" {LIGHT} that ships; run it with tapetum.gan, or train it with light={LIGHT}"
        )
    return LIGHT


def described_by_itself(
    model: onnx.ModelProto, kind: Kind, *, light: str | None = None
) -> onnx.ModelProto:
    """Write into a model's metadata what it is, and drop the exporter's traces of source paths."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    onnx.helper.set_model_props(model, DESCRIPTIONS[kind]._replace(light=light).metadata)
    return model


def _export(
    network: nn.Module,
    example: torch.Tensor,
    input_name: str,
    output_name: str,
    dynamic_sizes: Mapping[int, object] | None,
) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns of its own internals' deprecations.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[input_name],
            output_names=[output_name],
            dynamic_shapes=(dynamic_sizes,) if dynamic_sizes else None,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program.model_proto


def _half(values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    if not np.abs(values).max(initial=0) <= np.finfo(np.float16).max:
        raise ModelError(f"{name} has numbers that float16 cannot hold; export it in float32")
    return values.astype(np.float16)


def _stored_in_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every float32 weight by a float16 one and its cast to float32."""
    graph, casts = model.graph, []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        name = weight.name
        values = _half(onnx.numpy_helper.to_array(weight), name)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, f"{name}{HALF_SUFFIX}"))
        cast = onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model
