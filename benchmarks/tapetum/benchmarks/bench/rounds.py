"""In which order trials are measured: in rounds, each with one repeat of all of them.

A machine's speed drifts, over seconds and over minutes. What is measured in one go has the speed
of that moment; what is measured in rounds has that of the whole run, as has all that it is
compared with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tapetum.benchmarks.bench.trial import Trial


@dataclass(frozen=True)
class Turn:
    """One repeat of one trial.

    Attributes:
        round: the number of its round, from 0.
        trial: what is measured.
        left_s: about how long this and all further turns take; None where a trial has not had
            its first turn.
    """

    round: int
    trial: Trial
    left_s: float | None


def turns(trials: Sequence[Trial], rounds: int) -> Iterator[Turn]:
    """Give each turn when it is due; it is over when the next one is asked for."""
    order = [
        (number, trial)
        for number in range(rounds)
        for trial in trials
        if takes_part(trial.most_repeats, number, rounds)
    ]
    took_s: dict[Trial, float] = {}
    for place, (number, trial) in enumerate(order):
        began_s = time.perf_counter()
        yield Turn(number, trial, _left_s([due for _, due in order[place:]], took_s))
        took_s[trial] = time.perf_counter() - began_s


def takes_part(most_repeats: int | None, number: int, rounds: int) -> bool:
    """Whether a trial with at most so many repeats is measured in a round: they are spread evenly.

    Args:
        most_repeats: of the trial; None takes part in every round.
        number: of the round, from 0.
        rounds: how many there are.
    """
    repeats = rounds if most_repeats is None else min(most_repeats, rounds)
    return number * repeats // rounds != (number - 1) * repeats // rounds


def _left_s(due: Sequence[Trial], took_s: dict[Trial, float]) -> float | None:
    """By what each trial took the last time."""
    if not took_s.keys() >= set(due):
        return None
    return sum(took_s[trial] for trial in due)
