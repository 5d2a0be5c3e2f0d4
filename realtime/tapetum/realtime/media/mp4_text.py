"""Subtitles as MP4 text, which shows one sample at a time: lines that overlap share samples.

A sample is the length of its text in two bytes, the text, and boxes of style (3GPP TS 26.245).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from av.packet import Packet
from av.stream import Stream

_LENGTH_BYTES = 2
_LONGEST_TEXT = 0xFFFF


@dataclass(slots=True)
class _Line:
    end: int
    sample: Packet[Stream]


@dataclass(slots=True)
class SharedSamples:
    """Cuts lines at each other's begin and end; where several are shown, one is below the other."""

    _shown: list[_Line] = field(default_factory=list)
    _now: int = 0

    def add(self, sample: Packet[Stream]) -> list[Packet[Stream]]:
        """Take the next line, which begins no earlier than the one before; give what is settled."""
        begin = sample.pts or 0
        settled = self._until(begin)
        self._now = begin
        self._shown.append(_Line(begin + (sample.duration or 0), sample))
        return settled

    def finish(self) -> list[Packet[Stream]]:
        """Give the rest."""
        return self._until(max((line.end for line in self._shown), default=self._now))

    def _until(self, time: int) -> list[Packet[Stream]]:
        settled = []
        while self._shown and self._now < time:
            self._shown = [line for line in self._shown if line.end > self._now]
            end = min([time, *(line.end for line in self._shown)])
            if self._shown:
                settled.append(self._sample(end))
            self._now = end
        return settled

    def _sample(self, end: int) -> Packet[Stream]:
        """What is shown from now to `end`; a line that is alone keeps its style."""
        samples = [line.sample for line in self._shown]
        content = bytes(samples[0]) if len(samples) == 1 else _together(samples)
        packet = Packet(content)
        packet.stream = samples[0].stream
        packet.time_base = samples[0].time_base
        packet.pts = packet.dts = self._now
        packet.duration = end - self._now
        packet.is_keyframe = True
        return packet


def _together(samples: list[Packet[Stream]]) -> bytes:
    text = b"\n".join(_text(bytes(sample)) for sample in samples)[:_LONGEST_TEXT]
    return len(text).to_bytes(_LENGTH_BYTES, "big") + text


def _text(sample: bytes) -> bytes:
    length = int.from_bytes(sample[:_LENGTH_BYTES], "big")
    return sample[_LENGTH_BYTES : _LENGTH_BYTES + length]
