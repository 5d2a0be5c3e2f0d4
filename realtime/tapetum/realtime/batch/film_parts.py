"""`FilmParts`: which segments of a film are done, being made, and free.

A worker that begins in the middle warms up, and so may not make what the one before it would have
gone on with. This is seen as soon as both parts of a seam are there. The parts behind it are then
made again, each by one that is given the enhancer's memory of the part before: in such a film
nobody begins in the middle any more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from tapetum.realtime.batch.ledger import Begun
from tapetum.realtime.batch.worker import LongFilm, MadeSegment
from tapetum.realtime.errors import SeamError
from tapetum.realtime.opened_video import CpuVideo, shown_as
from tapetum.realtime.progress import LIT_NOTICE, EnhanceResult, is_hardly_needed
from tapetum.realtime.segments.handover import Handover
from tapetum.realtime.segments.job_folder import JobFolder
from tapetum.realtime.segments.joining import check_seams, join
from tapetum.realtime.segments.segment import Segment, chain, memory_path

_MOST_ATTEMPTS = 3
"""Workers that may be lost over a segment before the film is given up."""


class FilmParts:
    """A film that several workers make.

    Args:
        begun: the file that it is.
        found: what the worker that has opened it says of it.

    Attributes:
        begun: the file that it is.
        found: what the worker that has opened it says of it.
        folder: what is kept of it on the disk.
        notices: lines for the user.

    Raises:
        MediaError: another process makes this output, or the disk is full or read-only.
    """

    def __init__(self, begun: Begun, found: LongFilm) -> None:
        self.begun = begun
        self.found = found
        self.folder = JobFolder(found.film.output, found.film.source, found.identity)
        self.notices = [*found.notices, *self.folder.notices]
        self._begin_s = time.perf_counter()
        self._done: dict[int, Segment] = {}
        self._taken: dict[int, int] = {}
        self._attempts: Counter[int] = Counter()
        self._needed: float | None = 0.0
        self._is_split = True
        self._stale: set[int] = set()
        """Segments being made by who began in the middle of a film in which that cannot be."""
        try:
            self._take_up()
        except BaseException:
            self.folder.release()
            raise

    @property
    def is_whole(self) -> bool:
        """Whether all segments are done."""
        known = chain(self._done)
        return bool(known) and self._done[known[-1]].next is None

    @property
    def share_done(self) -> float:
        """About how much of it is done, 0 to 1."""
        count = len(self._done) + len(self._free) + len(self._taken)
        return len(self._done) / count if count else 1.0

    @property
    def ready(self) -> list[int]:
        """Segments that somebody could make now; where none may warm up, those behind done ones."""
        free = sorted(self._free)
        if self._is_split:
            return free
        return [n for n in free if n == 0 or self._before(n) is not None]

    @property
    def free(self) -> int:
        """Segments that somebody could make now."""
        return len(self.ready)

    def after(self, number: int) -> int | None:
        """The segment that goes on where another ends, if it is free."""
        following = self._done[number].next if number in self._done else None
        return following if following in self._free else None

    def half(self) -> int:
        """The free segment for one who comes new: the middle of the longest run of them.

        So that who makes the segment before the run has as much before them.
        """
        run = max(_runs(self.ready), key=len)
        is_led = run[0] - 1 in self._taken
        return run[len(run) // 2] if is_led else run[0]

    def handover(self, number: int) -> Handover | None:
        """For who begins a segment and did not make the one before: what that one remembered."""
        before = self._before(number)
        if before is None:
            return None
        return self.folder.handover(before, self._done[before])

    def take(self, number: int, worker: int) -> None:
        """Note that a worker makes a segment."""
        self._free.discard(number)
        self._taken[number] = worker

    def put(self, number: int, made: MadeSegment) -> None:
        """Take a segment that is made.

        Raises:
            WrongPacketsError: its packets are not what they are said to be.
            MediaError: the disk is full.
        """
        segment = made.segment
        if number in self._stale:
            self._forget(number, made)
            return
        self.folder.add(number, segment, made.path)
        self._taken.pop(number, None)
        self._note(number, replace(segment, pictures=()))
        self.notices += [line for line in made.notices if line not in self.notices]
        if self._needed is not None:
            self._needed = None if made.needed is None else max(self._needed, made.needed)
        self._check_seam(self._before(number), number)
        self._check_seam(number, segment.next)

    def give_back(self, number: int) -> bool:
        """Note that a segment is not made after all; False when that was so too often."""
        self._taken.pop(number, None)
        self._free.add(number)
        self._stale.discard(number)
        self._attempts[number] += 1
        return self._attempts[number] < _MOST_ATTEMPTS

    def finish(self) -> EnhanceResult:
        """Join the segments to the film.

        Raises:
            SeamError: a seam would be seen; all is free again, to be made in one go.
            MediaError: it cannot be written; the segments stay.
        """
        film, numbers = self.found.film, chain(self._done)
        segments = [self._done[number] for number in numbers]
        try:
            check_seams(segments, self.found.time_base)
        except SeamError as error:
            self._begin_anew(error)
            raise
        video = CpuVideo(
            film.source,
            start_s=film.start_s,
            duration_s=film.duration_s,
            deinterlace=film.deinterlace,
        )
        try:
            shown, hdr_notices = shown_as(video.info, strength=film.strength)
            sink = video.open_file(
                film.output, shown, encoder=film.encoder, overwrite=self.begun.overwrite
            )
            try:
                join(self.folder, numbers, sink)
                sink.close(durably=True)  # its segments go
            except BaseException:
                sink.discard()
                raise
        finally:
            video.close()
        self.folder.remove()
        end_s = float(max(segment.end_pts for segment in segments) * self.found.time_base)
        begin_s = float(min(s.first_pts for s in segments if s.frames) * self.found.time_base)
        is_lit = self._needed is not None and is_hardly_needed(self._needed)
        lit = (LIT_NOTICE,) if is_lit and film.strength and not self._before_frames else ()
        return EnhanceResult(
            input_path=film.source,
            output_path=film.output,
            model=str(film.model),
            enhancer=self.found.description,
            encoder=sink.description,
            width=shown.width,
            height=shown.height,
            frames=sum(segment.frames for segment in segments),
            media_s=end_s - begin_s,
            elapsed_s=time.perf_counter() - self._begin_s,
            size_bytes=film.output.stat().st_size,
            notices=tuple(dict.fromkeys((*self.notices, *sink.notices, *hdr_notices, *lit))),
            truncated=segments[-1].truncated,
            corrupt_packets=sum(s.corrupt_packets for s in segments) + sink.damaged_packets,
            damaged_frames=sum(segment.damaged_frames for segment in segments),
            frames_before=self._before_frames,
            media_before_s=self._before_s,
        )

    def _take_up(self) -> None:
        """Take what an earlier job has finished."""
        self._free = set(range(self.found.segments))
        for number, segment in sorted(self.folder.segments().items()):
            self._note(number, segment)
        for number in sorted(self._done):
            self._check_seam(self._before(number), number)
        done = [segment for segment in self._done.values() if segment.frames]
        base = self.found.time_base
        self._before_frames = sum(segment.frames for segment in done)
        self._before_s = float(sum((s.end_pts - s.first_pts for s in done), 0) * base)
        if done:
            name = self.found.film.output.name
            if len(chain(self._done)) == len(self._done):
                at_s = float(max(segment.end_pts for segment in done) * base)
                self.notices.append(f"continued at {at_s:.3f} s of {name}")
            else:
                self.notices.append(f"continued {name}, of which {self._before_s:.3f} s were done")

    def _before(self, number: int) -> int | None:
        """The segment that is done and goes on with another."""
        return next((n for n, segment in self._done.items() if segment.next == number), None)

    def _check_seam(self, before: int | None, number: int | None) -> None:
        """Have what is behind a seam made again where it does not go on as the part before ended.

        Where nobody can go on there exactly, that is left to the end.
        """
        if before is None or number is None or not {before, number} <= self._done.keys():
            return
        one, other = self._done[before], self._done[number]
        try:
            check_seams([one, other], self.found.time_base)
        except SeamError as error:
            if other.before is None or self.folder.handover(before, one) is None:
                return
            behind = {n for n in self._done if n >= number}
            self._done = {n: kept for n, kept in self._done.items() if n < number}
            self._free |= behind
            self._stale |= {n for n in self._taken if n > number}
            if self._is_split:
                name = self.found.film.output.name
                self.notices.append(f"{name}: {error}; from there on its parts follow each other")
            self._is_split = False
        else:
            self.folder.forget_memory(before)

    def _forget(self, number: int, made: MadeSegment) -> None:
        """Have a segment made again that is of no use."""
        self._stale.discard(number)
        self._taken.pop(number, None)
        self._free.add(number)
        made.path.unlink(missing_ok=True)
        memory_path(made.path).unlink(missing_ok=True)

    def _note(self, number: int, segment: Segment) -> None:
        """Note a segment that is done, and what is known by it of those behind it."""
        self._done[number] = segment
        following = segment.next
        beyond = [n for n in self._free if n > number and (following is None or n < following)]
        self._free -= {number, *beyond}
        if following is not None and following not in self._done.keys() | self._taken.keys():
            self._free.add(following)

    def _begin_anew(self, error: SeamError) -> None:
        """Begin from the first segment, one after the other."""
        self.folder.begin_anew()
        self.notices.append(f"{error}; begun anew, in one go")
        self._done.clear()
        self._free = {0}
        self._is_split = False
        self._before_frames, self._before_s = 0, 0.0


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers that follow each other, together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
