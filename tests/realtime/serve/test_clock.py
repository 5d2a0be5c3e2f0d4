"""When frames were captured, in numbers worked by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("aiortc")

from tapetum.realtime.serve.rtp_clock import CaptureClock, ClockReading, DepartureClock, unix_ms


class Mapper:
    """The part of aiortc's receiver that knows the first RTP time stamp."""

    _origin = (1 << 32) - 1000


class Receiver:
    """As much of aiortc's receiver as the clock looks at, in numbers that can be checked."""

    def __init__(self) -> None:
        self.passed_on: list[object] = []
        self._RTCRtpReceiver__timestamp_mapper = Mapper()

    async def _handle_rtcp_packet(self, packet: object) -> None:
        self.passed_on.append(packet)


def report(*, rtp: int, ntp_s: float) -> Any:
    from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket

    info = RtcpSenderInfo(round(ntp_s * 2**32), rtp, packet_count=1, octet_count=1)
    return RtcpSrPacket(ssrc=1, sender_info=info)


def test_a_sender_report_tells_when_a_frame_was_captured_also_over_the_wrap_of_32_bits() -> None:
    receiver = Receiver()
    clock = CaptureClock(receiver)
    assert clock.captured_ms(0) is None
    packet = report(rtp=8000, ntp_s=2_208_988_800 + 100.5)  # 9000 ticks after the origin: 0.1 s
    asyncio.run(receiver._handle_rtcp_packet(packet))
    assert receiver.passed_on == [packet]
    assert clock.captured_ms(9000) == pytest.approx(100_500)
    assert clock.captured_ms(0) == pytest.approx(100_400)
    assert clock.captured_ms(9000 + 90_000) == pytest.approx(101_500)
    assert unix_ms(2_208_988_800 << 32) == 0


class Sender:
    _RTCRtpSender__rtp_timestamp = 0


def test_only_frames_that_were_really_sent_move_the_departure_clock() -> None:
    sender = Sender()
    clock = DepartureClock(float)
    clock.sender = sender
    clock.sent(1)
    assert clock.reading is None
    sender._RTCRtpSender__rtp_timestamp = 5000
    clock.sent(2)
    clock.sent(3)  # the encoder left this one out
    assert clock.reading == ClockReading(5000, 2.0)
