"""The VP8 encoder of live pictures, and what browsers say about what they get of it.

aiortc's own encoder belongs to one connection, while a picture that several pages watch is encoded
once here. It also smooths noise away by itself (`noise-sensitivity`): the picture before enhancing
would not be the camera's, and enhancing has a better way.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import av
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RtcpPsfbPacket,
    unpack_remb_fci,
)
from av.video.frame import PictureType

from tapetum.realtime.media.av_frame import FULL_RANGE
from tapetum.realtime.media.frame_conversion import SCALER_THREADS
from tapetum.realtime.serve.rtp_clock import RTP_RATE_HZ

_BITS_PER_PIXEL = 5
"""A second; what enhancing brings out of the dark is faint, and the first that a low rate takes."""
_LEAST_BITRATE, _HIGHEST_BITRATE = 2_000_000, 12_000_000
_LOWEST_LIMIT = 500_000
"""Bits per second. Browsers still ask for less where the network is slow, down to the last."""
RTP_TIME_BASE = Fraction(1, RTP_RATE_HZ)
_LIMITED_RANGE = 1
_LONGEST_GROUP = 3000
"""Pictures without a keyframe; who needs one asks for it."""
_LESS, _MORE = 0.85, 1.5
"""Parts of the bit rate between which another one is not worth it: the encoder begins anew."""


class Vp8Encoder:
    """Encodes the pictures of one track."""

    def __init__(self) -> None:
        """Make an encoder; it opens with the first picture."""
        self._codec: av.VideoCodecContext | None = None

    def encode(
        self, picture: av.VideoFrame, *, limit: float, share: float = 1.0, keyframe: bool
    ) -> av.Packet[Any] | None:
        """Encode a picture.

        VP8 has no colour tags: browsers take all of it for limited range.

        Args:
            picture: of any format; it is converted where it must be.
            limit: bits per second that the slowest reader can take.
            share: of the usual bits per second, where pictures come less often than usual.
            keyframe: whether it shall need no picture before it.

        Returns:
            A packet, with the picture's time; None where the encoder left the picture out.
        """
        if picture.format.name != "yuv420p" or picture.color_range == FULL_RANGE:
            pts, time_base = picture.pts, picture.time_base
            picture = picture.reformat(
                format="yuv420p", dst_color_range=_LIMITED_RANGE, threads=SCALER_THREADS
            )
            picture.pts, picture.time_base = pts, time_base
        codec = self._codec_for(picture, min(limit, share * bitrate_of(*_size(picture))))
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        packet = next(iter(codec.encode(picture)), None)
        if packet is not None:
            packet.pts, packet.time_base = picture.pts, picture.time_base or RTP_TIME_BASE
        return packet

    def _codec_for(self, picture: av.VideoFrame, limit: float) -> av.VideoCodecContext:
        wanted = round(limit)
        codec = self._codec
        if (
            codec is None
            or (codec.width, codec.height) != _size(picture)
            or not _LESS <= wanted / (codec.bit_rate or 1) <= _MORE
        ):
            self._codec = codec = _opened(picture.width, picture.height, wanted)
        return codec


def _size(picture: av.VideoFrame) -> tuple[int, int]:
    return picture.width, picture.height


def bitrate_of(width: int, height: int) -> int:
    """Bits per second for pictures of this size, where the network has room for them."""
    return min(_HIGHEST_BITRATE, max(_LEAST_BITRATE, _BITS_PER_PIXEL * width * height))


def _opened(width: int, height: int, bitrate: int) -> av.VideoCodecContext:
    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height = width, height
    codec.pix_fmt = "yuv420p"
    codec.bit_rate = bitrate
    codec.time_base = RTP_TIME_BASE
    codec.gop_size = _LONGEST_GROUP
    codec.qmin, codec.qmax = 2, 56
    codec.thread_count = 1  # several spin while they wait for each other: ruin on a full machine
    rate = str(bitrate)
    codec.options = {
        **{"deadline": "realtime", "cpu-used": "-16", "lag-in-frames": "0", "static-thresh": "1"},
        **{"minrate": rate, "maxrate": rate, "bufsize": rate},  # all alike: a constant bit rate
        **{"undershoot-pct": "100", "overshoot-pct": "15", "noise-sensitivity": "0"},
    }
    return codec


class Reader:
    """What the browser behind an `RTCRtpSender` says of what it gets, and of what it can take.

    Attributes:
        limit: bits per second that it can take, as far as it said (draft-alvestrand-rmcat-remb-03).
    """

    def __init__(self, sender: Any, ask_for_keyframe: Callable[[], None]) -> None:  # noqa: ANN401
        """Listen to what the sender is told, from before it starts.

        Args:
            sender: aiortc has no types.
            ask_for_keyframe: called when the browser can make nothing of what it gets.
        """
        self.limit = math.inf
        self._ssrc = sender._ssrc
        self._ask_for_keyframe = ask_for_keyframe
        self._pass_on: Callable[[Any], Awaitable[None]] = sender._handle_rtcp_packet
        sender._handle_rtcp_packet = self._hear

    async def _hear(self, packet: Any) -> None:  # noqa: ANN401
        if isinstance(packet, RtcpPsfbPacket):
            if packet.fmt in (RTCP_PSFB_FIR, RTCP_PSFB_PLI):
                self._ask_for_keyframe()
            elif packet.fmt == RTCP_PSFB_APP:
                self._take_limit(packet.fci)
        await self._pass_on(packet)

    def _take_limit(self, message: bytes) -> None:
        try:
            bitrate, sources = unpack_remb_fci(message)
        except ValueError:  # another message of an application
            return
        if self._ssrc in sources:
            self.limit = max(bitrate, _LOWEST_LIMIT)
