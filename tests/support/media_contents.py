"""What a clip or photo holds, read back with PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition


@dataclass(frozen=True)
class Track:
    """A stream of a file, as it is read back."""

    kind: str
    codec: str
    metadata: dict[str, str]
    disposition: Disposition
    packets: list[tuple[Fraction, Fraction, bytes]]
    """Time and duration in seconds, and content, by time."""

    @property
    def times(self) -> list[Fraction]:
        """The packets' times in seconds, rising."""
        return [packet[0] for packet in self.packets]


def tracks(path: Path) -> list[Track]:
    """Every stream of a file with its packets."""
    found: list[Track] = []
    with av.open(str(path), "r") as container:
        for stream in container.streams:
            context: Any = stream.codec_context
            name = context.codec.canonical_name if context else str(stream.name)
            found.append(Track(stream.type, name, dict(stream.metadata), stream.disposition, []))
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                base = Fraction(packet.time_base)
                entry = (packet.pts * base, (packet.duration or 0) * base, bytes(packet))
                found[packet.stream.index].packets.append(entry)
    for track in found:
        track.packets.sort(key=lambda packet: packet[0])
    return found


def track(path: Path, kind: str) -> Track:
    """The first stream of a kind."""
    return next(found for found in tracks(path) if found.kind == kind)


def first_picture(path: Path) -> av.VideoFrame:
    """The first picture of a file."""
    with av.open(str(path), "r") as container:
        return next(container.decode(video=0))
