"""Damage to files that knows how they are built: boxes, elements, packets, tags, chunks.

What only flips bits is refused at the first header. Most of this damage leaves the rest of a file
as a demuxer expects it, so that it comes far.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from support.mutation_fields import Field, fields

TS_PACKET = 188
BD_PACKET = 192
"""One of a transport stream on discs, behind four bytes that say when it arrived."""
_PNG_HEADER = 8
ASF_PACKET = 3200
"""What FFmpeg makes them."""
_ASF_HEADER, _ASF_DATA = bytes.fromhex("3026b275"), bytes.fromhex("3626b275")
_TABLES = {b"stts", b"stsz", b"stsc", b"ctts", b"stco", b"stss", b"elst"}
"""MP4 boxes of numbers of four bytes, behind a version and flags."""
_MP4_PARENTS = {
    **dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"moof"), 8),
    **dict.fromkeys((b"traf", b"mvex", b"dinf", b"iprp", b"ipco", b"jp2h"), 8),
    **{b"meta": 12, b"iinf": 14, b"stsd": 16, b"avc1": 86, b"hvc1": 86, b"av01": 86, b"mp4a": 36},
}
"""MP4 boxes that hold others, and where in them the first begins."""
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
                places.append((begin + _MP4_PARENTS[kind], begin + size))
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


def disc_packets(data: bytes) -> Iterator[Part]:
    """MPEG transport streams of discs and camcorders (M2TS)."""
    for begin in range(0, len(data) - BD_PACKET + 1, BD_PACKET):
        yield Part(begin, begin + 8, begin + BD_PACKET, begin + 4, 0)


def pages(data: bytes) -> Iterator[Part]:
    """Ogg (RFC 3533)."""
    begin = 0
    while data[begin : begin + 4] == b"OggS" and begin + 27 <= len(data):
        body = begin + 27 + data[begin + 26]
        end = min(len(data), body + sum(data[begin + 27 : body]))
        yield Part(begin, min(body, end), end, begin + 26, 1)
        begin = end


def objects(data: bytes) -> Iterator[Part]:
    """ASF and WMV: objects, what lies in their header, and packets of data."""
    places = [(0, len(data))]
    while places:
        begin, end = places.pop()
        while begin + 24 <= end:
            (size,) = struct.unpack_from("<Q", data, begin + 16)
            until = begin + size if 24 <= size <= end - begin else end
            yield Part(begin, min(begin + 24, until), until, begin + 16, 8)
            kind = data[begin : begin + 4]
            if kind == _ASF_HEADER:
                places.append((begin + 30, until))
            elif kind == _ASF_DATA:
                for packet in range(begin + 50, until - ASF_PACKET + 1, ASF_PACKET):
                    yield Part(packet, packet + 15, packet + ASF_PACKET, packet + 5, 2)
            begin = until


def triplets(data: bytes) -> Iterator[Part]:
    """MXF: key, length, value (SMPTE 336)."""
    begin = 0
    while begin + 17 <= len(data):
        extra = data[begin + 16] & 0x7F if data[begin + 16] & 0x80 else 0
        body = begin + 17 + extra
        size = int.from_bytes(data[begin + 17 : body]) if extra else data[begin + 16]
        end = min(len(data), body + size)
        yield Part(begin, min(body, end), end, begin + 16, 1 + extra)
        begin = end


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


def tags(data: bytes) -> Iterator[Part]:
    """FLV."""
    begin = 13
    while begin + 15 <= len(data):
        end = min(len(data), begin + 15 + int.from_bytes(data[begin + 1 : begin + 4]))
        yield Part(begin, begin + 11, end, begin + 1, 3)
        begin = end


def program_packets(data: bytes) -> Iterator[Part]:
    """MPEG program streams: from start code to start code of a pack or packet."""
    begins = [
        at for at in range(len(data) - 6) if data[at : at + 3] == b"\0\0\1" and data[at + 3] >= 0xB9
    ]
    for begin, end in pairwise([*begins, len(data)]):
        yield Part(begin, min(begin + 6, end), end, begin + 4, 2)


def gif_blocks(data: bytes) -> Iterator[Part]:
    """GIF: its extensions and pictures, as far as they follow each other."""
    begin = 13 + (3 << (data[10] & 7) + 1 if len(data) > 13 and data[10] & 0x80 else 0)
    while begin + 11 < len(data) and data[begin] in (0x21, 0x2C):
        at = begin + 2
        if data[begin] == 0x2C:
            at = begin + 11 + (3 << (data[begin + 9] & 7) + 1 if data[begin + 9] & 0x80 else 0)
        body = at
        while at < len(data) and data[at]:
            at += 1 + data[at]
        end = min(len(data), at + 1)
        yield Part(begin, min(body, end), end, min(body, len(data) - 1), 1)
        begin = end


def tiff_entries(data: bytes) -> Iterator[Part]:
    """TIFF: the entries of its directories."""
    order, at = ("<", ">")[data[:2] == b"MM"], 4
    for _ in range(8):
        if at + 4 > len(data):
            return
        (directory,) = struct.unpack_from(order + "I", data, at)
        if not 8 <= directory <= len(data) - 2:
            return
        (count,) = struct.unpack_from(order + "H", data, directory)
        for begin in range(directory + 2, directory + 2 + 12 * count, 12):
            if begin + 12 <= len(data):
                yield Part(begin, begin + 2, begin + 12, begin + 4, 4)
        at = directory + 2 + 12 * count


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
    ".m2ts": disc_packets,
    ".ogv": pages,
    ".wmv": objects,
    ".mxf": triplets,
    ".flv": tags,
    ".mpg": program_packets,
    ".gif": gif_blocks,
    ".tiff": tiff_entries,
    ".jpg": segments,
    ".png": chunks,
    ".y4m": lines,
    ".json": lines,
}
"""By the ending of a file's name."""


