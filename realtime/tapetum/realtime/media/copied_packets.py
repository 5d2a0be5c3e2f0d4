"""The packets of one stream that is copied: cut to the range, in order, on the output's clock."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from tapetum.realtime.media.copied_streams import PacketRoute, codec_name
from tapetum.realtime.media.earlier_subtitles import EarlierSubtitles
from tapetum.realtime.media.packet_order import PacketOrder
from tapetum.realtime.media.sound_check import SoundCheck
from tapetum.realtime.media.timeline import LONGEST_STILL_S, Gap, TimeRange, stream_time_base

_LARGEST_DENOMINATOR = (1 << 31) - 1
_COARSE_BASE, _FINE_BASE = Fraction(1, 1000), Fraction(1, 90_000)
"""Times in longer units than the first are moved in units of about the second."""


class OutputClock(NamedTuple):
    """A stream's times in the output, in whole numbers: packets are many.

    Attributes:
        base: seconds per unit.
        ticks: units of the output per unit of the input.
        shift: units of the output that are subtracted.
        first: the smallest time of the input that is kept; None for all.
        end: the smallest time of the input behind the range; None where it has no end.
    """

    base: Fraction
    ticks: int
    shift: int
    first: int | None
    end: int | None

    @classmethod
    def of(cls, base: Fraction, span: TimeRange) -> OutputClock:
        """That of a stream with `base` seconds per unit."""
        ticks = 1
        if base > _COARSE_BASE:  # a packet of sound may be one tick of it, as in AVI
            most = max(1, _LARGEST_DENOMINATOR // base.denominator)
            ticks = min(round(base / _FINE_BASE), most)
        fine = base / ticks
        return cls(fine, ticks, span.shift(fine), span.first_pts(base), span.end_pts(base))

    def is_later(self, time: int, time_s: Fraction) -> bool:
        """Whether a time in units is later than one in seconds."""
        units = time * self.base.numerator * time_s.denominator
        return units > time_s.numerator * self.base.denominator


class CopiedPackets:
    """The packets of one input stream on their way to the output, and what is wrong with them.

    Args:
        stream: of the input.
        route: how its packets get to the output.
        span: the part of the input that is copied.
        begin_s: the input's first instant, in seconds on its clock.
        edit_lists: whether the output stores packets before time 0, and hides them.
        broadcast: whether the input is one, whose sound may have gaps.
        in_fragments: whether it is an MP4 of fragments; see `PacketOrder`.
        check: finds damage in sound that is copied as it is; None for all else.

    Attributes:
        stream: of the input.
        route: as above.
        check: as above.
        clock: what the output counts their times by.
        has_begun: whether a packet in the range was met.
        ended: whether the end of the range is reached.
        gaps: between packets of a broadcast's sound, in the range.
        damaged: output times at which packets were damaged or out of order.
    """

    def __init__(
        self,
        stream: Stream,
        route: PacketRoute,
        span: TimeRange,
        *,
        begin_s: Fraction,
        edit_lists: bool,
        broadcast: bool,
        in_fragments: bool = False,
        check: SoundCheck | None = None,
    ) -> None:
        self.stream = stream
        self.route = route
        self.check = check
        self.clock = OutputClock.of(stream_time_base(stream), span)
        self.has_begun = False
        self.ended = False
        self.gaps: list[Gap] = []
        self.damaged: list[Fraction] = []
        self._base = stream_time_base(stream)
        self._span = span
        self._begin_s = begin_s
        self._edit_lists = edit_lists
        self._may_have_gaps = broadcast and stream.type == "audio"
        self._order = PacketOrder(stream, in_fragments=in_fragments)
        self._end_s: Fraction | None = None
        self._in_fragments = in_fragments
        self._is_heard = False
        self._begin: int | None = None
        self._waiting: list[Packet[Stream]] = []
        self._earlier = EarlierSubtitles(codec_name(stream))

    def settled(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """The packets that can be written when one more has been read."""
        if self._is_cut_out(packet):
            return []
        if packet.is_corrupt:
            self.damaged.append(self._output_s(packet))
        if self._may_have_gaps:
            self._note_gap(packet)
        return [
            placed for kept in self._clip(packet) for placed in self._in_time(self._order.add(kept))
        ]

    def shown_at_start(self) -> list[Packet[Stream]]:
        """Pictures of subtitles that began before the range and are shown in it, so far."""
        earlier = self._earlier.take(self.clock.first or 0)
        return self._in_time([packet for held in earlier for packet in self._order.add(held)])

    def finish(self) -> list[Packet[Stream]]:
        """The rest."""
        return self.shown_at_start() + self._in_time(self._order.finish())

    def _is_cut_out(self, packet: Packet[Stream]) -> bool:
        """Whether an edit list leaves it out behind what is heard; at the begin it hides it.

        In fragments FFmpeg marks so what it takes for doubled.
        """
        if packet.stream.type != "audio" or not packet.size or self._in_fragments:
            return False
        self._is_heard = self._is_heard or not packet.is_discard
        return self._is_heard and packet.is_discard

    def _note_gap(self, packet: Packet[Stream]) -> None:
        """Take note of sound, in the range, that is not there."""
        if packet.dts is None or self.ended:
            return
        time_s, end_s = packet.dts * self._base, self._end_s
        self._end_s = time_s + (packet.duration or 0) * self._base
        if end_s is None or time_s - end_s <= LONGEST_STILL_S or time_s < self._span.shift_s:
            return
        self.gaps.append(Gap(end_s - self._begin_s, time_s - end_s))

    def _in_time(self, packets: Iterable[Packet[Stream]]) -> list[Packet[Stream]]:
        """Packets whose times are settled, on the output's clock."""
        base, ticks, shift, *_ = self.clock
        mended = self._order.take_mended()
        self.damaged += [(time * ticks - shift) * base for time in mended]
        placed = []
        for packet in packets:
            packet.pts = (packet.pts or 0) * ticks - shift
            packet.dts = (packet.dts or 0) * ticks - shift
            packet.duration = (packet.duration or 0) * ticks
            packet.time_base = base
            if not self._is_unheard(packet):
                placed.append(packet)
        return placed

    def _output_s(self, packet: Packet[Stream]) -> Fraction:
        ticks = packet.pts if packet.dts is None else packet.dts
        return ((ticks or 0) - self._span.shift(self._base)) * self._base

    def _clip(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Packets, none or several, that lie in the range when one more has been read."""
        first, end = self.clock.first, self.clock.end
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return [packet]
        if end is not None and time >= end:
            self.ended = self.ended or packet.dts is None or packet.dts >= end
            return []
        if end is not None and packet.stream.type == "subtitle" and packet.duration:
            packet.duration = min(packet.duration, end - time)
        if first is None:
            return [packet]
        self.has_begun = self.has_begun or time >= first
        if isinstance(packet.stream, VideoStream):
            return self._clip_video(packet, time, first)
        return self._clip_other(packet, time, first)

    def _clip_other(self, packet: Packet[Stream], time: int, first: int) -> list[Packet[Stream]]:
        """From the start on; subtitles that are shown there begin there."""
        if time < first and not packet.duration and self._earlier.knows_them:
            self._earlier.add(packet)
            return []
        if time >= first:
            return [*self._earlier.take(first), packet]
        return [packet] if _cut_to(packet, first) else []

    def _clip_video(self, packet: Packet[Stream], time: int, first: int) -> list[Packet[Stream]]:
        """From a key frame on: the last before the start where an edit list hides it, else after.

        Pictures that follow it and are shown before it cannot be decoded without what is cut off.
        """
        if self._begin is None:
            begins = packet.is_keyframe and (time >= first or self._edit_lists)
            if begins and (time <= first or not self._waiting):
                self._waiting = [packet]
            elif self._waiting:
                self._waiting.append(packet)
            if time < first or not self._waiting:
                return []
            self._begin = self._waiting[0].pts
        kept, self._waiting = self._waiting or [packet], []
        return [p for p in kept if self._begin is None or p.pts is None or p.pts >= self._begin]

    def _is_unheard(self, packet: Packet[Stream]) -> bool:
        """Whether it is an encoder's priming before time 0, marked as not to be played.

        Containers without edit lists would have to move every stream to make room for it.
        """
        early = (packet.pts or 0) < 0 and packet.is_discard
        return early and not self._edit_lists


def _cut_to(packet: Packet[Stream], first: int) -> bool:
    """Make a subtitle that is still shown at the start begin there; False for all else."""
    end = (packet.pts or 0) + (packet.duration or 0)
    if packet.stream.type != "subtitle" or end <= first:
        return False
    packet.pts = packet.dts = first
    packet.duration = end - first
    return True
