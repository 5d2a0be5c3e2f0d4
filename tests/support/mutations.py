"""Damage to files that knows how they are built: boxes, elements, packets, segments, chunks.

What only flips bits is refused at the first header. Most of this damage leaves the rest of a file
as a demuxer expects it, so that it comes far.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

TS_PACKET = 188
_PNG_HEADER = 8
_TABLES = {b"stts", b"stsz", b"stsc", b"ctts", b"stco", b"stss", b"elst"}
"""MP4 boxes of numbers of four bytes, behind a version and flags."""
_MP4_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"moof", b"traf"}
_EBML_PARENTS = {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0xE1, 0x1F43B675, 0xA0, 0x1C53BB6B}
"""Segment, Info, Tracks, TrackEntry, Video, Audio, Cluster, BlockGroup, Cues."""


class Part(NamedTuple):
    """A piece of a file that says how long it is; offsets in bytes.

    Attributes:
        begin: of its header.
        body: of what the header is about.
        end: of all of it.
        length_at: of the field that holds its length.
        length_bytes: of that field; 0 where the length is fixed.
    """

    begin: int
    body: int
    end: int
    length_at: int
    length_bytes: int


Parser = Callable[[bytes], Iterator[Part]]


def boxes(data: bytes) -> Iterator[Part]:
    """MP4 and MOV (ISO 14496-12), with what lies in the boxes that hold others."""
    places = [(0, len(data))]
    while places:
        begin, end = places.pop()
        while begin + 8 <= end:
            size, kind = struct.unpack_from(">I4s", data, begin)
            size = size if 8 <= size <= end - begin else end - begin
            yield Part(begin, begin + 8, begin + size, begin, 4)
            if kind in _MP4_PARENTS:
                places.append((begin + 8, begin + size))
            begin += size


def elements(data: bytes) -> Iterator[Part]:
    """Matroska and WebM (EBML, RFC 8794)."""
    places = [(0, len(data))]
    while places:
        begin, end = places.pop()
        while begin + 2 <= end:
            length_at = begin + _vint_bytes(data[begin])
            if length_at >= end:
                break
            body = length_at + _vint_bytes(data[length_at])
            number = int.from_bytes(data[begin:length_at])
            bits = 7 * (body - length_at)
            size = int.from_bytes(data[length_at:body]) & ((1 << bits) - 1)
            until = min(end, body + size) if size != (1 << bits) - 1 else end  # or unknown
            yield Part(begin, body, until, length_at, body - length_at)
            if number in _EBML_PARENTS:
                places.append((body, until))
            begin = max(until, begin + 2)


def _vint_bytes(first: int) -> int:
    """Bytes of a number of variable length, by its first byte."""
    return max(1, 9 - first.bit_length())


def packets(data: bytes) -> Iterator[Part]:
    """MPEG transport streams: packets of 188 bytes."""
    for begin in range(0, len(data) - TS_PACKET + 1, TS_PACKET):
        yield Part(begin, begin + 4, begin + TS_PACKET, begin, 0)


def segments(data: bytes) -> Iterator[Part]:
    """JPEG: marker segments up to the picture itself, and that."""
    begin = 2
    while begin + 4 <= len(data) and data[begin] == 0xFF:
        (length,) = struct.unpack_from(">H", data, begin + 2)
        end = min(len(data), begin + 2 + max(2, length))
        if data[begin + 1] == 0xDA:
            yield Part(begin, end, len(data), begin + 2, 2)
            return
        yield Part(begin, begin + 4, end, begin + 2, 2)
        begin = end


def chunks(data: bytes) -> Iterator[Part]:
    """PNG."""
    begin = _PNG_HEADER
    while begin + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, begin)
        end = min(len(data), begin + 12 + length)
        yield Part(begin, begin + 8, end, begin, 4)
        begin = end


def riff(data: bytes) -> Iterator[Part]:
    """AVI and WebP."""
    places = [(0, len(data))]
    while places:
        begin, end = places.pop()
        while begin + 8 <= end:
            kind, size = struct.unpack_from("<4sI", data, begin)
            until = min(end, begin + 8 + size)
            yield Part(begin, begin + 8, until, begin + 4, 4)
            if kind in (b"RIFF", b"LIST"):
                places.append((begin + 12, until))
            begin = until + (until - begin) % 2


def lines(data: bytes) -> Iterator[Part]:
    """Text, such as JSON, and the words of a y4m header."""
    begin = 0
    for word in data[:4096].replace(b"\n", b" ").split(b" "):
        yield Part(begin, begin, begin + len(word), begin, 0)
        begin += len(word) + 1


PARSERS: dict[str, Parser] = {
    **dict.fromkeys((".mp4", ".mov", ".avif", ".heic", ".jp2"), boxes),
    **dict.fromkeys((".mkv", ".webm"), elements),
    **dict.fromkeys((".avi", ".webp"), riff),
    ".ts": packets,
    ".jpg": segments,
    ".png": chunks,
    ".y4m": lines,
    ".json": lines,
}
"""By the ending of a file's name."""


