"""Where the times and the numbers of streams stand in a file, so that damage can aim at them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

Coding = Literal["big", "little", "pes"]


class Field(NamedTuple):
    """A number in a file.

    Attributes:
        at: its first byte.
        width: its bytes.
        kind: whether it is a time or duration, or says which stream something belongs to.
        coding: the order of its bytes; "pes": 33 bits in five bytes with marks between, as MPEG
            writes times.
        bits: those that are changed, from the lowest.
    """

    at: int
    width: int
    kind: Literal["time", "stream"]
    coding: Coding = "big"
    bits: int = 64

    def read(self, data: bytes) -> int:
        """Its value."""
        number = _number(data, self)
        if self.coding == "pes":
            return (number >> 3 & 0x1C0000000) | (number >> 2 & 0x3FFF8000) | (number >> 1 & 0x7FFF)
        return number & self._mask

    def written(self, data: bytes, value: int) -> bytes:
        """The file with another value, cut to the bits that there are."""
        if self.coding == "pes":
            marks = _number(data, self) & 0xF100010001
            value = (value & 0x1C0000000) << 3 | (value & 0x3FFF8000) << 2 | (value & 0x7FFF) << 1
            number = marks | value
        else:
            number = (_number(data, self) & ~self._mask) | (value & self._mask)
        order: Literal["big", "little"] = "little" if self.coding == "little" else "big"
        return data[: self.at] + number.to_bytes(self.width, order) + data[self.at + self.width :]

    @property
    def _mask(self) -> int:
        return (1 << min(self.bits, 8 * self.width)) - 1


def _number(data: bytes, field: Field) -> int:
    raw = data[field.at : field.at + field.width].ljust(field.width, b"\0")
    return int.from_bytes(raw, "little" if field.coding == "little" else "big")


def fields(data: bytes, ending: str) -> list[Field]:
    """The times and stream numbers of a file; none of formats that have none.

    Args:
        data: the file.
        ending: of its name, like ".mp4".
    """
    finder = _FINDERS.get(ending)
    found = finder(data) if finder else ()
    return [field for field in found if field.at + field.width <= len(data)]


_BOX_TIMES: dict[bytes, tuple[tuple[int, int], ...]] = {
    b"mvhd": ((20, 4), (24, 4)),
    b"mdhd": ((20, 4), (24, 4)),
    b"tkhd": ((28, 4),),
    b"tfdt": ((12, 4), (12, 8)),
    b"trex": ((20, 4),),
}
"""Place, from the box's begin, and width of times in boxes of version 0."""
_BOX_STREAMS = {b"tkhd": 20, b"tfhd": 12, b"trex": 12, b"tfra": 12}
_BOX_TABLES_OF_TIMES = (b"stts", b"ctts", b"elst", b"trun", b"sidx")


def _of_boxes(data: bytes) -> Iterator[Field]:
    """MP4 and MOV, found by the names of boxes."""
    for kind, places in _BOX_TIMES.items():
        for begin in _begins(data, kind):
            yield from (Field(begin + at, width, "time") for at, width in places)
    for kind, at in _BOX_STREAMS.items():
        yield from (Field(begin + at, 4, "stream") for begin in _begins(data, kind))
    for kind in _BOX_TABLES_OF_TIMES:
        for begin in _begins(data, kind):
            (size,) = struct.unpack_from(">I", data, begin)
            for at in range(begin + 16, begin + min(size, 400) - 3, 4):
                yield Field(at, 4, "time")


def _begins(data: bytes, kind: bytes) -> Iterator[int]:
    at = data.find(kind)
    while at >= 0:
        if at >= 4:
            yield at - 4
        at = data.find(kind, at + 4)


_ELEMENT_TIMES = {0xE7, 0x9B, 0x2AD7B1, 0x23E383, 0x4489, 0x56AA, 0x56BB, 0xB3, 0x75A2}
"""Timestamp, BlockDuration, TimestampScale, DefaultDuration, Duration, CodecDelay, SeekPreRoll,
CueTime, DiscardPadding."""
_ELEMENT_STREAMS = {0xD7, 0xF7, 0x73C5}
"""TrackNumber, CueTrack, TrackUID."""
_BLOCKS = {0xA3, 0xA1}


def _of_elements(data: bytes) -> Iterator[Field]:
    from support.mutations import elements

    for part in elements(data):
        number = int.from_bytes(data[part.begin : part.length_at])
        width = part.end - part.body
        if number in _ELEMENT_TIMES and width:
            yield Field(part.body, width, "time")
        elif number in _ELEMENT_STREAMS and width:
            yield Field(part.body, width, "stream")
        elif number in _BLOCKS and width > 3:
            yield Field(part.body, 1, "stream", bits=7)
            yield Field(part.body + 1, 2, "time")


