"""From a model's name or file to what it is: marks first, shapes where there are none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from support.command_line import python
from support.engine_networks import trained_looking_unet
from support.tiny_networks import grid_network, pointwise_network

from tapetum.gan import build_generator, load_generator, save_generator
from tapetum.gan.errors import ModelError
from tapetum.gan.export import export_onnx
from tapetum.gan.export_command import export
from tapetum.gan.grid import GridGenerator
from tapetum.gan.model import find_model
from tapetum.gan.model_kinds import (
    DESCRIPTIONS,
    GRID_OUTPUT_SHAPE,
    KINDS,
    LIGHT,
    THUMBNAIL_SHAPE,
    Kind,
    padded_size,
)
from tapetum.gan.unet import LitUNet


def file_of(folder: Path, network: bytes, kind: str | None = None) -> Path:
    """A model file, marked as a kind."""
    model = onnx.load_from_string(network)
    if kind is not None:
        onnx.helper.set_model_props(model, {"tapetum.generator": kind})
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def grid_bytes() -> bytes:
    return grid_network(np.zeros((8, 8, 16, 16), np.float32))


def picture_bytes() -> bytes:
    return pointwise_network(np.eye(3), np.zeros(3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_models_that_ship_say_what_they_are(kind: Kind) -> None:
    network = onnx.load(find_model(kind).path)
    said = {item.key: item.value for item in network.metadata_props}
    assert said == DESCRIPTIONS[kind].metadata
    assert find_model(find_model(kind).path).description == find_model(kind).description


def test_a_file_of_others_is_known_by_its_shapes(tmp_path: Path) -> None:
    grid = find_model(file_of(tmp_path, grid_bytes())).description
    assert (grid.kind, grid.fixed_size) == ("grid", (256, 256))
    assert (grid.input_shape, grid.output_shape) == (THUMBNAIL_SHAPE, GRID_OUTPUT_SHAPE)
    unet = find_model(file_of(tmp_path, picture_bytes())).description
    assert (unet.kind, unet.fixed_size) == ("unet", None)


def test_a_network_of_one_size_says_which(tmp_path: Path) -> None:
    network = onnx.load_from_string(picture_bytes())
    for value in (network.graph.input[0], network.graph.output[0]):
        for length, dimension in zip((1, 3, 32, 48), value.type.tensor_type.shape.dim, strict=True):
            dimension.dim_value = length
    path = file_of(tmp_path, network.SerializeToString())
    assert find_model(path).description.fixed_size == (32, 48)


@pytest.mark.parametrize(("network", "kind"), [(grid_bytes(), "unet"), (picture_bytes(), "grid")])
def test_a_mark_that_the_shapes_deny_is_an_error(network: bytes, kind: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, network, kind)
    with pytest.raises(ModelError, match=r"model\.onnx is neither a grid .* nor a unet") as caught:
        _ = find_model(path).description
    assert "\n" not in str(caught.value)


def test_a_picture_network_that_is_marked_is_what_its_mark_says(tmp_path: Path) -> None:
    assert find_model(file_of(tmp_path, picture_bytes(), "unet")).description.kind == "unet"


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_described(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_generator(build_generator(kind), path)
    model = find_model(path)
    assert model.is_checkpoint
    assert model.description == DESCRIPTIONS[kind]._replace(light=None)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_what_is_exported_from_a_checkpoint_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_generator(build_generator("grid"), path)
    network = onnx.load_from_string(find_model(path).onnx())
    said = {item.key: item.value for item in network.metadata_props}
    assert said == DESCRIPTIONS["grid"].metadata


def test_writing_what_a_file_is_changes_no_number(tmp_path: Path) -> None:
    unmarked, marked = file_of(tmp_path, grid_bytes()), tmp_path / "marked.onnx"
    export(str(unmarked), marked)
    before, after = onnx.load(unmarked), onnx.load(marked)
    assert before.graph == after.graph
    assert {item.key: item.value for item in after.metadata_props} == DESCRIPTIONS["grid"].metadata


def test_export_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        export(str(tmp_path / "none.onnx"), tmp_path / "out.onnx")
    assert "none.onnx does not exist" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("size", "padded"), [((16, 32), (16, 32)), ((1080, 1), (1088, 16))])
def test_sizes_are_padded_to_whole_strides(size: tuple[int, int], padded: tuple[int, int]) -> None:
    assert padded_size(*size) == padded


def test_finding_a_model_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tapetum.gan.model import find_model\n"
        "assert find_model('grid').description.kind == 'grid'\n"
        "print({'numpy', 'openvino', 'torch', 'onnx'} & set(sys.modules))"
    )
    assert python(code) == "set()\n"


def lit_unet() -> LitUNet:
    """A U-Net behind the grid that ships."""
    light = load_generator("grid")
    assert isinstance(light, GridGenerator)
    return LitUNet.of(trained_looking_unet(), light).eval()


@pytest.mark.slow
def test_a_unet_behind_a_grid_says_so_in_every_form(tmp_path: Path) -> None:
    path, exported = tmp_path / "lit.safetensors", tmp_path / "lit.onnx"
    save_generator(lit_unet(), path)
    export(str(path), exported)
    for file in (path, exported):
        assert find_model(file).description.light == LIGHT
        assert isinstance(load_generator(file), LitUNet)


@pytest.mark.slow
def test_a_unet_behind_another_grid_is_no_model_file(tmp_path: Path) -> None:
    generator = lit_unet()
    with torch.no_grad():
        generator.light.head.weight.mul_(1.1)
    with pytest.raises(ModelError, match="trained behind a grid of its own"):
        export_onnx(generator, tmp_path / "lit.onnx")
    assert not (tmp_path / "lit.onnx").exists()


def test_a_light_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    model = onnx.load_from_string(picture_bytes())
    onnx.helper.set_model_props(model, {"tapetum.generator": "unet", "tapetum.light": "sun"})
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="'sun' made bright; this version knows grid alone"):
        _ = find_model(path).description
