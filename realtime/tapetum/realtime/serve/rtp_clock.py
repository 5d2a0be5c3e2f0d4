"""When a video frame that goes through aiortc was captured, by the clock of the browser.

RTP time stamps start at a random number, and each sender says now and then, in an RTCP sender
report, which time of its own clock belongs to which of them (RFC 3550, section 6.4.1). A browser's
reports count from the capture of the frames. aiortc reads these reports and keeps neither them nor
its own random number, so this module takes them out of its private parts, which it does nowhere
else. Where another version of aiortc has other parts, there is no clock, and the page says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

RTP_RATE_HZ = 90_000
"""Unit of video's RTP time stamps."""
_NTP_TO_UNIX_S = 2_208_988_800
"""From 1900 to 1970."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A frame's time, told in two clocks.

    Attributes:
        pts: presentation time of a frame in 1/90000 s, or its RTP time stamp.
        time_ms: when that frame was captured, by the clock of who captured it: a browser's since
            1970, this machine's `time.monotonic`, which no setting of the wall clock moves.
    """

    pts: int
    time_ms: float


class CaptureClock:
    """Learns when the frames that a receiver gets were captured.

    Attributes:
        reading: the newest report; its `pts` is that of aiortc's decoded frames. None before the
            first report, which comes about a second after the first frame.
    """

    def __init__(self, receiver: Any) -> None:  # noqa: ANN401 - aiortc has no types
        """Listen to the sender reports that an `RTCRtpReceiver` gets."""
        self.reading: ClockReading | None = None
        self._receiver = receiver
        self._pass_on: Callable[[Any], Awaitable[None]] = receiver._handle_rtcp_packet
        receiver._handle_rtcp_packet = self._hear

    def captured_ms(self, pts: int) -> float | None:
        """When the frame with `pts` was captured, in ms since 1970 by the browser's clock."""
        if self.reading is None:
            return None
        since_report = (pts - self.reading.pts + (1 << 31)) % (1 << 32) - (1 << 31)
        return self.reading.time_ms + 1000 * since_report / RTP_RATE_HZ

    async def _hear(self, packet: Any) -> None:  # noqa: ANN401
        report = getattr(packet, "sender_info", None)
        mapper = getattr(self._receiver, "_RTCRtpReceiver__timestamp_mapper", None)
        origin = getattr(mapper, "_origin", None)
        if report is not None and origin is not None:
            pts = (report.rtp_timestamp - origin) % (1 << 32)
            self.reading = ClockReading(pts, unix_ms(report.ntp_timestamp))
        await self._pass_on(packet)


def unix_ms(ntp_timestamp: int) -> float:
    """A 64-bit NTP time, of 32 bits of seconds and 32 of fractions, in ms since 1970."""
    return 1000 * (ntp_timestamp / (1 << 32) - _NTP_TO_UNIX_S)


def rtp_timestamp_of_last_frame(sender: Any) -> int | None:  # noqa: ANN401
    """The RTP time stamp under which an `RTCRtpSender` sent its last frame; None before it."""
    timestamp: int | None = getattr(sender, "_RTCRtpSender__rtp_timestamp", None)
    return timestamp or None


class DepartureClock:
    """Learns which RTP time stamps the frames of one track are sent under.

    Attributes:
        reading: the newest frame that was sent: its RTP time stamp, and when it was captured.
    """

    def __init__(self, captured_ms: Callable[[int], float | None]) -> None:
        """Make a clock for a track; set `sender` when the track has one.

        Args:
            captured_ms: says when a frame was captured by its presentation time in 1/90000 s, or
                None while nobody knows.
        """
        self.reading: ClockReading | None = None
        self.sender: Any = None
        self._captured_ms = captured_ms
        self._last_rtp: int | None = None

    def sent(self, pts: int) -> None:
        """Take note that the frame with `pts` was the last one to be handed to the sender.

        Call it when the sender asks for the next one: only then has it sent this one. A frame
        that the encoder left out changes nothing.
        """
        rtp = rtp_timestamp_of_last_frame(self.sender)
        time_ms = self._captured_ms(pts)
        if rtp is not None and rtp != self._last_rtp and time_ms is not None:
            self.reading = ClockReading(rtp, time_ms)
        self._last_rtp = rtp
