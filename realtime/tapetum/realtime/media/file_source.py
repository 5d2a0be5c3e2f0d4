"""`FileSource`: the frames of a video file, each with its exact time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Self

import av
from av.codec.context import Flags

from tapetum.gan.machine import thread_limit
from tapetum.realtime.counted import counted
from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import FULL_RANGE, color_range, from_av, storage_format
from tapetum.realtime.media.captions import captions_of
from tapetum.realtime.media.cropping import file_crop
from tapetum.realtime.media.dolby_vision import has_dolby_vision_alone
from tapetum.realtime.media.fields import Deinterlacer
from tapetum.realtime.media.frame_conversion import PictureConverter, nearest_with_alpha
from tapetum.realtime.media.matroska_structure import broken_elements
from tapetum.realtime.media.media_input import (
    InputPlace,
    best_video_stream,
    decoder_of_alpha,
    input_place,
    open_input,
)
from tapetum.realtime.media.ogg_pages import broken_pages
from tapetum.realtime.media.picture_reader import PictureReader, VideoInput
from tapetum.realtime.media.sample_entries import ENCRYPTED, sample_entries
from tapetum.realtime.media.timeline import said_of_gaps
from tapetum.realtime.media.transport_stream import losses
from tapetum.realtime.media.truncation import broken_tags, is_cut
from tapetum.realtime.media.video_info import VideoInfo, display_matrix, video_info

_STILL_PICTURES = ("_pipe", "image2", "ico")
"""How FFmpeg's names of formats end that hold a single picture."""

_Traits = tuple[int, int, bool, bool, tuple[int, ...] | None]
"""Width, height, whether interlaced, whether of full range, and the display matrix."""


class VideoFile(ABC):
    """A video file that is read, by whatever it is decoded: `FileSource`, or `NvdecSource`.

    Attributes:
        path: where it is.
        info: the stream, for a sink.
    """

    info: VideoInfo

    def __init__(self, report: FileReport) -> None:
        """Take what reads the file and tells of it."""
        self.path = report.path
        self._report = report
        self._reader = report.reader
        self._met: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, once."""

    def close(self) -> None:
        """Release the file; calling it again does nothing."""
        self._reader.close()

    @property
    def still_format(self) -> str | None:
        """FFmpeg's name of the file's format if that is one of still pictures, else None."""
        name = self._reader.container.format.name
        is_still = name.endswith(_STILL_PICTURES) and isinstance(self.path, Path)
        return name.removesuffix("_pipe") if is_still else None

    @property
    def notices(self) -> list[str]:
        """Lines for the user: conversions, damage, a missing end; more come while iterating."""
        return self._report.notices

    @property
    def truncated(self) -> bool:
        """After iterating: whether the file's end is missing or unreadable."""
        return self._report.truncated

    @property
    def corrupt_packets(self) -> int:
        """Packets so far that could not be decoded, or whose time or length cannot be true."""
        reader = self._reader
        skipped = reader.corrupt_packets + reader.vanished
        return skipped + reader.bad_times + self._report.broken_parts

    def damage_at(self, pts: int) -> tuple[int, int]:
        """The two counts as they were when a frame was given, whoever reads ahead since."""
        earlier = ((packets, frames) for at, packets, frames in reversed(self._met) if at <= pts)
        return next(earlier, (0, 0))

    def _note_damage(self, pts: int) -> None:
        """Keep the counts that `damage_at` gives, where they change."""
        damage = self.corrupt_packets, self.damaged_frames
        if not self._met or self._met[-1][1:] != damage:
            self._met.append((pts, *damage))

    @property
    def decoded(self) -> int:
        """Frames so far that were decoded, with those before the range: whether it goes on."""
        return self._reader.count

    @property
    def damaged_frames(self) -> int:
        """Frames so far of which parts could not be decoded, or whose time was damaged."""
        return self._reader.damaged_frames + self._reader.mended_times


