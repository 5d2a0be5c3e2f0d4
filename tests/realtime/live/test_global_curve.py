"""One curve for a picture: as bright as the grid, in every pixel format, at once and compiled."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from support.command_line import ROOT

from tapetum.realtime import FileSource, SyntheticSource, make_enhancer
from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.live.global_curve import (
    apply_curve,
    flattened,
    guessed_curve,
    look_up_by_numpy,
    node_weights,
    spread,
)
from tapetum.realtime.pixel_format import PIXEL_FORMATS


def test_a_flattened_grid_is_as_bright_and_as_colourful() -> None:
    with FileSource(ROOT / "samples" / "dark_room.mp4") as source:
        (frame,) = islice(source, 1)
    model = make_enhancer("grid")
    assert isinstance(model, GridEnhancer)
    small = thumbnail(frame)
    grid = model.steady_grid(small, time_s=None)
    curve = flattened(grid, node_weights(small[0, 1]))
    wanted, got = apply_grid(frame, grid), apply_curve(frame, curve, look_up)
    assert got[0].mean() == pytest.approx(wanted[0].mean(), abs=1)
    for plane in (1, 2):
        assert got[plane].mean() == pytest.approx(wanted[plane].mean(), abs=5)


@pytest.mark.parametrize("format_name", PIXEL_FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_a_curve_is_the_same_at_once_compiled_and_as_a_grid(
    format_name: str, size: tuple[int, int]
) -> None:
    """To within the one level that each is exact to."""
    (frame,) = SyntheticSource(*size, frames=1, format_name=format_name)
    curve = guessed_curve(np.full((32, 32), 0.08, np.float32))
    compiled = apply_curve(frame, curve, look_up)
    at_once = apply_curve(frame, curve, look_up_by_numpy)
    level = 1 << frame.format.shift
    for one, two, grid in zip(compiled, at_once, apply_grid(frame, curve), strict=True):
        assert np.array_equal(one, two)
        assert np.abs(one.astype(int) - grid).max() <= 2 * level


@pytest.mark.parametrize("format_name", PIXEL_FORMATS)
def test_the_curve_that_changes_nothing_changes_nothing(format_name: str) -> None:
    (frame,) = SyntheticSource(64, 48, frames=1, format_name=format_name, brightness=0.8)
    same = apply_curve(frame, spread(identity_grid()[:, :, 0, 0]), look_up)
    for got, wanted in zip(same, frame.planes, strict=True):
        assert np.array_equal(got, wanted)


@pytest.mark.parametrize("mean", [0.02, 0.1, 0.4, 0.7])
def test_a_guess_brightens_what_is_dark_and_leaves_what_is_bright(mean: float) -> None:
    luma = np.random.default_rng(0).uniform(0.6 * mean, 1.4 * mean, (32, 32)).astype(np.float32)
    (frame,) = SyntheticSource(64, 64, frames=1)
    plane = np.kron(np.rint(16 + 219 * luma), np.ones((2, 2))).astype(np.uint8)
    frame = frame.with_planes((plane, *frame.planes[1:]))
    made = (apply_curve(frame, guessed_curve(luma), look_up)[0].mean() - 16) / 219
    assert max(0.25, 0.95 * mean) <= made <= max(0.5, 1.1 * mean)


def test_a_guess_leaves_a_well_lit_picture_as_it_is_where_the_model_will() -> None:
    lit = np.random.default_rng(0).uniform(0.3, 0.5, (32, 32)).astype(np.float32)
    assert np.array_equal(guessed_curve(lit, Aim()), identity_grid())
    dark = lit / np.float32(10)
    assert np.array_equal(guessed_curve(dark, Aim()), guessed_curve(dark))


def test_a_guess_is_as_bright_as_is_asked_for() -> None:
    luma = np.full((32, 32), 0.1, np.float32)
    curves = [guessed_curve(luma, Aim(brightness=brightness)) for brightness in (0.2, 0.6)]
    means = [float(curve[0, 2, 0, 0] * 0.1 + curve[1, 2, 0, 0]) for curve in curves]
    assert means == pytest.approx([0.2, 0.6], abs=0.02)
