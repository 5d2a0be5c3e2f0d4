"""`LiveSource`: a camera, stream, screen or test pattern as frames stamped with their time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from tapetum.realtime.errors import DeviceError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.address import parse_source
from tapetum.realtime.live.live_device import LiveDecoding
from tapetum.realtime.live.open_address import (
    READ_TIMEOUT_S,
    describe,
    open_address,
    open_best,
    stream_rate,
    video_stream,
)
from tapetum.realtime.media.av_frame import from_av, to_av
from tapetum.realtime.media.captions import captions_of
from tapetum.realtime.media.cropping import Crop, file_crop
from tapetum.realtime.media.fields import with_fields_joined
from tapetum.realtime.media.frame_conversion import PictureConverter, nearest_format
from tapetum.realtime.media.media_errors import reason
from tapetum.realtime.media.picture_reader import PictureReader, VideoInput
from tapetum.realtime.media.turning import is_sideways, turnable_format, turned
from tapetum.realtime.media.video_info import display_matrix
from tapetum.realtime.prefetch import interruptible

TIME_BASE = Fraction(1, 90_000)
"""Unit of the frames' `pts`, which count from the first frame: by the time of capture, and in a
file by its own times."""

_UNKNOWN_RATE = Fraction(25)
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_LATE_S = 0.2
"""A source this late starts its pace anew: it was suspended, or cannot keep up, and frames that
are made up for in a burst are frames that come too early."""
_MOST_IN_DECODER = 100
"""Packets whose pictures are waited for, at most."""
_BELIEVABLE_AGE_S = 1.0
"""A camera's own time of capture is believed if it lies in this last time."""
_LEFT_OUT = {"audio": "sound", "subtitle": "subtitles"}
"""Kinds of streams that a source may have beside its pictures, and their names for people."""