class FileSource(VideoFile):
    """The best video stream of a file as frames in presentation order; iterate over it once.

    Frames in formats other than `PIXEL_FORMATS` are converted, damaged packets are skipped and
    counted, and the planes are views of the decoder's memory. The first frame is decoded at
    once, so that a file that cannot be read fails here.

    Args:
        path: the file, address or series of pictures; see `input_place`.
        start_s: seconds after the file's first instant at which to begin, to the frame; above
            0, the instant `start_s` becomes time 0.
        duration_s: seconds to read, None for all.
        threads: decoder threads, None for one per core, or what the process is limited to.
        rate: pictures a second of a series of pictures; None is 25.
        deinterlace: whether interlaced pictures are made progressive.

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
        rate: Fraction | None = None,
        deinterlace: bool = False,
    ) -> None:
        place = input_place(path)
        open_video = partial(open_on_cpu, place, threads, rate)
        reader = PictureReader(open_video, start_s=start_s, duration_s=duration_s)
        super().__init__(FileReport(place, reader))
        self._deinterlacer = Deinterlacer() if deinterlace else None
        try:
            first = self._report.first_picture()
            self._make_converter(first)
            info = self._cut(self._report.describe(self._converter(first), raw=first))
            self.info = replace(info, interlaced=info.interlaced and not deinterlace)
        except BaseException:
            self._reader.close()
            raise
        self._report.note_stream(self.info)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            MediaError: the source is closed, or swscale cannot convert a frame.
        """
        for picture in self._pictures():
            frame = self._frame(picture)
            self._note_damage(frame.pts or 0)
            yield frame
        if self._deinterlacer is not None and not self._deinterlacer.found:
            self._report.note("nothing was deinterlaced: no picture says that it is interlaced")
        self._report.finish()

    def resume_at(self, pts: int) -> None:
        """Begin at a frame's time, before the first is read; see `PictureReader.resume_at`."""
        self._reader.resume_at(pts)

    def _pictures(self) -> Iterable[av.VideoFrame]:
        if self._deinterlacer is None:
            return self._reader
        return self._deinterlacer(self._reader, self._reader.time_base)

    def _frame(self, picture: av.VideoFrame) -> Frame:
        self._report.note_changes(picture)
        frame = from_av(
            self._converter(picture),
            pts=self._reader.output_pts(picture),
            time_base=self._reader.time_base,
            duration=picture.duration,
            codec=self.info.codec_name,
            captions=captions_of(picture),
        )
        return frame if self._crop is None else self._crop(frame)

    def _cut(self, info: VideoInfo) -> VideoInfo:
        """What the stream is when what the file says is not shown is cut off."""
        coded = info.width, info.height
        self._crop = None
        if isinstance(self.path, Path):
            self._crop = file_crop(self.path, self._reader.stream, *coded)
        if self._crop is not None and info.interlaced:
            self._crop = self._crop.of_fields()
        if self._crop is None or not any(self._crop):
            self._crop = None
            return info
        width, height = self._crop.size(*coded)
        self._report.note(f"cropped to {width}x{height} of {coded[0]}x{coded[1]}, as the file says")
        return replace(info, width=width, height=height)

    def _make_converter(self, first: av.VideoFrame) -> None:
        name = first.format.name
        limited = color_range(first) != FULL_RANGE
        target = nearest_with_alpha(storage_format(name) if limited else name)
        self._converter = PictureConverter(target, first.width, first.height)
        if target != name:
            self._report.note(f"pixel format {name} is converted to {target}")


def open_on_cpu(
    path: InputPlace, threads: int | None = None, rate: Fraction | None = None
) -> VideoInput:
    """Open a file, address or series for a decoder on the CPU; see `FileSource`.

    Raises:
        MediaError: it cannot be opened, or has no video.
    """
    container = open_input(path, rate=rate)
    try:
        stream = best_video_stream(container, path)
    except BaseException:
        container.close()
        raise
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads or thread_limit() or 0
    stream.codec_context.flags |= Flags.unaligned  # or it crops by whole steps of memory alone
    return VideoInput(container, stream, decoder_of_alpha(stream) or stream.codec_context)


