"""An encoder and a muxer for frames that are shown or kept as they come."""

from __future__ import annotations

from fractions import Fraction

import av
from av.error import FFmpegError, ProtocolNotFoundError
from av.video.stream import VideoStream

from tapetum.realtime.errors import MediaError
from tapetum.realtime.frame import Frame
from tapetum.realtime.media.av_frame import to_av
from tapetum.realtime.media.containers import Container
from tapetum.realtime.media.encoder import Encoder, EncoderSettings, choose_encoder
from tapetum.realtime.media.encoder_log import quiet_encoder
from tapetum.realtime.media.frame_conversion import PictureConverter
from tapetum.realtime.media.media_errors import reason

_AT_ONCE = {"libx264": {"tune": "zerolatency"}, "libx265": {"tune": "zerolatency"}}
"""Options that make an encoder give each frame out at once, so that little is lost by a crash."""


class EncodedOutput:
    """Encodes frames of one size to a file or address that is open from its first frame on."""

    def __init__(
        self,
        url: str,
        container: Container,
        first: Frame,
        *,
        name: str,
        rate: Fraction | None = None,
        settings: EncoderSettings = EncoderSettings(),  # noqa: B008 - it is frozen
    ) -> None:
        """Open the output for frames like `first`.

        Args:
            url: what FFmpeg opens.
            container: muxer, its options and its default encoder.
            first: the first frame; the others are of its size and format.
            name: of the output, for messages.
            rate: frames per second on average, which also is the distance of key frames.
            settings: codec, quality and speed.

        Raises:
            MediaError: it cannot be opened, or the encoder does not fit.
        """
        self._name = name
        self._encoder = choose_encoder(
            settings,
            container,
            format_name=first.format_name,
            width=first.width,
            height=first.height,
        )
        self._converter = PictureConverter(self._encoder.pixel_format, first.width, first.height)
        self._last_pts = -1
        self._shape = (first.width, first.height, first.format_name, first.time_base)
        try:
            self._output = av.open(
                url, "w", format=container.format_name, container_options=container.options
            )
            self._stream = self._add_stream(first, rate or Fraction(30))
            with quiet_encoder(self._encoder.name):
                self._output.start_encoding()
        except ProtocolNotFoundError as error:
            why = "FFmpeg cannot write to this kind of address; udp, rtmp and rtsp are usual ones"
            raise MediaError(f"cannot write {name}: {why}") from error
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot write {name}: {reason(error)}") from error

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            MediaError: it is not like the first, or the output cannot be written.
        """
        if (frame.width, frame.height, frame.format_name, frame.time_base) != self._shape:
            raise MediaError(f"frames for {self._name} cannot change their size or format")
        picture = self._converter(to_av(frame))
        # A held picture and the next real one may differ by less than a decoder's delay.
        self._last_pts = picture.pts = max(picture.pts or 0, self._last_pts + 1)
        try:
            self._output.mux(self._stream.encode(picture))
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot write {self._name}: {reason(error)}") from error

    def close(self) -> None:
        """Write what the encoder still holds, and close.

        Raises:
            MediaError: that failed.
        """
        try:
            self._output.mux(self._stream.encode(None))
            self._output.close()
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot finish {self._name}: {reason(error)}") from error

    def _add_stream(self, first: Frame, rate: Fraction) -> VideoStream:
        options = self._encoder.options | _AT_ONCE.get(self._encoder.name, {})
        stream = self._output.add_stream(self._encoder.name, rate=rate, options=options)
        if not isinstance(stream, VideoStream):
            raise MediaError(f"codec {self._encoder.name} encodes no video")
        _describe(stream, self._encoder, first)
        stream.codec_context.gop_size = max(1, round(rate))
        return stream


def _describe(stream: VideoStream, encoder: Encoder, first: Frame) -> None:
    context = stream.codec_context
    context.width, context.height = first.width, first.height
    context.pix_fmt = encoder.pixel_format
    context.time_base = stream.time_base = first.time_base
    context.colorspace = first.color.matrix
    context.color_range = 2 if first.full_range else first.color.range
    context.color_primaries = first.color.primaries
    context.color_trc = first.color.transfer
