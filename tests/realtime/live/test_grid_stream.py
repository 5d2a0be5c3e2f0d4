"""How the look of one stream moves: never by a step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from support.ladder_parts import luma

from tapetum.realtime import SyntheticSource
from tapetum.realtime.cpu.grid_kernels import apply_grid, identity_grid
from tapetum.realtime.cpu.grid_tables import GridTables
from tapetum.realtime.cpu.look_up import look_up
from tapetum.realtime.cpu.restoring import Restorer
from tapetum.realtime.cpu.thumbnail import thumbnail
from tapetum.realtime.frame import Frame, Plane
from tapetum.realtime.live.grid_stream import Effort, GridStream, Kernels, Look
from tapetum.realtime.live.look_pace import STEP_LEVELS

KERNELS = Kernels(thumbnail, apply_grid, look_up, partial(Restorer, sparing=True), GridTables)
GRID = identity_grid()
CURVE = Effort(frames=30, flat=True)


def half_gain() -> npt.NDArray[np.float32]:
    """A grid that brightens the left half of a picture only."""
    grid = identity_grid()
    grid[0, ..., :8] = 3
    return grid


def looked_at(*, dark_side: slice) -> Look:
    """A look at the same scene when one side of it was nearly black."""
    small = np.full((1, 3, 256, 256), 0.1, np.float32)
    small[..., dark_side] = 0.001
    return Look("half", half_gain(), small)


def test_a_curve_moves_slowly_where_a_new_look_weighs_dark_and_bright_otherwise() -> None:
    (frame,) = SyntheticSource(128, 96, frames=1, brightness=0.1)
    stream, levels = GridStream(), list[float]()
    for number in range(60):
        stream.look_at(frame)
        if number % 30 == 0:
            side = slice(0, 128) if number else slice(128, 256)
            stream.take(looked_at(dark_side=side), number / 30)
        shown = stream.enhanced(frame, effort=CURVE, strength=1, kernels=KERNELS)
        levels.append(luma(shown))
    assert abs(levels[-1] - levels[29]) > 3, "the looks differ, or this shows nothing"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels)) <= 2


def looks(frames: list[Frame]) -> int:
    """How often a model that shall see every second frame looks at some."""
    stream, count = GridStream(), 0
    for number, frame in enumerate(frames):
        stream.look_at(frame)
        if stream.is_due("half", Effort(frames=2), number / 30):
            stream.take(looked_at(dark_side=slice(0, 1)), number / 30)
            count += 1
    return count


def test_a_still_picture_is_looked_at_half_as_often() -> None:
    (frame,) = SyntheticSource(128, 96, frames=1, brightness=0.1)
    luma_plane = frame.planes[0]
    growing = [frame.with_planes((luma_plane + 2 * n, *frame.planes[1:])) for n in range(16)]
    assert looks([frame] * 16) == 4
    assert looks(growing) >= 8


def test_one_that_goes_on_to_be_still_is_looked_at_ever_more_seldom() -> None:
    (frame,) = SyntheticSource(128, 96, frames=1, brightness=0.1)
    assert looks([frame] * 48) - looks([frame] * 16) == 4
    assert looks([frame] * 240) - looks([frame] * 80) == 10


def test_a_frame_that_comes_again_costs_no_new_planes() -> None:
    (frame,) = SyntheticSource(128, 96, frames=1, brightness=0.1)
    stream, made = GridStream(), list[Frame]()
    stream.look_at(frame)
    stream.take(looked_at(dark_side=slice(0, 1)), 0.0)
    for number in range(3):
        planes = tuple(plane.copy() for plane in frame.planes)
        again = replace(frame, planes=planes, pts=number)
        stream.look_at(again)
        made.append(stream.enhanced(again, effort=Effort(2), strength=1, kernels=KERNELS))
    assert [one.pts for one in made] == [0, 1, 2]
    assert all(one.planes is made[0].planes for one in made)


def noisy(number: int, square: int) -> Frame:
    """A dark wall seen by a noisy camera, and a square of 24 pixels whose left edge is there."""
    rng = np.random.default_rng(number)
    luma_plane = np.full((192, 256), 34.0)
    luma_plane[80:104, square : square + 24] = 60
    luma_plane += rng.normal(0, 4, luma_plane.shape)
    grey = rng.normal(128, 2, (2, 96, 128)).round().astype(np.uint8)
    planes = (luma_plane.round().astype(np.uint8), *grey)
    return Frame(planes, "yuv420p", pts=number, time_base=Fraction(1, 30))


def seen_anew(frames: list[Frame]) -> list[bool]:
    """Which frames of a stream are made of their own, and not the one before again."""
    grid = identity_grid()
    grid[0] = 4
    stream = GridStream(denoise="auto")
    made: tuple[Plane, ...] = ()
    anew = list[bool]()
    for number, frame in enumerate(frames):
        stream.look_at(frame)
        if number == 0:
            stream.take(Look("four", grid, thumbnail(frame)), 0.0)
        effort = Effort(30, restores=True)
        planes = stream.enhanced(frame, effort=effort, strength=1, kernels=KERNELS).planes
        anew.append(planes is not made)
        made = planes
    return anew


def test_where_nothing_but_noise_is_new_two_frames_of_three_are_the_one_before_again() -> None:
    anew = seen_anew([noisy(number, 60) for number in range(90)])
    assert all(anew[:10])  # noise comes out by small steps
    assert 10 <= anew[-40:].count(False) <= 27
    assert not any(not any(anew[first : first + 3]) for first in range(88))


def test_what_moves_is_seen_in_every_frame() -> None:
    frames = [noisy(number, 60 + 4 * max(0, number - 60)) for number in range(90)]
    assert all(seen_anew(frames)[61:])


def test_a_pan_is_seen_in_every_frame() -> None:
    """Though all that is known goes with the camera, and rests on many frames."""
    rng = np.random.default_rng(1)
    rough = rng.uniform(24, 70, (24, 64)).repeat(8, 0).repeat(8, 1)
    grey = np.full((96, 128), 128, np.uint8)
    frames = []
    for number in range(70):
        seen = rough[:, 3 * number : 3 * number + 256]
        wall = (seen + rng.normal(0, 4, seen.shape)).round().clip(16, 235).astype(np.uint8)
        planes = (wall, grey, grey)
        frames.append(Frame(planes, "yuv420p", pts=number, time_base=Fraction(1, 30)))
    assert all(seen_anew(frames))


def test_what_a_grid_makes_of_noise_alone_comes_by_small_steps() -> None:
    """Of a dark picture whose bright pixels are all noise: its mean has none of them."""
    rng = np.random.default_rng(0)
    noisy = np.clip(18 + rng.normal(0, 12, (256, 384)), 16, 255).astype(np.uint8)
    (frame,) = SyntheticSource(384, 256, frames=1)
    frame = frame.with_planes((noisy, *frame.planes[1:]))
    bent = identity_grid()
    bent[1, 2:] = 1
    small = np.full((1, 3, 256, 256), 0.02, np.float32)
    stream, levels = GridStream(), list[float]()
    for number in range(40):
        stream.look_at(frame)
        if number in {0, 10}:
            stream.take(Look("bent" if number else "as it is", bent if number else GRID, small), 0)
        shown = stream.enhanced(frame, effort=Effort(frames=30), strength=1, kernels=KERNELS)
        levels.append(luma(shown))
    assert levels[-1] - levels[9] > 15, "the looks differ, or this shows nothing"
    assert max(later - sooner for sooner, later in pairwise(levels)) < 1.3 * STEP_LEVELS


def test_what_is_known_of_noise_outlasts_a_pause() -> None:
    """A camera that stood still for two seconds: its picture comes back as bright as it was."""
    rng = np.random.default_rng(0)
    (first,) = SyntheticSource(384, 256, frames=1)
    bent = identity_grid()
    bent[0], bent[1, 2:] = 4, 0.3
    small = np.full((1, 3, 256, 256), 0.02, np.float32)
    stream, levels = GridStream(denoise="auto"), list[float]()
    for number in range(48):
        noisy = np.clip(18 + rng.normal(0, 12, (256, 384)), 16, 255).astype(np.uint8)
        pts = number + (60 if number >= 40 else 0)
        frame = replace(first, planes=(noisy, *first.planes[1:]), pts=pts)
        frame = replace(frame, time_base=Fraction(1, 30))
        stream.look_at(frame)
        if number == 0:
            stream.take(Look("bent", bent, small), 0)
        effort = Effort(frames=30, restores=True)
        levels.append(luma(stream.enhanced(frame, effort=effort, strength=1, kernels=KERNELS)))
    assert abs(levels[39] - levels[0]) > 4, "noise makes a difference, or this shows nothing"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels[36:])) < 1
