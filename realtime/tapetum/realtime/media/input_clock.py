"""`InputClock`: one clock for all streams of an input, also where recordings were joined in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from tapetum.realtime.media.media_input import is_attached_picture
from tapetum.realtime.media.timeline import is_broadcast, stream_time_base

_JOINED_FORMATS = frozenset({"matroska", "webm", "flv"})
"""Formats beside those of broadcasts whose files are sometimes joined byte by byte."""

_STEP_BACK_S = Fraction(1, 4)
"""A decode time that falls by more than this is another clock's, or damaged."""
_STEP_AHEAD_S = 10
"""One that leaps by more is looked at twice: the next packet tells a gap from damage."""
_LONGEST_GAP_S = 3600
"""A broadcast that leaps by more than this, and not back, is another recording."""
_WRAP_S = Fraction(1 << 33, 90_000)
"""After so long an MPEG clock begins anew; FFmpeg may have added it to what lies before."""
_LONGEST_REORDER_S = 60
"""From decoding to showing a picture takes no longer, in no format, but for a gap."""
_RECENT_S = 5
"""A stream without a packet for longer has no say in where a recording begins."""
_SURE_RISES = 2
"""Packets that rise on behind a leap, by gaps of their own, until it is sure to be one."""
_MOST_HELD = 500
"""Packets that are held back at a leap, at most, until its kind is known."""


@dataclass(slots=True, eq=False)
class _Track:
    """How far one sound or video stream has come.

    Attributes:
        last_s: its last decode time, as the file has it.
        before_s: the one before that.
        calm_s: the one before its last gap.
        shown_s: when its last packet is shown, as the file has it.
        end_s: where its last packet ends on the input's clock.
        shown_end_s: where what it shows ends on that clock.
        offset_s: what is added to a time of the file to get one of that clock.
    """

    last_s: Fraction | None = None
    before_s: Fraction | None = None
    calm_s: Fraction | None = None
    shown_s: Fraction | None = None
    end_s: Fraction = Fraction(0)
    shown_end_s: Fraction = Fraction(0)
    offset_s: Fraction = Fraction(0)


class _Leap(NamedTuple):
    """Where a stream's times leap, among the packets that are held back.

    Attributes:
        packet: the first one behind it.
        time_s: when that is.
        step_s: how far it leaps.
        offset_s: what puts it where the packet before it ends.
        rises: packets behind it that leap on.
        sure: whether what is behind it goes on from there.
    """

    packet: Packet[Stream]
    time_s: Fraction
    step_s: Fraction
    offset_s: Fraction
    rises: int = 0
    sure: bool = False


@dataclass(slots=True, eq=False)
class _Ahead:
    """What is known of a stream by its packets that are held back.

    Attributes:
        last_s: the last decode time before its leap.
        end_s: where that packet ends on the input's clock, without a join.
        shown_end_s: where what was shown until then ends on that clock.
        leap: where its times leap; None where they do not.
    """

    last_s: Fraction
    end_s: Fraction
    shown_end_s: Fraction
    leap: _Leap | None = None


