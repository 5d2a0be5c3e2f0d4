"""Pictures that a decoder passes over without an error, found by the times of their packets.

MPEG-2's decoder shows nothing of a picture whose header is damaged, and tells no error. Its packets
hold a picture each, and none that is hidden: a time that never comes out is one that is missing.
Where packets have no times, they and the pictures are counted: one picture waits in the decoder.
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
        timed: whether packets have times of their own, which pictures keep.
    """

    def __init__(self, codec: str, *, timed: bool) -> None:
        self._counts = codec in _ONE_PICTURE_A_PACKET
        self._timed = timed
        self._unanswered = 0
        self._is_emptied = False
        self._waiting = set[int]()
        self._first: int | None = None
        self._vanished = 0
        self._shown = 0

    @property
    def count(self) -> int:
        """Pictures so far, between others, of which nothing was shown or said."""
        vanished = self._vanished + self._unanswered_for_good
        return 0 if vanished > _MOST_VANISHED * self._shown else vanished

    @property
    def _unanswered_for_good(self) -> int:
        waiting = int(not self._is_emptied)
        return 0 if self._timed or self._first is None else max(0, self._unanswered - waiting)

    def begin(self) -> None:
        """Decoding begins, or begins anew somewhere else."""
        self._vanished += self._unanswered_for_good
        self._unanswered, self._is_emptied = 0, False
        self._waiting = set()
        self._first = None

    def expect(self, packet: Packet[VideoStream]) -> None:
        """A packet is decoded next."""
        self._unanswered += packet.size > 0
        self._is_emptied = not packet.size
        if self._counts and packet.size and packet.pts is not None:
            self._waiting.add(packet.pts)

    def failed(self, packet: Packet[VideoStream]) -> None:
        """The decoder said that the packet is damaged."""
        self._unanswered -= packet.size > 0
        if packet.pts is not None:
            self._waiting.discard(packet.pts)

    def show(self, pictures: Iterable[av.VideoFrame]) -> None:
        """Pictures came out, in the order of showing; those before the first lack a reference."""
        for picture in pictures if self._counts else ():
            pts = picture.pts
            if not self._timed:
                self._answer()
            elif pts is not None:
                first = self._first = pts if self._first is None else self._first
                self._shown += 1
                self._vanished += sum(first < time < pts for time in self._waiting)
                self._waiting = {time for time in self._waiting if time > pts}

    def _answer(self) -> None:
        if self._first is None:
            self._first, self._unanswered = 0, min(self._unanswered, 2)
        self._unanswered -= 1
        self._shown += 1
