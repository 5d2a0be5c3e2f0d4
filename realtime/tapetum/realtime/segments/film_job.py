"""`FilmJob`: one long film, begun or continued, in one pass by one process."""

from __future__ import annotations

from collections.abc import Callable

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.file_sink import FileSink
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.segments.film import Film
from tapetum.realtime.segments.job_folder import JobFolder
from tapetum.realtime.segments.segment import Damage
from tapetum.realtime.segments.segmented_sink import SegmentedSink


class FilmJob:
    """A film on its way through segments.

    Args:
        film: what is made.
        source: the input, of which nothing was read; it begins where the job goes on.
        output: the output, opened.

    Attributes:
        sink: takes the frames.
        frames_before: frames that jobs before this one have finished.
        media_before_s: their play time in seconds.
        notices: lines for the user about what was found of a job before.

    Raises:
        MediaError: another process makes this output, or the disk is full or read-only.
        ModelError: the model's file cannot be read.
    """

    def __init__(self, film: Film, source: FileSource, output: FileSink) -> None:
        folder = JobFolder(film.output, film.source, film.identity(source, output.description))
        time_base = source.info.time_base
        self.sink = SegmentedSink(
            output,
            folder,
            time_base=time_base,
            damage=lambda frame: Damage.until(frame, source),
        )
        done = self.sink.done
        self.notices = tuple(folder.notices)
        self.frames_before = self.sink.frames_before
        self.media_before_s = 0.0
        if self.sink.begin_pts is not None:
            self.media_before_s = float(max(segment.end_pts for segment in done) * time_base)
            self.notices += (f"continued at {self.media_before_s:.3f} s of {film.output.name}",)
            source.resume_at(self.sink.begin_pts)

    def frames_left(self, total: int | None) -> int | None:
        """Of the frames to expect, those that are not finished."""
        return None if total is None else max(0, total - self.frames_before)

    def new_frames(self, count: Callable[[Frame], None]) -> Callable[[Frame], None]:
        """Have only frames counted that are not finished already."""

        def count_new(frame: Frame) -> None:
            if not self.sink.has(frame):
                count(frame)

        return count_new
