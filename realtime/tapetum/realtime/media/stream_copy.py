"""`StreamCopier`: everything of the input but the enhanced video, into the output.

The input is opened a second time and read only as far as the video is written, so that nothing
queues up between the two, however long the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Stream
from av.video.stream import VideoStream

from tapetum.realtime.media.containers import Container, can_store
from tapetum.realtime.media.copied_streams import PacketRoute, codec_name, describe, route_stream
from tapetum.realtime.media.file_description import chapters_in, file_metadata, uncommon_keys
from tapetum.realtime.media.media_input import (
    InputPlace,
    best_video_stream,
    is_attached_picture,
    open_input,
)
from tapetum.realtime.media.timeline import (
    InputClock,
    is_broadcast,
    stream_time_base,
    time_range,
)

_SEEK_MARGIN_S = 10
"""How long before the start a subtitle may begin and still be shown in full."""

_PICTURE_TYPES = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}


@dataclass(slots=True)
class _Copied:
    """An input stream that is copied, and how far."""

    route: PacketRoute
    last_dts: int | None = None
    ended: bool = False


class StreamCopier:
    """Copies audio, subtitles, data, attachments, cover art, chapters and metadata.

    Streams keep the input's order: call `begin`, add the video stream, then call
    `add_streams_after_video`.

    Args:
        path: the input.
        container: what the output is.
        start_s: seconds after the input's first instant at which the copy begins.
        duration_s: seconds to copy, None for all.

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
    ) -> None:
        self.notices: list[str] = []
        self._input = open_input(path)
        self._video = best_video_stream(self._input, path)
        self._container = container
        self._output: OutputContainer
        self._span = time_range(self._input, start_s, duration_s)
        self._copied: dict[int, _Copied] = {}
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._pending: Packet[Stream] | None = None
        self._pictures: list[Packet[VideoStream]] = []

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
        output.metadata.update(file_metadata(self._input))
        output.set_chapters(chapters_in(self._input, self._span))
        self._note_lost_metadata()
        for stream in self._input.streams:
            if stream.index < self._video.index:
                self._add(stream)

    def add_streams_after_video(self) -> None:
        """Add the other streams; their packets may flow from then on."""
        for stream in self._input.streams:
            if stream.index > self._video.index:
                self._add(stream)
        self._packets = self._demux()

    def advance(self, time_s: Fraction | None) -> None:
        """Copy every packet that is decoded before a time of the output; None for all the rest.

        Raises:
            FFmpegError: the output cannot be written.
        """
        while self._pictures:
            self._output.mux(self._pictures.pop())
        while (packet := self._next_packet()) is not None:
            if time_s is not None and self._time(packet) > time_s:
                self._pending = packet
                return
            self._output.mux(list(self._copied[packet.stream.index].route(packet)))

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
        if isinstance(stream, VideoStream):
            self.notices.append(f"{describe(stream)} is a second video; copied as it is")
        route = route_stream(stream, self._output, self._container, self.notices)
        if route is None or isinstance(stream, AttachmentStream):
            stream.discard = Discard.all
        else:
            self._copied[stream.index] = _Copied(route)

    def _add_picture(self, stream: VideoStream) -> None:
        """Attach cover art as the output's format does: as a file or as a picture stream."""
        packet = next((p for p in self._input.demux(stream) if p.size), None)
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
        chapter_titles = codec_name(stream) == "bin_data" and bool(self._input.chapters())
        return chapter_titles or "timecode" in stream.metadata

    def _note_lost_metadata(self) -> None:
        lost = uncommon_keys(self._input, self._container)
        if lost and self._stores_pictures():
            keys, suffix = ", ".join(lost), self._container.suffix
            self.notices.append(f"{suffix} cannot hold both cover art and the metadata {keys}")

    def _stores_pictures(self) -> bool:
        pictures = any(is_attached_picture(stream) for stream in self._input.streams.video)
        return pictures and self._container.picture_streams

    # Packets ---------------------------------------------------------------------------------

    def _demux(self) -> Iterator[Packet[Stream]]:
        """Packets of the copied streams, in the file's order, cut to the range and moved."""
        if not self._copied:
            return
        self._seek()
        clock = InputClock(self._input, [self._input.streams[index] for index in self._copied])
        if self._video not in clock.streams:
            self._video.discard = Discard.all
        try:
            for demuxed in self._input.demux(clock.streams):
                for packet in clock.place(demuxed):
                    if self._place(packet):
                        yield packet
                if all(copied.ended for copied in self._copied.values()):
                    break
        except FFmpegError:
            self.notices.append("audio and subtitles end early: the input is damaged there")
        yield from self._flush()

    def _seek(self) -> None:
        if self._span.start_s is None or is_broadcast(self._input):
            return
        target = self._span.start_s - _SEEK_MARGIN_S
        try:
            self._input.seek(int(target * 1_000_000), backward=True)
        except FFmpegError:
            return  # read from where the file stands: its beginning

    def _flush(self) -> Iterator[Packet[Stream]]:
        for index in self._copied:
            packet = Packet()
            packet.stream = self._input.streams[index]
            yield packet

    def _place(self, packet: Packet[Stream]) -> bool:
        """Move a packet's times to the output's clock; False if it must not be copied."""
        copied = self._copied[packet.stream.index]
        if not packet.size or (packet.pts is None and packet.dts is None):
            return False
        base = stream_time_base(packet.stream)
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.dts is None:
            packet.dts = packet.pts
        return (
            self._clip(packet, copied, base)
            and not self._is_unheard(packet)
            and self._is_in_order(packet, copied)
        )

    def _clip(self, packet: Packet[Stream], copied: _Copied, base: Fraction) -> bool:
        first, end = self._span.first_pts(base), self._span.end_pts(base)
        if end is not None and (packet.pts or 0) >= end:
            copied.ended = True
            return False
        early = first is not None and (packet.pts or 0) < first
        if early and not self._cut_to(packet, first or 0):
            return False
        shift = self._span.shift(base)
        packet.pts = (packet.pts or 0) - shift
        packet.dts = (packet.dts or 0) - shift
        return True

    @staticmethod
    def _cut_to(packet: Packet[Stream], first: int) -> bool:
        """Make a subtitle that is still shown at the start begin there; False for all else."""
        end = (packet.pts or 0) + (packet.duration or 0)
        if packet.stream.type != "subtitle" or end <= first:
            return False
        packet.pts = packet.dts = first
        packet.duration = end - first
        return True

    def _is_unheard(self, packet: Packet[Stream]) -> bool:
        """Whether it is an encoder's priming before time 0, marked as not to be played.

        Containers without edit lists would have to move every stream to make room for it.
        """
        early = (packet.pts or 0) < 0 and packet.is_discard
        return early and not self._container.edit_lists

    @staticmethod
    def _is_in_order(packet: Packet[Stream], copied: _Copied) -> bool:
        """Whether a muxer takes the packet after the one before it."""
        dts = packet.dts or 0
        if copied.last_dts is not None and dts < copied.last_dts:
            return False
        copied.last_dts = dts
        return True

    def _time(self, packet: Packet[Stream]) -> Fraction:
        if packet.dts is None:
            return Fraction(0)
        return packet.dts * stream_time_base(packet.stream)