class LiveSource:
    """A `FrameSource` of the frames of a live stream; iterate over it once, in one thread.

    Each frame carries `capture_time_s`, when a camera took it or its packet arrived, and
    `arrival_time_s`, when it was handed over. Files and test patterns come at their own pace and
    end; a camera or stream that is lost is reopened, with longer and longer pauses between the
    attempts, until `close`. After it comes back its pictures are scaled to their first size.
    Standard input comes at the pace of its writer, and ends with it. The pictures of a file or a
    pipe are turned as it says that they are shown.

    Attributes:
        description: what was really opened, like "/dev/video0 1280x720 mjpeg 30 fps".
        frames: how many were handed over so far.
        size: width and height in pixels that it has.
        rate: frames per second that the device or stream says it has, None where unknown.
        ends: whether the source is something that has an end, like a file.
    """

    def __init__(
        self,
        source: str | int | Path = 0,
        *,
        size: tuple[int, int] | None = None,
        rate: Fraction | None = None,
        paced: bool = True,
        loop: bool = False,
        decoding: LiveDecoding | None = None,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        """Open a source.

        Args:
            source: as for `parse_source`: a camera, URL, screen, test pattern, file or "-".
            size: width and height in pixels to ask a camera for.
            rate: frames per second to ask a camera for.
            paced: whether files and test patterns come at their own pace, or as fast as they are
                read.
            loop: whether what has an end is played over and over, with times that go on rising.
            decoding: decodes files and streams on another device, whose memory the frames are in;
                the CPU takes over where it cannot. None is the CPU.
            on_notice: called with a line for the user when the source is not as it was asked to
                be, and, in the reading thread, when it is lost and when it is back.

        Raises:
            MediaError: it cannot be opened, or is standard input and to be played again.
        """
        self.frames = 0
        self._loop = loop
        self._frames_before = 0
        self._shift_s = 0.0
        self._on_notice = on_notice
        self._said = set[str]()
        self._closing = threading.Event()
        self._ownership = threading.Lock()
        self._iterating = False
        self._pacer = Pacer(self._closing)
        self._converter: PictureConverter | None = None
        self._decoding = decoding
        self._format: tuple[str, int, int] | None = None
        self._skip_to_s: float | None = None
        self._first_time_s: float | None = None
        self._last_pts = -1
        self._addresses = parse_source(source, size=size, rate=rate)
        if loop and self._addresses[0].pipe is not None:
            raise MediaError("standard input comes once, and cannot be played over and over")
        self._arrivals_s: dict[int, float] = {}
        try:
            interruptible(lambda: self._open(size))
        except BaseException:
            for address in self._addresses:
                address.interrupt()
            raise
        self._stream = self._reader.stream
        self.size = (self._stream.width, self._stream.height)
        self._crop = self._crop_of_file(self._stream)
        if self._crop is not None:
            self.size = self._crop.size(*self.size)
        if self._display_matrix is not None and is_sideways(self._display_matrix):
            self.size = self.size[::-1]
        self.rate = stream_rate(self._stream)
        written = self._address.pipe is not None
        self.ends = self._address.paced or written or self._reader.container.duration is not None
        self._paced = paced and self.ends and not written
        self.description = describe(self._address, self._stream)
        self._say_what_is_not_as_asked(size, rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration, which releases the device; calling it again does nothing."""
        with self._ownership:
            self._closing.set()
            self._address.interrupt()
            if not self._iterating:
                self._reader.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames as they come.

        Raises:
            MediaError: its pictures cannot be converted, or a file cannot be read on.
        """
        with self._ownership:  # from here on only this thread may close the container
            if self._closing.is_set():
                return
            self._iterating = True
        try:
            while True:
                try:
                    why = yield from self._until_lost()
                except DeviceError as error:
                    lost = self._go_on_by_cpu(error)
                    if lost is None:
                        continue
                    why = lost
                if self._closing.is_set() or not self._opened_again(why):
                    return
        finally:
            self._reader.close()

    def _until_lost(self) -> Generator[Frame, None, str]:
        """Yield the frames of the opened container to its end, and return why it ended."""
        try:
            yield from self._opened_frames()
        except ExitError:  # PyAV's word for its time limit
            return f"nothing came for {READ_TIMEOUT_S:g} s"
        except (FFmpegError, OSError) as error:
            if self.ends:
                name = self._address.name
                raise MediaError(f"cannot read {name}: {reason(error)}") from error
            return reason(error)
        return "it ended"

    def _opened_frames(self) -> Iterator[Frame]:
        for picture in self._reader:
            if self._was_shown(picture):
                continue
            due_s = self._time_s(picture) if self._paced else None
            if due_s is not None:
                self._pacer.wait(due_s)
            if self._closing.is_set():
                return
            captured_s = self._arrivals_s.pop(picture.pts or 0, None) if due_s is None else None
            yield self._frame(picture, captured_s or time.monotonic())

    def _open(self, size: tuple[int, int] | None) -> None:
        if self._decoding is not None and self._open_elsewhere():
            return
        self._address, container = open_best(self._addresses, size)
        self._reader = self._read(container)
        self._display_matrix = self._turn_of_first()

    def _open_elsewhere(self) -> bool:
        """Open what another device decodes; False where the CPU has to."""
        address = self._address = self._addresses[0]
        if not (address.is_url or address.is_file):
            self._decoding = None  # a camera's pictures are copied there: nothing to say
            return False
        try:
            self._reader = self._reopened()
        except DeviceError as error:
            self._say_cpu_decodes(error)
            return False
        try:
            self._display_matrix = self._turn_of_first()
            if self._display_matrix is None and self._crop_of_file(self._reader.stream) is None:
                return True
        except (DeviceError, MediaError) as error:
            self._say_cpu_decodes(error)
        except BaseException:
            self._reader.close()
            raise
        else:
            self._say_cpu_decodes(DeviceError("its pictures are turned or cropped"))
        self._reader.close()
        return False

    def _say_cpu_decodes(self, error: DeviceError | MediaError) -> None:
        self._decoding = None
        self._notice(f"{self._address.name} is decoded on the CPU: {error}")

    def _go_on_by_cpu(self, error: DeviceError) -> str | None:
        """Decode on the CPU from here on, because the other device cannot, or not any more.

        Returns:
            Why the source is lost, if it cannot be opened again.

        Raises:
            DeviceError: `error`, if it was the CPU that decoded.
            MediaError: a file cannot be opened any more.
        """
        if self._decoding is None:
            raise error
        self._say_cpu_decodes(error)
        self._reader.close()
        if self.ends and self.frames:
            self._skip_to_s = float(self._first_time_s or 0.0) + float(self._last_pts * TIME_BASE)
        try:
            self._reader = self._reopened()
        except MediaError as lost:
            if self.ends:
                raise
            return str(lost)
        return None

    def _was_shown(self, picture: av.VideoFrame) -> bool:
        """Whether a picture of a file that was opened again was shown before."""
        if self._skip_to_s is None:
            return False
        time_s = self._time_s(picture)
        if time_s is not None and time_s <= self._skip_to_s + float(TIME_BASE):
            return True
        self._skip_to_s = None
        return False

    def _reopened(self) -> PictureReader:
        """The address, opened by what decodes it.

        Raises:
            DeviceError: that cannot.
            MediaError: it cannot be opened.
        """
        decoding = self._decoding
        if decoding is None:
            return self._read(open_address(self._address))
        opened, name = decoding.opened(self._address), self._address.name

        return self._reader_of(opened, lambda error: decoding.doubt(name, error))

    def _read(self, container: InputContainer) -> PictureReader:
        stream = video_stream(container, self._address)
        return self._reader_of(VideoInput(container, stream, stream.codec_context))

    def _reader_of(
        self, opened: VideoInput, doubt: Callable[[FFmpegError], None] | None = None
    ) -> PictureReader:
        return PictureReader(
            lambda: opened,
            on_packet=self._note_arrival,
            live=not self._address.is_file,
            on_failures=doubt,
        )

    def _turn_of_first(self) -> tuple[int, ...] | None:
        """How pictures of a file or pipe are turned to be shown; None where they are upright.

        Only its first picture says so.

        Raises:
            MediaError: it has none.
        """
        if not self._address.is_file and self._address.pipe is None:
            return None
        try:
            first = self._reader.first()
        except FFmpegError:  # of a pipe; a file's damage is read over
            first = None
        if first is None:
            self._reader.close()
            raise MediaError(f"no frame of {self._address.name} can be decoded")
        return display_matrix(first)

    def _crop_of_file(self, stream: VideoStream) -> Crop | None:
        if not self._address.is_file:
            return None
        path = Path(self._address.url.removeprefix("file:"))
        return file_crop(path, stream, stream.width, stream.height)

    def _note_arrival(self, packet: Packet[VideoStream]) -> None:
        if packet.pts is None:
            return
        if len(self._arrivals_s) > _MOST_IN_DECODER:  # those of packets that did not decode
            self._arrivals_s.clear()
        self._arrivals_s[packet.pts] = self._capture_time_s(packet)

    def _capture_time_s(self, packet: Packet[VideoStream]) -> float:
        now_s = time.monotonic()
        if self._address.stamps_capture and packet.pts is not None:
            stamped_s = float(packet.pts * packet.time_base)
            if 0 <= now_s - stamped_s <= _BELIEVABLE_AGE_S:
                return stamped_s
        return now_s

    def _time_s(self, picture: av.VideoFrame) -> float | None:
        pts = self._reader.output_pts(picture)
        return None if pts is None else float(pts * self._reader.time_base) + self._shift_s

    def _frame(self, picture: av.VideoFrame, captured_s: float) -> Frame:
        own_s = self._time_s(picture) if self.ends else None
        time_s = captured_s if own_s is None else own_s
        if self._first_time_s is None:
            self._first_time_s = time_s
        since_first = round((time_s - self._first_time_s) / TIME_BASE)
        frame = self._decoded(picture, max(self._last_pts + 1, since_first))
        self._last_pts = frame.pts or 0
        if picture.interlaced_frame:
            self._say_once(f"{self._address.name} is interlaced; its two fields are joined")
            frame = with_fields_joined(frame.in_memory)
        if captions_of(picture):
            self._say_pictures_only("captions")
        if self._crop is not None:
            frame = self._crop(frame)
        if self._display_matrix is not None:
            frame = turned(frame, self._display_matrix)
        self.frames += 1
        return replace(frame, capture_time_s=captured_s, arrival_time_s=time.monotonic())

    def _decoded(self, picture: av.VideoFrame, pts: int) -> Frame:
        """A picture where it was decoded; in main memory if it has to be converted."""
        codec = self._reader.stream.codec_context.name
        if self._decoding is not None:
            frame = self._decoding.frame(
                picture, self._address.name, pts=pts, time_base=TIME_BASE, codec=codec
            )
            form = frame.format_name, frame.width, frame.height
            if self._format is None:
                self._format = form
            if self._format == form:
                return frame
            picture = to_av(frame.in_memory)
        if self._converter is None:
            self._converter = PictureConverter(*self._format_for(picture))
        into = self._converter
        if (picture.width, picture.height) != (into.width, into.height):
            size = _size_text((into.width, into.height))
            self._say_once(f"the picture size changes; all is scaled to {size}")
        return from_av(self._converter(picture), pts=pts, time_base=TIME_BASE, codec=codec)

    def _format_for(self, picture: av.VideoFrame) -> tuple[str, int, int]:
        """Format and size that all frames have: those of the first."""
        if self._format is not None:
            return self._format
        target = nearest_format(picture.format.name)
        if self._display_matrix is not None:
            target = turnable_format(target)
        return target, picture.width, picture.height

    def _opened_again(self, why: str) -> bool:
        """Open what was lost, or is played over and over; False where it is over."""
        if self.ends:
            return self._loop and self._begin_anew()
        self._notice(f"{self._address.name} is lost ({why}); the last picture is held")
        return self._reopen()

    def _begin_anew(self) -> bool:
        """Open it at its beginning, one frame after its end; False if it gave no frame.

        Raises:
            MediaError: it cannot be opened any more.
        """
        if self.frames == self._frames_before:
            return False
        self._frames_before = self.frames
        self._shift_s = float(self._last_pts * TIME_BASE + 1 / (self.rate or _UNKNOWN_RATE))
        self._reader.close()
        try:
            self._reader = self._reopened()
        except DeviceError as error:
            self._say_cpu_decodes(error)
            self._reader = self._reopened()
        return True

    def _reopen(self) -> bool:
        """Open the source again; False if it was closed meanwhile."""
        self._reader.close()
        pause_s = _FIRST_PAUSE_S
        while not self._closing.wait(pause_s):
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                self._reader = self._reopened()
            except MediaError:
                continue  # still lost, which was said
            except DeviceError as error:
                self._say_cpu_decodes(error)
                continue
            self._notice(f"{self._address.name} is back")
            return True
        return False

    def _say_what_is_not_as_asked(
        self, size: tuple[int, int] | None, rate: Fraction | None
    ) -> None:
        instead = list[str]()
        if size is not None and size != self.size:
            instead.append(f"{_size_text(self.size)} instead of {_size_text(size)}")
        if rate is not None and self.rate is not None and rate != self.rate:
            fps, wanted = float(self.rate), float(rate)
            instead.append(f"{fps:g} instead of {wanted:g} frames per second")
        name, left_out = self._address.name, self._left_out()
        if instead:
            without = f", without its {left_out}: pictures only" if left_out else ""
            self._notice(f"{name} gives {', '.join(instead)}{without}")
        elif left_out:
            self._say_pictures_only(left_out)

    def _left_out(self) -> str:
        kinds = {stream.type for stream in self._reader.container.streams}
        return " and ".join(word for kind, word in _LEFT_OUT.items() if kind in kinds)

    def _say_pictures_only(self, left_out: str) -> None:
        self._say_once(f"only the pictures of {self._address.name} are taken, not its {left_out}")

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._notice(line)

    def _notice(self, line: str) -> None:
        if self._on_notice is not None:
            self._on_notice(line)


class Pacer:
    """Slows a file or test pattern down to its own pace; the first picture is due at once."""

    def __init__(self, stop: threading.Event) -> None:
        """Make a pacer whose waits end early when `stop` is set."""
        self._stop = stop
        self._offset_s: float | None = None

    def wait(self, time_s: float) -> None:
        """Wait until the picture with the presentation time `time_s` is due."""
        now_s = time.monotonic()
        if self._offset_s is None or now_s - (time_s + self._offset_s) > _LATE_S:
            self._offset_s = now_s - time_s
        self._stop.wait(max(0.0, time_s + self._offset_s - now_s))


def _size_text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
