"""Tells whether the pages of an Ogg file are whole and follow each other (RFC 3533).

FFmpeg leaves out pages whose checksum is wrong, and takes one that is there twice for new pictures,
without a word.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from pathlib import Path

_CAPTURE = b"OggS"
_HEADER_BYTES = 27
_BEGINS_STREAM = 0x02
_ALL_ONES = 0xFFFFFFFF
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def broken_pages(path: Path) -> int:
    """How many pages of an Ogg are damaged, missing or doubled, or end behind the file.

    What lies between pages counts as one; 0 for what is no Ogg.
    """
    if path.stat().st_size < _HEADER_BYTES:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _broken(data) if data[: len(_CAPTURE)] == _CAPTURE else 0


def _broken(data: mmap.mmap) -> int:
    numbers = dict[int, int]()
    broken = at = 0
    while 0 <= at < len(data):
        end = _page_end(data, at)
        if end is None:
            broken += 1
            at = data.find(_CAPTURE, at + 1)
            continue
        kind, stream, number, checksum = struct.unpack_from("<5xB8xIII", data, at)
        expected = number if kind & _BEGINS_STREAM else numbers.get(stream, number)
        broken += number != expected or checksum != _checksum(data[at:end])
        numbers[stream] = (number + 1) & _ALL_ONES
        at = end
    return broken


def _page_end(data: mmap.mmap, at: int) -> int | None:
    """Where a page ends; None where there is none, or not all of it."""
    body = at + _HEADER_BYTES + (data[at + 26] if at + _HEADER_BYTES <= len(data) else 0)
    if data[at : at + len(_CAPTURE)] != _CAPTURE or body > len(data):
        return None
    end = body + sum(data[at + _HEADER_BYTES : body])
    return end if end <= len(data) else None


def _checksum(page: bytes) -> int:
    """A page's checksum: that of zlib with all bits mirrored, from 0, over zeros in its place."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_MIRRORED)
    remainder = zlib.crc32(mirrored, _ALL_ONES) ^ _ALL_ONES
    return int.from_bytes(remainder.to_bytes(4, "little").translate(_MIRRORED))
