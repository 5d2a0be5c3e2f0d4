"""What a scenario gives: things to measure, each a repeat at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tapetum.benchmarks.bench.floors import Floor, floors
from tapetum.benchmarks.bench.inputs import Input
from tapetum.benchmarks.bench.result import Key, Result
from tapetum.benchmarks.bench.settings import Settings
from tapetum.benchmarks.bench.subjects import Subject
from tapetum.benchmarks.bench.yardstick import Pace
from tapetum.realtime import Frame


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
