"""The times of copied packets, put right where no muxer would take them as they are.

Within a stream decode times must rise. Damaged files break that: packets of one time, times that
fall back, a single one far ahead, none at all. And Matroska has no decode times: FFmpeg knows
those of a stream with B-frames only after the first few packets.
"""

from __future__ import annotations

import itertools

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_MOST_HELD = 32
"""Packets without a decode time at the beginning that are waited through, at most."""


_MOST_ROUNDED = 3
"""Packets by which the time of one that is a fragment may be wrong."""


class PacketOrder:
    """Settles the times of one stream's packets, in decode order; one packet is looked ahead.

    What is out of order is moved: sound and video to where the packet before it ends, if there is
    room, subtitles and data to the packet before.

    Args:
        stream: of the input.
        in_fragments: whether times are stated of fragments, as in an MP4 that is one of these.
            Those of FFmpeg's muxer are wrong by a packet or two where a fragment holds but one:
            what is moved by no more is not damaged there.
    """

    def __init__(self, stream: Stream, *, in_fragments: bool = False) -> None:
        self._in_fragments = in_fragments
        self._mended: list[int] = []
        self._is_video = isinstance(stream, VideoStream)
        self._looks_ahead = stream.type in ("audio", "video")
        self._depth = stream.codec_context.reorder_depth if isinstance(stream, VideoStream) else 0
        self._held: list[Packet[Stream]] = []
        self._last: int | None = None
        self._step = 0
        self._end = 0

    def add(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Take the next packet, which has a time of its own or none, and give those settled."""
        if not self._looks_ahead:
            return self._in_turn(packet)
        self._held.append(packet)
        if self._last is None and packet.dts is None and len(self._held) < _MOST_HELD:
            return []
        return self._settle(keep=1)

    def take_mended(self) -> list[int]:
        """The times that packets have got whose own were impossible, since the last call."""
        mended, self._mended = self._mended, []
        return mended

    def finish(self) -> list[Packet[Stream]]:
        """Give the rest; the last one, which may not say how long it lasts, as long as that before.

        MP4 takes the length of others from the next one's time, and shows nothing of no length.
        """
        rest = self._settle(keep=0)
        if rest and not rest[-1].duration and self._looks_ahead:
            rest[-1].duration = self._step
        return rest

    def _settle(self, keep: int) -> list[Packet[Stream]]:
        if self._last is None:
            self._fill_beginning()
        settled = []
        while len(self._held) > keep:
            packet = self._held.pop(0)
            if packet.pts is None and packet.dts is None and self._last is None:
                continue  # nothing says when it is
            self._place(packet)
            settled.append(packet)
        return settled

    def _fill_beginning(self) -> None:
        """Give decode times to packets before the first that has one."""
        first = next((n for n, packet in enumerate(self._held) if packet.dts is not None), None)
        unknown = self._held[:first]
        shown = sorted(packet.pts for packet in unknown if packet.pts is not None)
        if not unknown or len(shown) < len(unknown):
            return
        step = max(1, min((b - a for a, b in itertools.pairwise(shown)), default=1))
        if first is not None:
            times = [(self._held[first].dts or 0) - n * step for n in range(first, 0, -1)]
        else:
            before = [shown[0] - n * step for n in range(self._depth, 0, -1)]
            times = (before + shown)[: len(unknown)]
        for packet, time in zip(unknown, times, strict=True):
            packet.dts = time

    def _place(self, packet: Packet[Stream]) -> None:
        """Give a packet a decode time between its neighbours'."""
        time, last = packet.dts, self._last
        if time is None:
            time = self._end if not self._is_video or packet.pts is None else packet.pts
        ahead = next((p.dts for p in self._held if p.dts is not None), None)
        if last is not None and not self._fits(time, last, ahead):
            time = self._between(last, ahead)
        if time != packet.dts:
            if not self._is_rounded(packet, time) and not _is_left_out(packet):
                self._mended.append(time)
            packet.dts = time
            packet.pts = packet.pts if self._is_video else time
        if packet.pts is None or packet.pts < time:
            packet.pts = time
        self._step = 0 if last is None else time - last
        self._last = time
        self._end = time + max(packet.duration or 0, 1)

    def _is_rounded(self, packet: Packet[Stream], time: int) -> bool:
        """Whether it is the fragment that a packet lies in whose time is not exact."""
        if not self._in_fragments or packet.dts is None:
            return False
        return abs(time - packet.dts) <= _MOST_ROUNDED * (packet.duration or 0)

    def _fits(self, time: int, last: int, ahead: int | None) -> bool:
        """Whether a time comes after the last one, and is not the one that is too late."""
        if time == last:  # the file's unit of time may be longer than a packet
            return self._end - last <= 1
        return time > last and (ahead is None or not last < ahead < time)

    def _between(self, last: int, ahead: int | None) -> int:
        """Where the packet before ends, if the next one leaves room.

        Where it does not, as where many fall back, they close up until their own times are later.
        Behind a fragment whose time is too early the next one moves, too.
        """
        has_room = ahead is None or self._end < ahead + self._in_fragments
        return self._end if has_room else last + 1

    def _in_turn(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """A subtitle or data packet, which may share its time with the one before it."""
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return []
        if self._last is not None and time < self._last:
            self._mended.append(self._last)
            packet.duration = max(0, (packet.duration or 0) - (self._last - time))
            time = self._last
        packet.pts = packet.dts = self._last = time
        return [packet]


def _is_left_out(packet: Packet[Stream]) -> bool:
    """Whether it is sound that an Ogg gives no time, since its end is cut off before it."""
    return packet.pts is None and packet.dts is None and packet.has_sidedata("skip_samples")
