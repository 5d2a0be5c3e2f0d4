"""Decode times that no muxer would take, put right."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

_LONGEST_DELAY_S = 10
_ROOM_TICKS = 16


class DecodeTimes:
    """Checks the decode times of one encoded stream, packet by packet.

    x265 computes those of a clip of one or two frames from memory that it never set. All of such
    a clip's are wrong, so they are counted anew, close before the first picture.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._longest_delay = _LONGEST_DELAY_S / time_base
        self._last: int | None = None

    def check(self, packet: Packet[Stream]) -> None:
        """Give the packet another decode time if its own lies after or far before its picture."""
        if packet.pts is None or packet.dts is None:
            return
        if self._last is None and 0 <= packet.pts - packet.dts <= self._longest_delay:
            return
        self._last = packet.pts - _ROOM_TICKS if self._last is None else self._last + 1
        packet.dts = self._last
