"""`PictureReader`: the decoded pictures of an input, the one way in for files, NVDEC and live.

Demuxing, seeking, damage and the times of pictures are here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from typing import NamedTuple, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.counted import counted
from tapetum.realtime.frame import ColorInfo
from tapetum.realtime.media.av_frame import add_color
from tapetum.realtime.media.input_clock import InputClock
from tapetum.realtime.media.media_input import demuxed
from tapetum.realtime.media.picture_slots import PictureSlots, counts_slots
from tapetum.realtime.media.presentation_times import PresentationTimes
from tapetum.realtime.media.shown_pictures import lasting, within
from tapetum.realtime.media.timeline import (
    LONGEST_STILL_S,
    Gap,
    counted_time_base,
    is_broadcast,
    stream_time_base,
    time_range,
)
from tapetum.realtime.media.vanished_pictures import VanishedPictures

_DEMUX_ATTEMPTS = 8
"""Read errors in a row after which the rest of a file is given up."""

_SEEK_MARGINS_S = (0, 10, 60)
"""How far before the start to seek, if a seek landed after it; then the file is read whole."""

_LONGEST_GROUP = 600
"""Packets without a key picture among them after which decoding begins anywhere."""

_MOST_UNANSWERED = 64
"""Packets without a picture, at the end of a file, that a decoder with threads may have lost; where
there are more, the file has packets that show nothing, as of fields or hidden pictures."""

_TIMED_FORMATS = frozenset({"matroska", "mov", "flv"})
"""Formats that say of every picture when it is shown."""

_UNIQUE_TIMES = frozenset({"mov", "flv"})
"""Those that show no two pictures at one time."""

MANY_FAILURES = 8
"""Packets in a row that fail to decode after which the decoder is in doubt."""

_LATE_STREAM = "a stream that begins later than FFmpeg looks for streams is not in the output"


class VideoInput(NamedTuple):
    """An opened input, the stream of it that is shown, and what decodes that."""

    container: InputContainer
    stream: VideoStream
    decoder: VideoCodecContext


class PictureReader:
    """The pictures of one video stream in presentation order, each with a time; read them once.

    Damaged packets are skipped and counted. Times are those of `InputClock` in units of
    `time_base`, strictly rising.

    Args:
        open_video: opens the input; called again where a file can only be read from its start.
        start_s: seconds after the input's first instant at which to begin, to the picture.
        duration_s: seconds to read, None for all.
        on_packet: called with every packet of the stream as it is read.
        live: whether it is a stream that can be lost: read errors are raised, where those of a
            file are damage and read over, and no picture waits for what comes after it.
        on_failures: called with the last error, each time that so many packets in a row fail to
            decode: a hardware decoder that cannot decode a file, or is lost, fails at every packet.
            What it raises ends the reading, and the last packet is not taken for damaged.
        most_failures: packets in a row of which that is no doubt yet.

    Attributes:
        container: the input.
        stream: its video stream.
        span: the part that is read; its origin is known when the first picture is.
        time_base: seconds per unit of the pictures' `pts`.
        corrupt_packets: packets so far that could not be decoded.
        damaged_frames: pictures so far of which parts could not be decoded.
        cut: whether the last packets were damaged, as where a file is cut off.
        ended: whether the input was read to its end.
        gaps: places of a broadcast, so far, that show nothing new for longer than is usual there.

    Raises:
        MediaError: the input cannot be opened, or the range has no sense.
    """

    def __init__(
        self,
        open_video: Callable[[], VideoInput],
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        on_packet: Callable[[Packet[VideoStream]], None] | None = None,
        live: bool = False,
        on_failures: Callable[[FFmpegError], None] | None = None,
        most_failures: int = MANY_FAILURES - 1,
    ) -> None:
        self._open_video = open_video
        self._on_packet = on_packet
        self._live = live
        self._on_failures = on_failures
        self._most_failures = most_failures
        self._failures = 0
        self._has_key = not live  # a stream is joined anywhere
        self.corrupt_packets = 0
        self.damaged_frames = 0
        self.cut = False
        self.ended = False
        self.gaps: list[Gap] = []
        self._late_stream = False
        self._unanswered = 0
        self._repeated_until = 0
        self._take(open_video())
        has_slots = counts_slots(self.container, self.stream)
        self._expected = VanishedPictures(
            "" if live else self.stream.codec_context.codec.canonical_name,
            timed=not has_slots,
        )
        try:
            self.span = time_range(self.container, self.stream, start_s, duration_s)
        except BaseException:
            self.container.close()
            raise
        self.time_base = counted_time_base(self.stream)
        self._units_per_tick = stream_time_base(self.stream) / self.time_base
        self._shift = self.span.shift(self.time_base)
        self._times = self._begin_times()
        usual_step = 4 * self._times.usual_step
        self._longest_step = max(math.floor(LONGEST_STILL_S / self.time_base), usual_step)
        self._slots = PictureSlots() if has_slots else None
        self._resumed_at: int | None = None
        self._pictures = self._pictures_in_span()
        self._first: av.VideoFrame | None = None

    def first(self) -> av.VideoFrame | None:
        """Decode the first picture ahead of time; None if there is none. It is still to be read."""
        if self._first is None:
            self._first = next(self._pictures, None)
        return self._first

    def resume_at(
        self, output_pts: int, open_video: Callable[[], VideoInput] | None = None
    ) -> None:
        """Have the pictures begin at a time of the output, whose 0 stays where it is.

        The file is opened again, and read from a key picture before that.

        Args:
            output_pts: the time.
            open_video: opens it from now on, for another decoder, of which nothing is in doubt:
                what it does not decode is damaged.

        Raises:
            MediaError: it cannot be opened any more.
        """
        if open_video is not None:
            self._open_video, self._on_failures = open_video, None
        self._resumed_at = output_pts + self._shift
        self._first = None
        self._pictures.close()
        self.container.close()
        self._take(self._open_video())
        self._times = self._begin_times()
        self._pictures = self._pictures_in_span()

    def __iter__(self) -> Iterator[av.VideoFrame]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        yield from self._pictures

    def close(self) -> None:
        """Release the input; calling it again does nothing."""
        self._first = None
        self._pictures.close()
        self.container.close()

    @property
    def pixel_ratio(self) -> Fraction:
        """Width of a pixel by its height now, where the pictures say it and not the container."""
        ratio = None if self._is_timed else self._decoder.sample_aspect_ratio
        return Fraction(ratio.numerator, ratio.denominator) if ratio else Fraction(1)

    @property
    def count(self) -> int:
        """Pictures so far, with those before the range."""
        return self._times.count

    @property
    def vanished(self) -> int:
        """Packets so far of which the decoder has shown nothing, and said nothing either."""
        return self._expected.count

    @property
    def bad_times(self) -> int:
        """Packets so far whose time could not be believed."""
        return 0 if self._clock is None else self._clock.bad_times

    @property
    def mended_times(self) -> int:
        """Pictures so far that got a time because their own was missing or out of order."""
        return self._times.mended + self._missing_times

    @property
    def _missing_times(self) -> int:
        """Pictures without a time where the format gives every one a time, and this file others."""
        return self._times.guessed if self._is_timed and self._times.given else 0

    @property
    def _mended_from(self) -> str:
        """Where in the input the first such picture is."""
        first_s = (self._times.first_mended or 0) * self.time_base - self.begin_s
        return f"from {float(first_s):.3f} s on"

    @property
    def _earliest(self) -> int | None:
        """The time that becomes the output's 0, before which an MP4 would hide a picture."""
        is_cut = self._live or self.span.start_s is not None
        return None if is_cut else self._shift

    @property
    def begin_s(self) -> Fraction:
        """The input's first instant."""
        return Fraction(self.container.start_time or 0, av.time_base)

    def output_pts(self, picture: av.VideoFrame) -> int | None:
        """A picture's time in the output, whose 0 is where the range begins."""
        return None if picture.pts is None else picture.pts - self._shift

    def notices(self) -> list[str]:
        """What was wrong so far, a line each."""
        times, joins = self._times, 0 if self._clock is None else self._clock.joins
        found = (
            (self.corrupt_packets + self.vanished, "skipped {}", "damaged packet"),
            (self.damaged_frames, "{} damaged in part", "frame"),
            (times.dropped, "left out {}, out of order after damage", "frame"),
            (self.bad_times, "did not believe the time of {}, far from the others'", "packet"),
            (
                times.mended,
                f"did not believe the time of {{}}, far from its neighbours', {self._mended_from}",
                "frame",
            ),
            (
                self._missing_times,
                "set a time for {}, which had none",
                "frame",
            ),
            (joins, "went on after {} of the file's clock, sound and picture alike", "jump"),
            (times.moved, "moved {} with the time of another by a tick", "frame"),
        )
        lines = [words.format(counted(count, noun)) for count, words, noun in found if count]
        return lines + [_LATE_STREAM] * self._late_stream

    def _take(self, opened: VideoInput) -> None:
        self.container, self.stream, self._decoder = opened
        said = self.stream.codec_context  # by the container, until its decoder begins
        self._color = ColorInfo(
            matrix=said.colorspace,
            range=said.color_range,
            primaries=said.color_primaries,
            transfer=said.color_trc,
        )
        self._codec = said.codec.canonical_name
        names = self.container.format.name.split(",")
        has_slots = counts_slots(self.container, self.stream)
        self._is_timed = not _TIMED_FORMATS.isdisjoint(names) and not has_slots
        self._has_unique_times = not _UNIQUE_TIMES.isdisjoint(names)
        self._start_clock()

    def _begin_times(self) -> PresentationTimes:
        return PresentationTimes(
            self.stream, self.time_base, self._earliest, unique=self._has_unique_times
        )

    def _start_clock(self) -> None:
        self._clock = None if self._live else InputClock(self.container, [self.stream])

    # The range -------------------------------------------------------------------------------

    def _pictures_in_span(self) -> Generator[av.VideoFrame, None, None]:
        """Decoded pictures with strictly rising times, cut to the range."""
        start = self._resumed_at
        if start is None:
            start = self.span.first_pts(self.time_base)
        pictures = self._settled(self._pictures_from(start))
        if not self._live:
            pictures = lasting(pictures, lambda: self._repeated_until, self._note_gap)
        for picture in within(
            pictures,
            start,
            self.span.end_pts(self.time_base),
            usual_step=self._times.usual_step,
            stands_at_start=self._resumed_at is None,
            on_end=self._note_end,
        ):
            self.damaged_frames += picture.is_corrupt
            yield picture

    def _note_end(self) -> None:
        self.ended = True

    def _note_gap(self, picture: av.VideoFrame) -> None:
        """Take note of a picture of a broadcast that stands still as none does there."""
        if picture.duration > self._longest_step and is_broadcast(self.container):
            begin_s = (picture.pts or 0) * self.time_base - self.begin_s
            self.gaps.append(Gap(begin_s, picture.duration * self.time_base))

    def _settled(self, pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Pictures with their final times; one whose time is in doubt waits for the next."""
        doubtful: av.VideoFrame | None = None
        for picture in pictures:
            if doubtful is not None:
                if not self.corrupt_packets:  # which have pictures come out of order
                    self._times.mend(doubtful, picture)
                if self._settle(doubtful):
                    yield doubtful
                doubtful = None
            if not self._live and self._times.doubts(picture, damaged=self.corrupt_packets > 0):
                doubtful = picture
            elif self._settle(picture):
                yield picture
        if doubtful is not None and self._settle(doubtful):
            yield doubtful

    def _settle(self, picture: av.VideoFrame) -> bool:
        is_first = self._times.count == 0 and self._resumed_at is None
        kept = self._times.settle(picture, damaged=self.corrupt_packets > 0 and not self._live)
        if is_first and self._earliest is not None:
            self._begin_with(picture.pts or 0, self._earliest)
        return kept

    def _begin_with(self, first: int, earliest: int) -> None:
        """Have the output begin with the first picture, if the file does not know of it."""
        if first < earliest or self.container.start_time is None:  # as of pictures alone
            self.span = self.span._replace(origin_s=first * self.time_base)
            self._shift = first

    def _pictures_from(self, start: int | None) -> Iterator[av.VideoFrame]:
        """Decode from a key picture at or before `start`, to the end of the file."""
        last: int | None = None
        for picture in self._decoded_from(start):
            last = picture.pts if last is None else max(last, picture.pts or last)
            yield picture
        unanswered = self._unanswered - self._expected.count  # these come out no other time either
        if 0 < unanswered <= _MOST_UNANSWERED and self._may_decode_again:
            yield from self._lost_at_the_end(last)

    @property
    def _may_decode_again(self) -> bool:
        return not self._live and self._on_packet is None and self._on_failures is None

    def _lost_at_the_end(self, last: int | None) -> Iterator[av.VideoFrame]:
        """The pictures behind `last`, decoded once more, each before the next packet is read.

        Decoders with threads meet an error late. Where they meet it while they are emptied, PyAV
        gives no picture behind it, and where there is one before it, not the error either.
        """
        skipped, self.corrupt_packets = self.corrupt_packets, 0
        self.container.close()
        self._take(self._open_video())
        self._decoder.thread_count = 1
        counted_before, self._expected = self._expected, VanishedPictures("", timed=True)
        try:
            for picture in self._decoded_from(last):
                if last is None or picture.pts is None or picture.pts > last:
                    yield picture
        finally:
            self._expected = counted_before
        self.corrupt_packets = max(self.corrupt_packets, skipped)

    def _decoded_from(self, start: int | None) -> Iterator[av.VideoFrame]:
        if start is None:
            yield from self._decode(self._packets())
        elif is_broadcast(self.container):
            yield from self._decode(self._packets_from(start))
        else:
            yield from self._sought(start)

    def _sought(self, start: int) -> Iterator[av.VideoFrame]:
        if self._slots is not None:
            next(self._decode(self._packets()), None)  # which tells how far showing lags behind
        for margin_s in _SEEK_MARGINS_S:
            if not self._seek(start - round(margin_s / self.time_base)):
                continue
            pictures = self._decode(self._packets())
            first = next(pictures, None)
            if first is not None and first.pts is not None and first.pts <= start:
                yield first
                yield from pictures
                return
        self.container.close()
        self._take(self._open_video())
        yield from self._decode(self._packets())

    def _seek(self, target: int) -> bool:
        self._decoder.flush_buffers()  # PyAV flushes the stream's own alone
        try:
            self.container.seek(self._ticks(target), stream=self.stream, backward=True)
        except FFmpegError:
            return False
        self._start_clock()
        return True

    def _packets_from(self, start: int) -> Iterator[Packet[VideoStream]]:
        """Packets from the last key picture at or before `start`, found by reading up to it.

        For clocks by which a place in the file cannot be known: `is_broadcast`.
        """
        packets, first = self._packets(), self._ticks(start)
        group: list[Packet[VideoStream]] = []
        for packet in packets:
            reached = packet.pts is not None and packet.pts >= first
            if packet.is_keyframe and (packet.pts is None or packet.pts <= first):
                group = []
            group.append(packet)
            if reached or len(group) > _LONGEST_GROUP:
                break
        yield from group
        yield from packets

    # Decoding --------------------------------------------------------------------------------

    def _decode(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[av.VideoFrame]:
        self._unanswered = 0
        self._expected.begin()
        if self._slots is not None:
            self._slots.begin()
        for packet in self._whole(packets):
            if self._slots is not None:
                self._slots.note(packet.dts)
            self._unanswered += packet.size > 0
            self._has_key = self._has_key or packet.is_keyframe
            self._expected.expect(packet)
            try:
                pictures = self._decoder.decode(packet)
            except FFmpegError as error:
                self._note_failure(error)
                self._unanswered -= packet.size > 0
                self._expected.failed(packet)
                self.corrupt_packets += 1
                self.cut = True
                continue
            self._failures = 0
            self._unanswered -= len(pictures)
            if packet.size:  # the empty packet at the end only flushes the decoder
                self.cut = packet.is_corrupt
            self._expected.show(pictures)
            for picture in pictures:
                add_color(picture, self._color, self._codec)
            if self._slots is not None:
                self._slots.place(pictures)
            yield from self._counted(pictures)

    def _counted(self, pictures: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Pictures with times and durations in units of `time_base`, not the container's own."""
        if self._units_per_tick != 1:
            for picture in pictures:
                for name in ("pts", "dts", "duration"):
                    ticks = getattr(picture, name)
                    if ticks is not None:
                        setattr(picture, name, round(ticks * self._units_per_tick))
        return pictures

    def _ticks(self, time: int) -> int:
        """A time in units of `time_base` on the container's clock."""
        return math.floor(time / self._units_per_tick)

    def _note_failure(self, error: FFmpegError) -> None:
        self._failures += self._has_key
        if self._on_failures is not None and self._failures > self._most_failures:
            self._failures = 0
            self._on_failures(error)

    def _whole(self, packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Packets but for those of pictures that stay, and for a last one that is cut off.

        Its error would come out while the decoder is flushed, which PyAV cannot take up again:
        the good frames behind it would be lost.
        """
        doubtful: Packet[VideoStream] | None = None
        for packet in packets:
            if _repeats(packet):
                begin = round((packet.dts or 0) * self._units_per_tick)
                self._repeated_until = begin + self._times.usual_step
                continue
            if doubtful is not None and packet.size:
                yield doubtful
            elif doubtful is not None:
                self.corrupt_packets += 1
                self.cut = True
            doubtful = packet if packet.is_corrupt else None
            if doubtful is None:
                yield packet

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets of the stream, then the empty one that flushes the decoder."""
        failures = 0
        while True:
            try:
                for packet in self._container_packets():
                    failures = 0
                    yield packet
            except FFmpegError:
                if self._live:
                    raise
                failures += 1
                self.cut = True
                if failures < _DEMUX_ATTEMPTS:
                    continue
                yield from self._placed(self._flush_packet())
            return

    def _container_packets(self) -> Iterator[Packet[VideoStream]]:
        streams = [self.stream] if self._clock is None else self._clock.streams
        for packet in demuxed(self.container, streams, on_late_stream=self._note_late_stream):
            placed = self._placed(cast("Packet[VideoStream]", packet))
            if self._on_packet is not None:
                for given in placed:
                    self._on_packet(given)
            yield from placed

    def _placed(self, packet: Packet[VideoStream]) -> list[Packet[VideoStream]]:
        if self._clock is None:
            return [packet]
        return cast("list[Packet[VideoStream]]", self._clock.place(cast("Packet[Stream]", packet)))

    def _note_late_stream(self) -> None:
        self._late_stream = True

    def _flush_packet(self) -> Packet[VideoStream]:
        packet = cast("Packet[VideoStream]", Packet())
        packet.stream = self.stream
        packet.time_base = stream_time_base(self.stream)
        return packet


def _repeats(packet: Packet[VideoStream]) -> bool:
    """Whether a packet has nothing in it but its time: what was shown stays, as Theora has it."""
    return not packet.size and packet.dts is not None
