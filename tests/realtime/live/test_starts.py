"""Starts of a stream in every order in which its parts may come: the picture never jumps."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
from support.ladder_parts import luma

from tapetum.realtime.aim import ALWAYS
from tapetum.realtime.cpu.grid_enhancer import GridEnhancer
from tapetum.realtime.cpu.grid_kernels import apply_grid
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.enhancer import make_enhancer
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.grid_stream import Effort, GridStream, Kernels, Look
from tapetum.realtime.live.modes import efforts

KERNELS = Kernels(thumbnail, apply_grid, look_up, partial(Restorer, sparing=True), GridTables)
EFFORTS = efforts("grid")
LARGEST_STEP = 2.0
WIDTH, HEIGHT = 192, 128


@cache
def noisy_scene(brightness: float) -> list[Frame]:
    """A dark room whose light wavers a little, by a camera that makes much noise.

    Args:
        brightness: added to all; most of a dark one is clipped at black, with half of its noise.
    """
    rng = np.random.default_rng(1)
    black = 0 if brightness == 0 else 16
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    scene = 22 + 18 * np.sin(3 * x) * np.cos(4 * y) + 40 * (np.hypot(x - 0.5, y - 0.4) < 0.12)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    frames = []
    for number in range(48):
        light = 1 + 0.001 * np.sin(number / 5)
        noisy = 16 + brightness + light * (scene - 12) + rng.normal(0, 3.5, scene.shape)
        planes = (noisy.clip(black, 255).round().astype(np.uint8), grey, grey)
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

    def __init__(self, seed: int, strength: float, *, misses: float, brightness: float) -> None:
        self.levels: list[float] = []
        self._chance = random.Random(seed)
        self._strength = strength
        self._misses = misses
        self._frames = noisy_scene(brightness)
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


@pytest.mark.parametrize("brightness", [0.0, -16.0], ids=["grey", "clipped at black"])
@pytest.mark.parametrize("misses", [0.0, 0.6], ids=["every frame", "some frames"])
@pytest.mark.parametrize("strength", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_no_start_makes_a_step(
    seed: int, strength: float, misses: float, brightness: float
) -> None:
    """Not by a model that comes, noise that is taken out or left in, or frames that are missed."""
    start = Start(seed, strength, misses=misses, brightness=brightness)
    for number in range(100):
        start.show(number)
    assert max(abs(later - sooner) for sooner, later in pairwise(start.levels)) <= LARGEST_STEP
