"""`SegmentedSink`: frames into segments on the disk, and these into the film when all are there.

A job that goes on begins some seconds before the first frame that is missing, and does not encode
these frames again. Its enhancer is given what the other one remembered (`handover`); one that has
no memory to be kept is warmed up by them. The last of them is held against samples of the same
frame that the job before has kept. Where they differ, the enhancer would not do what it would have
done without the stop, and the film is begun anew: a seam is never seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from tapetum.realtime.errors import SeamError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.segments.handover import HandedStage
from tapetum.realtime.segments.job_folder import JobFolder, unfinished_path
from tapetum.realtime.segments.joining import check_seams, join, unseen
from tapetum.realtime.segments.segment import (
    WARM_UP_S,
    Damage,
    Probe,
    SegmentEncoder,
    segment_number,
)


class SegmentedSink:
    """Takes the frames of a film; what is finished stays when the job is killed.

    Args:
        film: the output, opened, to which no frame is written.
        folder: of the job.
        time_base: seconds per unit of the frames' `pts`.
        damage: how damaged the input was until a frame, or its end.

    Attributes:
        done: the segments that jobs before this one have finished, from the first on.

    Raises:
        MediaError: the folder cannot be read.
    """

    def __init__(
        self,
        film: FileSink,
        folder: JobFolder,
        *,
        time_base: Fraction,
        damage: Callable[[Frame | None], Damage],
    ) -> None:
        self._film = film
        self._folder = folder
        self._time_base = time_base
        self._damage = damage
        found = folder.segments()
        self._segments = {number: found[number] for number in unseen(found, time_base)}
        self.done = [*self._segments.values()]
        self._before = next((s.last for s in reversed(self.done) if s.last is not None), None)
        self._end_of_done = None if self._before is None else self._before.pts
        self._is_at_seam = self._before is None
        """Whether what is done goes on as it did."""
        self._expected = self._before
        """Of the last frame of what is done, as it comes here."""
        self._shown = next((n for n in reversed(self._segments) if found[n].last is not None), None)
        """The last segment that has a frame."""
        self._handed: HandedStage | None = None
        self._damage_before: Damage | None = None if self.done else Damage()
        self._open: SegmentEncoder | None = None
        self._number = 0 if not self.done else self.done[-1].next or 0
        self._finished = False

    @property
    def begin_pts(self) -> int | None:
        """Where the source must begin; None for its beginning."""
        if self._end_of_done is None:
            return None
        return self._end_of_done - round(WARM_UP_S / self._time_base)

    @property
    def damage(self) -> Damage:
        """Of the whole input, as far as the segments go that are finished."""
        segments = self._segments.values()
        return Damage(
            sum(segment.corrupt_packets for segment in segments),
            sum(segment.damaged_frames for segment in segments),
            any(segment.truncated for segment in segments),
        )

    @property
    def frames_before(self) -> int:
        """Frames that jobs before this one have finished."""
        return sum(segment.frames for segment in self.done)

    def handed(self, stage: FrameStage) -> FrameStage:
        """The enhancer, which remembers nothing, as it goes on where what is done ends.

        All frames go through it on their way here.
        """
        shown = self._shown
        handover = None if shown is None else self._folder.handover(shown, self._segments[shown])
        if handover is not None:
            self._expected = handover.ending.seen
        self._handed = HandedStage(stage, handover)
        return self._handed

    def has(self, frame: Frame) -> bool:
        """Whether a frame was encoded by a job before this one."""
        return self._end_of_done is not None and (frame.pts or 0) <= self._end_of_done

    def write(self, frame: Frame) -> None:
        """Encode one frame, or hold it against what is done.

        Raises:
            SeamError: the film does not go on as it was begun; what was done is removed.
            MediaError: the frame is not as it should be, or the disk is full.
        """
        self._film.check(frame)
        if self.has(frame):
            if frame.pts == self._end_of_done and self._expected is not None:
                self._is_at_seam = self._expected.is_same(Probe.of(frame))
            return
        if not self._is_at_seam or not self._remembers_the_same(frame):
            self._folder.begin_anew()
            raise SeamError("the unfinished job before could not be continued unseen; begun anew")
        self._encode(frame)

    def close(self) -> None:
        """Finish the last segment, join all, and give the film its name.

        Raises:
            MediaError: it cannot be written; the segments stay.
        """
        if self._finished:
            return
        try:
            if self._open is not None:
                self._finish_segment(self._open, following=None, first=None)
            self._check_seams()
            join(self._folder, self._segments, self._film)
            self._film.close(durably=True)  # its segments go
        except BaseException:
            self.discard()
            raise
        self._finished = True
        self._folder.remove()

    def discard(self) -> None:
        """Give up for now: segments that are finished stay."""
        if self._finished:
            return
        self._finished = True
        if self._open is not None:
            self._open.discard()
        self._film.discard()
        self._folder.release()

    def _check_seams(self) -> None:
        try:
            check_seams(self._segments.values(), self._time_base)
        except SeamError:
            self._folder.begin_anew()
            raise

    def _remembers_the_same(self, frame: Frame) -> bool:
        """Whether the enhancer begins with what the one before it knew for good, at the seam."""
        if self._open is not None or self._shown is None or self._handed is None:
            return True
        ends = self._segments[self._shown].ends
        return self._handed.begins.get(segment_number(frame), ends) == ends

    def _encode(self, frame: Frame) -> None:
        number = segment_number(frame)
        if self._damage_before is None:
            self._damage_before = self._damage(frame)
        if self._open is None:
            self._open = self._begin_segment()
        if number > self._number:
            self._finish_segment(self._open, following=number, first=frame)
            self._number = number
            self._open = self._begin_segment()
        self._open.encode(frame)

    def _begin_segment(self) -> SegmentEncoder:
        path = unfinished_path(self._folder.path, self._number)
        return SegmentEncoder(path, self._film.another_encoder, self._before)

    def _finish_segment(
        self, segment: SegmentEncoder, *, following: int | None, first: Frame | None
    ) -> None:
        now = self._damage(first)
        damage, self._damage_before = now.since(self._damage_before or Damage()), now
        begins, ending = ("", None) if self._handed is None else self._handed.take(self._number)
        whole = segment.finish(following=following, damage=damage, begins=begins, ending=ending)
        self._open = None
        self._folder.add(self._number, whole, segment.path)
        if whole.last is not None:
            if self._shown is not None:
                self._folder.forget_memory(self._shown)
            self._shown = self._number
        self._segments[self._number] = replace(whole, pictures=())
        self._before = whole.last or self._before