def mutate(data: bytes, ending: str, rng: random.Random) -> tuple[bytes, str]:
    """Damage a file once to three times.

    Args:
        data: the file.
        ending: of its name, like ".mp4".
        rng: what decides; the same one damages in the same way.

    Returns:
        What is left, and in words what was done.
    """
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parser, numbers = PARSERS.get(ending), fields(data, ending)
        parts = [part for part in parser(data) if part.end > part.body] if parser else []
        change: Callable[..., tuple[bytes, str]]
        if numbers and rng.random() < 0.25:
            change = rng.choice(_OF_FIELDS)
            data, words = change(data, numbers, rng)
        elif parts and rng.random() < 0.75:
            change = rng.choice(_OF_PARTS)
            data, words = change(data, parts, rng)
        else:
            change = rng.choice(_OF_BYTES)
            data, words = change(data, rng)
        done.append(words)
    if ending == ".png" and rng.random() < 0.8:
        data = _with_checksums(data)
    if ending == ".ogv" and rng.random() < 0.8:
        data = _with_page_checksums(data)
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
    changed = _number(data, part.length_at, width, rng)
    if rng.random() < 0.5 and _marks_width(data, part):  # else few lengths would be as wide
        first = data[part.length_at] & ~((1 << (8 - width)) - 1)
        first |= changed[part.length_at] & ((1 << (8 - width)) - 1)
        changed = changed[: part.length_at] + bytes((first,)) + changed[part.length_at + 1 :]
    return changed, f"the length at {part.length_at}"


def _marks_width(data: bytes, part: Part) -> bool:
    """Whether the first bits of a length may be those that say how wide it is, as in EBML."""
    return 0 < part.length_bytes <= 8 and _vint_bytes(data[part.length_at]) == part.length_bytes


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


def _move_time(data: bytes, numbers: list[Field], rng: random.Random) -> tuple[bytes, str]:
    """One time: a little, a lot, or to an end of its range."""
    times = [field for field in numbers if field.kind == "time"]
    if not times:
        return _swap_streams(data, numbers, rng)
    field = rng.choice(times)
    old = field.read(data)
    top = (1 << 33 if field.coding == "pes" else 1 << 8 * field.width) - 1
    step = rng.choice((1, 2, 40, 500, 3600, 90_000, 900_000, 1 << 14))
    new = rng.choice((old + step, old - step, 0, 1, top, top >> 1, rng.randint(0, top)))
    return field.written(data, new), f"time {old} at {field.at} is {new}"


def _move_times(data: bytes, numbers: list[Field], rng: random.Random) -> tuple[bytes, str]:
    """All times behind a place, as where recordings are joined."""
    times = [field for field in numbers if field.kind == "time"]
    if not times:
        return data, "nothing"
    first = rng.randrange(len(times))
    step = rng.choice((-90_000, -500, -40, 40, 500, 20_000, 90_000, 9_000_000))
    for field in times[first:]:
        data = field.written(data, field.read(data) + step)
    return data, f"times from {times[first].at} moved by {step}"


def _swap_times(data: bytes, numbers: list[Field], rng: random.Random) -> tuple[bytes, str]:
    times = [field for field in numbers if field.kind == "time"]
    if len(times) < 2:
        return data, "nothing"
    one, other = rng.sample(times, 2)
    one_time, other_time = one.read(data), other.read(data)
    data = other.written(one.written(data, other_time), one_time)
    return data, f"times at {one.at} and {other.at} swapped"


def _swap_streams(data: bytes, numbers: list[Field], rng: random.Random) -> tuple[bytes, str]:
    """Two streams, everywhere or from some place on; or one place says another stream."""
    marks = [field for field in numbers if field.kind == "stream"]
    known = sorted({(field.width, field.read(data)) for field in marks})
    if len(known) < 2:
        return data, "nothing"
    (width, one), (_, other) = rng.sample(known, 2)
    first = rng.randrange(len(marks)) if rng.random() < 0.5 else 0
    last = first + 1 if rng.random() < 0.3 else len(marks)
    for field in marks[first:last]:
        value = field.read(data)
        if field.width == width and value in (one, other):
            data = field.written(data, other if value == one else one)
    return data, f"streams {one} and {other} swapped from {marks[first].at}"


_OF_PARTS = (
    _edit_field,
    _edit_field,
    _edit_field,
    _edit_length,
    _edit_table,
    _drop,
    _double,
    _swap,
    _cut_inside,
)
_OF_FIELDS = (_move_time, _move_time, _move_times, _swap_times, _swap_streams)
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


def _with_page_checksums(data: bytes) -> bytes:
    """An Ogg whose pages are believed."""
    changed = bytearray(data)
    for part in pages(data):
        page = data[part.begin : part.begin + 22] + bytes(4) + data[part.begin + 26 : part.end]
        remainder = 0
        for byte in page:
            remainder = (remainder << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[remainder >> 24 ^ byte]
        changed[part.begin + 22 : part.begin + 26] = remainder.to_bytes(4, "little")
    return bytes(changed)


def _remainder(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
    return value


_OGG_TABLE = [_remainder(byte) for byte in range(256)]
"""Of the checksum of RFC 3533."""
