"""An encoder and a muxer for frames that are shown or kept as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from typing import IO

import av
from av.error import FFmpegError, ProtocolNotFoundError

from tapetum.realtime.errors import EncoderError, MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.live.live_device import LiveEncoding
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.encoder import EncoderSettings, choose_encoder
from tapetum.realtime.media.media_errors import reason
from tapetum.realtime.media.video_encoder import VideoEncoder
from tapetum.realtime.media.video_info import VideoInfo

_DEFAULT_RATE = Fraction(30)


class EncodedOutput:
    """Encodes frames of one size to a file or address that is open from its first frame on."""

    def __init__(
        self,
        url: str | IO[bytes],
        container: Container,
        first: Frame,
        *,
        name: str,
        rate: Fraction | None = None,
        settings: EncoderSettings = EncoderSettings(),  # noqa: B008 - it is frozen
        encoding: LiveEncoding | None = None,
        from_zero: bool = False,
    ) -> None:
        """Open the output for frames like `first`, which is still to be written.

        Args:
            url: what FFmpeg opens, or a file to write to.
            container: muxer, its options and its default encoder.
            first: the first frame; the others are of its size and format.
            name: of the output, for messages.
            rate: frames per second on average, which also is the distance of key frames.
            settings: codec, quality and speed; of an encoder on the CPU.
            encoding: what encodes; None is the CPU, which takes frames in main memory.
            from_zero: whether times count from the first frame's, as in a file.

        Raises:
            EncoderError: `encoding` has no encoder for it, or that cannot be opened.
            DeviceError: the device of `encoding` is lost, or full.
            MediaError: it cannot be opened, or the encoder does not fit.
        """
        self._name = name
        self.has_begun = False
        self._encoding = encoding
        self._last_pts = -1
        self._origin_pts = (first.pts or 0) if from_zero else 0
        first = self._given(first)
        self._shape = _shape(first)
        info = VideoInfo(
            width=first.width,
            height=first.height,
            format_name=first.format_name,
            time_base=first.time_base,
            color=first.color,
            average_rate=rate or _DEFAULT_RATE,
        )
        if encoding is not None:
            settings = encoding.settings(container, info)
        choice = choose_encoder(settings, container, info, live=True)
        context = nullcontext() if encoding is None else encoding.context()
        with context, self._errors("cannot write"), ExitStack() as unless_opened:
            self._output = av.open(
                url, "w", format=container.format_name, container_options=dict(container.options)
            )
            unless_opened.callback(self._output.close)
            self._encoder = VideoEncoder(
                self._output,
                container,
                choice,
                info,
                pictures=None if encoding is None else encoding.pictures(),
                keyframe_distance=max(1, round(rate or _DEFAULT_RATE)),
            )
            self._encoder.open()
            self._has_header = self._encoder.is_open
            if self._has_header:
                self._output.start_encoding()
            unless_opened.pop_all()

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            DeviceError: the device of `encoding` is lost, or full.
            EncoderError: the encoder fails.
            MediaError: it is not like the first, or the output cannot be written.
        """
        frame = self._given(frame)
        if _shape(frame) != self._shape:
            raise MediaError(f"frames for {self._name} cannot change their size or format")
        # A held picture and the next real one may differ by less than a decoder's delay.
        self._last_pts = max((frame.pts or 0) - self._origin_pts, self._last_pts + 1)
        with self._errors("cannot encode", EncoderError):
            packets = self._encoder.encode(replace(frame, pts=self._last_pts))
        with self._errors("cannot write"):
            if not self._has_header:  # of an encoder that its first picture opens
                self._output.start_encoding()
                self._has_header = True
            self._output.mux(packets)
        self.has_begun = self.has_begun or bool(packets)

    def close(self) -> None:
        """Write what the encoder still holds, and close.

        Raises:
            EncoderError: the encoder fails.
            MediaError: the output cannot be written.
        """
        with self._errors("cannot finish"):
            try:
                with self._errors("cannot encode", EncoderError):
                    packets = self._encoder.finish() if self._encoder.is_open else []
                self._output.mux(packets)
            finally:
                self._output.close()

    def _given(self, frame: Frame) -> Frame:
        return frame if self._encoding is None else self._encoding.given(frame)

    @contextmanager
    def _errors(self, doing: str, kind: type[MediaError] = MediaError) -> Iterator[None]:
        try:
            yield
        except ProtocolNotFoundError as error:
            why = "FFmpeg cannot write to this kind of address; udp, rtmp and rtsp are usual ones"
            raise MediaError(f"{doing} {self._name}: {why}") from error
        except (FFmpegError, OSError, ValueError) as error:
            raise kind(f"{doing} {self._name}: {reason(error)}") from error


def _shape(frame: Frame) -> tuple[int, int, str, Fraction]:
    return frame.width, frame.height, frame.format_name, frame.time_base
