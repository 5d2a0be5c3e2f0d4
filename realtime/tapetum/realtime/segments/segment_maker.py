"""`SegmentMaker`: makes segments of a film from any of them on, in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

from tapetum.realtime.frame import Frame
from tapetum.realtime.media.containers import container_for
from tapetum.realtime.media.encoder import choose_encoder
from tapetum.realtime.media.file_sink import lone_encoder
from tapetum.realtime.media.file_source import FileSource
from tapetum.realtime.media.video_encoder import not_kept
from tapetum.realtime.opened_video import shown_as
from tapetum.realtime.pipeline import FrameStage
from tapetum.realtime.segments import SEGMENT_S
from tapetum.realtime.segments.film import Film
from tapetum.realtime.segments.handover import HandedStage, Handover
from tapetum.realtime.segments.segment import (
    WARM_UP_S,
    Damage,
    Probe,
    Segment,
    SegmentEncoder,
    segment_number,
)


class SegmentMaker:
    """A film that is open between two of its segments.

    The first may be any: it begins some seconds before itself, so that what the enhancer remembers
    is what it would have been, or with what was handed over from the segment before. The segments
    after it go on where that ended.

    Args:
        film: what is made.
        source: its input, opened, of which nothing was read.
        stage: its enhancer, which remembers nothing.
    """

    def __init__(self, film: Film, source: FileSource, stage: FrameStage) -> None:
        self.film = film
        self._source = source
        self._enhancer = stage
        self._stage = HandedStage(stage)
        self._handover: Handover | None = None
        shown, _ = shown_as(source.info, strength=film.strength)
        container = container_for(film.output)
        encoder = choose_encoder(film.encoder, container, shown)
        self.encoder_description = encoder.description
        self._encoder, self._lost = encoder, dict[str, None]()
        self._make_encoder = lambda: lone_encoder(container, encoder, shown)
        self._enhanced = self._frames()
        self._is_fresh = True
        self._next_number: int | None = None
        self._ahead: Frame | None = None
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the input."""
        self._source.close()

    @property
    def decoded(self) -> int:
        """Frames of the input so far that were decoded: whether it goes on."""
        return self._source.decoded

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines for the user about the input so far."""
        return *self._source.notices, *self._lost

    def can_make(self, number: int, handover: Handover | None = None) -> bool:
        """Whether a segment can be made where the input stands; else open the film anew."""
        return self._is_fresh or (number == self._next_number and handover is None)

    def make(self, number: int, path: Path, handover: Handover | None = None) -> Segment:
        """Make a segment.

        Args:
            number: which; see `can_make`.
            path: where its packets go, which are on the disk when this returns.
            handover: of the segment before; None to warm up, or to go on from it in this object.

        Raises:
            MediaError: the input or the disk fails; nothing is left of it then.
        """
        if self._is_fresh and number:
            begin_s = Fraction(number * SEGMENT_S)
            if handover is not None:
                begin_s = handover.last.pts * self._source.info.time_base
                self._stage, self._handover = HandedStage(self._enhancer, handover), handover
            self._source.resume_at(round((begin_s - WARM_UP_S) / self._source.info.time_base))
        self._is_fresh, self._next_number = False, None
        first = self._first_of(number)
        before = self._before()
        segment = SegmentEncoder(path, self._make_encoder, before)
        try:
            return self._finished(segment, number, first)
        except BaseException:
            segment.discard()
            raise

    def _finished(self, segment: SegmentEncoder, number: int, first: Frame | None) -> Segment:
        frame = first
        while frame is not None and segment_number(frame) <= number:
            segment.encode(frame)
            self._lost |= dict.fromkeys(not_kept(frame, self._encoder))
            self._last = frame
            frame = next(self._enhanced, None)
        self._ahead = frame
        self._next_number = None if frame is None else segment_number(frame)
        before = Damage.until(first, self._source) if number else Damage()
        damage = Damage.until(frame, self._source).since(before)
        begins, ending = self._stage.take(number)
        return segment.finish(
            following=self._next_number, damage=damage, begins=begins, ending=ending
        )

    def _before(self) -> Probe | None:
        """Of the frame before the first, as this makes it, or goes on from it."""
        handover, self._handover = self._handover, None
        if handover is not None:
            return None if self._stage.is_apart else handover.last
        return None if self._last is None else Probe.of(self._last)

    def _first_of(self, number: int) -> Frame | None:
        """The first frame that is not before a segment; those before it warm up the enhancer."""
        frame, self._ahead = self._ahead, None
        if frame is None:
            frame = next(self._enhanced, None)
        while frame is not None and segment_number(frame) < number:
            self._last = frame
            frame = next(self._enhanced, None)
        return frame

    def _frames(self) -> Iterator[Frame]:
        for frame in self._source:
            yield self._stage(frame)
