"""`Crew`: workers in other processes, here or on other machines, and what is heard of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tapetum.realtime.batch.worker import Answer, Work


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has loaded the model and waits for work."""

    worker: int
    place: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """A worker lives.

    Attributes:
        worker: which.
        frames: that it has enhanced so far.
        moves: a number that rises as long as its work goes on.
    """

    worker: int
    frames: int
    moves: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A worker has ended its work."""

    worker: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is no more; what it had is not done.

    Attributes:
        worker: which.
        reason: in a few words.
        was_refused: whether it never can work: it has another version, or no model.
    """

    worker: int
    reason: str
    was_refused: bool = False


Event = Ready | Pulse | Answered | Lost


class Crew(Protocol):
    """Workers, each named by a number that no other one ever gets."""

    @property
    def size(self) -> int:
        """Workers that there are, or are about to be."""

    def give(self, worker: int, work: Work) -> None:
        """Give work to a worker that has none."""

    def events(self, timeout_s: float) -> Sequence[Event]:
        """What has happened; waits for something to happen at most so long.

        Raises:
            TapetumError: there can be no workers any more.
        """

    def replace(self, worker: int, reason: str) -> None:
        """End a worker that does not answer; `Lost` is heard of it, and another one begins."""

    def close(self) -> None:
        """End all of them at once; what they were at is lost."""
