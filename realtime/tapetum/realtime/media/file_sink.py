"""`FileSink`: enhanced frames into a video file that keeps all else of its input."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from tapetum.realtime.errors import EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.containers import container_for
from tapetum.realtime.media.copied_streams import kept_metadata
from tapetum.realtime.media.decode_time import DecodeTimes
from tapetum.realtime.media.encoder import EncoderSettings, choose_encoder
from tapetum.realtime.media.encoder_context import set_picture_format
from tapetum.realtime.media.encoder_log import quiet_encoder
from tapetum.realtime.media.encoder_pictures import MemoryPictures, Pictures
from tapetum.realtime.media.encoder_table import HEVC_ENCODERS
from tapetum.realtime.media.media_errors import media_errors
from tapetum.realtime.media.output_path import OutputFile
from tapetum.realtime.media.stream_copy import StreamCopier
from tapetum.realtime.media.text_encoding import TEXT_OPTIONS
from tapetum.realtime.media.thread_priority import without_real_time_threads
from tapetum.realtime.media.video_info import VideoInfo

__all__ = ["EncoderSettings", "FileSink"]

_DEFAULT_RATE = Fraction(25)


class FileSink:
    """Encodes frames and copies the other streams of the input beside them.

    The file grows under a temporary name and appears under its own when `close` has made it
    whole. Everything that can be refused is refused here, before the first frame.

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
        copy_from: Path | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        overwrite: bool = False,
        pictures: Pictures | None = None,
    ) -> None:
        inputs = [] if copy_from is None else [Path(copy_from)]
        self._file = OutputFile(path, overwrite=overwrite, inputs=inputs)
        self._container = container_for(self._file.path)
        self._info = info
        self._encoder = choose_encoder(
            encoder,
            self._container,
            format_name=info.format_name,
            width=info.width,
            height=info.height,
            hdr=info.hdr,
        )
        self.description = self._encoder.description
        self.notices = [*self._encoder.notices, *self._aspect_ratio_notice()]
        self._finished = False
        self._durations: dict[int, int] = {}
        self._decode_times = DecodeTimes(info.time_base)
        self._pictures = pictures or MemoryPictures(self._encoder, info.width, info.height)
        self._copier: StreamCopier | None = None
        self._open_safely(inputs, start_s, duration_s)

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
            MediaError: the frame is not as `info` says, has no time, or the disk is full.
        """
        self._check(frame)
        picture = self._pictures(frame)
        self._durations[frame.pts or 0] = frame.duration
        with media_errors("cannot write", self._file.path):
            self._mux(self._stream.encode(picture))

    def close(self) -> None:
        """Finish the file and give it its name; calling it again does nothing.

        Raises:
            MediaError: the rest cannot be written; nothing is left then.
        """
        if self._finished:
            return
        try:
            with media_errors("cannot write", self._file.path):
                self._finish()
            self._file.commit()
        except BaseException:
            self.discard()
            raise
        self._finished = True

    def discard(self) -> None:
        """Give up: remove what was written; after `close` this does nothing."""
        if self._finished:
            return
        self._finished = True
        self._release()
        self._file.discard()

    # Opening ---------------------------------------------------------------------------------

    def _open_safely(self, inputs: list[Path], start_s: float, duration_s: float | None) -> None:
        try:
            self._open(inputs, start_s, duration_s)
        except BaseException:
            self.discard()
            raise

    def _open(self, inputs: list[Path], start_s: float, duration_s: float | None) -> None:
        for source in inputs:
            self._copier = StreamCopier(
                source, self._container, start_s=start_s, duration_s=duration_s
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
        self._open_encoder()
        self._write_header()

    def _open_encoder(self) -> None:
        try:
            with quiet_encoder(self._encoder.name), without_real_time_threads():
                self._stream.codec_context.open()
        except (FFmpegError, ValueError) as error:
            raise self._refusal() from error

    def _write_header(self) -> None:
        try:
            with media_errors("cannot write", self._file.path):
                self._output.start_encoding()
        except MediaError as error:
            if isinstance(error.__cause__, OSError):
                raise
            raise self._refusal() from error

    def _refusal(self) -> EncoderError:
        encoder, size = self._encoder, f"{self._info.width}x{self._info.height}"
        needs = "" if encoder.needs is None else f" (it needs {encoder.needs})"
        return EncoderError(
            f"{encoder.name} refuses {size} {encoder.pixel_format} in {self._container.suffix}"
            f"{needs}; choose another codec"
        )

    def _aspect_ratio_notice(self) -> list[str]:
        """PyAV has no way to tell a Matroska muxer how wide a pixel is."""
        ratio = self._info.sample_aspect_ratio
        if ratio is None or self._container.is_mov or self._encoder.stores_aspect_ratio:
            return []
        name, suffix = self._encoder.name, self._container.suffix
        return [f"pixel aspect ratio {ratio} cannot be stored in {suffix} by {name}; .mp4 keeps it"]

    def _muxer_options(self) -> dict[str, str]:
        options = dict(self._container.options)
        if self._container.is_mov and self._info.time_base.numerator == 1:
            options["video_track_timescale"] = str(self._info.time_base.denominator)
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
        rate = self._info.average_rate or _DEFAULT_RATE
        try:
            stream = self._output.add_stream(
                self._encoder.name,
                rate=rate,
                options=self._encoder.options,
                hwaccel=self._pictures.hwaccel,
            )
        except FFmpegError as error:  # the device of `hwaccel` cannot be opened
            needs = self._encoder.needs or "its device"
            raise EncoderError(
                f"{self._encoder.name} cannot be opened: it needs {needs}"
            ) from error
        if not isinstance(stream, VideoStream):
            raise MediaError(f"codec {self._encoder.name} encodes no video")
        self._stream = stream
        set_picture_format(stream.codec_context, self._info, self._encoder)
        if self._container.is_mov and self._encoder.name in HEVC_ENCODERS:
            stream.codec_context.codec_tag = "hvc1"
        self._set_description()

    def _set_description(self) -> None:
        self._stream.time_base = self._info.time_base
        self._stream.metadata.update(kept_metadata(self._info.metadata, self._container))
        if self._info.disposition:
            self._stream.disposition = Disposition(self._info.disposition)
        if self._info.display_matrix is not None:
            self._stream.set_display_matrix(self._info.display_matrix)

    # Writing ---------------------------------------------------------------------------------

    def _check(self, frame: Frame) -> None:
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

    def _mux(self, packets: list[Packet[Stream]]) -> None:
        """Write encoded packets, each after what the other streams have up to its time."""
        for packet in packets:
            self._decode_times.check(packet)
            duration = self._durations.pop(packet.pts or 0, 0)
            if duration:
                packet.duration = duration
            if self._copier is not None and packet.dts is not None:
                self._copier.advance(packet.dts * self._info.time_base)
            self._output.mux(packet)

    def _finish(self) -> None:
        self._mux(self._stream.encode(None))
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
