"""How far the browser's modules let brightness move, against Python's numbers; run by node."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from support.browser_modules import NODE, array_of, by_node, text_of

from tapetum.realtime.aim import Aim
from tapetum.realtime.cpu.grid_kernels import identity_grid
from tapetum.realtime.cpu.grid_strength import strengthened
from tapetum.realtime.live.look_pace import (
    GRID_LEVELS,
    LookPace,
    PacedGrids,
    luma_shares,
    mean_luma,
)

Floats = npt.NDArray[np.float32]

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")

SHARES = """
const pace = new module.LookPace();
const answers = questions.map(({ light, elapsedS, step, wish }) => {
  if (wish) pace.followWish();
  pace.followLight(light, elapsedS);
  return pace.share(step);
});"""
GRIDS = """
const paced = new module.PacedGrids();
const answers = questions.map(({ grid, thumbnail, single, timeS, wish, strength }) => {
  const next = paced.next(floats(grid), floats(thumbnail), floats(single), timeS, wish, strength);
  return [Buffer.from(next.buffer).toString('base64'), paced.lift];
});"""
FADES = """
const fade = new module.Fade();
const answers = questions.map(({ nowMs, lift }) => fade.next(nowMs, lift));"""

ASKING = """
const asking = new module.Asking();
const answers = questions.map(({ nowMs, value }) => {
  const isDue = asking.isDue(nowMs);
  if (isDue) asking.heard(new Float32Array(16).fill(value));
  return isDue;
});"""


def gain(factor: float) -> Floats:
    grid = identity_grid()
    grid[0] = factor
    return grid


def picture(brightness: float, seed: int = 0) -> Floats:
    """A thumbnail of a scene of its own for each seed."""
    rough = np.random.default_rng(seed).uniform(0, 2, (3, 16, 16)).astype(np.float32)
    scene = brightness * rough.repeat(16, 1).repeat(16, 2)
    return np.ascontiguousarray(np.minimum(scene, 1)[np.newaxis], np.float32)


def test_steps_are_taken_as_python_takes_them() -> None:
    random = np.random.default_rng(4)
    pace, questions, expected = LookPace(GRID_LEVELS), [], []
    for number in range(300):
        light = random.choice([0.0, random.normal(0, 1), random.normal(0, 6)])
        question = {
            "light": light,
            "elapsedS": random.choice([1 / 30, 1 / 7, 2.0]),
            "step": random.normal(0, 4),
            "wish": number % 97 == 96,
        }
        if question["wish"]:
            pace.follow_wish()
        pace.follow_light(light, question["elapsedS"])
        expected.append(pace.share(question["step"]))
        questions.append(question)
    assert 0.1 < np.mean(np.array(expected) < 1) < 0.9, "some are limited, some are not"
    np.testing.assert_allclose(by_node("pace.js", SHARES, questions), expected, rtol=1e-6)


def moments() -> list[tuple[Floats, Floats, float, Aim]]:
    """A look that changes in steady light; then light that changes, a wish, and a cut."""
    aim, bright = Aim(), Aim(brightness=0.4)
    steady = [(gain(3 if n < 3 else 4), picture(0.1), n / 7, aim) for n in range(9)]
    lighter = [(gain(4 - n / 8), picture(0.1 + n / 50), 2 + n / 7, aim) for n in range(6)]
    wished = [(gain(2), picture(0.2), 4 + n / 30, bright) for n in range(3)]
    cut = [(gain(5), picture(0.1, 8), 5 + n / 30, bright) for n in range(3)]
    return [*steady, *lighter, *wished, *cut]


@pytest.mark.parametrize("strength", [1.0, 0.5, 2.0])
def test_grids_are_python_s_and_move_by_no_step(strength: float) -> None:
    """By what a viewer sees, who may want more of a grid than it is."""
    paced, expected, lifts, levels = PacedGrids(Aim()), [], [], []
    questions = []
    for grid, small, time_s, aim in moments():
        luma = np.tensordot(
            np.array([0.2126, 0.7152, 0.0722], np.float32), small[0, :, ::4, ::4], 1
        )
        expected.append(paced(grid, small, luma, time_s, aim, strength=strength))
        shares = luma_shares(luma)
        levels.append(mean_luma(strengthened(expected[-1], strength), shares))
        lifts.append(levels[-1] - mean_luma(identity_grid(), shares))
        questions.append(
            {
                "grid": text_of(grid),
                "thumbnail": text_of(small),
                "single": text_of(luma),
                "timeS": time_s,
                "wish": str(aim),
                "strength": strength,
            }
        )
    answers = by_node("pace.js", GRIDS, questions)
    made = [array_of(text) for text, _ in answers]
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_allclose(one, other.ravel(), atol=2e-4)
    np.testing.assert_allclose([lift for _, lift in answers], lifts, atol=0.02)
    assert levels[8] - levels[0] > 6, "the look moves"
    assert max(abs(later - sooner) for sooner, later in pairwise(levels[:9])) <= 2


@pytest.mark.parametrize("rate", [30, 15, 7, 2])
@pytest.mark.parametrize("lift", [60.0, 5.0, 0.0, -20.0])
def test_a_picture_that_was_dark_becomes_bright_by_small_steps(rate: int, lift: float) -> None:
    """In eight seconds all the same, where pictures come ever so rarely."""
    questions = [{"nowMs": 1000 * n / rate, "lift": lift} for n in range(10 * rate + 60)]
    shares = by_node("pace.js", FADES, questions)
    steps = [later - sooner for sooner, later in pairwise(shares)]
    assert (shares[0], shares[-1]) == (0, 1)
    assert min(steps) >= 0
    assert max(steps) * abs(lift) <= max(2, abs(lift) / (8 * rate))
    assert max(steps) <= 2 / rate + 1e-9
    assert shares[8 * rate + 1] == 1


def test_light_is_asked_for_seldom_where_it_rests() -> None:
    """Of 30 pictures a second every second one is looked at, and every fourth where light rests."""
    rests = [{"nowMs": 1000 * n / 30, "value": 2.0} for n in range(60)]
    moves = [{"nowMs": 2000 + 1000 * n / 30, "value": 2.0 + 0.02 * n} for n in range(30)]
    due = by_node("pace.js", ASKING, rests + moves)
    assert due[0]
    assert sum(due[30:60]) in {7, 8}
    assert sum(due[75:]) in {7, 8}


@pytest.mark.parametrize("rate", [7, 2])
def test_light_is_asked_for_at_every_picture_that_comes_late(rate: int) -> None:
    questions = [{"nowMs": 1000 * n / rate, "value": 2.0} for n in range(20)]
    assert all(by_node("pace.js", ASKING, questions))
