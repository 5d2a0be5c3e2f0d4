"""Checks access units of TrueHD and MLP by the parity that they hold.

FFmpeg's decoder logs a wrong one, and goes on. Each unit begins with its length, now and then tells
how many substreams it has, and where each of them ends; the exclusive or of all nibbles of what
tells that is 15. A substream ends with the exclusive or of its bytes, against `_PARITY`, and a
checksum.
"""

from __future__ import annotations

import numpy as np

_SYNC = {b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"}
"""What a header that comes now and then begins with: of TrueHD, of MLP."""
_TRUEHD = b"\xf8\x72\x6f\xba"
_UNIT_HEADER, _SYNC_HEADER = 4, 28
"""Bytes."""
_PARITY = 0xA9
_CHECKED_SUBSTREAMS = 3
"""What a fourth holds (objects in space) is another format."""
_HAS_EXTRA_WORD, _HAS_PARITY, _END = 0x8000, 0x2000, 0x0FFF
"""Of the 16 bits that tell of a substream; its end is given in words of 2 bytes."""


class LosslessUnits:
    """Follows the access units of one stream, each a packet."""

    def __init__(self) -> None:
        self._substreams = 0

    def is_whole(self, unit: bytes) -> bool:
        """Whether a unit is as long as it says, and all but its rare header has its parity.

        True where nothing is known of them, before the first header.
        """
        if len(unit) < _UNIT_HEADER or 2 * (_word(unit, 0) & _END) != len(unit):
            return False
        sync = unit[_UNIT_HEADER : _UNIT_HEADER + _SYNC_HEADER]
        header = 0
        if sync[:4] in _SYNC:
            if len(sync) < _SYNC_HEADER:
                return False
            self._substreams = sync[16] >> 4
            header = _SYNC_HEADER + _extension(sync)
        at = _UNIT_HEADER + header
        lengths = list[tuple[int, bool]]()
        for _ in range(self._substreams):
            entry = _word(unit, at)
            lengths.append((2 * (entry & _END), bool(entry & _HAS_PARITY)))
            at += 4 if entry & _HAS_EXTRA_WORD else 2
        directory = unit[:_UNIT_HEADER] + unit[_UNIT_HEADER + header : at]
        folded = _all_bits(directory)
        if self._substreams and (folded >> 4 ^ folded) & 0xF != 0xF:
            return False
        return _have_parity(unit[at:], lengths[:_CHECKED_SUBSTREAMS])


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2])


def _extension(header: bytes) -> int:
    """Bytes by which TrueHD's header is longer."""
    has_one = header[:4] == _TRUEHD and header[25] & 1
    return 2 + 2 * (header[26] >> 4) if has_one else 0


def _have_parity(body: bytes, ends: list[tuple[int, bool]]) -> bool:
    """Whether substreams that end there, and are said to have a parity, have it."""
    begin = 0
    for end, has_parity in ends:
        if not begin <= end <= len(body):
            return False
        if has_parity and not _is_right(body[begin:end]):
            return False
        begin = end
    return True


def _is_right(substream: bytes) -> bool:
    if len(substream) < 2:
        return not substream
    return _all_bits(substream[:-2]) ^ substream[-2] == _PARITY


def _all_bits(data: bytes) -> int:
    """The exclusive or of all bytes."""
    return int(np.bitwise_xor.reduce(np.frombuffer(data, np.uint8)))
