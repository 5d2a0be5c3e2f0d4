"""Starts of a stream in every order in which its parts may come: the picture never jumps."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
from support.ladder_parts import luma

from tapetum.realtime.aim import ALWAYS
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.global_curve import guessed_curve
from tapetum.realtime.live.grid_stream import Effort, GridStream, Kernels, Look
from tapetum.realtime.live.look_pace import PacedGrids
from tapetum.realtime.live.modes import efforts

KERNELS = Kernels(thumbnail, apply_grid, look_up, partial(Restorer, sparing=True), GridTables)
EFFORTS = efforts("grid")
LARGEST_STEP = 2.0


@dataclass(frozen=True)
class Scene:
    """What a camera sees that makes much noise, in levels of luma; its light wavers a little.

    Attributes:
        size: width and height; much noise moves the mean luma of a small picture by itself.
        noise: standard deviation.
        black: what is below is clipped.
        brightness: added to a dark room, in which something shines; None is a night with a lamp.
    """

    size: tuple[int, int]
    noise: float
    black: int
    brightness: float | None


SCENES = {
    "grey": Scene((192, 128), 3.5, 0, 0.0),
    "clipped at black": Scene((192, 128), 3.5, 16, -16.0),
    "noise below black": Scene((384, 216), 10.0, 0, None),
}


@cache
def noisy_frames(name: str) -> list[Frame]:
    """The pictures of one of the scenes."""
    scene, rng = SCENES[name], np.random.default_rng(1)
    width, height = scene.size
    y, x = np.mgrid[:height, :width] / height
    if scene.brightness is None:
        light = np.where(np.hypot(x - 0.5, y - 0.4) < 0.2, 70, 2 + 1.5 * np.sin(5 * x))
    else:
        light = 10 + 18 * np.sin(3 * x) * np.cos(4 * y) + 40 * (np.hypot(x - 0.5, y - 0.4) < 0.12)
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    frames = []
    for number in range(48):
        seen = 16 + (scene.brightness or 0) + (1 + 0.001 * np.sin(number / 5)) * light
        noisy = seen + rng.normal(0, scene.noise, light.shape)
        planes = (noisy.clip(scene.black, 255).round().astype(np.uint8), grey, grey)
        frames.append(Frame(planes, "yuv420p", pts=number, time_base=Fraction(1, 30)))
    return frames


@cache
def grid_model() -> GridEnhancer:
    model = make_enhancer("grid")
    assert isinstance(model, GridEnhancer)
    model.aim = ALWAYS
    return model


class Start:
    """A stream whose model, kernels and modes come and go by chance.

    Attributes:
        levels: mean luma of the pictures that a recording got.
    """

    def __init__(self, seed: int, strength: float, *, misses: float, scene: str) -> None:
        self.levels: list[float] = []
        self._chance = random.Random(seed)
        self._strength = strength
        self._misses = misses
        self._frames = noisy_frames(scene)
        self._stream = GridStream(denoise="auto")
        self._loaded_at, restored_after = (self._chance.randrange(30) for _ in "ab")
        self._restored_at = self._loaded_at + restored_after
        self._mode = "grid"
        self._time = 0

    def show(self, number: int) -> None:
        """Show one more frame, some time after the one before."""
        frames = self._frames
        self._time += self._chance.choice([1, 1, 1, 2, 4])
        frame = replace(frames[self._time % len(frames)], pts=self._time)
        self._stream.look_at(frame)
        bright = self._bright(frame, number)
        if self._chance.random() >= self._misses:
            self.levels.append(luma(bright))
            self._stream.pace.stay_near([self._stream.pace.position])

    def _bright(self, frame: Frame, number: int) -> Frame:
        if number < self._loaded_at:
            return self._stream.guessed(frame, strength=self._strength)
        if self._chance.random() < 0.08:
            self._mode = self._chance.choice(list(EFFORTS))
        effort = EFFORTS[self._mode]
        effort = replace(effort, restores=effort.restores and number >= self._restored_at)
        if self._stream.is_due("grid", effort, number / 30):
            self._take_look(frame, number)
        return self._enhanced(frame, effort)

    def _take_look(self, frame: Frame, number: int) -> None:
        small = thumbnail(frame)
        self._stream.take(Look("grid", grid_model().aimed_grid(small), small), number / 30)

    def _enhanced(self, frame: Frame, effort: Effort) -> Frame:
        return self._stream.enhanced(frame, effort=effort, strength=self._strength, kernels=KERNELS)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("misses", [0.0, 0.6], ids=["every frame", "some frames"])
@pytest.mark.parametrize("strength", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_start_makes_a_step(seed: int, strength: float, misses: float, scene: str) -> None:
    """Not by a model that comes, noise that is taken out or left in, or frames that are missed."""
    start = Start(seed, strength, misses=misses, scene=scene)
    for number in range(100):
        start.show(number)
    assert max(abs(later - sooner) for sooner, later in pairwise(start.levels)) <= LARGEST_STEP


@pytest.mark.parametrize("strength", [1.0, 2.0])
def test_no_grid_for_a_page_makes_a_step(strength: float) -> None:
    """Between a model's grids and curves, in noise that the page's thumbnails have lost."""
    chance, paced, levels = random.Random(1), PacedGrids(ALWAYS), list[float]()
    is_curve = False
    for number, frame in enumerate(noisy_frames("noise below black")):
        above_black = np.maximum(frame.planes[0], 16)
        seen = frame.with_planes((above_black, *frame.planes[1:]))
        single = (above_black[::3, ::6].astype(np.float32)[:64, :64] - 16) / np.float32(219)
        small = thumbnail(seen)
        is_curve ^= chance.random() < 0.2
        luma_now = np.tensordot(
            np.array([0.2126, 0.7152, 0.0722], np.float32), small[0, :, ::4, ::4], 1
        )
        wanted = guessed_curve(luma_now) if is_curve else grid_model().aimed_grid(small)
        grid = paced(wanted, small, single, number / 8, ALWAYS, strength=strength)
        levels.append(luma(seen.with_planes(apply_grid(seen, strengthened(grid, strength)))))
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= LARGEST_STEP
