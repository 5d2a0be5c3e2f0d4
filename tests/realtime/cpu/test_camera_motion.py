"""By how much pictures moved, and what the restoring stage makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.grids import brightening

from tapetum.realtime.cpu.camera_motion import (
    CameraMotion,
    add_gradients,
    compare_blocks,
    finer_shift,
)
from tapetum.realtime.cpu.followed_blocks import BLOCK
from tapetum.realtime.cpu.restoring import Restorer, warm_up
from tapetum.realtime.cpu.shifted_plane import interpolate, shift_evidence
from tapetum.realtime.frame import ColorInfo, Frame

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 240, 384
NOISE = 3.0
"""Deviation, in 8-bit levels."""


def seen(
    y: float, x: float, height: int = HEIGHT, width: int = WIDTH, fineness: float = 0.5
) -> Array:
    """A dark picture full of detail, as 8-bit luma levels, from some pixels down and right."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[:height, :width].astype(float)
    picture: Array = np.full((height, width), 60.0)
    for _ in range(60):
        down, across = rng.uniform(-fineness, fineness, 2)
        wave = (rows + y) * down + (columns + x) * across + rng.uniform(0, 6.3)
        picture += 3 * np.sin(wave)
    return picture


def noisy(clean: Array, seed: int, name: str = "yuv420p") -> Frame:
    rng = np.random.default_rng(seed)
    down, across = {"yuv420p": (2, 2), "yuv422p": (1, 2), "yuv444p": (1, 1)}[name]
    shape = clean.shape[0] // down, clean.shape[1] // across
    chroma = 128 + (clean[::down, ::across] - 60) / 2
    assert chroma.shape == shape
    planes = (plane + rng.normal(0, NOISE, plane.shape) for plane in (clean, chroma, chroma))
    eight: Any = tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes)
    return Frame(eight, name, color=ColorInfo(matrix=6, range=1))


def fixed(picture: Array, deviation: float = 0.0, seed: int = 0) -> npt.NDArray[np.int16]:
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    plane: npt.NDArray[np.int16] = np.rint((picture + noise) * 128).astype(np.int16)
    return plane


def follow(frame: Array, known: Array, deviation: float = 1.5, times: int = 1) -> Array | None:
    """The shift in pixels between two pictures at half size, with noise in the first."""
    camera = CameraMotion((known.shape[0], known.shape[1]))
    for _ in range(times):
        found = camera(fixed(frame, deviation), fixed(known), max(deviation, 0.3) * 128)
    return found


@pytest.mark.parametrize("moved", [(0.3, 0.0), (0.6, -0.4), (-3.4, 4.2), (9.0, -12.5), (-20.1, 23)])
def test_a_camera_that_moves_is_followed(moved: tuple[float, float]) -> None:
    known, frame = seen(0, 0), seen(moved[0] / 2, moved[1] / 2)
    found = follow(frame, known)
    assert found is not None
    np.testing.assert_allclose(found, moved, atol=0.1)


@pytest.mark.parametrize("columns", [0.35, 0.4])
def test_a_slow_camera_is_followed_though_all_is_fine_texture(columns: float) -> None:
    """Gradients promise more than a shift of such texture gains."""
    known, frame = (seen(0, to, fineness=2.2) for to in (0, columns / 2))
    found = follow(frame, known)
    assert found is not None
    assert 0.5 * columns < found[1] < 2 * columns


def test_a_camera_that_turns_on_is_followed_from_where_it_was() -> None:
    camera, known = CameraMotion((HEIGHT, WIDTH)), fixed(seen(0, 0))
    for columns in (12.0, 24.0, 36.0):  # farther than is looked for at once
        found = camera(fixed(seen(0, columns / 2)), known, 40.0)
        assert found is not None
        np.testing.assert_allclose(found, (0, columns), atol=0.1)


def test_a_shift_of_whole_pixels_is_whole() -> None:
    found = follow(seen(2.01, -3), seen(0, 0), 0.3)
    assert found is not None
    assert found.tolist() == [4, -6]


def test_a_picture_that_rests_is_not_moved() -> None:
    known = seen(0, 0)
    assert follow(known, known) is None
    assert follow(seen(0.02, 0.02), known) is None


def test_noise_alone_shows_no_motion() -> None:
    flat: Array = np.full((HEIGHT, WIDTH), 40.0)
    assert all(follow(flat, flat, deviation) is None for deviation in (0.0, 1.0, 4.0))


def test_noise_on_soft_shapes_shows_no_motion() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    soft = 60 + 12 * np.sin(rows / 21) + 12 * np.sin(columns / 17)
    camera = CameraMotion((HEIGHT, WIDTH))
    camera(fixed(np.roll(soft, 3, 1)), fixed(soft), 64.0)  # it moved before, and so may go on
    for seed in range(30):
        known = fixed(soft, 0.5, 100 + seed)
        assert camera(fixed(soft, 2.0, seed), known, 2.0 * 128) is None


def test_a_thing_that_moves_is_no_camera() -> None:
    known, frame = seen(0, 0), seen(0, 0)
    frame[60:150, 100:240] = seen(2, 5)[60:150, 100:240]
    assert follow(frame, known) is None
    flat, lit = np.full((2, HEIGHT, WIDTH), 40.0)
    flat[60:150, 100:240], lit[60:150, 100:240] = known[:90, :140], seen(2, 5)[:90, :140]
    assert follow(lit, flat) is None, "all else has no texture"


