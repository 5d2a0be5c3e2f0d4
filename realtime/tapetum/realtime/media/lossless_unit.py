"""Checks access units of TrueHD and MLP by the parity and the times that they hold.

FFmpeg's decoder logs a wrong one, and goes on. Each unit begins with its length, now and then tells
how many substreams it has, and where each of them ends; the exclusive or of all nibbles of what
tells that is 15. A substream ends with the exclusive or of its bytes, against `_PARITY`, and a
checksum. Where decoding can begin, the first one says the number of the unit's first sample.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

_SYNC = {b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"}
"""What a header that comes now and then begins with: of TrueHD, of MLP."""
_TRUEHD = b"\xf8\x72\x6f\xba"
_UNIT_HEADER, _SYNC_HEADER = 4, 28
"""Bytes."""
_SAMPLES, _OF_44100 = 40, 8
"""Of a unit, at 48 and at 44.1 kHz; and a bit of the number that says which it is."""
_RESTART, _RESTART_MASK = 0xF1EA, 0xFFFE
"""What a substream begins with where decoding can; the number of the sample follows."""
_NUMBERS = 1 << 16
_ROUNDED_UNITS = 2
"""By which times may be wrong: Matroska has them in milliseconds."""
_PARITY = 0xA9
_CHECKED_SUBSTREAMS = 3
"""What a fourth holds (objects in space) is another format."""
_HAS_EXTRA_WORD, _HAS_PARITY, _END = 0x8000, 0x2000, 0x0FFF
"""Of the 16 bits that tell of a substream; its end is given in words of 2 bytes."""


class LosslessUnits:
    """Follows the access units of one stream, each a packet."""

    def __init__(self) -> None:
        self._substreams = 0
        self._samples, self._rate = _SAMPLES, 48_000
        self._number: int | None = None
        self._restart: tuple[int, Fraction] | None = None
        self._since = 0

    def follows(self, time_s: Fraction) -> bool:
        """Whether, by the numbers of samples and the time of the last unit, none before is missing.

        Recordings that were joined have other numbers, but no gap of that length.
        """
        self._since += 1
        if self._number is None:
            return True
        last, units = self._restart, self._since
        self._restart, self._since = (self._number, time_s), 0
        if last is None:
            return True
        skipped = (self._number - last[0] - units * self._samples) % _NUMBERS
        gap = round((time_s - last[1]) * self._rate / _SAMPLES) - units
        around = range(max(1, gap - _ROUNDED_UNITS), gap + _ROUNDED_UNITS + 1)
        return not any(lost * self._samples % _NUMBERS == skipped for lost in around if skipped)

    def is_whole(self, unit: bytes) -> bool:
        """Whether a unit is as long as it says, and all but its rare header has its parity.

        True where nothing is known of them, before the first header.
        """
        self._number = None
        if len(unit) < _UNIT_HEADER or 2 * (_word(unit, 0) & _END) != len(unit):
            return False
        sync = unit[_UNIT_HEADER : _UNIT_HEADER + _SYNC_HEADER]
        header = 0
        if sync[:4] in _SYNC:
            if len(sync) < _SYNC_HEADER:
                return False
            self._substreams = sync[16] >> 4
            rate = (sync[4] if sync[:4] == _TRUEHD else sync[5]) >> 4
            self._samples = _SAMPLES << (rate & ~_OF_44100)
            self._rate = 44_100 if rate & _OF_44100 else 48_000
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
        if header and _word(unit, at) & _RESTART_MASK == _RESTART:
            self._number = _word(unit, at + 2)
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
