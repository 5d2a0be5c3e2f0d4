"""Tells whether the elements of a Matroska file follow each other as they say (RFC 9559).

FFmpeg looks for the next cluster behind a header that makes no sense, and what lies between is
lost, up to the whole rest of a file, without a word.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_TOP = {_EBML, _SEGMENT}
_ANYWHERE = {0xEC, 0xBF}
"""Void, and a checksum."""
_IN_SEGMENT = _ANYWHERE | {
    _CLUSTER,
    *(0x114D9B74, 0x1549A966, 0x1654AE6B),  # index of the index, Info, Tracks
    *(0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367),  # Cues, Attachments, Chapters, Tags
}
_IN_CLUSTER = _ANYWHERE | {
    *(0xE7, 0xA7, 0xAB, 0x5854),  # its time, its place, the size before, silent tracks
    *(0xA3, 0xA0, 0xAF),  # a block, a group of it and what belongs to it, an encrypted one
}
_TRACKS, _TRACK, _TRACK_NUMBER = 0x1654AE6B, 0xAE, 0xD7
_CHAPTERS, _EDITION, _CHAPTER = 0x1043A770, 0x45B9, 0xB6
_SIMPLE_BLOCK, _GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
_LACING, _XIPH, _OF_ONE_SIZE = 0x06, 0x02, 0x04
"""In a block's flags: several pictures or pieces of sound in it, and how their sizes are said."""
_LONGEST_ID, _LONGEST_SIZE = 4, 8


def broken_elements(path: Path) -> bool:
    """Whether an element of a Matroska or WebM file is none, or is larger than what holds it.

    Or whether a block is of no track. Behind the last one there may be zeros. Other formats, and
    files that end too early, are not.
    """
    with _matroska(path) as data:
        return data is not None and _Walk(data).is_broken()


def chapter_count(path: Path) -> int:
    """How many chapters a Matroska file has, in all editions and within each other; 0 elsewhere."""
    with _matroska(path) as data:
        return 0 if data is None else _Walk(data).chapters()


@contextlib.contextmanager
def _matroska(path: Path) -> Iterator[mmap.mmap | None]:
    """The bytes of a Matroska or WebM file; None for another."""
    if path.stat().st_size < _LONGEST_ID:
        yield None
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data if int.from_bytes(data[:_LONGEST_ID]) == _EBML else None


class _Walk:
    """Goes from header to header."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._size = len(data)
        self._tracks: set[int] = set()
        self._segment_end = self._cluster_end = 0

    def is_broken(self) -> bool:
        at: int | None = 0
        while at is not None and at < self._size:
            element = self._element(at)
            if element is None:
                return self._size - at > 2 * _LONGEST_SIZE and any(self._data[at:])
            at = self._behind(at, *element)
        return at is None

    def _behind(self, at: int, number: int, body: int, end: int | None) -> int | None:
        """Where the next element begins: inside of this one, or behind it; None where it is none.

        Args:
            at: where this one begins.
            number: which it is.
            body: where what it holds begins.
            end: where that ends; None where it does not say.
        """
        if at < self._cluster_end and number in _IN_CLUSTER:
            holder = self._cluster_end
        elif at < self._segment_end and number in _IN_SEGMENT:
            holder = self._segment_end
        elif number in _TOP:
            holder = self._size
        else:
            return None
        until = holder if end is None else end
        if until > holder and holder < self._size:
            return None
        if number == _SEGMENT:
            self._segment_end = until
        elif number == _CLUSTER:
            self._cluster_end = until
        elif end is None or not self._is_of_a_track(number, body, end):
            return None  # only these two may leave open how long they are
        else:
            self._note_tracks(number, body, end)
            return end
        return body

    def _note_tracks(self, number: int, body: int, end: int) -> None:
        if number == _TRACKS:
            entries = self._inside(_TRACK, body, end)
            numbers = (place for entry in entries for place in self._inside(_TRACK_NUMBER, *entry))
            self._tracks |= {int.from_bytes(self._data[begin:stop]) for begin, stop in numbers}

    def chapters(self) -> int:
        """How many there are, as far as elements say how long they are; clusters are skipped."""
        holders = [
            edition
            for segment in self._inside(_SEGMENT, 0, self._size)
            for chapters in self._inside(_CHAPTERS, *segment)
            for edition in self._inside(_EDITION, *chapters)
        ]
        count = 0
        while holders:  # a chapter may hold others
            found = list(self._inside(_CHAPTER, *holders.pop()))
            count += len(found)
            holders += found
        return count

    def _is_of_a_track(self, number: int, body: int, end: int) -> bool:
        if end > self._size or number not in {_SIMPLE_BLOCK, _GROUP}:
            return True  # it is cut off, or no block
        if number == _GROUP:
            return all(self._is_block(*block) for block in self._inside(_BLOCK, body, end))
        return self._is_block(body, end)

    def _is_block(self, at: int, end: int) -> bool:
        """Whether a block is of a track, and what is laced in it has room there."""
        size = 9 - self._data[at].bit_length()
        track = int.from_bytes(self._data[at : at + size]) - (1 << 7 * size)
        flags_at = at + size + 2
        if track not in self._tracks or flags_at >= end:
            return False
        lacing = self._data[flags_at] & _LACING
        if not lacing:
            return True
        count, rest = self._data[flags_at + 1] + 1, end - flags_at - 2
        if lacing == _OF_ONE_SIZE:
            return rest > 0 and rest % count == 0
        if lacing == _XIPH:
            return self._has_room(flags_at + 2, end, count - 1)
        return rest >= 2 * count - 1  # at least a byte for each size and each content

    def _has_room(self, at: int, end: int, sizes: int) -> bool:
        """Whether so many sizes, each a sum of bytes of which the last is under 255, fit."""
        total = 0
        while sizes and at < end:
            total += self._data[at]
            sizes -= self._data[at] < 0xFF
            at += 1
        return not sizes and total <= end - at

    def _inside(self, wanted: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Where the elements of one kind among others begin and end, without their headers."""
        while begin < min(end, self._size):
            element = self._element(begin)
            if element is None:
                return
            number, body, stop = element
            if number == wanted:
                yield body, end if stop is None else min(stop, end)
            if stop is None:
                return
            begin = stop

    def _element(self, at: int) -> tuple[int, int, int | None] | None:
        """Number, and where what it holds begins and ends, None for open; None where it is none."""
        id_bytes = 9 - self._data[at].bit_length()
        place = at + id_bytes
        if id_bytes > _LONGEST_ID or place >= self._size:
            return None
        size_bytes = 9 - self._data[place].bit_length()
        body = place + size_bytes
        if size_bytes > _LONGEST_SIZE or body > self._size:
            return None
        unknown = (1 << 7 * size_bytes) - 1
        size = int.from_bytes(self._data[place:body]) & unknown
        return int.from_bytes(self._data[at:place]), body, None if size == unknown else body + size