def test_another_picture_is_not_moved() -> None:
    other = seen(4000, 9000)
    assert follow(other, seen(0, 0)) is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (16, 16), (30, 44)])
def test_small_pictures_rest(shape: tuple[int, int]) -> None:
    frame, known = seen(0, 1, *shape), seen(0, 0, *shape)
    assert follow(frame, known) is None


def test_a_picture_at_rest_is_looked_at_now_and_then() -> None:
    camera, known = CameraMotion((HEIGHT, WIDTH)), fixed(seen(0, 0))
    for _ in range(40):
        assert camera(known, known, 40.0) is None
    moved = fixed(seen(0, 2))
    found = [camera(moved, known, 40.0) for _ in range(6)]
    assert sum(shift is not None for shift in found) >= 4


def test_gradients_are_added_up_as_in_float64() -> None:
    frame, known = fixed(seen(0.4, 0.2)), fixed(seen(0, 0))
    shift = np.array([1.25, -2.5])
    places = np.array([[24, 40], [100, 208]], np.int32)
    sums = np.empty((2, 9), np.float32)
    add_gradients(frame, known, places, shift.astype(np.float32), sums)
    old, new = known.astype(float), frame.astype(float)
    between = 0.75 * old[1:-2] + 0.25 * old[2:-1]  # rows from 1.25 on
    between = (between[:, :-3] + between[:, 1:-2]) / 2  # columns from 0.5 on
    down, across = (np.gradient(between, axis=axis) for axis in (0, 1))
    for (row, column), found in zip(places, sums, strict=True):
        there = np.s_[row : row + BLOCK, column - 3 : column - 3 + BLOCK]
        here = np.s_[row : row + BLOCK, column : column + BLOCK]
        change = new[here] - between[there]
        pairs = [(down, down), (down, across), (across, across)]
        expected = [row, column, *((a[there] * b[there]).sum() for a, b in pairs)]
        expected += [(way[there] * change).sum() for way in (down, across)]
        expected += [(change**2).sum(), ((new[here] - old[here]) ** 2).sum()]
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=50)


def test_blocks_that_disagree_count_less() -> None:
    rng = np.random.default_rng(5)
    down, across = rng.normal(0, 30, (2, 40, 64))
    change = 0.3 * down - 0.2 * across + rng.normal(0, 3, down.shape)
    change[:10] = 0.9 * across[:10]  # another thing, with a way of its own
    columns = [down**2, down * across, across**2, down * change, across * change, change**2]
    sums = np.zeros((40, 9), np.float32)
    sums[:, 2:8] = np.stack([column.sum(axis=1) for column in columns], axis=1)
    np.testing.assert_allclose(finer_shift(sums), (0.3, -0.2), atol=0.02)


def path(frames: int) -> Array:
    """(frames, 2) pixels by which a hand moves a camera."""
    steps = np.random.default_rng(6).normal(0, 1.2, (frames, 2))
    return np.cumsum(steps, axis=0) * 0.9


def error(frame: Frame | None, clean: Array, where: Any = ...) -> float:
    assert frame is not None
    scale = 1 << (frame.format.depth - 8)
    return float(np.sqrt(np.mean((frame.planes[0] / scale - clean)[where] ** 2)))


def restored(pictures: list[Array], name: str = "yuv420p") -> Frame | None:
    """The last picture, with noise, after those before."""
    restorer, frame = Restorer(1.0), None
    for seed, picture in enumerate(pictures):
        frame = restorer(noisy(picture, seed, name), brightening())
    return frame


def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CameraMotion, "__call__", lambda *_: None)


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p"])
def test_a_hand_held_camera_is_averaged_over_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [seen(*place) for place in path(12)]
    followed = error(restored(pictures, name), pictures[-1])
    at_rest(monkeypatch)
    assert followed < 0.75 * error(restored(pictures, name), pictures[-1])


def test_a_warm_stage_compiles_nothing_when_the_camera_begins_to_move() -> None:
    warm_up(noisy(seen(0, 0), 0))
    kernels: list[Any] = [compare_blocks, add_gradients, interpolate, shift_evidence]
    compiled = [len(kernel.signatures) for kernel in kernels]
    assert min(compiled) >= 1
    assert restored([seen(*place) for place in path(4)]) is not None
    assert [len(kernel.signatures) for kernel in kernels] == compiled


def test_a_tripod_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [seen(0, 0)] * 12
    followed = restored(pictures)
    at_rest(monkeypatch)
    alone = restored(pictures)
    assert followed is not None
    assert alone is not None
    assert all((a == b).all() for a, b in zip(followed.planes, alone.planes, strict=True))


def test_what_moves_against_the_camera_leaves_no_ghost(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = []
    for step, place in enumerate(path(14)):
        picture = seen(*place)
        left = 20 + 18 * step
        picture[70:150, left : left + 50] = 100 + 20 * (np.arange(50) // 5 % 2)
        pictures.append(picture)
    was = np.s_[70:150, left - 60 : left]  # where it has been, and is no more
    now = np.s_[70:150, left : left + 50]
    followed = [error(restored(pictures), pictures[-1], where) for where in (was, now)]
    at_rest(monkeypatch)
    alone = [error(restored(pictures), pictures[-1], where) for where in (was, now)]
    assert followed[0] < 1.05 * alone[0]
    assert followed[1] < 1.05 * alone[1]


def test_the_edge_that_comes_into_view_is_new() -> None:
    pictures = [seen(0, 6 * step) for step in range(10)]
    edge = np.s_[:, -6:]
    assert error(restored(pictures), pictures[-1], edge) < 1.2 * NOISE
