"""`FileSource`: the frames of a video file, each with its exact time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Self, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import from_av
from tapetum.realtime.media.frame_conversion import PictureConverter, nearest_with_alpha
from tapetum.realtime.media.media_input import best_video_stream, decoder_of_alpha, open_input
from tapetum.realtime.media.presentation_time import PresentationTimes
from tapetum.realtime.media.timeline import InputClock, stream_time_base, time_range
from tapetum.realtime.media.truncation import is_cut
from tapetum.realtime.media.video_info import VideoInfo, video_info

_DEMUX_ATTEMPTS = 8
"""Read errors in a row after which the rest of a file is given up."""

_SEEK_MARGINS_S = (0, 10, 60)
"""How far before the start to seek, if a seek landed after it; then the file is read whole."""


class FileSource:
    """The best video stream of a file as frames in presentation order; iterate over it once.

    Frames in formats other than `PIXEL_FORMATS` are converted, damaged packets are skipped and
    counted, and the planes are views of the decoder's memory. The first frame is decoded at
    once, so that a file that cannot be read fails here.

    Args:
        path: the file.
        start_s: seconds after the file's first instant at which to begin, to the frame; above
            0, the instant `start_s` becomes time 0.
        duration_s: seconds to read, None for all.
        threads: decoder threads, None for one per core.

    Attributes:
        info: the stream, for a sink.
        notices: lines for the user: conversions, damage, a missing end. More are added while
            iterating.
        truncated: after iterating, whether the file's end is missing or unreadable.
        corrupt_packets: packets so far that could not be decoded.
        damaged_frames: frames so far of which parts could not be decoded.

    Raises:
        MediaError: the file is missing, unreadable, has no video, or nothing in it decodes.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        start_s: float = 0.0,
        duration_s: float | None = None,
        threads: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.notices: list[str] = []
        self.truncated = False
        self.corrupt_packets = 0
        self.damaged_frames = 0
        self._tail_damaged = False
        self._threads = threads or 0
        self._container = self._open_container()
        try:
            self._open(start_s, duration_s)
        except BaseException:
            self._container.close()
            raise

    def _open_container(self) -> InputContainer:
        return open_input(self.path)

    def _open_stream(self) -> VideoStream:
        stream = best_video_stream(self._container, self.path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        self._decoder = decoder_of_alpha(stream) or stream.codec_context
        return stream

    def _open(self, start_s: float, duration_s: float | None) -> None:
        self._stream = self._open_stream()
        self._span = time_range(self._container, start_s, duration_s)
        self._time_base = stream_time_base(self._stream)
        self._times = PresentationTimes(self._stream)
        self._pictures = self._pictures_in_span()
        first = next(self._pictures, None)
        if first is None:
            raise MediaError(self._nothing_decoded(start_s))
        self._first: av.VideoFrame | None = first
        self.info: VideoInfo = self._describe(first)
        self._note_stream()

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        self._make_converter(first)
        picture = self._converter(first)
        return video_info(
            self._container, self._stream, picture=picture, raw_picture=first, span=self._span
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            MediaError: the source is closed, or swscale cannot convert a frame.
        """
        first, self._first = self._first, None
        if first is None:
            return
        yield self._frame(first)
        for picture in self._pictures:
            yield self._frame(picture)
        self._note_damage()

    def close(self) -> None:
        """Release the file; calling it again does nothing."""
        self._first = None
        self._pictures.close()
        self._container.close()

    def _frame(self, picture: av.VideoFrame) -> Frame:
        pts = picture.pts
        if pts is not None:
            pts -= self._span.shift(self._time_base)
        return self._frame_at(picture, pts)

    def _frame_at(self, picture: av.VideoFrame, pts: int | None) -> Frame:
        converted = self._converter(picture)
        if (picture.width, picture.height) != (self._converter.width, self._converter.height):
            self._note(f"the picture size changes; all is scaled to {self._size()}")
        return from_av(converted, pts=pts, time_base=self._time_base, duration=picture.duration)

    def _size(self) -> str:
        return f"{self._converter.width}x{self._converter.height}"

    def _make_converter(self, first: av.VideoFrame) -> None:
        name = first.format.name
        target = nearest_with_alpha(name)
        self._converter = PictureConverter(target, first.width, first.height)
        if target != name:
            self._note(f"pixel format {name} is converted to {target}")

    def _pictures_in_span(self) -> Generator[av.VideoFrame, None, None]:
        """Decoded pictures with strictly rising times, cut to the range."""
        start = self._span.first_pts(self._time_base)
        end = self._span.end_pts(self._time_base)
        for picture in self._pictures_from(start):
            if not self._times.settle(picture, damaged=self.corrupt_packets > 0):
                continue
            if end is not None and picture.pts is not None and picture.pts >= end:
                return
            if start is None or picture.pts is None or picture.pts >= start:
                yield picture
        self._reached_end()

    def _pictures_from(self, start: int | None) -> Iterator[av.VideoFrame]:
        """Decode from a key picture at or before `start`."""
        if start is None:
            yield from self._decode()
            return
        for margin_s in _SEEK_MARGINS_S:
            target = start - round(margin_s / self._time_base)
            if not self._seek(target):
                continue
            pictures = self._decode()
            first = next(pictures, None)
            if first is not None and first.pts is not None and first.pts <= start:
                yield first
                yield from pictures
                return
        self._reopen()
        yield from self._decode()

    def _seek(self, target: int) -> bool:
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except FFmpegError:
            return False
        self._decoder.flush_buffers()  # FFmpeg does so only for the stream's own
        return True

    def _reopen(self) -> None:
        """Start over: some files can only be read from their beginning."""
        self._container.close()
        self._container = self._open_container()
        self._stream = self._open_stream()

    def _decode(self) -> Iterator[av.VideoFrame]:
        for packet in self._whole_packets():
            try:
                pictures = self._decoder.decode(packet)
            except FFmpegError:
                self.corrupt_packets += 1
                self._tail_damaged = True
                continue
            if packet.size:  # the empty packet at the end only flushes the decoder
                self._tail_damaged = packet.is_corrupt
            if pictures:
                self.damaged_frames += sum(picture.is_corrupt for picture in pictures)
            yield from pictures

    def _whole_packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets but for a last one that is cut off.

        Its error would come out while the decoder is flushed, which PyAV cannot take up again:
        the good frames behind it would be lost.
        """
        doubtful: Packet[VideoStream] | None = None
        for packet in self._packets():
            if doubtful is not None and packet.size:
                yield doubtful
            elif doubtful is not None:
                self.corrupt_packets += 1
                self._tail_damaged = True
            doubtful = packet if packet.is_corrupt else None
            if doubtful is None:
                yield packet

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Packets of the stream, then the empty one that flushes the decoder."""
        clock = self._clock = InputClock(self._container, [self._stream])
        failures = 0
        while True:
            try:
                for packet in self._container.demux(clock.streams):
                    failures = 0
                    yield from cast("list[Packet[VideoStream]]", clock.place(packet))
            except FFmpegError:
                failures += 1
                self._tail_damaged = True
                if failures < _DEMUX_ATTEMPTS:
                    continue
                yield self._flush_packet()
            return

    def _flush_packet(self) -> Packet[VideoStream]:
        packet = cast("Packet[VideoStream]", Packet())
        packet.stream = self._stream
        packet.time_base = self._time_base
        return packet

    def _reached_end(self) -> None:
        self.truncated = self._tail_damaged or is_cut(self.path)

    def _nothing_decoded(self, start_s: float) -> str:
        if self._span.start_s is not None and not self.corrupt_packets:
            return f"{self.path} has no frame at {start_s:g} s; it ends before"
        if self.truncated:
            return f"{self.path} is incomplete: no frame of it can be decoded"
        return f"no frame of {self.path} can be decoded ({self._stream.codec_context.name})"

    def _note(self, line: str) -> None:
        if line not in self.notices:
            self.notices.append(line)

    def _note_stream(self) -> None:
        if self.info.interlaced:
            self._note("the video is interlaced; it is written as progressive frames")
        for extra in self.info.unkept:
            self._note(f"{extra} cannot be kept")

    def _note_damage(self) -> None:
        times = self._times
        if self.corrupt_packets:
            self._note(f"skipped {_counted(self.corrupt_packets, 'damaged packet')}")
        if self.damaged_frames:
            self._note(f"{_counted(self.damaged_frames, 'frame')} damaged in part")
        if times.dropped:
            self._note(f"left out {_counted(times.dropped, 'frame')}, out of order after damage")
        if self._clock.joins:
            self._note(
                f"the file's clock jumps ({self._clock.joins}x); what follows is moved up to it"
            )
        if times.moved:
            self._note(f"moved {_counted(times.moved, 'frame')} with the time of another by a tick")
        if self.truncated:
            self._note(f"{self.path} is incomplete: {_counted(times.count, 'frame')} decoded")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
