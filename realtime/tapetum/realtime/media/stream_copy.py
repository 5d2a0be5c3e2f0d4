"""`StreamCopier`: everything of the input but the enhanced video, into the output.

The input is opened a second time and read only as far as the video is written, so that nothing
queues up between the two, however long the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.container import OutputContainer
from av.error import (
    ArgumentError,
    FFmpegError,
    InvalidDataError,
    PatchWelcomeError,
    UndefinedError,
)
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from tapetum.realtime.media.containers import Container, can_store
from tapetum.realtime.media.copied_packets import CopiedPackets
from tapetum.realtime.media.copied_streams import (
    PacketRoute,
    codec_name,
    describe,
    kept_metadata,
    lost_keys,
    route_stream,
)
from tapetum.realtime.media.file_description import (
    chapters_in,
    chapters_not_kept,
    file_metadata,
    uncommon_keys,
)
from tapetum.realtime.media.input_clock import InputClock
from tapetum.realtime.media.media_input import (
    InputPlace,
    best_video_stream,
    demuxed,
    is_attached_picture,
    open_input,
    place_name,
)
from tapetum.realtime.media.picture_slots import counts_slots
from tapetum.realtime.media.sample_entries import (
    ENCRYPTED,
    TELEMETRY,
    TIMECODE,
    is_fragmented,
    sample_entries,
)
from tapetum.realtime.media.sound_check import SoundCheck
from tapetum.realtime.media.timecode import moved_timecode
from tapetum.realtime.media.timeline import is_broadcast, said_of_gaps, time_range
from tapetum.realtime.media.transport_stream import losses

_SEEK_MARGIN_S = 60
"""How long before the start a subtitle may begin and still be shown, as signs and songs are."""

_PICTURE_TYPES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}


_DEMUX_ATTEMPTS = 8
"""Read errors in a row after which the rest of the input is given up."""

_REFUSED = (InvalidDataError, ArgumentError, PatchWelcomeError, UndefinedError)
"""What a decoder or a muxer says to a packet that is damaged; some have words of their own."""


class StreamCopier:
    """Copies audio, subtitles, data, attachments, cover art, chapters and metadata.

    Streams keep the input's order: call `begin`, add the video stream, then call
    `add_streams_after_video`.

    Args:
        path: the input.
        container: what the output is.
        start_s: seconds after the input's first instant at which the copy begins.
        duration_s: seconds to copy, None for all.
        origin_s: the instant that is the output's 0 without a start, if the video begins before
            the file says that it does.

    Attributes:
        notices: a line for every stream that is changed, dropped or damaged.

    Raises:
        MediaError: the input cannot be opened or has no video stream.
    """

    def __init__(
        self,
        path: InputPlace,
        container: Container,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        origin_s: Fraction | None = None,
    ) -> None:
        self.notices: list[str] = []
        self._path = path
        self._input = open_input(path)
        self._video = best_video_stream(self._input, path)
        self._container = container
        self._output: OutputContainer
        self._is_broadcast = is_broadcast(self._input)
        self._span = time_range(self._input, self._video, start_s, duration_s)
        if origin_s is not None:
            self._span = self._span._replace(origin_s=origin_s)
        self._start_s = start_s
        self._sample_entries = sample_entries(path) if isinstance(path, Path) else {}
        self._is_fragmented = isinstance(path, Path) and is_fragmented(path)
        self._copied: dict[int, CopiedPackets] = {}
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._pending: Packet[Stream] | None = None
        self._pictures: list[Packet[VideoStream]] = []
        self._refused: list[Fraction] = []

    @property
    def muxer_options(self) -> dict[str, str]:
        """Options that the output must be opened with to keep the input's metadata."""
        if not uncommon_keys(self._input, self._container) or self._stores_pictures():
            return {}
        flags = self._container.options.get("movflags", "")
        return {"movflags": f"{flags}+use_metadata_tags"}

    def begin(self, output: OutputContainer) -> None:
        """Add metadata, chapters, and the streams that come before the video.

        Args:
            output: the output, opened with `muxer_options`.
        """
        self._output = output
        metadata = file_metadata(self._input)
        output.metadata.update(moved_timecode(metadata, self._start_s, self._video.average_rate))
        output.set_chapters(chapters_in(self._input, self._span))
        self.notices += chapters_not_kept(self._path, self._input, self._container, self._span)
        self._note_lost_metadata()
        for stream in self._input.streams:
            if stream.index < self._video.index:
                self._add(stream)

    def add_streams_after_video(self) -> None:
        """Add the other streams; their packets may flow from then on."""
        for stream in self._input.streams:
            if stream.index > self._video.index:
                self._add(stream)
        self._note_lost_keys()
        self._packets = self._demux()

    def advance(self, time_s: Fraction | None) -> None:
        """Copy every packet that is decoded before a time of the output; None for all the rest.

        Raises:
            FFmpegError: the output cannot be written.
        """
        while self._pictures:
            self._output.mux(self._pictures.pop())
        while (packet := self._next_packet()) is not None:
            clock = self._copied[packet.stream_index].clock
            if time_s is not None and clock.is_later(packet.dts or 0, time_s):
                self._pending = packet
                return
            self._write(packet)
        if time_s is None:
            self._note_damage()

    @property
    def damaged_packets(self) -> int:
        """Packets so far that could not be copied as they are."""
        return len(self._refused) + sum(len(copied.damaged) for copied in self._copied.values())

    def note_refused(self, time_s: Fraction) -> None:
        """Take note that the muxer refused a packet that waited until this time of the output."""
        self._refused.append(time_s)

    def _write(self, packet: Packet[Stream]) -> None:
        """Send a packet on its way; one that nobody can take is damaged, and left out."""
        copied, time = self._copied[packet.stream_index], packet.dts or 0
        if copied.check is not None:
            base = copied.clock.base
            copied.damaged += [place * base for place in copied.check.damaged(packet, time)]
            if self._container.is_mov and not copied.check.last_is_good:
                return  # the muxer parses some codecs, and refuses what it cannot
        try:
            for routed in copied.route(packet):
                self._output.mux(routed)
        except _REFUSED:
            copied.damaged.append(time * copied.clock.base)

    def _note_damage(self) -> None:
        self._note_gaps()
        for copied in self._copied.values():
            if copied.damaged:
                first_s = float(min(copied.damaged)) + self._start_s
                more = len(copied.damaged) - 1
                places = f" and {more} more place{'s' * (more > 1)}" if more else ""
                what = describe(copied.stream)
                self.notices.append(
                    f"{place_name(self._path)} is damaged: {what} at {first_s:.3f} s{places}"
                )
        if self._refused:
            first_s = float(min(self._refused)) + self._start_s
            self.notices.append(
                f"{place_name(self._path)} is damaged: sound or text at {first_s:.3f} s"
            )

    def _note_gaps(self) -> None:
        """Take gaps for damage where packets were lost."""
        with_gaps = [copied for copied in self._copied.values() if copied.gaps]
        if not with_gaps or not isinstance(self._path, Path):
            return
        lost = losses(self._path)
        for copied in with_gaps:
            if copied.stream.id in lost.pids:
                start_s = Fraction(self._start_s)
                copied.damaged += [gap.begin_s - start_s for gap in copied.gaps]
                self.notices.append(said_of_gaps(describe(copied.stream), copied.gaps))

    def _next_packet(self) -> Packet[Stream] | None:
        pending, self._pending = self._pending, None
        return next(self._packets, None) if pending is None else pending

    def close(self) -> None:
        """Release the input; calling it again does nothing."""
        self._packets = iter(())
        self._input.close()

    # Streams ---------------------------------------------------------------------------------

    def _add(self, stream: Stream) -> None:
        if isinstance(stream, VideoStream) and is_attached_picture(stream):
            self._add_picture(stream)
        elif not self._is_carried_otherwise(stream):
            self._route(stream)

    def _route(self, stream: Stream) -> None:
        route = self._route_of(stream)
        if route is None or isinstance(stream, AttachmentStream):
            stream.discard = Discard.all
            return
        if isinstance(stream, VideoStream):
            self.notices.append(f"{describe(stream)} is a second video; copied as it is")
            self._move_timecode(stream)
        check = None
        if stream.type == "audio" and can_store(stream, self._container):
            middle = self._span.start_s is not None or self._is_broadcast
            check = SoundCheck(stream, from_the_middle=middle)
        self._copied[stream.index] = CopiedPackets(
            stream,
            route,
            self._span,
            begin_s=Fraction(self._input.start_time or 0, 1_000_000),
            edit_lists=self._container.edit_lists,
            broadcast=self._is_broadcast,
            in_fragments=self._is_fragmented,
            check=check,
        )

    def _move_timecode(self, source: VideoStream) -> None:
        """Let the timecode of the stream that was just added be that of its first picture."""
        moved = moved_timecode(source.metadata, self._start_s, source.average_rate)
        metadata = self._output.streams[len(self._output.streams) - 1].metadata
        metadata.clear()
        metadata.update(kept_metadata(moved, self._container))

    def _route_of(self, stream: Stream) -> PacketRoute | None:
        """How a stream's packets get to the output; None where they cannot, which is said."""
        kind = self._sample_entries.get(stream.id)
        if kind in ENCRYPTED:
            self.notices.append(f"{describe(stream)} is encrypted, dropped")
            return None
        if isinstance(stream, VideoStream) and self._lacks_times(stream):
            self.notices.append(
                f"{describe(stream)} is a second video; it does not say when its pictures are"
                " shown, dropped"
            )
            return None
        if stream.type != "data":
            return route_stream(stream, self._output, self._container, self.notices)
        if kind == TELEMETRY and self._container.is_mov:
            return route_stream(stream, self._output, self._container, self.notices)
        advice = "; .mp4 keeps it" if kind == TELEMETRY else ""
        self.notices.append(
            f"{describe(stream, kind)} cannot be stored in {self._container.suffix}, "
            f"dropped{advice}"
        )
        return None

    def _lacks_times(self, stream: VideoStream) -> bool:
        """Whether pictures are shown in another order than they lie in the file, which is unsaid.

        Only a decoder finds that order out: see `PictureSlots`.
        """
        context: VideoCodecContext | None = stream.codec_context
        is_reordered = context is not None and context.reorder_depth > 0
        return is_reordered and counts_slots(self._input, stream)

    def _add_picture(self, stream: VideoStream) -> None:
        """Attach cover art as the output's format does: as a file or as a picture stream."""
        packet = next((p for p in demuxed(self._input, [stream]) if p.size), None)
        stream.discard = Discard.all
        if packet is None:
            return
        if self._container.attachments:
            self._attach(stream, packet)
        elif self._container.picture_streams and can_store(stream, self._container):
            self._add_picture_stream(stream, packet)
        else:
            kind, suffix = codec_name(stream), self._container.suffix
            self.notices.append(f"cover art ({kind}) cannot be stored in {suffix}; .mkv keeps it")

    def _attach(self, stream: VideoStream, packet: Packet[VideoStream]) -> None:
        suffix, mime_type = _PICTURE_TYPES.get(codec_name(stream), ("bin", "image/*"))
        name = stream.metadata.get("filename", f"cover.{suffix}")
        attachment = self._output.add_attachment(name, mime_type, bytes(packet))
        attachment.metadata.update(filename=name, mimetype=mime_type)

    def _add_picture_stream(self, stream: VideoStream, packet: Packet[VideoStream]) -> None:
        picture = self._output.add_stream_from_template(stream, opaque=True)
        picture.disposition = stream.disposition
        packet.pts = packet.dts = 0
        packet.stream = picture
        self._pictures.append(packet)

    def _is_carried_otherwise(self, stream: Stream) -> bool:
        """Whether a data stream only repeats chapters or the timecode, which are written anew."""
        if stream.type != "data":
            return False
        chapter_titles = stream.discard == Discard.all and bool(self._input.chapters())
        timecode = self._sample_entries.get(stream.id) == TIMECODE
        return chapter_titles or (timecode and "timecode" in self._video.metadata)

    def _note_lost_metadata(self) -> None:
        lost = uncommon_keys(self._input, self._container)
        if lost and self._stores_pictures():
            keys, suffix = ", ".join(lost), self._container.suffix
            self.notices.append(f"{suffix} cannot hold both cover art and the metadata {keys}")

    def _note_lost_keys(self) -> None:
        """Say what is lost of the metadata of single streams, the enhanced one's too."""
        streams = [self._video, *(copied.stream for copied in self._copied.values())]
        keys = [key for s in streams for key in lost_keys(s.metadata, self._container)]
        if keys:
            names, suffix = ", ".join(dict.fromkeys(keys)), self._container.suffix
            self.notices.append(f"{suffix} cannot hold {names} of a single stream; .mkv can")

    def _stores_pictures(self) -> bool:
        pictures = any(is_attached_picture(stream) for stream in self._input.streams.video)
        return pictures and self._container.picture_streams

    # Packets ---------------------------------------------------------------------------------

    def _demux(self) -> Iterator[Packet[Stream]]:
        """Packets of the copied streams, in the file's order, cut to the range and moved."""
        if not self._copied:
            return
        self._seek()
        clock = InputClock(self._input, [copied.stream for copied in self._copied.values()])
        if self._video not in clock.streams:
            self._video.discard = Discard.all
        yield from self._in_range(clock)
        for copied in self._copied.values():
            yield from copied.finish()
        yield from self._flush()

    def _in_range(self, clock: InputClock) -> Iterator[Packet[Stream]]:
        """Packets up to the end of the range; once, what is on the screen at its start."""
        has_begun = False
        for read in self._read(clock.streams):
            for packet in clock.place(read):
                if packet.size:
                    copied = self._copied[packet.stream_index]
                    yield from copied.settled(packet)
                    if copied.has_begun and not has_begun:
                        has_begun = True
                        for each in self._copied.values():
                            yield from each.shown_at_start()
            if all(copied.ended for copied in self._copied.values()):
                return

    def _read(self, streams: list[Stream]) -> Iterator[Packet[Stream]]:
        """Demux, over what cannot be read as far as there is more behind it."""
        failures = 0
        while failures < _DEMUX_ATTEMPTS:
            try:
                for packet in demuxed(self._input, streams):
                    failures = 0
                    yield packet
            except FFmpegError:
                failures += 1
            else:
                return
        self.notices.append(
            f"{place_name(self._path)} is damaged: what is beside the picture ends early"
        )

    def _seek(self) -> None:
        if self._span.start_s is None or self._is_broadcast:
            return
        target = int((self._span.start_s - _SEEK_MARGIN_S) * 1_000_000)
        if target > (self._input.start_time or 0) and self._can_seek(target):
            self._input.seek(target, backward=True)

    def _can_seek(self, target: int) -> bool:
        """Whether a seek works; where it does not, as in SWF, nothing can be read behind it."""
        with open_input(self._path) as probe:
            try:
                probe.seek(target, backward=True)
            except FFmpegError:
                return False
            return True

    def _flush(self) -> Iterator[Packet[Stream]]:
        for index in self._copied:
            packet = Packet()
            packet.stream = self._input.streams[index]
            yield packet
