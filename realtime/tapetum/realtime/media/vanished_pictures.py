"""Pictures that a decoder passes over without an error, found by the times of their packets.

MPEG-2's decoder shows nothing of a picture whose header is damaged, and tells no error. Its packets
hold a picture each, and none that is hidden: a time that never comes out is one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
from av.packet import Packet
from av.video.stream import VideoStream

_ONE_PICTURE_A_PACKET = frozenset({"mpeg1video", "mpeg2video"})
_MOST_VANISHED = Fraction(1, 4)
"""Part of the pictures; where more are missing, packets hold but a field each."""


class VanishedPictures:
    """Follows the packets of one stream, and the pictures that come of them.

    Args:
        codec: by FFmpeg's name; of others than MPEG-1 and MPEG-2 nothing is counted.
    """

    def __init__(self, codec: str) -> None:
        self._counts = codec in _ONE_PICTURE_A_PACKET
        self._waiting = set[int]()
        self._first: int | None = None
        self._vanished = 0
        self._shown = 0

    @property
    def count(self) -> int:
        """Pictures so far, between others, of which nothing was shown or said."""
        return 0 if self._vanished > _MOST_VANISHED * self._shown else self._vanished

    def begin(self) -> None:
        """Decoding begins, or begins anew somewhere else."""
        self._waiting = set()
        self._first = None

    def expect(self, packet: Packet[VideoStream]) -> None:
        """A packet is decoded next."""
        if self._counts and packet.size and packet.pts is not None:
            self._waiting.add(packet.pts)

    def failed(self, packet: Packet[VideoStream]) -> None:
        """The decoder said that the packet is damaged."""
        if packet.pts is not None:
            self._waiting.discard(packet.pts)

    def show(self, pictures: Iterable[av.VideoFrame]) -> None:
        """Pictures came out, in the order of showing; those before the first lack a reference."""
        for picture in pictures if self._counts else ():
            pts = picture.pts
            if pts is None:
                continue
            first = self._first = pts if self._first is None else self._first
            self._shown += 1
            self._vanished += sum(first < time < pts for time in self._waiting)
            self._waiting = {time for time in self._waiting if time > pts}
