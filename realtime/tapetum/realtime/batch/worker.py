"""`BatchWorker`: does the parts of a job that are given to it, with one loaded model."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tapetum.gan.model import find_model
from tapetum.realtime.aim import Aim
from tapetum.realtime.batch.file_maker import FileMaker, FileOptions
from tapetum.realtime.batch.tree import Task
from tapetum.realtime.enhancer import is_cuda
from tapetum.realtime.errors import TapetumError
from tapetum.realtime.media.file_sink import EncoderSettings
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.photos.formats import is_photo_name
from tapetum.realtime.progress import EnhanceResult, Progress
from tapetum.realtime.protocols import SparingEnhancer
from tapetum.realtime.segments import is_long
from tapetum.realtime.segments.film import Film, deciding_versions
from tapetum.realtime.segments.handover import Handover
from tapetum.realtime.segments.job_folder import unfinished_path
from tapetum.realtime.segments.segment import Segment, likely_segments
from tapetum.realtime.segments.segment_maker import SegmentMaker

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileWork:
    """Files to make, one after the other.

    Attributes:
        tasks: which; a film that is worth segments is only looked at.
        overwrite: of each, whether its output may be replaced.
    """

    tasks: tuple[Task, ...]
    overwrite: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """A segment to make.

    Attributes:
        film: of what.
        number: which.
        folder: where its packets go.
        handover: of the segment before; None for who made that, or warms up.
    """

    film: Film
    number: int
    folder: Path
    handover: Handover | None = None


Work = FileWork | SegmentWork


@dataclass(frozen=True, slots=True)
class LongFilm:
    """What is found of a film that is worth segments.

    Attributes:
        film: what is to be made.
        identity: see `JobFolder`.
        segments: about how many there are.
        time_base: seconds per unit of their times.
        total_frames: frames as far as the container says, or None.
        description: what runs where, for people.
        notices: lines for the user.
    """

    film: Film
    identity: dict[str, object]
    segments: int
    time_base: Fraction
    total_frames: int | None
    description: str
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something could not be made: one line."""

    reason: str


@dataclass(frozen=True, slots=True)
class MadeSegment:
    """A segment whose packets are on the disk.

    Attributes:
        segment: what is known of it.
        path: its packets; `memory_path` says where the enhancer's memory lies.
        needed: the greatest share of its effect that a picture needed; None where nobody knows.
        notices: lines for the user about the input.
    """

    segment: Segment
    path: Path
    needed: float | None
    notices: tuple[str, ...] = ()


FileAnswer = EnhanceResult | LongFilm | Failure
Answer = tuple[FileAnswer, ...] | MadeSegment | Failure


def fingerprint(options: FileOptions) -> dict[str, str]:
    """What must be the same wherever parts of one job are done: versions, and the weights."""
    weights = find_model(options.get("model", "grid")).sha256
    return {**deciding_versions(), "weights": weights}


class BatchWorker:
    """Makes files and segments; by one thread at a time.

    Args:
        options: for every file, as for `enhance_file`.

    Raises:
        ModelError: there is no such model.
        DeviceError: the device is missing.
        ValueError: an option is out of its range.
    """

    def __init__(self, options: FileOptions) -> None:
        self._maker = FileMaker(options, on_progress=self._count)
        self._options = options
        self._film: SegmentMaker | None = None
        self._file_frames = 0
        self._frames = 0
        self._moves = 0

    @property
    def frames(self) -> int:
        """Frames so far, with those that warm up."""
        film = self._film
        return self._frames + (0 if film is None else film.decoded)

    @property
    def moves(self) -> int:
        """A number that rises as long as something goes on."""
        film = self._film
        return self._moves + (0 if film is None else film.decoded)

    def do(self, work: Work) -> Answer:
        """Do some work; a `Failure` says that it cannot be done by anyone."""
        if isinstance(work, SegmentWork):
            return self._segment(work)
        return tuple(map(self._file, work.tasks, work.overwrite))

    def close(self) -> None:
        """Let go of the film that is open."""
        film, self._film = self._film, None
        if film is not None:
            self._moves += film.decoded
            self._frames += film.decoded
            film.close()

    def _file(self, task: Task, overwrite: bool) -> FileAnswer:
        self.close()
        self._file_frames = 0
        try:
            return self._long_film(task) or self._maker.make(task, overwrite=overwrite)
        except TapetumError as error:
            return Failure(str(error))
        except Exception as error:  # noqa: BLE001 - a bug that one file shows must not cost the others
            return _bug(error, task.source)
        finally:
            self._moves += 1

    def _long_film(self, task: Task) -> LongFilm | None:
        """What is found of a film that is worth segments; it stays open."""
        film = film_of(task, self._options)
        if film is None:
            return None
        source = FileSource(task.source, deinterlace=film.deinterlace)
        if not is_long(task.source, source.info):
            source.close()
            return None
        maker = self._open(film, source)
        try:
            return LongFilm(
                film=film,
                identity=film.identity(source, maker.encoder_description),
                segments=likely_segments(source.info.duration_s),
                time_base=source.info.time_base,
                total_frames=source.info.frame_count,
                description=f"{self._maker.description} | {maker.encoder_description}",
                notices=tuple(source.notices),
            )
        except BaseException:
            self.close()
            raise

    def _open(self, film: Film, source: FileSource) -> SegmentMaker:
        self.close()
        try:
            self._film = SegmentMaker(film, source, self._maker.fresh_enhancer())
        except BaseException:
            source.close()
            raise
        return self._film

    def _segment(self, work: SegmentWork) -> MadeSegment | Failure:
        path = unfinished_path(work.folder, work.number)
        try:
            maker = self._film
            if (
                maker is None
                or maker.film != work.film
                or not maker.can_make(work.number, work.handover)
            ):
                source = FileSource(work.film.source, deinterlace=work.film.deinterlace)
                maker = self._open(work.film, source)
            segment = maker.make(work.number, path, work.handover)
        except TapetumError as error:
            self.close()
            return Failure(str(error))
        except Exception as error:  # noqa: BLE001 - as for a file
            self.close()
            return _bug(error, work.film.source)
        enhancer = self._maker.enhancer
        needed = enhancer.most_needed() if isinstance(enhancer, SparingEnhancer) else None
        return MadeSegment(segment, path, needed, maker.notices)

    def _count(self, progress: Progress) -> None:
        self._frames += progress.frames - self._file_frames
        self._moves += 1
        self._file_frames = progress.frames


def film_of(task: Task, options: FileOptions) -> Film | None:
    """What is to be made of a task, if it may be a film that is worth segments."""
    compared, device = options.get("compare") is not None, options.get("device", "auto")
    if compared or is_cuda(device) or is_photo_name(task.output):
        return None
    return Film(
        task.source,
        task.output,
        model=options.get("model", "grid"),
        strength=options.get("strength", 1.0),
        aim=Aim(options.get("when_dark", True), options.get("brightness")),
        denoise=options.get("denoise", "auto"),
        deinterlace=options.get("deinterlace", False),
        encoder=EncoderSettings(options.get("codec"), options.get("crf"), options.get("preset")),
    )


def _bug(error: Exception, source: Path) -> Failure:
    _log.exception("this is a bug in Tapetum, shown by %s", source)
    return Failure(f"a bug in Tapetum: {error!r}")
