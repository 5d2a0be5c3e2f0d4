"""Packets that were read too late are thrown away, and a keyframe begins the picture anew."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("aiortc")

from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import NackGenerator

from tapetum.realtime.serve.incoming import ASK_AGAIN_S, LONGEST_WAIT_S, DecoderQueue
from tapetum.realtime.serve.overdue import Overdue, drop_overdue

SECOND = 90_000


@dataclass
class Packet:
    timestamp: int
    ssrc: int = 1


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def verdicts(reads: list[tuple[float, float]]) -> list[bool]:
    """What is said of packets that were sent and read at these times in seconds."""
    clock = Clock()
    overdue = Overdue(clock=clock)
    found = []
    for sent_s, read_s in reads:
        clock.now_s = 100 + read_s
        found.append(overdue.is_due(round((sent_s * SECOND + (1 << 32) - 1000) % (1 << 32))))
    return found


def test_what_is_read_in_time_is_never_overdue_whatever_the_clocks_say() -> None:
    assert not any(verdicts([(t / 30, 7 + t / 30 + t % 5 / 100) for t in range(900)]))
    drifting = [(t / 30, t / 30 * 1.0005) for t in range(0, 60_000, 10)]
    assert not any(verdicts(drifting))


def test_what_is_read_ever_later_is_overdue_but_not_again_at_once() -> None:
    reads = [(t / 30, t / 30 * 1.5) for t in range(60)]
    said = verdicts(reads)
    first = said.index(True)
    late_s = reads[first][1] - reads[first][0]
    assert LONGEST_WAIT_S - 0.01 < late_s < LONGEST_WAIT_S + 0.1
    pauses = [reads[index][1] for index, due in enumerate(said) if due]
    assert all(later - sooner >= ASK_AGAIN_S for sooner, later in pairwise(pauses))


def receiver_with(waiting: socket.socket, taken: list[Packet]) -> Any:
    async def handle(packet: Packet, _arrival_ms: int) -> None:
        taken.append(packet)

    connection = SimpleNamespace(
        _protocols=[SimpleNamespace(transport=SimpleNamespace(_sock=waiting))],
        _queue=asyncio.Queue(),
    )
    return SimpleNamespace(
        _handle_rtp_packet=handle,
        _RTCRtpReceiver__jitter_buffer=JitterBuffer(capacity=512, is_video=True),
        _RTCRtpReceiver__nack_generator=NackGenerator(),
        _RTCRtpReceiver__rtx_ssrc={2: 1},
        transport=SimpleNamespace(transport=SimpleNamespace(_connection=connection)),
    )


@pytest.mark.parametrize("waiting_packets", [30, 2])
def test_all_that_waits_goes_where_that_helps(waiting_packets: int) -> None:
    clock = Clock()
    asked, taken = list[bool](), list[Packet]()

    async def scenario() -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with near, far:
            near.setblocking(False)
            receiver = receiver_with(near, taken)
            queue = DecoderQueue(lambda: asked.append(True), clock=clock)
            drop_overdue(receiver, queue, clock=clock)
            await receiver._handle_rtp_packet(Packet(0), 0)
            for _ in range(waiting_packets):
                far.send(b"packet")
            clock.now_s += 2
            await receiver._handle_rtp_packet(Packet(SECOND, ssrc=2), 0)  # was sent again
            assert len(taken) == 2
            await receiver._handle_rtp_packet(Packet(SECOND), 0)
            with pytest.raises(BlockingIOError):
                near.recv(100)
            await receiver._handle_rtp_packet(Packet(SECOND + 3000), 0)

    asyncio.run(scenario())
    helped = waiting_packets == 30
    assert asked == ([True] if helped else [])
    assert len(taken) == (3 if helped else 4)


def test_aiortc_has_the_parts() -> None:
    async def scenario() -> None:
        peer = RTCPeerConnection()
        receiver = peer.addTransceiver("video").receiver
        before = receiver._handle_rtp_packet
        drop_overdue(receiver, DecoderQueue(lambda: None))
        assert receiver._handle_rtp_packet != before
        await peer.close()

    asyncio.run(scenario())
