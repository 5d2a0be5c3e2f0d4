"""Packets that became old before they were read: they are thrown away, and the picture begins anew.

An event loop that gets too little of a full machine reads its sockets too slowly. The system keeps
hundreds of packets for it, and aiortc hands all of them on, so that the picture becomes seconds
old. How late packets are is told by their RTP time stamps: by how much longer they took than the
quickest of late, whatever the clocks of the two sides say.

Sockets and jitter buffer are private parts of aiortc and aioice. Where another version has other
parts nothing is thrown away, and pictures may come late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tapetum.realtime.serve.incoming import ASK_AGAIN_S, LONGEST_WAIT_S, DecoderQueue
from tapetum.realtime.serve.rtp_clock import RTP_RATE_HZ

_REMEMBERED_S = 20.0
"""The quickest packet is that of so long, at least half of it: clocks drift apart."""
_WORTH_IT = 8
"""Where fewer packets waited here, they were late for another reason, which this does not cure."""
_DATAGRAM_BYTES = 65_536


class Overdue:
    """Says of the packets of one stream which are late by so much that all that wait are old."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with no past.

        Args:
            clock: seconds that never run backward.
        """
        self._clock = clock
        self._first: int | None = None
        self._least: list[float] = []
        self._since_s = 0.0
        self._begun_s = float("-inf")

    def is_due(self, rtp_timestamp: int) -> bool:
        """Take a packet that was read just now; whether what waits should be thrown away."""
        now_s = self._clock()
        if self._first is None:
            self._first, self._since_s = rtp_timestamp, now_s
        sent_s = ((rtp_timestamp - self._first + (1 << 31)) % (1 << 32) - (1 << 31)) / RTP_RATE_HZ
        transit_s = now_s - sent_s
        if not self._least or now_s - self._since_s > _REMEMBERED_S / 2:
            self._least, self._since_s = [*self._least[-1:], transit_s], now_s
        self._least[-1] = min(self._least[-1], transit_s)
        late_s = transit_s - min(self._least)
        if late_s <= LONGEST_WAIT_S or now_s - self._begun_s < ASK_AGAIN_S:
            return False
        self._begun_s = now_s
        return True

    def forgive(self) -> None:
        """Take packets from now on as they come: the last ones were late for another reason."""
        self._first, self._least = None, []


def drop_overdue(
    receiver: Any,  # noqa: ANN401 - aiortc has no types
    waiting: DecoderQueue | None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Have an `RTCRtpReceiver`, before it starts, throw away what it reads too late, if it can.

    Args:
        receiver: of one video, which nothing else shares its connection with.
        waiting: its queue before the decoder.
        clock: seconds that never run backward.
    """
    handle: Callable[[Any, int], Awaitable[None]] | None
    handle = getattr(receiver, "_handle_rtp_packet", None)
    buffer = getattr(receiver, "_RTCRtpReceiver__jitter_buffer", None)
    missing = getattr(receiver, "_RTCRtpReceiver__nack_generator", None)
    again = getattr(receiver, "_RTCRtpReceiver__rtx_ssrc", None)
    if waiting is None or handle is None or buffer is None or missing is None or again is None:
        return
    overdue = Overdue(clock=clock)

    async def take(packet: Any, arrival_time_ms: int) -> None:  # noqa: ANN401
        # Packets that are sent again are late by nature.
        if packet.ssrc not in again and overdue.is_due(packet.timestamp):
            thrown_away = _empty_sockets(receiver)
            if thrown_away < _WORTH_IT:
                overdue.forgive()
            else:
                buffer.__init__(buffer.capacity, is_video=True)
                missing.__init__()
                waiting.begin_anew()
                return
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = take


def _empty_sockets(receiver: Any) -> int:  # noqa: ANN401
    """Throw away what waits to be read, and say how much that was."""
    connection = getattr(getattr(receiver.transport, "transport", None), "_connection", None)
    count = 0
    for protocol in getattr(connection, "_protocols", []):
        socket = getattr(getattr(protocol, "transport", None), "_sock", None)
        while socket is not None:
            try:
                socket.recv(_DATAGRAM_BYTES)
            except OSError:  # nothing is left, or it is closed
                break
            count += 1
    read: asyncio.Queue[Any] | None = getattr(connection, "_queue", None)
    while read is not None and not read.empty():
        item = read.get_nowait()
        if item is None:  # the end of the connection, which is still to be heard
            read.put_nowait(item)
            break
        count += 1
    return count
