"""`ParallelJob`: gives the parts of a job to a crew, and what is lost to another worker again.

A worker goes on with the segment after its own, where nothing has to be warmed up; else it gets a
file that nobody has begun; else it halves what is left of a film that another one is at.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tapetum.realtime.batch.crew import Answered, Crew, Event, Lost, Pulse, Ready
from tapetum.realtime.batch.film_parts import FilmParts
from tapetum.realtime.batch.ledger import Begun, Ledger, Outcome
from tapetum.realtime.batch.tree import Plan, Task
from tapetum.realtime.batch.worker import (
    Failure,
    FileWork,
    LongFilm,
    MadeSegment,
    SegmentWork,
    Work,
)
from tapetum.realtime.errors import MediaError, SeamError, TapetumError
from tapetum.realtime.photos.formats import is_photo_name
from tapetum.realtime.segments.job_folder import WrongPacketsError

if TYPE_CHECKING:
    from tapetum.realtime.batch.worker import FileAnswer

_LISTEN_S = 0.5
_MOST_ATTEMPTS = 3
"""Workers that may be lost over a file before it is given up."""
_PHOTOS = 16
_PHOTO_BYTES = 16 << 20
"""What of photos is given at once, so that giving costs nothing."""

_PATIENCE = 20
"""A worker hangs that has not moved for so many times the longest rest of any before."""
_SHORTEST_PATIENCE_S = 300.0
"""What the first frame of a kind needs may have to be compiled, by all at once."""
_FIRST_PATIENCE_S = 600.0
"""While no pace is known."""
_MOST_DEAF_S = 2.0
"""Between two looks at what has happened; joining a film may take longer."""
_PHOTO_PATIENCE_S = 3600.0
"""Of photos nothing is heard before they are done."""


@dataclass(frozen=True, slots=True)
class CrewProgress:
    """How far a job of several workers is.

    Attributes:
        files: that are done, or never will be.
        total_files: of the job.
        current: names of those at work.
        frames: enhanced so far, of all workers.
        elapsed_s: since the job began.
        paces: of each worker its place, and its frames a second.
        left_s: about how long it will take; None where nobody knows.
    """

    files: int
    total_files: int
    current: tuple[str, ...]
    frames: int
    elapsed_s: float
    paces: tuple[tuple[str, float], ...]
    left_s: float | None

    @property
    def fps(self) -> float:
        """Frames a second of all workers."""
        return self.frames / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(slots=True)
class _Hand:
    """A worker, as far as it is known here."""

    place: str
    work: Work | None = None
    moved_s: float = 0.0
    moves: int | None = None
    frames: int = 0


@dataclass(slots=True)
class _Queue:
    """Files that nobody has begun."""

    tasks: deque[Task] = field(default_factory=deque)
    again: deque[Begun] = field(default_factory=deque)
    """Those of a worker that was lost, each to be given by itself."""

    def __bool__(self) -> bool:
        return bool(self.tasks or self.again)


class ParallelJob:
    """Enhances files with a crew.

    Args:
        ledger: of the files.
        crew: does the work; it is closed with the job.
        on_file: called with each task before it begins.
        on_crew: called some times a second.
        on_note: called with a line about what was lost and is done again.
    """

    def __init__(
        self,
        ledger: Ledger,
        crew: Crew,
        *,
        on_file: Callable[[Task], None] | None = None,
        on_crew: Callable[[CrewProgress], None] | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._crew = crew
        self._on_file = on_file
        self._on_crew = on_crew
        self._on_note = on_note
        self._hands: dict[int, _Hand] = {}
        self._queue = _Queue()
        self._begun: dict[Path, Begun] = {}
        self._films: dict[Path, FilmParts] = {}
        self._attempts: dict[Path, int] = {}
        self._longest_rest_s: float | None = None
        self._begin_s = self._listened_s = time.monotonic()
        self._files = self._total_files = 0
        self._sizes: dict[str, int] = {}
        self._bytes_worked = 0
        self._frames_of_lost = 0

    def outcomes(self, plan: Plan, *, copy_others: bool = False) -> Iterator[Outcome]:
        """Do the files of a plan, and tell what became of each.

        Raises:
            TapetumError: there can be no workers.
        """
        for source, why in plan.refused:
            yield Outcome(source, None, "failed", why)
        self._queue.tasks.extend(plan.tasks)
        self._total_files += len(plan.tasks)
        self._sizes.update((str(task.output), _size(task.source)) for task in plan.tasks)
        while self._queue or self._begun:
            yield from map(self._ended, self._give_work())
            for event in self._crew.events(_LISTEN_S):
                yield from map(self._ended, self._hear(event))
            self._replace_hung()
            self._tell()
        if copy_others:
            for task in plan.others:
                yield self._ledger.copy(task)

    def close(self) -> None:
        """End it; finished segments stay."""
        self._crew.close()
        for film in self._films.values():
            film.folder.release()
        with suppress(TapetumError):  # what ended the job says more
            for begun in self._begun.values():
                self._ledger.forget(begun)
        self._films, self._begun = {}, {}

    # What is to be done ----------------------------------------------------------------------

    def _give_work(self) -> Iterator[Outcome]:
        for worker, hand in self._hands.items():
            if hand.work is None:
                files, ended = self._next_files()
                yield from ended
                work = files or self._next_half()
                if work is not None:
                    self._give(worker, work)

    def _give(self, worker: int, work: Work) -> None:
        hand = self._hands[worker]
        hand.work = work
        hand.moved_s = time.monotonic()
        if isinstance(work, SegmentWork):
            self._films[work.film.output].take(work.number, worker)
        self._crew.give(worker, work)

    def _next_files(self) -> tuple[FileWork | None, list[Outcome]]:
        """Files that nobody has begun, a video or some photos; and those that need not be."""
        queue = self._queue
        if queue.again:
            return _file_work([queue.again.popleft()]), []
        found: list[Begun] = []
        ended: list[Outcome] = []
        size = 0
        while queue.tasks and len(found) < _PHOTOS and size < _PHOTO_BYTES:
            task = queue.tasks[0]
            if found and not is_photo_name(task.output):
                break
            queue.tasks.popleft()
            begun = self._ledger.begin(task)
            if isinstance(begun, Outcome):
                ended.append(begun)
                continue
            self._begun[task.output] = begun
            if self._on_file is not None:
                self._on_file(task)
            found.append(begun)
            if not is_photo_name(task.output):
                break
            size += self._sizes[str(task.output)]
        return (_file_work(found) if found else None), ended

    def _next_half(self) -> SegmentWork | None:
        """A part of the film of which most is free."""
        film = max(self._films.values(), key=lambda film: film.free, default=None)
        if film is None or not film.free:
            return None
        return _segment_work(film, film.half())

    # What is heard ---------------------------------------------------------------------------

    def _hear(self, event: Event) -> Iterator[Outcome]:
        if isinstance(event, Ready):
            self._hands[event.worker] = _Hand(event.place)
        elif isinstance(event, Pulse):
            self._note_pulse(event)
        elif isinstance(event, Lost):
            yield from self._lose(event)
        else:
            yield from self._take(event)

    def _note_pulse(self, pulse: Pulse) -> None:
        hand, now_s = self._hands[pulse.worker], time.monotonic()
        hand.frames = pulse.frames
        before, hand.moves = hand.moves, pulse.moves
        if hand.work is None or before in {None, pulse.moves}:
            return
        rest_s = now_s - hand.moved_s
        self._longest_rest_s = max(self._longest_rest_s or 0.0, rest_s)
        hand.moved_s = now_s

    def _take(self, answered: Answered) -> Iterator[Outcome]:
        hand = self._hands[answered.worker]
        work, hand.work = hand.work, None
        answer = answered.answer
        if isinstance(work, FileWork):
            answers = answer if isinstance(answer, tuple) else (answer,) * len(work.tasks)
            for task, one in zip(work.tasks, answers, strict=True):
                yield from self._take_file(answered.worker, task, one)
        elif isinstance(work, SegmentWork) and not isinstance(answer, tuple):
            yield from self._take_segment(answered.worker, work, answer)

    def _take_file(
        self, worker: int, task: Task, answer: FileAnswer | MadeSegment
    ) -> Iterator[Outcome]:
        begun = self._begun[task.output]
        if isinstance(answer, Failure):
            yield self._ledger.give_up(begun, answer.reason)
        elif isinstance(answer, LongFilm):
            try:
                film = FilmParts(begun, answer)
            except MediaError as error:
                yield self._ledger.give_up(begun, str(error))
                return
            self._films[task.output] = film
            if film.is_whole:  # but for being joined
                yield from self._finish(film)
            else:
                self._give(worker, _segment_work(film, film.half()))
        elif not isinstance(answer, MadeSegment):
            yield self._ledger.finish(begun, answer)

    def _take_segment(
        self, worker: int, work: SegmentWork, answer: MadeSegment | Failure
    ) -> Iterator[Outcome]:
        film = self._films.get(work.film.output)
        if film is None or film.found.film != work.film:  # it failed, or was whole without
            return
        if isinstance(answer, Failure):
            yield self._give_up(film, answer.reason)
            return
        try:
            film.put(work.number, answer)
        except WrongPacketsError as error:
            yield from self._do_again(film, work.number, str(error))
            return
        except MediaError as error:
            yield self._give_up(film, str(error))
            return
        if film.is_whole:
            yield from self._finish(film)
            return
        following = film.after(work.number)
        if following is not None:
            self._give(worker, _segment_work(film, following, goes_on=True))

    def _finish(self, film: FilmParts) -> Iterator[Outcome]:
        try:
            result = film.finish()
        except SeamError as error:
            if self._try_again(film.begun):
                self._note(f"{film.begun.task.output}: {error}; it is made anew, in one go")
                return
            yield self._give_up(film, str(error))
        except MediaError as error:
            yield self._give_up(film, str(error))
        else:
            del self._films[film.begun.task.output]
            yield self._ledger.finish(film.begun, result)

    def _give_up(self, film: FilmParts, reason: str) -> Outcome:
        del self._films[film.begun.task.output]
        film.folder.release()
        return self._ledger.give_up(film.begun, reason)

    # What is lost ----------------------------------------------------------------------------

    def _lose(self, lost: Lost) -> Iterator[Outcome]:
        hand = self._hands.pop(lost.worker, None)
        if hand is None:
            before = "" if lost.was_refused else "a worker ended before it began: "
            self._note(f"{before}{lost.reason}")
            return
        self._frames_of_lost += hand.frames
        work = hand.work
        what = "" if work is None else f", which was at {_name(work)}"
        again = "" if work is None else "; it is done again"
        self._note(f"lost a worker ({hand.place}){what}: {lost.reason}{again}")
        if isinstance(work, SegmentWork):
            film = self._films.get(work.film.output)
            if film is not None:
                yield from self._do_again(film, work.number, lost.reason)
        elif work is not None:
            for task in work.tasks:
                begun = self._begun[task.output]
                if len(work.tasks) > 1 or self._try_again(begun):
                    self._queue.again.append(begun)
                else:
                    yield self._ledger.give_up(begun, _lost_over(lost.reason))

    def _do_again(self, film: FilmParts, number: int, reason: str) -> Iterator[Outcome]:
        if not film.give_back(number):
            yield self._give_up(film, _lost_over(reason))

    def _try_again(self, begun: Begun) -> bool:
        output = begun.task.output
        self._attempts[output] = self._attempts.get(output, 0) + 1
        return self._attempts[output] < _MOST_ATTEMPTS

    def _replace_hung(self) -> None:
        now_s = time.monotonic()
        deaf_s, self._listened_s = now_s - self._listened_s, now_s
        for worker, hand in self._hands.items():
            if deaf_s > _MOST_DEAF_S:  # what they did meanwhile was not heard
                hand.moved_s += deaf_s
            rest_s = now_s - hand.moved_s
            if hand.work is not None and rest_s > self._patience_s(hand.work):
                hand.moved_s = now_s
                self._crew.replace(worker, f"it did not move for {rest_s:.0f} s")

    def _patience_s(self, work: Work) -> float:
        """How long a worker may rest."""
        if isinstance(work, FileWork) and is_photo_name(work.tasks[0].output):
            return _PHOTO_PATIENCE_S
        if self._longest_rest_s is None:
            return _FIRST_PATIENCE_S
        return max(_SHORTEST_PATIENCE_S, _PATIENCE * self._longest_rest_s)

    # What is told ----------------------------------------------------------------------------

    def _ended(self, outcome: Outcome) -> Outcome:
        self._files += 1
        if outcome.output is not None:
            self._begun.pop(outcome.output, None)
            self._attempts.pop(outcome.output, None)
            size = self._sizes.pop(str(outcome.output), 0)
            self._bytes_worked += size if outcome.result is not None else 0
        return outcome

    def _note(self, line: str) -> None:
        if self._on_note is not None:
            self._on_note(line)

    def _tell(self) -> None:
        if self._on_crew is None:
            return
        elapsed_s = time.monotonic() - self._begin_s
        partly = sum(
            film.share_done * self._sizes.get(str(output), 0)
            for output, film in self._films.items()
        )
        worked = self._bytes_worked + partly
        left = sum(self._sizes.values()) - partly
        hands = self._hands.values()
        self._on_crew(
            CrewProgress(
                files=self._files,
                total_files=self._total_files,
                current=tuple(dict.fromkeys(_name(h.work) for h in hands if h.work is not None)),
                frames=self._frames_of_lost + sum(hand.frames for hand in hands),
                elapsed_s=elapsed_s,
                paces=tuple((h.place, h.frames / elapsed_s) for h in hands),
                left_s=left * elapsed_s / worked if worked else None,
            )
        )


def _file_work(files: list[Begun]) -> FileWork:
    return FileWork(tuple(begun.task for begun in files), tuple(begun.overwrite for begun in files))


def _segment_work(film: FilmParts, number: int, *, goes_on: bool = False) -> SegmentWork:
    """A segment for a worker; `goes_on`: for the one that made the segment before."""
    handover = None if goes_on else film.handover(number)
    return SegmentWork(film.found.film, number, film.folder.path, handover)


def _name(work: Work) -> str:
    if isinstance(work, SegmentWork):
        return work.film.source.name
    return work.tasks[0].source.name


def _lost_over(reason: str) -> str:
    return f"{_MOST_ATTEMPTS} workers were lost over it; of the last: {reason}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