def mutate(
    data: bytes, ending: str, rng: random.Random, *, tables: bool = False
) -> tuple[bytes, str]:
    """Damage a file once to three times.

    Args:
        data: the file.
        ending: of its name, like ".mp4".
        rng: what decides; the same one damages in the same way.
        tables: whether the tables of MP4 are sought out, too.

    Returns:
        What is left, and in words what was done.
    """
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parser = PARSERS.get(ending)
        parts = [part for part in parser(data) if part.end > part.body] if parser else []
        if parts and rng.random() < 0.75:
            change: Callable[..., tuple[bytes, str]] = rng.choice(
                (*_OF_PARTS, _edit_table) if tables else _OF_PARTS
            )
            data, words = change(data, parts, rng)
        else:
            change = rng.choice(_OF_BYTES)
            data, words = change(data, rng)
        done.append(words)
    if ending == ".png" and rng.random() < 0.8:
        data = _with_checksums(data)
    return data, ", ".join(done)


def _edit_field(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    """Headers field by field: most of what counts stands at the beginning of a part."""
    part = rng.choice(parts)
    width = rng.choice((1, 2, 4, 8))
    reach = min(part.end - part.body, rng.choice((8, 64, 100_000)))
    place = part.body + rng.randrange(max(1, reach - width + 1))
    return _number(data, place, width, rng), f"a field of {width} bytes at {place}"


def _edit_length(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    part = rng.choice(parts)
    width = part.length_bytes or 1
    return _number(data, part.length_at, width, rng), f"the length at {part.length_at}"


def _edit_table(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    """A number of an MP4's tables of samples, which decide what is a picture and when."""
    tables = [part for part in parts if data[part.begin + 4 : part.begin + 8] in _TABLES]
    if not tables:
        return _edit_field(data, parts, rng)
    part = rng.choice(tables)
    count = (part.end - part.body) // 4
    place = part.body + 4 * rng.randrange(1, max(2, count))
    return _number(data, place, 4, rng), f"number {place} of {data[part.begin + 4 : part.body]!r}"


def _drop(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    part = rng.choice(parts)
    return data[: part.begin] + data[part.end :], f"without {part.begin} to {part.end}"


def _double(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    part = rng.choice(parts)
    piece = data[part.begin : part.end]
    return data[: part.end] + piece + data[part.end :], f"{part.begin} to {part.end} twice"


def _swap(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    """Two parts change places, streams among them."""
    one, other = sorted((rng.choice(parts), rng.choice(parts)))
    if one.end > other.begin:
        return data, "nothing"
    swapped = (
        data[: one.begin]
        + data[other.begin : other.end]
        + data[one.end : other.begin]
        + data[one.begin : one.end]
        + data[other.end :]
    )
    return swapped, f"{one.begin} and {other.begin} swapped"


def _cut_inside(data: bytes, parts: list[Part], rng: random.Random) -> tuple[bytes, str]:
    part = rng.choice(parts)
    place = rng.randrange(part.begin, part.end)
    return data[:place], f"cut at {place}"


def _flip(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    changed, count = bytearray(data), rng.choice((1, 1, 3, 10, 50))
    for _ in range(count if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed), f"{count} bits"


def _noise(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.choice((4, 50, 500)))
    return data[:begin] + rng.randbytes(end - begin) + data[end:], f"noise from {begin} to {end}"


def _cut(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    place = rng.randrange(len(data) + 1)
    return data[:place], f"cut at {place}"


def _hole(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.choice((1, 7, 300)))
    return data[:begin] + data[end:], f"without {begin} to {end}"


def _zeros(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    place, count = rng.randrange(len(data) + 1), rng.choice((1, 16, 4096))
    return data[:place] + bytes(count) + data[place:], f"{count} zeros at {place}"


_OF_PARTS = (
    _edit_field,
    _edit_field,
    _edit_field,
    _edit_length,
    _drop,
    _double,
    _swap,
    _cut_inside,
)
_OF_TABLES = (*_OF_PARTS[:3], _edit_table, *_OF_PARTS[3:])
_OF_BYTES = (_flip, _flip, _noise, _cut, _hole, _zeros)


def _number(data: bytes, place: int, width: int, rng: random.Random) -> bytes:
    """The file with another number in a field: one at an end of its range, a near one, or any."""
    old = int.from_bytes(data[place : place + width])
    top = (1 << 8 * width) - 1
    new = rng.choice((0, 1, top, top >> 1, (top >> 1) + 1, old + 1, old - 1, rng.randint(0, top)))
    return data[:place] + (new & top).to_bytes(width) + data[place + width :]


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks are believed: a wrong checksum ends the reading of most."""
    changed = bytearray(data)
    for part in chunks(data):
        if part.end - part.body >= 4:
            checksum = zlib.crc32(data[part.begin + 4 : part.end - 4])
            changed[part.end - 4 : part.end] = checksum.to_bytes(4)
    return bytes(changed)