class FileReport:
    """What is said of a file that is read, by whatever it is decoded.

    Attributes:
        path: where it is.
        reader: reads it.
        notices: lines for the user.
        truncated: after the last picture, whether the file's end is missing or unreadable.
        broken_parts: after the last picture, parts of the file whose lengths cannot be true.
    """

    def __init__(self, path: InputPlace, reader: PictureReader) -> None:
        self.path = path
        self.reader = reader
        self.notices: list[str] = []
        self.truncated = False
        self.broken_parts = 0
        self._traits: _Traits | None = None
        self._pixel_ratio = reader.pixel_ratio
        self._version = _version(path)

    def first_picture(self) -> av.VideoFrame:
        """The first picture.

        Raises:
            MediaError: there is none, or it is encrypted.
        """
        if isinstance(self.path, Path):
            kind = sample_entries(self.path).get(self.reader.stream.id)
            if kind in ENCRYPTED:
                raise MediaError(f"{self.path} is encrypted ({kind}), and cannot be read")
        first = self.reader.first()
        if first is not None:
            return first
        path, start_s = self.path, self.reader.span.start_s
        if start_s is not None and not self.reader.corrupt_packets:
            asked_s = float(start_s - self.reader.begin_s)
            raise MediaError(f"{path} has no frame at {asked_s:g} s; it ends before")
        codec = self.reader.stream.codec_context.name
        is_short = isinstance(path, Path) and is_cut(path)
        is_odd = codec == "rawvideo" and bool(self.reader.corrupt_packets) and not is_short
        if is_odd and self.reader.container.format.name == "avi":
            raise MediaError(
                f"{path} says that its video is uncompressed, and it is not; an AVI has no name for"
                " HEVC and other codecs: write it as MP4 or MKV"
            )
        if is_odd and self.reader.stream.codec_context.pix_fmt is None:
            raise MediaError(
                f"{path} says that its video is uncompressed, in an order of samples that FFmpeg"
                " does not know"
            )
        if self._is_cut():
            raise MediaError(f"{path} is incomplete: no frame of it can be decoded")
        raise MediaError(f"no frame of {path} can be decoded ({codec})")

    def describe(self, picture: av.VideoFrame, *, raw: av.VideoFrame) -> VideoInfo:
        """The stream, for a sink; see `video_info`.

        Raises:
            MediaError: its colours have a meaning that is known to Dolby Vision alone.
        """
        reader = self.reader
        if isinstance(self.path, Path) and has_dolby_vision_alone(self.path, raw):
            raise MediaError(
                f"{self.path} is Dolby Vision without a base layer that others can show;"
                " convert it to HDR10 or SDR first"
            )
        return video_info(
            reader.container, reader.stream, picture=picture, raw_picture=raw, span=reader.span
        )

    def note(self, line: str) -> None:
        """Say something once."""
        if line not in self.notices:
            self.notices.append(line)

    def note_changes(self, picture: av.VideoFrame) -> None:
        """Say that a picture is not as the first was."""
        width, height, interlaced, color_range, matrix = _traits(picture)
        if self._traits is None:
            self._traits, self._pixel_ratio = _traits(picture), self.reader.pixel_ratio
        was_width, was_height, was_interlaced, was_range, was_matrix = self._traits
        if (width, height) != (was_width, was_height):
            self.note(f"the picture size changes; all is scaled to {was_width}x{was_height}")
        if interlaced != was_interlaced:
            self.note(
                "interlaced and progressive pictures are mixed; all are written as the first is"
            )
        if color_range != was_range:
            self.note("the range of the colours changes; all are brought to that of the first")
        if self.reader.pixel_ratio != self._pixel_ratio:
            self.note("the shape of a pixel changes; all is shown with that of the first picture")
        # H.264 need not say it of each picture; at a key picture saying nothing means upright.
        if matrix != was_matrix and (matrix is not None or picture.key_frame):
            self.note("the rotation changes; all is shown turned as the first picture is")

    def note_stream(self, info: VideoInfo) -> None:
        """Say what cannot be kept of the stream."""
        for extra in info.unkept:
            self.note(f"{extra} cannot be kept")

    def finish(self, frames: int | None = None) -> None:
        """Say what was wrong, when the last picture has been read.

        Args:
            frames: that there were, where the reader has not counted each once.
        """
        now = _version(self.path)
        changed = now is not None and now != self._version
        self.truncated = changed or self._is_cut()
        for line in self.reader.notices():
            self.note(line)
        if changed:
            self.note(f"{self.path} changed while it was read; try again when it is whole")
        elif self.truncated:
            decoded = counted(self.reader.count if frames is None else frames, "frame")
            self.note(f"{self.path} is incomplete: {decoded} decoded")
        if self.reader.ended and isinstance(self.path, Path):
            broken = broken_tags(self.path) or broken_pages(self.path)
            self.broken_parts = broken or int(broken_elements(self.path))
            self._judge_gaps(self.path)
        if self.broken_parts:
            self.note(
                f"the parts of {self.path} do not follow each other as they say: some is damaged"
            )

    def _judge_gaps(self, path: Path) -> None:
        """Tell a picture of a broadcast that stands still from those that are missing."""
        if not self.reader.gaps:
            return
        lost = losses(path)
        if self.reader.stream.id in lost.pids:
            self.note(said_of_gaps("the pictures", self.reader.gaps))
            self.broken_parts += 1
        elif lost.joined:
            self.note(said_of_gaps("recordings were joined", self.reader.gaps, verb="lie between"))

    def _is_cut(self) -> bool:
        return self.reader.ended and (
            self.reader.cut or (isinstance(self.path, Path) and is_cut(self.path))
        )


def _version(place: InputPlace) -> tuple[int, int] | None:
    """Size and time of change of a file; None of what is none, or is gone."""
    if not isinstance(place, Path):
        return None
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _traits(picture: av.VideoFrame) -> _Traits:
    """What a sink expects to stay."""
    full = color_range(picture) == FULL_RANGE
    matrix = display_matrix(picture)
    return picture.width, picture.height, picture.interlaced_frame, full, matrix
