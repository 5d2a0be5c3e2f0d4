"""Whether a TIFF goes on to where its directories say, found without decoding it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_CLASSIC = 42
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes of a value of each kind."""
_PLACES_AND_LENGTHS = ((273, 279), (324, 325))
"""The tags that say where the strips, or the tiles, of a picture lie, and how long they are."""


@dataclass(frozen=True, slots=True)
class TiffEnds:
    """How far a TIFF reaches by what it says, in bytes.

    Attributes:
        directories: end of the last directory, and of the values that it points to.
        pixels: end of the last strip or tile.
    """

    directories: int
    pixels: int


def tiff_ends(data: bytes) -> TiffEnds:
    """Read the directories of a TIFF as far as they are there; zeros for a BigTIFF."""
    order: Literal["little", "big"] = "big" if data[:2] == b"MM" else "little"
    if int.from_bytes(data[2:4], order) != _CLASSIC:
        return TiffEnds(0, 0)
    at, seen, ends, pixels = int.from_bytes(data[4:8], order), set[int](), 8, 0
    while at and at not in seen:
        seen.add(at)
        count = int.from_bytes(data[at : at + 2], order)
        next_at = at + 2 + 12 * count
        ends = max(ends, next_at + 4)
        if next_at + 4 > len(data):
            break
        numbers = {}
        for tag, begin, end, values in _entries(data, range(at + 2, next_at, 12), order):
            ends = max(ends, end if end > begin else 0)
            numbers[tag] = values
        pixels = max(pixels, _pixels_end(numbers))
        at = int.from_bytes(data[next_at : next_at + 4], order)
    return TiffEnds(ends, pixels)


def _entries(
    data: bytes, places: range, order: Literal["little", "big"]
) -> Iterator[tuple[int, int, int, list[int]]]:
    """Each entry's tag, where its values begin and end, and those that say where pixels lie."""
    wanted = {tag for pair in _PLACES_AND_LENGTHS for tag in pair}
    for at in places:
        tag, kind = (int.from_bytes(data[at + i : at + i + 2], order) for i in (0, 2))
        width, count = _SIZES.get(kind, 0), int.from_bytes(data[at + 4 : at + 8], order)
        begin = at + 8
        if width * count > 4:
            begin = int.from_bytes(data[at + 8 : at + 12], order)
        end = begin + width * count
        span = range(begin, end, width) if tag in wanted and 0 < end <= len(data) else ()
        yield tag, begin, end, [int.from_bytes(data[i : i + width], order) for i in span]


def _pixels_end(numbers: dict[int, list[int]]) -> int:
    ends = [0]
    for places, lengths in _PLACES_AND_LENGTHS:
        pairs = zip(numbers.get(places, ()), numbers.get(lengths, ()), strict=False)
        ends += [place + length for place, length in pairs]
    return max(ends)
