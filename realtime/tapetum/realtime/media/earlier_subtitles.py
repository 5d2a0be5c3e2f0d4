"""Subtitles of pictures that began before a copy does, and are still on the screen.

PGS and DVB subtitles do not say how long they are shown: up to the next one, or to one that has
nothing in it. What is on the screen at an instant is made by all since the last that needs none
before it.
"""

from __future__ import annotations

from av.packet import Packet
from av.stream import Stream

_PGS, _DVB = "hdmv_pgs_subtitle", "dvb_subtitle"
_PGS_COMPOSITION, _DVB_COMPOSITION = 0x16, 0x10
"""Segments that say what is on the screen."""
_DVB_SYNC = 0x0F
_PGS_HEADER_BYTES, _DVB_HEADER_BYTES = 3, 6


class EarlierSubtitles:
    """Remembers the packets of one stream that an instant needs of those before it.

    Args:
        codec: of the stream, by FFmpeg's name.

    Attributes:
        knows_them: whether the codec is one of these.
    """

    def __init__(self, codec: str) -> None:
        self.knows_them = codec in (_PGS, _DVB)
        self._is_pgs = codec == _PGS
        self._held: list[Packet[Stream]] = []
        self._is_shown = False

    def add(self, packet: Packet[Stream]) -> None:
        """Take a packet before the instant."""
        composition = self._composition(bytes(packet))
        if composition is not None:
            begins_anew, self._is_shown = composition
            if begins_anew:
                self._held = []
        self._held.append(packet)

    def take(self, time: int) -> list[Packet[Stream]]:
        """What is still shown, as if it began at that time; nothing when called again."""
        held, self._held = self._held, []
        if not self._is_shown:
            return []
        for packet in held:
            packet.pts = packet.dts = time
        return held

    def _composition(self, data: bytes) -> tuple[bool, bool] | None:
        """Whether a packet needs none before it, and shows something; None if it says neither."""
        return _pgs_composition(data) if self._is_pgs else _dvb_composition(data)


def _pgs_composition(data: bytes) -> tuple[bool, bool] | None:
    at = 0
    while at + _PGS_HEADER_BYTES <= len(data):
        body = at + _PGS_HEADER_BYTES
        size = int.from_bytes(data[at + 1 : body])
        if data[at] == _PGS_COMPOSITION and size >= 11 and body + 11 <= len(data):
            return data[body + 7] != 0, data[body + 10] > 0  # its state; its objects
        at = body + size
    return None


def _dvb_composition(data: bytes) -> tuple[bool, bool] | None:
    """ETSI EN 300 743, 7.2.2."""
    at = data.find(bytes((_DVB_SYNC, _DVB_COMPOSITION)))
    if at < 0 or at + _DVB_HEADER_BYTES + 2 > len(data):
        return None
    size = int.from_bytes(data[at + 4 : at + _DVB_HEADER_BYTES])
    state = data[at + _DVB_HEADER_BYTES + 1] >> 2 & 3
    return state != 0, size > 2  # a time-out and the state, then the regions