def _of_packets(data: bytes) -> Iterator[Field]:
    """MPEG-TS: the numbers of streams and their counters, clocks, and times."""
    stride, first = (188, 0) if data[:1] == b"G" else (192, 4)
    for begin in range(first, len(data) - 187, stride):
        yield Field(begin + 1, 2, "stream", bits=13)
        has_adaptation, at = data[begin + 3] & 0x20, begin + 4
        if has_adaptation:
            if data[at] >= 7 and data[at + 1] & 0x10:
                yield Field(at + 2, 4, "time")  # of the program's clock, in 45 kHz
            at += 1 + data[at]
        if data[begin + 1] & 0x40 and at + 19 <= begin + 188:
            yield from _of_pes(data, at)


def _of_pes(data: bytes, at: int) -> Iterator[Field]:
    if data[at : at + 3] == b"\0\0\1" and data[at + 3] >= 0xBD and len(data) >= at + 19:
        if data[at + 7] & 0x80:
            yield Field(at + 9, 5, "time", "pes")
        if data[at + 7] & 0x40:
            yield Field(at + 14, 5, "time", "pes")


def _of_program(data: bytes) -> Iterator[Field]:
    """MPEG-PS: packs with a clock, packets with times."""
    for begin in _begins(data, b"\0\0\1\xba"):
        yield Field(begin + 8, 4, "time")
    for stream in (0xE0, 0xC0, 0xBD):
        for begin in _begins(data, bytes((0, 0, 1, stream))):
            yield Field(begin + 7, 1, "stream")
            yield from _of_pes(data, begin + 4)


def _of_tags(data: bytes) -> Iterator[Field]:
    """FLV."""
    at = 13
    while at + 15 <= len(data):
        yield Field(at, 1, "stream")
        yield Field(at + 4, 3, "time")
        if data[at] == 9:
            yield Field(at + 13, 3, "time")  # from decoding to showing
        at += 15 + int.from_bytes(data[at + 1 : at + 4])


def _of_riff(data: bytes) -> Iterator[Field]:
    """AVI: rates of streams, and the names of chunks, which say whose they are."""
    for begin in _begins(data, b"strh"):
        yield from (Field(begin + 12 + at, 4, "time", "little") for at in (20, 24, 28, 32))
    for begin in _begins(data, b"avih"):
        yield Field(begin + 12, 4, "time", "little")
    for name in (b"00dc", b"01wb", b"00db"):
        yield from (Field(begin + 4, 2, "stream") for begin in _begins(data, name))
    for begin in _begins(data, b"ANMF"):  # WebP that moves
        yield Field(begin + 24, 3, "time", "little")


def _of_pages(data: bytes) -> Iterator[Field]:
    """Ogg: how far a page reaches, whose it is, and its number."""
    for begin in _begins(data, b"OggS"):
        yield Field(begin + 4 + 6, 8, "time", "little")
        yield from (Field(begin + 4 + at, 4, "stream", "little") for at in (14, 18))


def _of_objects(data: bytes) -> Iterator[Field]:
    """ASF: when packets are sent, whose each payload is, and when it is shown."""
    for at in (i for i in range(len(data) - 40) if data[i : i + 3] == b"\x82\0\0"):
        yield Field(at + 7, 4, "time", "little")
        yield Field(at + 14, 1, "stream", bits=7)
        yield Field(at + 25, 4, "time", "little")


def _of_png(data: bytes) -> Iterator[Field]:
    for begin in _begins(data, b"fcTL"):
        yield from (Field(begin + at, 2, "time") for at in (28, 30))
        yield Field(begin + 8, 4, "stream")  # the number in the sequence


def _of_gif(data: bytes) -> Iterator[Field]:
    for begin in _begins(data, b"\x21\xf9\x04"):
        yield Field(begin + 8, 2, "time", "little")


_FINDERS: dict[str, Callable[[bytes], Iterator[Field]]] = {
    ".mp4": _of_boxes,
    ".mov": _of_boxes,
    ".avif": _of_boxes,
    ".mkv": _of_elements,
    ".webm": _of_elements,
    ".ts": _of_packets,
    ".m2ts": _of_packets,
    ".ogv": _of_pages,
    ".wmv": _of_objects,
    ".mpg": _of_program,
    ".flv": _of_tags,
    ".avi": _of_riff,
    ".webp": _of_riff,
    ".png": _of_png,
    ".gif": _of_gif,
}