class InputClock:
    """Puts the packets of an input on one clock, the same for all its streams.

    Where recordings were joined byte by byte the clock of the file jumps. All streams of what
    follows are moved by one offset, so that sound and picture stay together and none overlaps
    what was before. Some packets are held back there until every stream has passed the join.
    The outcome depends on the file alone: two readers of it get the same times.

    Times that leap on and rise from there are a gap, as of a camera that waits for motion, and so
    are those that leap to where the other streams are, as of slides with music. A single packet
    with a time far from its neighbours' is damaged: it loses its times.

    Args:
        container: the input.
        streams: those whose packets are wanted.

    Attributes:
        streams: those to demux; sound and video have a say in where a recording begins.
        joins: joins that were passed.
        bad_times: packets that lost their times.
    """

    def __init__(self, container: InputContainer, streams: Iterable[Stream]) -> None:
        wanted = list(streams)
        self._wanted = {stream.index for stream in wanted}
        self._broadcast = is_broadcast(container)
        named = set(container.format.name.split(","))
        telling = []
        if self._broadcast or not named.isdisjoint(_JOINED_FORMATS):
            telling = [stream for stream in container.streams if _tells_time(stream)]
        self._tracks = {stream.index: _Track() for stream in telling}
        self.streams = wanted + [s for s in telling if s.index not in self._wanted]
        self._offsets_s = (Fraction(0), Fraction(0))
        self._held: list[Packet[Stream]] = []
        self._ahead: dict[int, _Ahead] = {}
        self.joins = 0
        self.bad_times = 0

    def place(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Take the next packet of `streams`, and give those of the wanted ones that are placed.

        Args:
            packet: as demuxed; an empty one, as at the end of the file, lets go of all.
        """
        if not self._tracks:  # nothing in such a format leaps
            return [packet]
        if not packet.size:
            given = []
            while self._held:
                given += self._let_go(at_end=True)
            return self._wanted_of([*given, packet])
        if packet.stream.index in self._tracks and self._contradicts_itself(packet):
            packet.dts = None
            self.bad_times += 1
        if self._held:
            self._hold(packet)
            given = []
            while self._held and self._is_decided():
                given += self._let_go()
            return self._wanted_of(given)
        if self._leaps(packet):
            self._hold(packet)
            return []
        self._move(packet)
        return self._wanted_of([packet])

    def _wanted_of(self, packets: list[Packet[Stream]]) -> list[Packet[Stream]]:
        return [packet for packet in packets if packet.stream.index in self._wanted]

    # One packet ------------------------------------------------------------------------------

    def _contradicts_itself(self, packet: Packet[Stream]) -> bool:
        """Whether a packet cannot be decoded when it says, by the time at which it is shown.

        Joins and gaps are told by the first; the second, if it is damaged, by its neighbours'.
        Behind a gap, encoders have pictures decoded at the times of those before it.
        """
        if packet.pts is None or packet.dts is None:
            return False
        base = stream_time_base(packet.stream)
        early_s = (packet.pts - packet.dts) * base
        if early_s <= _LONGEST_REORDER_S:
            return early_s < -_LONGEST_REORDER_S
        last_s = self._tracks[packet.stream.index].last_s
        if last_s is None:
            return self._broadcast and early_s > _LONGEST_GAP_S
        return self._is_leap(min(Fraction(0), self._step_s(last_s, packet.dts * base)), packet)

    def _leaps(self, packet: Packet[Stream]) -> bool:
        """Whether a packet's time is no step from the last one of its stream."""
        index, time_s = packet.stream.index, _time_s(packet)
        track = self._tracks.get(index)
        if track is None or time_s is None or track.last_s is None:
            return False
        step_s = self._step_s(track.last_s, time_s)
        if not self._is_leap(step_s, packet):
            return False
        if track.before_s is not None and track.before_s < time_s < track.last_s:
            return False  # it goes on from before the last one, whose time was damaged
        if step_s < 0 and self._is_calm(track, time_s, packet):
            return False  # the same of several
        latest_s = self._offsets_s[1]
        if track.offset_s != latest_s and not self._is_leap(
            time_s + latest_s - track.end_s, packet
        ):
            track.offset_s = latest_s  # it comes late to a join that the others have passed
            return False
        return step_s < 0 or not self._others_reach(time_s + track.offset_s, index)

    def _is_calm(self, track: _Track, time_s: Fraction, packet: Packet[Stream]) -> bool:
        """Whether a time goes on from what was before the last gap, which was damage then."""
        calm_s = track.calm_s
        return calm_s is not None and not self._is_leap(time_s - calm_s, packet)

    def _others_reach(self, time_s: Fraction, index: int) -> bool:
        """Whether another stream has come to a time on the input's clock."""
        others = [other for other in self._tracks if other != index]
        ends_s = [self._tracks[other].end_s for other in others]
        ends_s += [self._ahead[other].end_s for other in others if other in self._ahead]
        return any(end_s >= time_s - _RECENT_S for end_s in ends_s)

    def _step_s(self, before_s: Fraction, after_s: Fraction) -> Fraction:
        step_s = after_s - before_s
        if self._broadcast and abs(step_s) > _WRAP_S / 2:
            return step_s - _WRAP_S if step_s > 0 else step_s + _WRAP_S
        return step_s

    @staticmethod
    def _is_leap(step_s: Fraction, packet: Packet[Stream]) -> bool:
        if step_s < -_STEP_BACK_S:
            return step_s < -4 * _duration_s(packet)
        return step_s > _STEP_AHEAD_S

    def _move(self, packet: Packet[Stream]) -> None:
        """Add the offset of a packet's recording to its times."""
        track, time_s = self._tracks.get(packet.stream.index), _time_s(packet)
        if track is not None:
            offset_s = track.offset_s
        else:
            offset_s = Fraction(0) if time_s is None else self._nearest_s(time_s)
        if track is not None and time_s is not None:
            if track.last_s is not None and time_s > track.last_s + _STEP_AHEAD_S:
                track.calm_s = track.last_s
            track.before_s, track.last_s = track.last_s, time_s
            track.end_s = time_s + offset_s + _duration_s(packet)
            track.shown_end_s = max(track.shown_end_s, _shown_s(packet, time_s) + offset_s)
            if packet.pts is not None:
                track.shown_s = packet.pts * stream_time_base(packet.stream)
        if offset_s:
            ticks = round(offset_s / stream_time_base(packet.stream))
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _nearest_s(self, time_s: Fraction) -> Fraction:
        """The offset of the recording that a subtitle or data packet lies in."""
        now_s = max((track.end_s for track in self._tracks.values()), default=Fraction(0))
        return min(self._offsets_s, key=lambda offset_s: abs(time_s + offset_s - now_s))

    # Packets around a leap -------------------------------------------------------------------

    def _hold(self, packet: Packet[Stream]) -> None:
        """Hold a packet back, and note what it tells of its stream."""
        self._held.append(packet)
        index, time_s = packet.stream.index, _time_s(packet)
        track = self._tracks.get(index)
        if track is None or time_s is None:
            return
        last_s = time_s if track.last_s is None else track.last_s
        ahead = self._ahead.setdefault(index, _Ahead(last_s, track.end_s, track.shown_end_s))
        leap = ahead.leap
        if leap is not None and leap.sure:
            return
        step_s = self._step_s(ahead.last_s, time_s)
        if not self._is_leap(step_s, packet) or (
            step_s < 0 and self._is_calm(track, time_s, packet)
        ):  # what had leapt was a damaged time
            ahead.last_s, ahead.leap = time_s, None
            ahead.end_s = time_s + track.offset_s + _duration_s(packet)
            shown_s = _shown_s(packet, time_s) + track.offset_s
            ahead.shown_end_s = max(ahead.shown_end_s, shown_s)
        elif leap is None or not self._goes_on(leap, time_s, packet):
            begin_s = _shown_s(packet, time_s) - _duration_s(packet)
            offset_s = max(ahead.end_s - time_s, ahead.shown_end_s - begin_s)
            ahead.leap = _Leap(packet, time_s, step_s, offset_s)
        elif self._is_leap(self._step_s(leap.time_s, time_s), packet):
            rises = leap.rises + 1  # there may be a gap behind each, as between slides
            ahead.leap = leap._replace(rises=rises, sure=rises >= _SURE_RISES)
        else:
            ahead.leap = leap._replace(sure=True)

    def _goes_on(self, leap: _Leap, time_s: Fraction, packet: Packet[Stream]) -> bool:
        """Whether a packet goes on from where its stream has leapt."""
        step_s = self._step_s(leap.time_s, time_s)
        return (step_s > 0 and not self._is_join(leap)) or not self._is_leap(step_s, packet)

    def _is_decided(self) -> bool:
        """Whether what is held back tells a gap, a damaged time and a join from each other."""
        if len(self._held) >= _MOST_HELD:
            return True
        found = (self._ahead.get(index) for index in self._recent_tracks())
        leaps = [None if ahead is None else ahead.leap for ahead in found]
        if not any(leaps):  # the first one was damage
            return True
        if all(leap is not None and leap.sure for leap in leaps):
            return True
        return all(leap is None or self._is_gap(leap) for leap in leaps)

    def _is_gap(self, leap: _Leap) -> bool:
        """Whether the stream alone has nothing to show for a while."""
        if self._is_join(leap):
            return False
        index = leap.packet.stream.index
        return leap.sure or self._others_reach(leap.time_s + self._tracks[index].offset_s, index)

    def _recent_tracks(self) -> list[int]:
        now_s = max(track.end_s for track in self._tracks.values())
        return [
            index
            for index, track in self._tracks.items()
            if track.end_s > now_s - _RECENT_S or index == self._held[0].stream.index
        ]

    def _is_join(self, leap: _Leap) -> bool:
        if leap.step_s < 0 or not self._broadcast:
            return leap.step_s < 0
        shown_s = self._tracks[leap.packet.stream.index].shown_s
        foreseen = shown_s is not None and shown_s > leap.time_s - _LONGEST_REORDER_S
        return leap.step_s > _LONGEST_GAP_S and not foreseen

    def _let_go(self, *, at_end: bool = False) -> list[Packet[Stream]]:
        """Place what is held back, up to the next leap."""
        leaps = {index: ahead.leap for index, ahead in self._ahead.items() if ahead.leap}
        joins = {index: leap for index, leap in leaps.items() if self._is_join(leap)}
        if joins and all(index in joins for index in self._recent_tracks()):
            self.joins += 1
            latest_s = max(leap.offset_s for leap in joins.values())
            self._offsets_s = (self._offsets_s[1], latest_s)
            joins = {i: leap._replace(offset_s=latest_s, sure=True) for i, leap in joins.items()}
        offsets_s = {id(leap.packet): leap.offset_s for leap in joins.values() if leap.sure}
        rest = [leap for index, leap in leaps.items() if index not in joins]
        # Nothing contradicts a gap before the last packet.
        gaps = {id(leap.packet) for leap in rest if at_end or self._is_gap(leap)}
        held, self._held, self._ahead = self._held, [], {}
        passed: set[int] = set()
        for number, packet in enumerate(held):
            index = packet.stream.index
            if id(packet) in offsets_s:
                self._tracks[index].offset_s = offsets_s[id(packet)]
            elif id(packet) not in gaps and self._leaps(packet):
                if index in passed:
                    for later in held[number:]:
                        self._hold(later)
                    return held[:number]
                packet.pts = packet.dts = None
                self.bad_times += 1
            if id(packet) in offsets_s or id(packet) in gaps:
                passed.add(index)
            self._move(packet)
        return held


def _tells_time(stream: Stream) -> bool:
    if isinstance(stream, VideoStream):
        return not is_attached_picture(stream)
    return stream.type == "audio"


def _time_s(packet: Packet[Stream]) -> Fraction | None:
    """When a packet is decoded, as the file has it; None where only showing has a time.

    Pictures are not shown in the order of decoding: their presentation times go back and forth.
    """
    ticks = packet.dts
    if ticks is None and packet.stream.type != "video":
        ticks = packet.pts
    return None if ticks is None else ticks * stream_time_base(packet.stream)


def _shown_s(packet: Packet[Stream], time_s: Fraction) -> Fraction:
    """When a packet has been shown, as the file has it; by its decode time if that is damaged."""
    shown_s = time_s if packet.pts is None else packet.pts * stream_time_base(packet.stream)
    return (time_s if abs(shown_s - time_s) > _LONGEST_REORDER_S else shown_s) + _duration_s(packet)


def _duration_s(packet: Packet[Stream]) -> Fraction:
    """How long a packet lasts; a picture that does not say so, as in MPEG-TS, by the usual rate."""
    if not packet.duration and isinstance(packet.stream, VideoStream):
        rate = packet.stream.guessed_rate
        return 1 / Fraction(rate) if rate else Fraction(0)
    return (packet.duration or 0) * stream_time_base(packet.stream)
