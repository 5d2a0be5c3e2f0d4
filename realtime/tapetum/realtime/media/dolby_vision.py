"""Dolby Vision whose pictures are of no use without its own decoder, in any container.

So are profile 5 in HEVC and 10 in AV1 where they are compatible with nothing: their colours are
IPT. The container says so in a record of its own ("Dolby Vision Streams Within the ISO Base Media
File Format", "... the MPEG-2 Transport Stream Format", and Matroska's block additions), which PyAV
does not show; or else the metadata of a picture does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import av
from av.sidedata.sidedata import Type

from tapetum.realtime.media.hdr import side_data_bytes
from tapetum.realtime.media.sample_entries import dolby_vision_records

_OF_ONE_LAYER = (5, 10)
"""Profiles whose pictures may be made for Dolby Vision alone."""

_BEGIN_BYTES = 4 << 20
"""In so much of a Matroska file or transport stream its tracks are described."""
_MATROSKA = b"\x1a\x45\xdf\xa3"
_ADDITION_TYPES = (b"\x41\xe7\x84dvcC", b"\x41\xe7\x84dvvC")
"""BlockAddIDType with these values; BlockAddIDExtraData with the record stands beside it."""
_ADDITION_DATA = b"\x41\xed"
_NEAR_BYTES = 64

_PACKET_BYTES, _SYNC, _BEGINS = 188, 0x47, 0x40
_PROGRAM_MAP, _DOLBY_DESCRIPTOR = 2, 0xB0


def has_dolby_vision_alone(path: Path, picture: av.VideoFrame) -> bool:
    """Whether a file is of no use without Dolby Vision's decoder.

    Args:
        path: the file.
        picture: of it, as it was decoded.
    """
    records = [*dolby_vision_records(path), *_records_of_stream(path)]
    if records:
        return any(profile in _OF_ONE_LAYER and not like for profile, like in records)
    return _is_made_for_it(side_data_bytes(picture, Type.DOVI_METADATA))


def _is_made_for_it(metadata: bytes | None) -> bool:
    """Whether a picture's metadata are those of a full-range IPT picture, by FFmpeg's structs."""
    if metadata is None:
        return False
    header: int = struct.unpack_from("=Q", metadata)[0]
    if header + 11 > len(metadata):
        return False
    profile, full_range = metadata[header + 4], metadata[header + 10]
    return profile == 0 and full_range == 1


def _records_of_stream(path: Path) -> Iterator[tuple[int, int]]:
    """Profile and compatibility of each record in a Matroska file or transport stream."""
    with path.open("rb") as file:
        begin = file.read(_BEGIN_BYTES)
    if begin.startswith(_MATROSKA):
        yield from _records_of_matroska(begin)
        return
    for first, size in ((0, _PACKET_BYTES), (4, _PACKET_BYTES + 4)):  # the second of M2TS
        if begin[first : first + 1 + 2 * size : size] == bytes([_SYNC] * 3):
            yield from _records_of_transport(begin[first:], size)


def _records_of_matroska(begin: bytes) -> Iterator[tuple[int, int]]:
    for kind in _ADDITION_TYPES:
        place = begin.find(kind)
        while place >= 0:
            data = begin.find(_ADDITION_DATA, place, place + _NEAR_BYTES)
            size_byte = begin[data + 2 : data + 3]
            if data >= 0 and size_byte:
                # A size is written in as many bytes as its first has leading zeros, and one.
                record = begin[data + 3 + 8 - size_byte[0].bit_length() :]
                if len(record) > 4:
                    yield record[2] >> 1, record[4] >> 4
            place = begin.find(kind, place + 1)


def _records_of_transport(packets: bytes, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, len(packets) - size + 1, size):
        packet = packets[start : start + _PACKET_BYTES]
        if packet[0] != _SYNC or not packet[1] & _BEGINS or not packet[3] & 0x10:
            continue
        at = 5 + packet[4] if packet[3] & 0x20 else 4
        table = packet[at + 1 + packet[at] :] if at < len(packet) else b""
        if table[:1] == bytes([_PROGRAM_MAP]) and len(table) > 12:
            yield from _records_of_map(table)


def _records_of_map(table: bytes) -> Iterator[tuple[int, int]]:
    """Of a program map, as far as it lies in its first packet (ISO/IEC 13818-1, 2.4.4.8)."""
    end = min(3 + (int.from_bytes(table[1:3]) & 0xFFF) - 4, len(table))
    at = 12 + (int.from_bytes(table[10:12]) & 0xFFF)
    while at + 5 <= end:
        stop = at + 5 + (int.from_bytes(table[at + 3 : at + 5]) & 0xFFF)
        at += 5
        while at + 2 <= min(stop, end):
            tag, body = table[at], table[at + 2 : at + 2 + table[at + 1]]
            if tag == _DOLBY_DESCRIPTOR and len(body) > 4:
                profile, has_base = body[2] >> 1, body[3] & 1
                like = body[4 if has_base else 6 : 7]
                yield profile, like[0] >> 4 if like else 0
            at += 2 + len(body)
        at = stop
