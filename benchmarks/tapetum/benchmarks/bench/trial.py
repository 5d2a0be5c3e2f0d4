"""What a scenario gives, how it is run, and in which order: in rounds with a repeat of each.

A machine's speed drifts, over seconds and over minutes. What is measured in one go has the speed
of that moment; what is measured in rounds has that of the whole run, as has all that it is
compared with.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tapetum.benchmarks.bench.floors import Floor, floors
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.measure.frames import Input
from tapetum.benchmarks.measure.sampling import Effort, Pace
from tapetum.realtime import Frame


@dataclass(frozen=True)
class Settings:
    """What is the same for every subject and input of a run.

    Attributes:
        effort: how much is measured.
        seed: of the synthetic frames.
        streams: how many streams `multi-stream` runs at once.
        rate_fps: frames per second of the camera that `paced` plays.
        first_run: whether `cold-start` also measures the first run on a machine, kernels
            compiled anew, which takes some ten seconds.
        with_codec: whether `single-stream` also decodes and encodes each frame.
        truths: folders of pictures by which `single-stream` also measures quality (`truth`).
    """

    effort: Effort = field(default_factory=Effort)
    seed: int = 0
    streams: int = 2
    rate_fps: float = 30.0
    first_run: bool = True
    with_codec: bool = False
    truths: tuple[Path, ...] = ()

    def quick(self) -> Settings:
        """Less of everything."""
        return replace(self, effort=self.effort.quick(), first_run=False)


class Trial(ABC):
    """One subject in one scenario on one input: warm, and ready to be measured.

    Attributes:
        key: what is measured.
        subject: what enhances.
        most_repeats: how many repeats it takes part in at most, because each is long; None is
            all of them.
    """

    most_repeats: int | None = None

    def __init__(self, key: Key, subject: Subject) -> None:
        self.key, self.subject = key, subject

    def readings(self, paces: Sequence[Pace]) -> list[float]:
        """Those of the yardstick, in milliseconds; none where it does not tell the pace."""
        return [pace.ms for pace in paces] if self.subject.on_one_core else []

    def floors(self, frame: Frame, *, streams: int = 1) -> Sequence[Floor]:
        """What bounds the enhancing of so many frames at once; nothing where none is changed."""
        if not self.subject.changes_pixels:
            return ()
        return floors(frame, self.subject.network, streams=streams)

    @abstractmethod
    def repeat(self) -> None:
        """Take one repeat's samples, with an enhancer of its own.

        Raises:
            TapetumError: it cannot be measured.
        """

    @abstractmethod
    def result(self) -> Result:
        """What the repeats so far have shown; there must have been one."""


Scenario = Callable[[Sequence[Subject], Input, Settings, Path], Iterator[Trial]]
"""Gives a trial for each subject. Files can be put into the folder until the run has ended."""


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
