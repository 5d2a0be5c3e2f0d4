"""Building, loading, saving and exporting generators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tapetum.gan import (
    GridGenerator,
    UNetGenerator,
    build_generator,
    export_onnx,
    load_generator,
    save_generator,
)
from tapetum.gan.bilateral_grid import apply_grid
from tapetum.gan.color import rgb_to_yuv, yuv_to_rgb
from tapetum.gan.errors import ModelError
from tapetum.gan.generator import Generator
from tapetum.gan.grid import MAX_GAIN, thumbnail
from tapetum.gan.model import find_model
from tapetum.gan.openvino_runtime import core
from tapetum.gan.unet import LitUNet


@pytest.fixture
def grid() -> GridGenerator:
    torch.manual_seed(5)
    generator = GridGenerator()
    for parameter in generator.head.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return generator.eval()


def _dark(*shape: int) -> torch.Tensor:
    return torch.rand(*shape) * 0.4 - 1


@pytest.mark.parametrize("name", ["grid", "unet"])
@pytest.mark.parametrize("size", [(1, 1), (17, 30), (300, 258)])
def test_maps_any_size_to_the_same_shape(name: str, size: tuple[int, int]) -> None:
    generator = build_generator(name).eval()
    with torch.no_grad():
        assert generator(_dark(2, 3, *size)).shape == (2, 3, *size)


def test_training_of_grid_starts_near_the_identity() -> None:
    torch.manual_seed(3)
    generator = GridGenerator().eval()
    dark_grey = (_dark(1, 1, 64, 64).expand(1, 3, 64, 64) + 1) / 2
    coloured = torch.rand(1, 3, 64, 64) / 2 + 0.25
    with torch.no_grad():
        for unit in (dark_grey, coloured):
            grid = generator.learned_grid(thumbnail(unit))
            enhanced = yuv_to_rgb(*apply_grid(grid, *rgb_to_yuv(unit)))
            assert (enhanced - unit).abs().max() < 0.05


def test_grid_coefficients_are_bounded_and_black_stays_dark(grid: GridGenerator) -> None:
    with torch.no_grad():
        coefficients = grid.predict(torch.rand(1, 3, 256, 256))
        black = grid(torch.full((1, 3, 64, 64), -1.0))
    assert coefficients.shape == (1, 8, 8, 16, 16)
    assert 1 / MAX_GAIN < coefficients[:, 0].min() <= coefficients[:, 0].max() < MAX_GAIN
    assert black.max() <= -1 + 2 * 0.03 * 2


def test_thumbnail_is_the_mean_over_bins() -> None:
    picture = torch.arange(512.0 * 1024).view(1, 1, 512, 1024).expand(1, 3, 512, 1024)
    assert thumbnail(picture)[0, 0, 3, 5] == picture[0, 0, 6:8, 20:24].mean()


def test_saved_weights_load_to_the_same_generator(grid: GridGenerator, tmp_path: Path) -> None:
    save_generator(grid, tmp_path / "mine.safetensors")
    rgb = _dark(1, 3, 40, 50)
    loaded = load_generator(tmp_path / "mine.safetensors")
    assert isinstance(loaded, GridGenerator)
    with torch.no_grad():
        assert torch.equal(loaded(rgb), grid(rgb))


def test_half_precision_weights_are_half_the_size(tmp_path: Path) -> None:
    generator = UNetGenerator().eval()
    save_generator(generator, tmp_path / "whole.safetensors")
    save_generator(generator, tmp_path / "half.safetensors", half=True)
    whole, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half"))
    assert half < 0.51 * whole
    rgb = _dark(1, 3, 32, 32)
    with torch.no_grad():
        loaded = load_generator(tmp_path / "half.safetensors")(rgb)
        torch.testing.assert_close(loaded, generator(rgb), atol=5e-3, rtol=0)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("counts", [True, False])
def test_loads_the_authors_checkpoint_layout(prefix: str, counts: bool, tmp_path: Path) -> None:
    original = UNetGenerator().eval()
    state = {
        f"{prefix}{key}": value
        for key, value in original.state_dict().items()
        if counts or "num_batches" not in key
    }
    torch.save(state, tmp_path / "200_net_G_A.pth")
    loaded = load_generator(tmp_path / "200_net_G_A.pth")
    assert isinstance(loaded, UNetGenerator)
    rgb = _dark(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(loaded(rgb), original(rgb))


def _lacking_a_key(state: dict[str, torch.Tensor]) -> object:
    return {key: value for key, value in state.items() if key != "conv10.bias"}


def _with_a_surplus_key(state: dict[str, torch.Tensor]) -> object:
    return {**state, "conv11.bias": torch.zeros(3)}


def _with_another_shape(state: dict[str, torch.Tensor]) -> object:
    return {**state, "conv10.bias": torch.zeros(4)}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_lacking_a_key, "lacks conv10.bias"),
        (_with_a_surplus_key, "adds conv11.bias"),
        (_with_another_shape, "other shapes of conv10.bias"),
        (lambda _: {"epoch": 3}, "more than tensors"),
        (lambda _: [1, 2], "no state dict"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(
    spoil: object, message: str, tmp_path: Path
) -> None:
    assert callable(spoil)
    torch.save(spoil(UNetGenerator().state_dict()), tmp_path / "other.pth")
    with pytest.raises(ModelError, match=message):
        load_generator(tmp_path / "other.pth")


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors", "broken.onnx", "missing.pth"])
def test_an_unreadable_file_is_named(name: str, tmp_path: Path) -> None:
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"these are not weights")
    with pytest.raises(ModelError, match=name):
        load_generator(tmp_path / name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="grid or unet"):
        build_generator("resnet")


def _run(model: Path, batch: torch.Tensor) -> torch.Tensor:
    compiled = core().compile_model(str(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return torch.from_numpy(np.array(compiled(batch.numpy())[0]))


@pytest.mark.slow
def test_exported_grid_gives_the_same_coefficients(grid: GridGenerator, tmp_path: Path) -> None:
    export_onnx(grid, tmp_path / "grid.onnx")
    picture = torch.rand(1, 3, 256, 256) ** 2
    with torch.no_grad():
        expected = grid.predict(picture)
    torch.testing.assert_close(
        _run(tmp_path / "grid.onnx", picture), expected, atol=1e-4, rtol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_exported_unet_gives_the_same_picture_at_any_multiple_of_16(
    tmp_path: Path, half: bool
) -> None:
    torch.manual_seed(6)
    generator = UNetGenerator().eval()
    for weight in generator.state_dict().values():
        if weight.is_floating_point():  # the exporter stores equal tensors once, as no training has
            weight.add_(torch.rand_like(weight), alpha=1e-2)
    if half:
        generator = generator.half().float()  # the weights that float16 can hold
    export_onnx(generator, tmp_path / "unet.onnx", half=half)
    megabytes = (tmp_path / "unet.onnx").stat().st_size / 1e6
    assert megabytes < 18 if half else megabytes > 34
    assert_same_weights(load_generator(tmp_path / "unet.onnx"), generator)
    for size in [(16, 16), (48, 80), (160, 32)]:
        rgb = _dark(1, 3, *size)
        with torch.no_grad():
            expected = generator(rgb)
        torch.testing.assert_close(
            _run(tmp_path / "unet.onnx", rgb), expected, atol=1e-4, rtol=1e-4
        )


def assert_same_weights(found: Generator, wanted: Generator) -> None:
    """Every weight of two generators is the same, bit for bit."""
    state = found.state_dict()
    for name, weight in wanted.state_dict().items():
        assert torch.equal(state[name], weight), name


def test_the_default_unet_is_what_its_onnx_file_computes() -> None:
    rgb = _dark(1, 3, 48, 32)
    with torch.no_grad():
        generator = load_generator("unet")
        assert isinstance(generator, LitUNet)
        made = generator(rgb)
        lit = generator.lit(rgb)
    torch.testing.assert_close(_run(find_model("unet").path, lit), made, atol=1e-4, rtol=1e-4)


def test_an_onnx_file_without_trained_weights_is_refused() -> None:
    with pytest.raises(ModelError, match=r"grid\.onnx: not a grid generator; lacks encoder"):
        load_generator(find_model("grid").path)


def test_default_grid_brightens_a_dark_picture() -> None:
    rgb = _dark(1, 3, 96, 128)
    with torch.no_grad():
        assert load_generator("grid")(rgb).mean() > rgb.mean() + 0.2


@pytest.mark.slow
def test_weights_beyond_float16_are_not_stored_as_infinity(tmp_path: Path) -> None:
    generator = build_generator("unet").eval()
    generator.state_dict()["bn6_1.running_var"].fill_(1e6)
    with pytest.raises(ModelError, match=r"running_var has numbers that float16 cannot hold"):
        export_onnx(generator, tmp_path / "big.onnx", half=True)
    assert not list(tmp_path.iterdir())
