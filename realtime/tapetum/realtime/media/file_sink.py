"""`FileSink`: enhanced frames into a video file that keeps all else of its input."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import av
from av.error import InvalidDataError
from av.packet import Packet
from av.stream import Disposition, Stream

from tapetum.realtime.errors import EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.containers import Container, container_for
from tapetum.realtime.media.copied_streams import kept_metadata, lost_marks
from tapetum.realtime.media.encoder import Encoder, EncoderSettings, choose_encoder
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.media_input import TEXT_OPTIONS, InputPlace
from tapetum.realtime.media.output_path import OutputFile
from tapetum.realtime.media.stream_copy import StreamCopier
from tapetum.realtime.media.timecode import moved_timecode
from tapetum.realtime.media.video_encoder import Pictures, VideoEncoder, not_kept
from tapetum.realtime.media.video_info import VideoInfo

__all__ = ["EncoderSettings", "FileSink"]

_MOST_TICKS = (1 << 31) - 1
"""Ticks from one picture of an MP4 to the next, at most; its muxer moves what is further away."""

_MOVIE_TICKS_PER_S = 1000
"""In which an MP4 usually says how long its tracks are."""

_MATROSKA_TICKS_PER_S = 1000

_CLOSE = "pictures less than a millisecond apart: only .mp4 and .mov keep their times"

_HAS_ALPHA = "alpha_mode"
"""Matroska's tag of a video stream with transparency, which the encoder sets where that is so."""


def lone_encoder(container: Container, encoder: Encoder, info: VideoInfo) -> VideoEncoder:
    """An open encoder whose packets go to no file by themselves.

    Args:
        container: what will hold them.
        encoder: as for `VideoEncoder`.
        info: the frames to come.

    Raises:
        EncoderError: it cannot be opened.
    """
    apart = av.open(io.BytesIO(), "w", format=container.format_name)
    lone = VideoEncoder(apart, container, encoder, info)
    lone.open()
    return lone


