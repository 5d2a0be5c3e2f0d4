"""What taking noise out does where things move: no picture may be farther from the truth for it.

Photos are moved in known ways (`moved_photos`) and recorded in the dark (`recordings`), with noise
and without; what comes out is compared with the truth where that moves, whole and by crops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE
from rich.table import Column, Table

from tapetum.benchmarks.evaluate.moved_photos import MOTIONS, motions_of
from tapetum.benchmarks.evaluate.recordings import (
    CONDITIONS,
    FRAMES,
    Conditions,
    record_pictures,
)
from tapetum.benchmarks.evaluate.restoring import (
    NOTHING,
    TAPETUM,
    Plane,
    brightened,
    grids_of,
    restored,
    where_it_moves,
)
from tapetum.gan.photos import find_photos, read_photo

ALL_CONDITIONS = (*CONDITIONS, Conditions("clean, very dark", 0.01, np.inf))
_WARM_UP = 8
"""Frames that are not measured."""
_CROP, _STEP = 96, 48
"""Side of a crop, and how far the next one begins."""
_MOVES = 0.1
"""Share of a crop that must move for it to be measured."""
_MEAN_SQUARE_ROUNDING = 1 / 12
"""Added to what is left and to what was there: what is less than rounding nobody sees."""


@dataclass(frozen=True)
class MotionScore:
    """How much nearer to the truth one recording came by taking noise out: dB of bright luma.

    Attributes:
        motion: see `MOTIONS`.
        conditions: name of what it was recorded under.
        gain_db: of all of the picture.
        moving_gain_db: where the truth moves; None where nothing does.
        worst_gain_db: of the crop of 96x96 pixels that lost the most where it moves.
    """

    motion: str
    conditions: str
    gain_db: float
    moving_gain_db: float | None
    worst_gain_db: float | None


def score_motions(
    photos: Path, model: str, on_progress: Callable[[str, int, int], None] = lambda *_: None
) -> list[MotionScore]:
    """Measure what taking noise out brings for each motion, under all conditions.

    Args:
        photos: folder of well-lit photos, which are used in turn.
        model: a grid model that brightens.
        on_progress: told what is measured, how many are done, and of how many.

    Raises:
        BenchmarkError: the model has no grid.
        DataError: there is no photo in the folder, or one cannot be read.
        ModelError: there is no such model.
    """
    found = find_photos(photos)[: len(MOTIONS)]
    scores: list[MotionScore] = []
    for motion, pictures in motions_of([read_photo(path) for path in found], FRAMES):
        for conditions in ALL_CONDITIONS:
            recording = record_pictures(pictures, conditions)
            grids = grids_of(recording.noisy, model)
            truth, noisy, ours = (
                brightened(recording.noisy, seen, grids).luma
                for seen in (
                    recording.truth,
                    next(restored(recording, grids, NOTHING)),
                    next(restored(recording, grids, TAPETUM)),
                )
            )
            scores.append(MotionScore(motion, conditions.name, *_gains(truth, noisy, ours)))
            on_progress("motions", len(scores), len(MOTIONS) * len(ALL_CONDITIONS))
    return scores


def _gains(
    truth: Sequence[Plane], noisy: Sequence[Plane], ours: Sequence[Plane]
) -> tuple[float, float | None, float | None]:
    measured = range(_WARM_UP, len(truth))
    where = np.array([where_it_moves(truth, at) for at in measured])
    before, after = (
        np.array([np.square(made[at] - truth[at]) for at in measured]) for made in (noisy, ours)
    )
    return (
        _gain_db(before.mean(), after.mean()),
        _gain_db(before[where].mean(), after[where].mean()) if where.any() else None,
        _worst_gain_db(before, after, where),
    )


def _worst_gain_db(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], where: npt.NDArray[np.bool_]
) -> float | None:
    """Of all crops that move."""
    moves = where.sum(axis=0)
    there, left = ((squares * where).sum(axis=0) for squares in (before, after))
    gains = []
    for top in range(0, moves.shape[0] - _CROP + 1, _STEP):
        for begin in range(0, moves.shape[1] - _CROP + 1, _STEP):
            crop = slice(top, top + _CROP), slice(begin, begin + _CROP)
            many = moves[crop].sum()
            if many >= _MOVES * len(where) * _CROP**2:
                gains.append(_gain_db(there[crop].sum() / many, left[crop].sum() / many))
    return min(gains, default=None)


def _gain_db(before: np.floating, after: np.floating) -> float:
    """By how much a mean square error fell."""
    ratio = (before + _MEAN_SQUARE_ROUNDING) / (after + _MEAN_SQUARE_ROUNDING)
    return round(float(10 * np.log10(ratio)), 3)


def motion_table(scores: Sequence[MotionScore]) -> Table:
    """Where it moves, and of the worst crop, in dB."""
    names = ("motion", "recording", "dB", "where it moves", "worst crop")
    table = Table(*(Column(name, justify="right") for name in names), box=SIMPLE)
    for score in scores:
        gains = score.gain_db, score.moving_gain_db, score.worst_gain_db
        texts = ("" if gain is None else f"{gain:+.2f}" for gain in gains)
        table.add_row(score.motion, score.conditions, *texts)
    return table
