"""The reduced `unet` mode: fitted grids against the transforms that they are fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from support.tiny_networks import pointwise_network

from tapetum.gan.model import find_model
from tapetum.realtime import SyntheticSource, make_enhancer
from tapetum.realtime.aim import ALWAYS
from tapetum.realtime.cpu.grid_fit import fit_grid
from tapetum.realtime.cpu.reduced_unet import make_reduced_unet
from tapetum.realtime.live.model_ladder import ladder_for

pytestmark = pytest.mark.slow


def picture() -> npt.NDArray[np.float32]:
    """YUV of 128x128 with all lumas everywhere, and colours."""
    random = np.random.default_rng(0)
    y = random.uniform(0, 1, (128, 128)) ** 2
    chroma = random.uniform(-0.2, 0.2, (2, 128, 128))
    return np.concatenate([y[np.newaxis], chroma]).astype(np.float32)


def test_an_affine_change_is_found_at_every_node() -> None:
    before = picture()
    y, u, v = before
    after = np.stack([0.8 * y + 0.1, 0.7 * u - 0.2 * v + 0.02, 0.1 * u + 0.9 * v - 0.01])
    grid = fit_grid(before, after.astype(np.float32))
    wanted = [0.8, 0.1, 0.7, -0.2, 0.1, 0.9, 0.02, -0.01]
    error = np.abs(grid - np.reshape(wanted, (8, 1, 1, 1)))
    assert error[:, 1:].max() < 0.05
    assert error.mean() < 0.01


def test_no_change_is_the_identity_also_where_the_picture_is_flat() -> None:
    flat = np.stack([np.full((128, 128), value, np.float32) for value in (0.1, 0.02, -0.03)])
    for before in (flat, picture()):
        grid = fit_grid(before, before)
        assert np.allclose(grid[[0, 2, 5]], 1, atol=1e-2)
        assert np.allclose(grid[[1, 3, 4, 6, 7]], 0, atol=1e-2)


def test_a_flat_dark_picture_becomes_as_bright_as_it_should() -> None:
    before = np.stack([np.full((128, 128), value, np.float32) for value in (0.1, 0.02, -0.03)])
    grid = fit_grid(before, 3 * before)
    assert np.allclose(grid[0] * 0.1 + grid[1], 0.3, atol=1e-3)
    assert np.allclose(grid[2] * 0.02 - grid[3] * 0.03 + grid[6], 0.06, atol=1e-3)


@pytest.fixture
def unet_file(tmp_path: Path) -> Path:
    """A network that brightens: x -> 0.5 x + 0.3 in [-1, 1]."""
    path = tmp_path / "half.onnx"
    path.write_bytes(pointwise_network(0.5 * np.eye(3), np.full(3, 0.3)))
    return path


def test_it_does_nearly_what_the_whole_network_does(unet_file: Path) -> None:
    (frame,) = SyntheticSource(320, 180, frames=1)
    whole, reduced = (
        make_enhancer(unet_file)(frame),
        make_reduced_unet(find_model(unet_file))(frame),
    )
    for got, wanted in zip(reduced.planes, whole.planes, strict=True):
        # The network's RGB is clipped at black, which no affine transform of a dark tint is.
        error = np.abs(got.astype(int) - wanted)
        assert error.mean() <= 2
        assert error.max() <= 12
    assert reduced.planes[0].mean() > frame.planes[0].mean() + 30


def test_only_picture_networks_have_a_reduced_mode(unet_file: Path, gain_model: Path) -> None:
    for model, modes in (
        (unet_file, ("half", "half-reduced", "grid")),
        (gain_model, ("gain",)),
    ):
        ladder = ladder_for(model)
        assert ladder.models == modes
        ladder.close()


def test_a_reduced_unet_has_its_light_too(tmp_path: Path) -> None:
    network = onnx.load_from_string(pointwise_network(np.eye(3), np.zeros(3)))
    onnx.helper.set_model_props(network, {"tapetum.generator": "unet", "tapetum.light": "grid"})
    path = tmp_path / "same.onnx"
    path.write_bytes(network.SerializeToString())
    (frame,) = SyntheticSource(320, 180, frames=1)
    reduced = make_reduced_unet(find_model(path))(frame)
    whole = make_enhancer(path, aim=ALWAYS)(frame)
    grid = make_enhancer("grid", aim=ALWAYS, denoise="off")(frame)
    assert grid.planes[0].mean() > frame.planes[0].mean() + 30
    for wanted, tolerance in ((grid, 4), (whole, 6)):  # RGB, which the whole one has, is clipped
        for got, plane in zip(reduced.planes, wanted.planes, strict=True):
            assert np.abs(got.astype(int) - plane).mean() <= tolerance