class FileSink:
    """Encodes frames and copies the other streams of the input beside them.

    The file grows under a temporary name and appears under its own when `close` has made it
    whole. Everything that can be refused is refused here, before the first frame; but for an
    encoder that opens with its first picture, what it refuses of its size.

    Args:
        path: the output; its suffix names the container.
        info: the video stream, from the source.
        encoder: codec, quality and speed.
        copy_from: the input whose audio, subtitles, chapters, metadata and so on are copied.
        start_s: the source's start, for the copied streams.
        duration_s: the source's duration, for the copied streams.
        overwrite: whether an existing file may be replaced.
        pictures: makes pictures of frames that are not in main memory, for an encoder that
            reads them where they are.

    Attributes:
        description: encoder, quality and speed, like "libx264 crf 20 veryfast".
        notices: lines for the user about what is changed or cannot be kept.

    Raises:
        EncoderError: the encoder cannot be opened for such frames.
        MediaError: the output cannot or must not be written, or the settings do not fit it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        info: VideoInfo,
        encoder: EncoderSettings = EncoderSettings(),  # noqa: B008 - it is frozen
        copy_from: InputPlace | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        overwrite: bool = False,
        pictures: Pictures | None = None,
    ) -> None:
        inputs = [copy_from] if isinstance(copy_from, Path) else []
        self._file = OutputFile(path, overwrite=overwrite, inputs=inputs)
        self._container = container_for(self._file.path)
        self._info = info
        self._choice = choose_encoder(encoder, self._container, info)
        self.description = self._choice.description
        self.notices = [*self._choice.notices]
        self._start_s = start_s
        self._finished = False
        self._encodes = True
        self._has_header = self._has_packets = False
        self._last_dts: int | None = None
        self._pictures = pictures
        self._copier: StreamCopier | None = None
        self._open_safely(copy_from, start_s, duration_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            EncoderError: the encoder fails.
            MediaError: the frame is not as `info` says, has no time, or the disk is full.
        """
        self.check(frame)
        with media_errors("cannot encode", self._file.path, EncoderError):
            packets = self._encoder.encode(frame)
        with media_errors("cannot write", self._file.path):
            if not self._has_header:
                self._write_header()
            self._mux(packets)

    def another_encoder(self) -> VideoEncoder:
        """An encoder like the file's own, open, for packets that `write_encoded` takes later.

        Raises:
            EncoderError: it cannot be opened.
        """
        return lone_encoder(self._container, self._choice, self._info)

    def write_encoded(self, packet: Packet[Stream]) -> None:
        """Write a packet of `another_encoder`; in the order of decoding, and no frame beside them.

        Args:
            packet: times are in units of `info.time_base`; decode times rise.

        Raises:
            MediaError: the disk is full, or the times are wrong.
        """
        self._encodes = False
        packet.stream, packet.time_base = self._encoder.stream, self._info.time_base
        with media_errors("cannot write", self._file.path):
            self._mux([packet])

    def close(self, *, durably: bool = False) -> None:
        """Finish the file and give it its name; calling it again does nothing.

        Args:
            durably: whether it outlives a power cut when this returns.

        Raises:
            MediaError: the rest cannot be written; nothing is left then.
        """
        if self._finished:
            return
        try:
            with media_errors("cannot write", self._file.path):
                self._finish()
            self._file.commit(durably=durably)
        except BaseException:
            self.discard()
            raise
        self._finished = True

    @property
    def has_begun(self) -> bool:
        """Whether the encoder has given a packet; an encoder on a GPU may fail until then."""
        return self._has_packets

    @property
    def damaged_packets(self) -> int:
        """Packets of the copied streams, so far, that could not be copied as they are."""
        return 0 if self._copier is None else self._copier.damaged_packets

    def discard(self) -> None:
        """Give up: remove what was written; after `close` this does nothing."""
        if self._finished:
            return
        self._finished = True
        self._release()
        self._file.discard()

    # Opening ---------------------------------------------------------------------------------

    def _open_safely(
        self, copy_from: InputPlace | None, start_s: float, duration_s: float | None
    ) -> None:
        try:
            self._open(copy_from, start_s, duration_s)
        except BaseException:
            self.discard()
            raise

    def _open(self, copy_from: InputPlace | None, start_s: float, duration_s: float | None) -> None:
        if copy_from is not None:
            self._copier = StreamCopier(
                copy_from,
                self._container,
                start_s=start_s,
                duration_s=duration_s,
                origin_s=self._info.origin_s,
            )
        with media_errors("cannot write", self._file.path):
            self._output = av.open(
                f"file:{self._file.temporary}",
                "w",
                format=self._container.format_name,
                container_options=self._muxer_options(),
                **TEXT_OPTIONS,
            )
        self._add_streams()
        self._encoder.open()
        if self._encoder.is_open:
            self._write_header()

    def _write_header(self) -> None:
        try:
            with media_errors("cannot write", self._file.path):
                self._output.start_encoding()
            self._has_header = True
        except MediaError as error:
            if isinstance(error.__cause__, OSError):
                raise
            raise self._encoder.refusal() from error

    def _muxer_options(self) -> dict[str, str]:
        options = dict(self._container.options)
        if self._container.is_mov:
            ticks_per_s = self._info.time_base.denominator
            options["video_track_timescale"] = str(ticks_per_s)
            if self._info.average_rate is None and ticks_per_s > _MOVIE_TICKS_PER_S:
                # Pictures may be closer than that, and the last ones behind a track's end.
                options["movie_timescale"] = str(ticks_per_s)
        return options if self._copier is None else {**options, **self._copier.muxer_options}

    def _add_streams(self) -> None:
        if self._copier is None:
            self._add_video()
            return
        self._copier.begin(self._output)
        self._add_video()
        self._copier.add_streams_after_video()
        self.notices += self._copier.notices
        self._copier.notices = self.notices

    def _add_video(self) -> None:
        info = self._info
        self._encoder = VideoEncoder(
            self._output, self._container, self._choice, info, pictures=self._pictures
        )
        stream = self._encoder.stream
        stream.metadata.update(kept_metadata(self._video_metadata(), self._container))
        if info.disposition:
            stream.disposition = Disposition(info.disposition)
            self.notices += lost_marks("the video", stream.disposition, self._container)
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)

    def _video_metadata(self) -> dict[str, str]:
        """The metadata of the input's stream, as far as it is true of what is written."""
        metadata = moved_timecode(self._info.metadata, self._start_s, self._info.average_rate)
        return {key: value for key, value in metadata.items() if key.lower() != _HAS_ALPHA}

    # Writing ---------------------------------------------------------------------------------

    def check(self, frame: Frame) -> None:
        """Refuse a frame that is not as `info` says.

        Raises:
            MediaError: it is not, or has no time, or the file is closed.
        """
        info = self._info
        if self._finished:
            raise MediaError(f"{self._file.path} is closed; no frame can follow")
        if frame.pts is None:
            raise MediaError(f"a frame for {self._file.path} has no time")
        if frame.time_base != info.time_base:
            raise MediaError(f"a frame counts time in {frame.time_base} s, not {info.time_base} s")
        got = (frame.width, frame.height, frame.format_name)
        if got != (info.width, info.height, info.format_name):
            raise MediaError(
                f"a frame for {self._file.path} is {got[0]}x{got[1]} {got[2]}, "
                f"not {info.width}x{info.height} {info.format_name}"
            )
        self._note(not_kept(frame, self._choice))

    def _note(self, lines: Iterable[str]) -> None:
        self.notices += [line for line in lines if line not in self.notices]

    def _mux(self, packets: list[Packet[Stream]]) -> None:
        """Write encoded packets, each after what the other streams have up to its time."""
        for packet in packets:
            self._has_packets = True
            self._check_step(packet)
            if self._copier is not None and packet.dts is not None:
                self._copier.advance(packet.dts * self._info.time_base)
            try:
                self._output.mux(packet)
            except InvalidDataError:
                if self._copier is None:
                    raise
                # The muxer writes what waits with it: an encoder's packets are never invalid.
                self._copier.note_refused((packet.dts or 0) * self._info.time_base)

    def _check_step(self, packet: Packet[Stream]) -> None:
        """See whether the container can say when a picture is shown.

        Raises:
            MediaError: it lies further behind the one before it than the container can say.
        """
        base, suffix, dts = self._info.time_base, self._container.suffix, packet.dts or 0
        last, self._last_dts = self._last_dts, dts
        step = 0 if last is None else dts - last
        longest = max(step, packet.duration or 0, (packet.pts or 0) - dts)
        if self._container.is_mov and longest * base.numerator > _MOST_TICKS:
            hours = float(longest * base / 3600)
            raise MediaError(
                f"a picture stands still for {hours:.3g} hours, longer than {suffix} can say where"
                f" time is counted in {base} s; .mkv can"
            )
        duration = (packet.duration or 0) * base.numerator
        is_close = 0 < duration * _MATROSKA_TICKS_PER_S < base.denominator
        if is_close and not self._container.is_mov:
            self._note([_CLOSE])

    def _finish(self) -> None:
        if self._encodes:
            with media_errors("cannot encode", self._file.path, EncoderError):
                packets = self._encoder.finish()
            if not self._has_header:  # there was no frame
                self._write_header()
            self._mux(packets)
        if self._copier is not None:
            self._copier.advance(None)
        self._output.close()
        self._release()

    def _release(self) -> None:
        """Let go of input and output; the muxer's last words go to a file that is removed."""
        if self._copier is not None:
            self._copier.close()
        output = getattr(self, "_output", None)
        if output is not None:
            try:
                output.close()
            except (OSError, ValueError):
                return  # it is given up: what it could not write does not matter
