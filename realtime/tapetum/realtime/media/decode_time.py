"""Decode times of an encoded stream, made anew from its pictures' own times.

An encoder with B-frames gives pictures out in another order than they are shown in, and each a
decode time: before its own picture's, and rising. x264 and x265 take those of earlier pictures, so
that a still of 17 s in a screen recording puts the decode times of what follows 17 s before it, or
the beginning 17 s before zero; x265 reads those of a clip of one or two pictures from memory that
it never set. Muxers refuse such times, and players seek by them.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction
from itertools import pairwise

from av.packet import Packet
from av.stream import Stream

_USUAL_DELAY = 2
"""Pictures by which x264 and x265 decode ahead of what is shown, at most."""

_LONGEST_STEP_S = Fraction(1)
"""The rate of a recording whose pictures stand still for long says little of others' steps."""

_LEAST_GAPS = 3
"""By so many alike, steps are known to be steady, however long: as of a time lapse."""


class DecodeTimes:
    """Gives each packet of one encoded stream its decode time.

    Packet number i gets the time of the picture that is shown as number i - delay, as x264 has it,
    or a later one: so many steps before the first picture that is not yet decoded, s, as may still
    be decoded ahead of s. Both are at most the time of s, and so of every picture to come, and both
    rise; the second keeps decoding close to showing, whatever gap there is between two pictures.
    """

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        """Prepare for a stream.

        Args:
            time_base: seconds per unit of its times.
            rate: its usual pictures a second.
        """
        step_s = min(1 / rate, _LONGEST_STEP_S)
        self._step = max(1, math.floor(step_s / time_base))
        self._undecoded: deque[int] = deque()
        self._delayed: deque[int] = deque()
        self._ahead: set[int] = set()
        self._delay: int | None = None
        self._steps_left = 0
        self._last: int | None = None
        self._early = 0

    def expect(self, pts: int) -> None:
        """Note a picture that is encoded next; their times rise."""
        self._undecoded.append(pts)
        self._delayed.append(pts)

    def set(self, packet: Packet[Stream]) -> None:
        """Give the next packet its decode time."""
        if packet.pts is None:
            return
        if self._delay is None:
            self._delay = self._delay_of(packet)
            self._steps_left = self._delay
            self._step = self._step_of_held()
        packet.dts = self._next(packet.pts, self._delay)
        if self._last is None:
            self._early = packet.pts - packet.dts
        self._last = packet.dts
        self._decoded(packet.pts)

    def left_of(self, last: Packet[Stream], end: int) -> int:
        """From when the last packet is decoded to where decoding ends if it lasts as showing does.

        Args:
            last: the last packet, whose decode time is set.
            end: where what is shown ends.
        """
        return end - self._early - (last.dts or 0)

    def _next(self, pts: int, delay: int) -> int:
        ahead = len(self._ahead)
        time = (self._undecoded[0] if self._undecoded else pts) - (delay - ahead) * self._step
        if self._steps_left:
            self._steps_left -= 1
        elif self._delayed:
            time = max(time, self._delayed.popleft())
        return time if self._last is None else max(time, self._last + 1)

    def _decoded(self, pts: int) -> None:
        self._ahead.add(pts)
        while self._undecoded and self._undecoded[0] in self._ahead:
            self._ahead.remove(self._undecoded.popleft())

    def _step_of_held(self) -> int:
        """By the pictures that the encoder holds; their rate may not be known."""
        gaps = [after - before for before, after in pairwise(self._delayed)]
        least = min(gaps, default=self._step)
        is_steady = len(gaps) >= _LEAST_GAPS and max(gaps) < 2 * least
        return least if is_steady else min(self._step, least)

    def _delay_of(self, first: Packet[Stream]) -> int:
        """How many pictures may be decoded ahead, by the first decode time of the encoder's own."""
        if first.dts is None:
            return 0
        early = (first.pts or 0) - first.dts
        waits = [pts - self._delayed[0] for pts in self._delayed]
        return waits.index(early) if early in waits else _USUAL_DELAY
